"""Ranges of a known length, and bodies of several parts (RFC 9110 §14)."""

from email import message_from_bytes
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastedge.limits import range_overlaps_max, ranges_max
from fastedge.semantics.ranges import read_ranges, write_content_range, write_multipart, write_unsatisfied_range

IGNORED = None


def spans(value, length=100):
    ranges = read_ranges(value, length)
    return IGNORED if ranges is None else ranges.items()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-9", [(0, 9)]),
        (b"bytes=0-0", [(0, 0)]),
        (b"Bytes=0-0", [(0, 0)]),
        (b"bytes=99-99", [(99, 99)]),
        (b"bytes=90-", [(90, 99)]),
        (b"bytes=90-1000", [(90, 99)]),
        (b"bytes=0-", [(0, 99)]),
        (b"bytes=-1", [(99, 99)]),
        (b"bytes=-100", [(0, 99)]),
        (b"bytes=-1000", [(0, 99)]),
        (b"bytes=007-008", [(7, 8)]),
        (b"bytes=5-99999999999999999999999999", [(5, 99)]),
        (b"bytes=-99999999999999999999999999", [(0, 99)]),
        (b"bytes=50-59,0-9", [(50, 59), (0, 9)]),
        (b"bytes=0-9 ,\t50-59 , -5", [(0, 9), (50, 59), (95, 99)]),
        (b"bytes=,,0-9,", [(0, 9)]),
        (b"bytes=0-9,100-,-0", [(0, 9)]),
    ],
)
def test_satisfiable_spans_are_read_in_the_order_in_which_they_were_asked(value, expected):
    assert spans(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"bytes=100-",
        b"bytes=100-200",
        b"bytes=-0",
        b"bytes=100-,-0",
        b"bytes=99999999999999999999999995-99999999999999999999999993",
    ],
)
def test_what_lies_beyond_the_end_cannot_be_satisfied(value):
    assert spans(value) == []


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"bytes",
        b"bytes=",
        b"bytes=,",
        b"bytes=-",
        b"bytes=--1",
        b"bytes=1",
        b"bytes=9-0",
        b"bytes=0-9,9-0",
        b"bytes=0-9,x",
        b"bytes=0 - 9",
        b"bytes=0-9-",
        b"bytes=+0-9",
        b"bytes=0x0-9",
        b"bytes=0-9;50-59",
        b"bytes=0-9, bytes=50-59",
        b"bytes =0-9",
        b"bytes:0-9",
        b"byte=0-9",
        b"seconds=0-9",
        b"0-9",
    ],
)
def test_what_is_no_list_of_byte_ranges_is_ignored(value):
    assert spans(value) is IGNORED


@pytest.mark.parametrize(("value", "expected"), [(b"bytes=0-", []), (b"bytes=-0", []), (b"bytes=-1", IGNORED)])
def test_empty_representation_has_only_its_end(value, expected):
    assert spans(value, 0) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-9,10-19", [(0, 19)]),
        (b"bytes=10-19,0-9", [(0, 19)]),
        (b"bytes=0-9,5-14", [(0, 14)]),
        (b"bytes=0-9,2-3", [(0, 9)]),
        (b"bytes=0-9,11-19", [(0, 9), (11, 19)]),
        (b"bytes=0-9,20-29,10-19", [(0, 29)]),
        (b"bytes=80-89,0-9,60-69,10-59", [(80, 89), (0, 69)]),
        (b"bytes=0-9,80-89,5-14", [(0, 14), (80, 89)]),
    ],
)
def test_spans_that_overlap_or_abut_are_one_in_the_place_of_the_first(value, expected):
    assert spans(value) == expected


def test_more_ranges_than_the_bound_are_ignored():
    ranges = [b"%d-%d" % (i, i) for i in range(0, 2 * ranges_max, 2)]
    assert len(spans(b"bytes=" + b",".join(ranges))) == ranges_max
    assert spans(b"bytes=" + b",".join([*ranges, b"99-"])) is IGNORED
    assert spans(b"bytes=" + b",".join([*ranges, b"100-"])) is IGNORED


def test_more_overlaps_than_the_bound_are_ignored():
    inside = [b"%d-" % i for i in range(range_overlaps_max)]
    assert spans(b"bytes=" + b",".join([b"0-", *inside])) == [(0, 99)]
    assert spans(b"bytes=" + b",".join([b"0-", *inside, b"9-"])) is IGNORED


def test_content_range_of_a_part_and_of_none():
    assert write_content_range(0, 9, 10**15) == b"bytes 0-9/1000000000000000"
    assert write_unsatisfied_range(0) == b"bytes */0"


# --- several parts ---------------------------------------------------------------------------------------------------


def multipart(ranges, content, content_type):
    """The field that names the boundary, the body as it would be sent, and the length that was promised."""
    type_value, heads, length = write_multipart(ranges, b"b0undary", content_type)
    parts = [content[first : last + 1] for first, last in ranges.items()]
    return type_value, b"".join(head + part for head, part in zip(heads, [*parts, b""], strict=True)), length


def test_body_of_two_parts():
    ranges = read_ranges(b"bytes=0-1,4-", 6)
    type_value, body, length = multipart(ranges, b"abcdef", b"text/plain")
    assert type_value == b"multipart/byteranges; boundary=b0undary"
    assert body == (
        b"\r\n--b0undary\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/6\r\n\r\nab"
        b"\r\n--b0undary\r\ncontent-type: text/plain\r\ncontent-range: bytes 4-5/6\r\n\r\nef"
        b"\r\n--b0undary--\r\n"
    )
    assert length == len(body)


def test_parts_of_a_representation_without_content_type_have_none():
    _, body, length = multipart(read_ranges(b"bytes=0-1,4-", 6), b"abcdef", None)
    assert b"content-type" not in body
    assert len(body) == length


# --- whatever comes --------------------------------------------------------------------------------------------------

LENGTHS = st.integers(0, 300)
NUMBERS = st.integers(0, 320).map(str)
SPECS = st.builds("{}-{}".format, NUMBERS, NUMBERS | st.just("")) | st.builds("-{}".format, NUMBERS)
LISTS = st.lists(SPECS, min_size=1, max_size=ranges_max + 1).map(lambda specs: ("bytes=" + ",".join(specs)).encode())


def asked_for(value, length):
    """The bytes that a list of ranges asks for, one specification after the other; None where one is none."""
    wanted = set()
    for spec in value.removeprefix(b"bytes=").split(b","):
        first, _, last = spec.partition(b"-")
        if not first:
            wanted |= set(range(max(length - int(last), 0), length))
        elif last and int(last) < int(first):
            return None
        else:
            wanted |= set(range(int(first), min(int(last) if last else length, length - 1) + 1))
    return wanted


@given(LISTS, LENGTHS)
def test_spans_are_apart_within_the_length_and_cover_what_was_asked(value, length):
    found = spans(value, length)
    assume(found is not IGNORED)
    assert all(0 <= first <= last < length for first, last in found)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(sorted(found)))
    assert {at for first, last in found for at in range(first, last + 1)} == asked_for(value, length)


@given(st.lists(SPECS, min_size=1, max_size=range_overlaps_max + 1), st.integers(1, 300))
def test_few_ranges_are_ignored_only_when_one_is_none(specs, length):
    value = ("bytes=" + ",".join(specs)).encode()
    assert (spans(value, length) is IGNORED) == (asked_for(value, length) is None)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(b"bytes=".__add__), LENGTHS)
def test_any_bytes_give_an_answer(value, length):
    found = spans(value, length)
    assert found is IGNORED or all(0 <= first <= last < length for first, last in found)


@given(LISTS, st.text("0123456789abcdef", min_size=1, max_size=300), st.sampled_from(["text/plain", "a/b; c=d"]))
def test_body_of_several_parts_reads_back(value, content, content_type):
    ranges = read_ranges(value, len(content))
    assume(ranges is not None and ranges.count)
    type_value, body, length = multipart(ranges, content.encode(), content_type.encode())
    assert len(body) == length
    parts = message_from_bytes(b"content-type: " + type_value + b"\r\n\r\n" + body).get_payload()
    assert [(part["content-type"], part["content-range"], part.get_payload()) for part in parts] == [
        (content_type, f"bytes {first}-{last}/{len(content)}", content[first : last + 1])
        for first, last in ranges.items()
    ]
