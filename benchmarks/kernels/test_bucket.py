"""What an experiment costs a request: the hash alone, and the whole request hook by each way to know the visitor."""

import dataclasses
import mmap

import pytest
import xxhash

from fastedge import Context, Request
from fastedge._core.device import device_class
from fastedge._core.exposures import Exposures, initialise, mapping_bytes
from fastedge.routing import Layer, allocate
from fastedge.routing.experiment_settings import ExperimentSlots
from fastedge.routing.experiments import buckets_of
from fastedge.stages import Experiment

WEIGHTS = {"new": 10, "old": 90}
LAYER = {"checkout": (0, 5_000), "hero": (5_000, 10_000)}
REQUEST = Request(
    "GET",
    "/products/summer/shoes/12345?color=red",
    [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36"),
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


@dataclasses.dataclass
class Snapshot:
    experiments: ExperimentSlots


def exposures():
    buffer = mmap.mmap(-1, mapping_bytes())
    initialise(buffer, b"k" * 32, 86_400)
    return Exposures(buffer)


@pytest.mark.parametrize(
    "options",
    [
        {"sticky_by": ["claim:nobody", "cookie:nothing", "cookie:uid"]},
        {"layer": Layer("shop", LAYER, sticky_by="cookie:uid")},
        {"target": {"path": "/products/*", "device": "desktop"}, "sticky_by": "cookie:uid"},
    ],
    ids=["three_ways", "layer", "target"],
)
def test_request_hook_with_more_of_200_requests(benchmark, options):
    stage = Experiment("checkout", WEIGHTS, **options).bind(None)
    benchmark.pedantic(decide_all, setup=lambda: ((stage, contexts()), {}), rounds=300)


def test_request_hook_that_counts_of_200_requests(benchmark):
    """Whoever comes again, as nearly everyone does: the table is asked, and says so."""
    stage = Experiment("checkout", WEIGHTS, sticky_by="cookie:uid").bind(
        Snapshot(ExperimentSlots(exposures=exposures()))
    )
    benchmark.pedantic(decide_all, setup=lambda: ((stage, contexts()), {}), rounds=300)


def test_loop_over_200_requests_alone(benchmark):
    """What the benchmark above pays for its own loop and the Python face, with a stage that does nearly nothing."""

    class Nothing:
        def decide(self, request, ctx):
            return None

    benchmark.pedantic(decide_all, setup=lambda: ((Nothing(), contexts()), {}), rounds=300)


def test_bucket_of_a_key(benchmark):
    benchmark(buckets_of("checkout", WEIGHTS).bucket_of, b"visitor-000042")


def test_bucket_of_a_key_in_a_layer(benchmark):
    """Both hashes, as an experiment in a layer asks them."""
    part, buckets = Layer("shop", LAYER).range_of("checkout"), buckets_of("checkout", WEIGHTS)
    benchmark(lambda: part.has(b"visitor-000043") and buckets.variant_of(b"visitor-000043"))


def test_variant_of_a_key_after_ten_ramps(benchmark):
    allocation = WEIGHTS
    for step in range(1, 11):
        allocation = allocate(allocation, {"new": 10 + 4 * step, "old": 90 - 4 * step, "third": step % 3})
    benchmark(buckets_of("checkout", allocation).variant_of, b"visitor-000042")


def test_device_class_of_a_request(benchmark):
    benchmark(device_class, REQUEST)


def test_xxh3_alone(benchmark):
    benchmark(xxhash.xxh3_64_intdigest, b"checkout\0visitor-000042")
