"""What a purge costs, and what a look costs when there has been one; each with a Python call around it."""

import mmap

import pytest

from fastedge._core import purges
from fastedge._core.purges import Purges, name_hash
from fastedge.purge_file import open_purges

NAMES = [name_hash(b"tag", b"%d" % i) for i in range(4)]
URL = b"https://shop.example/item/42?color=red"


@pytest.fixture
def table():
    buffer = mmap.mmap(-1, purges.mapping_bytes())
    purges.initialise(buffer)
    return Purges(buffer)


def test_version(benchmark, table):
    benchmark(table.version)


def test_verdict_of_four_names(benchmark, table):
    table.purge_names(b"tag", [b"another"])
    assert benchmark(table.verdict_of, NAMES, URL, 0) == "kept"


def test_verdict_behind_a_thousand_prefixes(benchmark, table):
    for i in range(1000):
        table.purge_prefix(b"https://shop.example/other/%d/" % i)
    assert benchmark(table.verdict_of, NAMES, URL, 0) == "kept"


def test_name_hash(benchmark):
    benchmark(name_hash, b"url", URL)


def test_purge(benchmark, table):
    benchmark(table.purge, NAMES[0], False)


def test_purge_with_its_image(benchmark, table, tmp_path):
    file = open_purges(tmp_path, table, 1e9, pytest.fail)
    benchmark(table.purge, NAMES[0], False)
    file.close()
