"""What conditions, dates and ranges cost a hit. A Python call is in each figure."""

import pytest

from fastedge import Request
from fastedge.semantics.dates import read_date, write_date
from fastedge.semantics.ranges import read_ranges
from fastedge.semantics.validators import applies_range, outcome

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
STORED = {"etag": b'"5f1e-17a"', "last_modified": DATE, "date": b"Mon, 07 Nov 1994 08:49:37 GMT"}
CONDITIONS = {
    "none": [],
    "if_none_match": [("if-none-match", '"5f1e-17a"')],
    "if_modified_since": [("if-modified-since", DATE.decode())],
    "both": [("if-none-match", '"5f1e-17a"'), ("if-modified-since", DATE.decode())],
}


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_preconditions(benchmark, conditions):
    request = Request(headers=[("accept", "*/*"), ("user-agent", "x"), *CONDITIONS[conditions]])
    expected = "NOT_MODIFIED" if CONDITIONS[conditions] else "PASSES"
    assert benchmark(lambda: outcome(request, **STORED)) == expected


@pytest.mark.parametrize("validator", ['"5f1e-17a"', DATE.decode()], ids=["tag", "date"])
def test_if_range(benchmark, validator):
    request = Request(headers=[("range", "bytes=0-1023"), ("if-range", validator)])
    assert benchmark(lambda: applies_range(request, **STORED))


@pytest.mark.parametrize("text", [DATE, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"])
def test_date_is_read(benchmark, text):
    assert benchmark(read_date, text, 1.8e9) == 784111777


def test_date_is_written(benchmark):
    assert benchmark(write_date, 784111777.0) == DATE


@pytest.mark.parametrize("value", [b"bytes=1024-2047", b"bytes=0-9,50-59,100-"])
def test_ranges(benchmark, value):
    assert benchmark(read_ranges, value, 1_000_000).count
