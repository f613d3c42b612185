"""What /metrics says of connections to origins is what the system has."""

from collections.abc import Callable

from exchange.peer import Origin
from running import Edge, wait_until

POLICY = "from fastedge import Pipeline\npipeline = Pipeline()\n"
OPEN = 'fastedge_origin_connections_open{{origin="main"}} {}'


def test_open_origin_connections_are_counted_idle_ones_included(run_edge: Callable[..., Edge]) -> None:
    origin = Origin()
    try:
        origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", "content-length: 2", b"ok"))
        port = origin.socket.getsockname()[1]
        more = f'[origins.main]\nservers = ["http://127.0.0.1:{port}"]\n'
        edge = run_edge(policy=POLICY, workers=1, more=more)
        assert edge.get() == "ok"
        wait_until(lambda: OPEN.format(1) in edge.admin("GET", "/metrics")[1], "one connection")
    finally:
        origin.close()
    wait_until(lambda: OPEN.format(0) in edge.admin("GET", "/metrics")[1], "none")
