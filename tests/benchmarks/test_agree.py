"""A peer that does less than its job, or another one, is found before anything is timed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from benchmarks import agree, traffic
from benchmarks.countries import CountryTable
from benchmarks.errors import BenchmarkError
from benchmarks.process import HOST
from benchmarks.traffic import Visitor

COUNTRIES = CountryTable((1 << 24, 2 << 24), (8, 8), ("DE", "FR"))
VISITORS = [Visitor(f"head.body{n}.sign", f"{n:02x}", f"{1 + n % 2}.0.0.{n}") for n in range(60)]
TOKENS = {f"Bearer {visitor.token}" for visitor in VISITORS}
REFUSED = {"a forged token": "head.body0.forged", "an expired token": "head.old.sign"}
NUMBERS = count()


@dataclass
class Edge:
    """An honest edge, but for what a test overrides."""

    is_valid: Callable[[str], bool] = TOKENS.__contains__
    country: Callable[[str], str] = COUNTRIES.lookup
    bucket: Callable[[str], str] = lambda uid: "ab"[int(uid, 16) % 2]
    page: bytes = traffic.PAGE
    name: str = "edge"
    port: int = field(default=0, init=False)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        allowed = self.is_valid(handler.headers.get("Authorization", ""))
        handler.send_response(200 if allowed else 401)
        handler.send_header("X-Country", self.country(handler.headers.get("X-Forwarded-For", "1.0.0.1")))
        handler.send_header("X-Bucket", self.bucket(handler.headers.get("Cookie", "uid=0").removeprefix("uid=")))
        handler.end_headers()
        handler.wfile.write(self.page)


@contextmanager
def serving(edge: Edge) -> Iterator[Edge]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            edge.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        edge.port = server.server_port
        try:
            yield edge
        finally:
            server.shutdown()
            thread.join()


def test_honest_edge_passes() -> None:
    with serving(Edge()) as edge:
        agree.require_answers(edge, VISITORS, COUNTRIES)
        agree.require_pages(edge, VISITORS)
        agree.require_refusals(edge, REFUSED)


@pytest.mark.parametrize(
    ("edge", "problem"),
    [
        (Edge(is_valid=lambda _: False), "answered .401"),
        (Edge(country=lambda _: "DE"), "'DE'.* instead of .*'FR'"),
        (Edge(page=traffic.PAGE[:-1]), "answered .200, False"),
        (Edge(bucket=lambda _: "c"), "instead of"),
        (Edge(bucket=lambda _: "a"), "100% of the visitors are in bucket a"),
        (Edge(bucket=lambda _: "ab"[next(NUMBERS) // 7 % 2]), "changed the bucket"),
    ],
    ids=["no token", "country", "page", "no bucket", "one bucket", "fickle"],
)
def test_edge_that_does_other_work_is_refused(edge: Edge, problem: str) -> None:
    with serving(edge), pytest.raises(BenchmarkError, match=problem):
        agree.require_answers(edge, VISITORS, COUNTRIES)


@pytest.mark.parametrize(
    ("edge", "problem"),
    [
        (Edge(is_valid=lambda _: True), "answered 200 to no token"),
        (Edge(is_valid=lambda sent: sent != ""), "answered 200 to a forged token"),
        (Edge(is_valid=lambda sent: sent.endswith(".sign")), "answered 200 to an expired token"),
    ],
    ids=["anyone", "any token", "any date"],
)
def test_edge_that_lets_in_who_must_stay_out_is_refused(edge: Edge, problem: str) -> None:
    with serving(edge), pytest.raises(BenchmarkError, match=problem):
        agree.require_refusals(edge, REFUSED)


@pytest.mark.parametrize(
    "edge", [Edge(is_valid=lambda _: False), Edge(page=traffic.PAGE[:-1])], ids=["no token", "page"]
)
def test_edge_without_a_page_for_each_visitor_is_refused(edge: Edge) -> None:
    with serving(edge), pytest.raises(BenchmarkError, match=r"answered \d+ and \d+ bytes to 1.0.0.0"):
        agree.require_pages(edge, VISITORS)


def test_page_of_another_length_is_refused() -> None:
    with serving(Edge(is_valid=lambda _: True, page=b"short")) as edge, pytest.raises(BenchmarkError, match="5 bytes"):
        agree.require_page(edge)
