"""What the path of every request costs: reading its head, running a pipeline, writing an answer's head.

A Python call is in each figure. httptools with a protocol of Python functions is the runner-up of reading.
"""

import httptools
import pytest

from fastedge import CONTINUE, Context, Pipeline, Request, Response
from fastedge._core.body import BodyReader
from fastedge._core.wire import RequestReader, ResponseReader
from fastedge._core.writer import HeadWriter
from fastedge.engine import Engine, Site

HEAD = (
    b"GET /catalogue/shoes?size=42 HTTP/1.1\r\nHost: shop.example\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: de-DE,de;q=0.8\r\n"
    b"Accept-Encoding: gzip, br\r\nReferer: https://shop.example/\r\nCookie: uid=visitor-000042\r\n"
    b"X-Forwarded-For: 203.0.113.77\r\nSec-Fetch-Mode: navigate\r\nPriority: u=0, i\r\n\r\n"
)
ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nServer: app\r\n"
    b"Content-Type: text/html\r\nContent-Length: 1024\r\n\r\n"
)
CHUNKS = b"400\r\n%b\r\n" % (b"x" * 1024) * 4 + b"0\r\n\r\n"
DATE = b"date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"


class Passes:
    def on_request(self, request, ctx):
        return CONTINUE


class Reads:
    """What is written down of a hook, for the sake of what it then edits outside the key."""

    def on_request(self, request, ctx):
        if request.headers.get("accept-language", "").startswith("de") and request.cookie("uid"):
            ctx.plan.ttl_s = 60
        return CONTINUE


@pytest.mark.benchmark(group="head of a request")
def test_read_request(benchmark):
    assert benchmark(RequestReader().parse, HEAD).host == "shop.example"


@pytest.mark.benchmark(group="head of a request")
def test_read_request_by_httptools(benchmark):
    class Sink:
        def on_url(self, url):
            self.url = url

        def on_header(self, name, value):
            self.fields.append((name.lower(), value))

    sink = Sink()
    parser = httptools.HttpRequestParser(sink)

    def read():
        sink.fields = []
        parser.feed_data(HEAD)
        return sink.fields

    assert len(benchmark(read)) == 10


@pytest.mark.benchmark(group="head of a response")
def test_read_response(benchmark):
    status, _ = benchmark(ResponseReader().parse, ANSWER_HEAD)
    assert status == 200


@pytest.mark.benchmark(group="head of a response")
def test_write_answer(benchmark):
    response = Response(200, {"content-type": "text/html", "x-country": "DE", "x-bucket": "a"}, b"x" * 1024)
    assert benchmark(HeadWriter().answer, response, DATE).endswith(b"x")


@pytest.mark.benchmark(group="body")
def test_read_chunks(benchmark):
    reader = BodyReader()

    def read():
        reader.begin("chunked")
        return reader.read(CHUNKS)

    assert len(benchmark(read)) == 4096


@pytest.mark.benchmark(group="pipeline")
@pytest.mark.parametrize("stages", [0, 1, 4])
def test_request_through_python_stages(benchmark, stages):
    engine = Engine({"*": Site("", Pipeline(*[Passes() for _ in range(stages)]).bind(None), "main")}, ["main"])
    request, client = Request(), Context().client_packed

    def decide():
        return engine.begin(request, 0.0, client).step_start()

    assert benchmark(decide) == "fetch"


@pytest.mark.benchmark(group="pipeline")
def test_request_through_a_stage_that_reads(benchmark):
    engine = Engine({"*": Site("", Pipeline(Reads()).bind(None), "main")}, ["main"])
    request, client = RequestReader().parse(HEAD), Context().client_packed

    def decide():
        return engine.begin(request, 0.0, client).step_start()

    assert benchmark(decide) == "fetch"
