"""What a redirect table costs: the miss that nearly every request pays, the hits, and loading 100,000 rows."""

import pytest

from fastedge import Context, Request
from fastedge.routing import find_loops, load_table, table_of
from fastedge.stages import Redirects

ROWS = 100_000
PATH = "/products/summer/shoes/12345.html"


def csv_of(rows):
    lines = ["source,target,status,query"]
    for i in range(rows):
        kind = f"/old/{i}/*,/new/{i}/*,302,keep" if i % 100 == 0 else f"/products/old/shoes/{i}.html,/p/{i},,drop"
        lines.append(kind)
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def table():
    return load_table("moved.csv", csv_of(ROWS))


@pytest.mark.parametrize(
    "target",
    [PATH, "/", "/products/old/shoes/777.html", "/old/500/a/b?q=1"],
    ids=["miss", "miss-root", "exact", "prefix"],
)
def test_hook_with_100_000_rows(benchmark, table, target):
    stage = Redirects("moved").bind(Snapshot({"moved": table}))
    benchmark(stage.decide, Request("GET", target), Context())


def test_hook_misses_1000_patterns(benchmark):
    table = table_of([(f"/shop/*/old{i}/*", f"/$1/new{i}/$2") for i in range(1000)])
    stage = Redirects("moved").bind(Snapshot({"moved": table}))
    benchmark(stage.decide, Request("GET", PATH), Context())


def test_load_of_100_000_rows(benchmark):
    benchmark.pedantic(load_table, ("moved.csv", csv_of(ROWS)), rounds=5)


def test_loop_search_in_100_000_rows(benchmark, table):
    benchmark.pedantic(find_loops, (table,), rounds=5)


class Snapshot:
    def __init__(self, tables):
        self.tables = tables
