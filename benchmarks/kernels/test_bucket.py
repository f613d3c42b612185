"""What an experiment costs a request: the hash alone, and the whole request hook by each way to know the visitor."""

import pytest
import xxhash

from fastedge import Context, Request
from fastedge.routing.experiments import buckets_of
from fastedge.stages import Experiment

WEIGHTS = {"new": 10, "old": 90}
REQUEST = Request(
    "GET",
    "/products/summer/shoes/12345?color=red",
    [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-GB,en;q=0.8"),
        ("accept-encoding", "gzip, br"),
        ("authorization", "Bearer token"),
        ("cookie", "theme=dark; session=abcdef0123456789; uid=visitor-000042; edge_checkout=AAAAAAAAAAAAAAAAAAAAAAAA"),
        ("x-forwarded-for", "192.0.2.7"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ],
)
# As many as the freelists hold, so that a context costs here what it costs in a server.
CONTEXTS = 200


def decide_all(stage, contexts):
    for ctx in contexts:
        stage.decide(REQUEST, ctx)


def contexts():
    made = [Context() for _ in range(CONTEXTS)]
    for ctx in made:
        ctx.claims = {"sub": "visitor-000042"}
    return made


@pytest.mark.parametrize("sticky_by", ["cookie:uid", "cookie", "claim:sub", "address"])
def test_request_hook_of_200_requests(benchmark, sticky_by):
    stage = Experiment("checkout", WEIGHTS, sticky_by=sticky_by).bind(None)
    benchmark.pedantic(decide_all, setup=lambda: ((stage, contexts()), {}), rounds=300)


def test_loop_over_200_requests_alone(benchmark):
    """What the benchmark above pays for its own loop and the Python face, with a stage that does nearly nothing."""

    class Nothing:
        def decide(self, request, ctx):
            return None

    benchmark.pedantic(decide_all, setup=lambda: ((Nothing(), contexts()), {}), rounds=300)


def test_bucket_of_a_key(benchmark):
    benchmark(buckets_of("checkout", WEIGHTS).bucket_of, b"visitor-000042")


def test_xxh3_alone(benchmark):
    benchmark(xxhash.xxh3_64_intdigest, b"checkout\0visitor-000042")
