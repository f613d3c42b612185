"""What seeing it costs a request: counting it and writing its line. The connection calls both as C functions; from here
each has a Python call around it, which `test_python_call_alone` measures."""

import orjson
import pytest

from fastedge._core import metrics
from fastedge._core.accesslog import LogBuffer
from fastedge._core.message import Context, Request
from fastedge.limits import log_batch_bytes
from fastedge.server.prometheus import render

HEADERS = {
    "host": "shop.example",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "accept": "text/html,application/xhtml+xml",
    "accept-encoding": "gzip, br",
    "accept-language": "en",
    "cookie": "uid=1234567",
    "referer": "https://shop.example/shop/",
    "x-forwarded-for": "203.0.113.9",
    "authorization": "Bearer eyJhbGciOiJIUzI1NiJ9",
    "cache-control": "no-cache",
}


@pytest.fixture
def request_():
    return Request("GET", "/shop/item/42?color=red&size=9", HEADERS, host="shop.example")


@pytest.fixture
def ctx():
    ctx = Context(now=1764000000.123, client="203.0.113.9")
    ctx.variants["checkout"] = "new"
    return ctx


def write(log, request, ctx):
    log.write(request, ctx, site="shop", status=200, bytes_in=400, bytes_out=1300, duration_us=42)
    if log.size >= log_batch_bytes:
        log.take_batch()


class NoLog:
    size = 0

    def write(self, request, ctx, *, site, status, bytes_in, bytes_out, duration_us):
        pass


def test_log_line(benchmark, request_, ctx):
    benchmark(write, LogBuffer(1), request_, ctx)


def test_python_call_alone(benchmark, request_, ctx):
    benchmark(write, NoLog(), request_, ctx)


def test_log_line_by_orjson(benchmark, request_, ctx):
    """The same line from a dictionary: what the own writer must beat to earn its place."""

    def line():
        fields = request_.headers
        return orjson.dumps(
            {
                "ts": "2025-11-24T16:00:00.123Z", "client": ctx.client, "method": request_.method,
                "scheme": request_.scheme, "host": request_.host, "path": request_.path, "query": request_.query,
                "status": 200, "bytes_in": 400, "bytes_out": 1300, "duration_us": 42, "protocol": "HTTP/1.1",
                "site": "shop", "origin": None, "origin_status": None, "origin_us": None, "cache": ctx.cache,
                "error": None, "worker": 1, "variants": ctx.variants, "user_agent": fields.get("user-agent"),
                "referer": fields.get("referer"),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )  # fmt: skip

    benchmark(line)


def test_log_line_of_a_refusal(benchmark):
    log = LogBuffer(1)
    client = bytes(10) + b"\xff\xff\xcb\x00\x71\x09"

    def line():
        log.write_refusal(1764000000.123, client, "bare_lf")
        if log.size >= log_batch_bytes:
            log.take_batch()

    benchmark(line)


@pytest.fixture
def mapping():
    buffer = bytearray(metrics.mapping_bytes(8))
    metrics.initialise(buffer, 8)
    return buffer


def test_count_a_request(benchmark, mapping):
    benchmark(metrics.Metrics(mapping, 0).request, 200, 400, 1300, 42)


def test_scrape_of_eight_workers_and_ten_origins(benchmark, mapping):
    benchmark(render, mapping, [f"origin-{i}" for i in range(10)])
