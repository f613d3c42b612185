"""Accept-Encoding: who takes gzip."""

import pytest

from fastedge import Fields
from fastedge._core.codings import takes_gzip


@pytest.mark.parametrize(
    "value",
    [
        "gzip",
        "gzip, deflate, br, zstd",
        "br,gzip",
        "GZip",
        "x-gzip",
        "*",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "gzip ; q=0.001",
        "gzip;Q=1",
        " , gzip",
        "identity, *;q=0.5",
        "br;q=0, gzip",
        "gzip, *;q=0",
        "*;q=0, gzip",
    ],
)
def test_gzip_is_taken(value: str) -> None:
    assert takes_gzip(Fields({"accept-encoding": value}))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip; q=0.000",
        "gzip;q=0, *",
        "*, gzip;q=0",
        "*;q=0",
        "gzip;x",
        "gzip;q=",
        "gzip;q=1x",
        "gzip;q=1 x",
        "gzip;level=9",
        "gzipped",
        "gzi",
        "gzip br",
        "a" * 8000,
    ],
)
def test_gzip_is_not_taken(value: str) -> None:
    assert not takes_gzip(Fields({"accept-encoding": value}))


def test_client_that_says_nothing_does_not_take_it() -> None:
    assert not takes_gzip(Fields({"accept": "gzip"}))


def test_several_lines_are_one_value() -> None:
    assert takes_gzip(Fields([("accept-encoding", "br"), ("Accept-Encoding", "gzip")]))
    assert not takes_gzip(Fields([("accept-encoding", "*"), ("Accept-Encoding", "gzip;q=0")]))
