"""The country table: a look-up at 1,000 scattered addresses, a routing decision, and loading what ships."""

import random
from importlib.resources import files
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from fastedge import Context, Plan, Request
from fastedge.geo import COUNTRIES, GeoTable, load, shipped_table
from fastedge.stages.geo import GeoRoute

ADDRESSES = 1000


@pytest.fixture(scope="module")
def table() -> GeoTable:
    return shipped_table()


def scattered(version: int) -> list[bytes]:
    source = random.Random(version)
    if version == 4:
        return [bytes(10) + b"\xff\xff" + source.randbytes(4) for _ in range(ADDRESSES)]
    registries = [ip_address(text).packed[:2] for text in ("2001::", "2400::", "2600::", "2800::", "2a00::", "2c00::")]
    return [source.choice(registries) + source.randbytes(14) for _ in range(ADDRESSES)]


def look_up_all(table: GeoTable, addresses: list[bytes]) -> int:
    look_up = table.lookup_packed
    return sum(look_up(address).is_eu for address in addresses)


@pytest.mark.parametrize("version", [4, 6])
def test_lookup_packed(benchmark: Any, table: GeoTable, version: int) -> None:
    benchmark.extra_info["operations"] = ADDRESSES
    assert benchmark(look_up_all, table, scattered(version)) > 0


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
