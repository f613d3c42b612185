"""`python -m fastedge` is `fastedge`."""

from fastedge.cli import main

if __name__ == "__main__":
    main(prog_name="fastedge")
