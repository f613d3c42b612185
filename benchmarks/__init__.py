"""What a request costs, measured beside nginx, HAProxy and the bare floor. Never imported by fastedge at run time."""
