"""The geo table: a look-up at scattered addresses, a routing decision, and loading what ships, and a large one."""

import gc
import os
import random
from collections.abc import Iterator
from importlib.resources import files
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from fastedge import Context, Plan, Request
from fastedge.geo import COUNTRIES, GeoTable, load, shipped_table
from fastedge.geodesk import GeoDesk
from fastedge.handover import new_memory, write_all
from fastedge.stages.geo import GeoRoute
from tests.geo.mmdb_writer import encode, even_database

ADDRESSES = 1000
RANGES_LOG2 = 20
PLACES = 200_000


@pytest.fixture(scope="module")
def table() -> GeoTable:
    return shipped_table()


@pytest.fixture(scope="module")
def large_database() -> bytes:
    """A million ranges, 200,000 different places, in records as large as those that are sold."""
    return even_database(list(_records()), bits=RANGES_LOG2)


@pytest.fixture(scope="module")
def large_table(large_database: bytes) -> GeoTable:
    return load(large_database)


def _records() -> Iterator[bytes]:
    codes = sorted(COUNTRIES.keys() - {""})
    for i in range(PLACES):
        names = {"de": f"Stadt {i}", "en": f"City {i}", "fr": f"Ville {i}"}
        yield encode(
            {
                "city": {"geoname_id": i, "names": names},
                "continent": {"code": "EU", "names": {"en": "Europe"}},
                "country": {"iso_code": codes[i % len(codes)], "names": {"en": "Country"}},
                "location": {"latitude": i / 7, "longitude": i / 9, "time_zone": f"Europe/Zone_{i % 400}"},
                "subdivisions": [{"iso_code": str(i % 1000), "names": {"en": "Region"}}],
            }
        )


def scattered(version: int, count: int = ADDRESSES) -> list[bytes]:
    source = random.Random(version)
    if version == 4:
        return [bytes(10) + b"\xff\xff" + source.randbytes(4) for _ in range(count)]
    registries = [ip_address(text).packed[:2] for text in ("2001::", "2400::", "2600::", "2800::", "2a00::", "2c00::")]
    return [source.choice(registries) + source.randbytes(14) for _ in range(count)]


def look_up_all(table: GeoTable, addresses: list[bytes]) -> int:
    look_up = table.lookup_packed
    return sum(look_up(address).is_eu for address in addresses)


@pytest.mark.parametrize("version", [4, 6])
def test_lookup_packed(benchmark: Any, table: GeoTable, version: int) -> None:
    benchmark.extra_info["operations"] = ADDRESSES
    assert benchmark(look_up_all, table, scattered(version)) > 0


@pytest.mark.parametrize("addresses", [ADDRESSES, 100 * ADDRESSES])
def test_lookup_packed_of_a_million_ranges(benchmark: Any, large_table: GeoTable, addresses: int) -> None:
    """Addresses that fit the processor's caches, and such as do not."""
    benchmark.extra_info["operations"] = addresses
    assert benchmark(look_up_all, large_table, scattered(4, addresses)) > 0


def test_lookup_text(benchmark: Any, table: GeoTable) -> None:
    assert benchmark(table.lookup, "129.69.1.1") is COUNTRIES["DE"]


def test_route_decision(benchmark: Any, table: GeoTable) -> None:
    stage = GeoRoute({"union:EU": "eu"}, default="us")
    native = stage.bind(SimpleNamespace(geo=table, origins={"eu", "us"}))
    request, ctx = Request(), Context(client="129.69.1.1", geo=table, plan=Plan())
    benchmark(native.decide, request, ctx)
    assert ctx.plan.origin == "eu"


def test_load_shipped(benchmark: Any) -> None:
    data = files("fastedge.geo").joinpath("country.bin").read_bytes()
    assert benchmark(load, data).ranges_v4 > 100_000


def test_compile_a_million_ranges(benchmark: Any, large_database: bytes) -> None:
    """Without garbage collection, as in the process that does it."""
    gc.disable()
    try:
        made = benchmark.pedantic(load, (large_database,), rounds=3)
    finally:
        gc.enable()
    assert (made.ranges_v4, made.record_count) == (1 << RANGES_LOG2, PLACES + 1)
    benchmark.extra_info["bytes_a_range"] = len(made.shared_form()) / made.ranges_v4


def test_swap_a_million_ranges(benchmark: Any, large_table: GeoTable) -> None:
    """All that a worker's loop does, the end of the table before included: this is what a request can wait for."""
    memory = new_memory("kernel")
    write_all(memory, large_table.shared_form())
    desk = GeoDesk("a", os.dup(memory))
    benchmark(lambda: desk.compiled("a", os.dup(memory)))
    os.close(memory)
