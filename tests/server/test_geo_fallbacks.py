"""A whole edge of two origins: the near one dies and comes back; what was stored of it is still served."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from running import Edge, ask, wait_until
from servers import free_port

Run = Callable[..., Edge]

POLICY = """
from fastedge import Pipeline
from fastedge.stages import GeoRoute

pipeline = Pipeline(GeoRoute({"DE": "us"}, default=["eu", "us"]))
"""


@contextmanager
def origin(word: str, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = word.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=60")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *parts: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_near_origin_dies_and_comes_back(run_edge: Run) -> None:
    near, far = free_port(), free_port()
    more = "".join(
        f'[origins.{name}]\nservers = ["http://127.0.0.1:{port}"]\nbreaker_failures = 1\nbreaker_open_ms = 1500\n'
        "idle_timeout_ms = 0\n"
        for name, port in (("eu", near), ("us", far))
    )
    with origin("us", far):
        edge = run_edge(policy=POLICY, more=more, workers=1)
        with origin("eu", near):
            assert ask(edge.port, "GET", "/stored") == (200, "eu")
        assert ask(edge.port, "GET", "/new") == (200, "us"), "the connection is refused, and the next is asked"
        assert ask(edge.port, "GET", "/newer") == (200, "us"), "the breaker is open: nobody asks the first one"
        assert ask(edge.port, "GET", "/stored") == (200, "eu"), "a hit needs no origin"
        assert ask(edge.port, "GET", "/new") == (200, "us"), "stored under the key of who answered"
        with origin("eu", near):
            wait_until(lambda: ask(edge.port, "GET", "/newest?" + str(near)) == (200, "eu") or not near, "eu is back")
            assert ask(edge.port, "GET", "/newer") == (200, "eu"), "what the other said is not what this one says"
