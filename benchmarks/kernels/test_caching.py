"""A shared cache's decisions: what each hit pays, and what each stored response pays once."""

import pytest

from fastedge import Fields, Plan, Request
from fastedge.caching.directives import of_response
from fastedge.caching.reuse import use
from fastedge.caching.storing import assessment
from fastedge.caching.vary import is_match, packed

BROWSER = {
    "accept": "text/html,application/xhtml+xml",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "de-DE,de;q=0.9,en;q=0.8",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "connection": "keep-alive",
}
ANSWER = Fields(
    {
        "cache-control": "public, max-age=60, stale-while-revalidate=30",
        "content-type": "text/html; charset=utf-8",
        "date": "Fri, 15 Jan 2027 08:00:00 GMT",
        "etag": '"5e1-62a8b"',
        "vary": "accept-encoding",
        "cache-tag": "page, shop",
    }
)
NOW = 1_800_000_000.0


@pytest.mark.parametrize("vary", [None, b"accept-encoding", b"accept-encoding, accept-language"])
def test_match_of_vary(benchmark, vary):
    request, plan = Request(headers=BROWSER), Plan()
    kept = None if vary is None else packed(vary, request, plan)
    assert benchmark(is_match, kept, request, plan)


@pytest.mark.parametrize("wish", [{}, {"cache-control": "max-age=0"}])
def test_use_of_what_is_stored(benchmark, wish):
    request, plan = Request(headers={**BROWSER, **wish}), Plan()
    found = assessment(request, plan, 200, ANSWER, [], NOW, NOW)
    benchmark(use, found, 1.0, request, plan, False)


def test_directives_of_a_response(benchmark):
    assert benchmark(of_response, ANSWER)


def test_assessment_of_a_response(benchmark):
    assert benchmark(assessment, Request(headers=BROWSER), Plan(), 200, ANSWER, [], NOW, NOW).reason is None
