"""The demo's shop front: the origin of its page, and a door through which one browser can be three visitors."""

import http.client
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FILES = Path(__file__).parent / "storefront"
DELIVERY = {"DE": "In zwei Tagen bei Ihnen.", "US": "At your door in four days."}
HTML = "text/html; charset=utf-8"


def storefront(port: int) -> ThreadingHTTPServer:
    """The page, its pictures, and a line about delivery. All of it may be kept: nothing in it is a visitor's own."""
    answers: Counter[str] = Counter()

    class Front(_Handler):
        def do_GET(self) -> None:
            answers[self.path] += 1
            url = urlsplit(self.path)
            if url.path == "/shop":
                page = (FILES / "page.html").read_text()
                self.answer(HTML, page.replace("{answer}", f"{answers[self.path]}").encode())
            elif url.path == "/fragments/delivery" and (text := DELIVERY.get(parse_qs(url.query)["to"][0])):
                self.answer(HTML, f"{text} <small>(answer {answers[self.path]})</small>".encode())
            elif url.path in ("/shop/dawn.svg", "/shop/night.svg"):
                self.answer("image/svg+xml", (FILES / url.path.removeprefix("/shop/")).read_bytes())
            else:
                self.answer("text/plain", b"There is nothing here.\n", 404)

    return ThreadingHTTPServer(("127.0.0.1", port), Front)


def door(port: int, edge: tuple[str, int], visitors: Mapping[str, Mapping[str, str]]) -> ThreadingHTTPServer:
    """`/NAME/…` asks the edge for `/…` with the fields of that visitor; `/` shows all of them beside each other."""

    class Door(_Handler):
        def do_GET(self) -> None:
            if self.path == "/":
                self.answer(HTML, (FILES / "visitors.html").read_bytes())
                return
            name, _, rest = self.path[1:].partition("/")
            connection = http.client.HTTPConnection(*edge, timeout=5)
            connection.request(
                "GET", f"/{rest}" if name in visitors else self.path, headers=dict(visitors.get(name, {}))
            )
            response = connection.getresponse()
            self.answer(response.getheader("content-type", "text/plain"), response.read(), response.status)
            connection.close()

    return ThreadingHTTPServer(("127.0.0.1", port), Door)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, kind: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
