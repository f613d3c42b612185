"""Validation: the question to the origin, and what its answer makes of the stored response."""

import pytest

from caching.moments import date
from fastedge import Fields
from fastedge.caching.validation import conditions, freshen, is_agreed, is_selected


def test_conditions_are_the_validators():
    assert conditions(b'"1"', b"then") == [("if-none-match", b'"1"'), ("if-modified-since", b"then")]
    assert conditions(None, b"then") == [("if-modified-since", b"then")]
    assert conditions(None, None) == []


@pytest.mark.parametrize(
    ("etag", "modified", "update", "expected"),
    [
        (b'"1"', None, {"etag": '"1"'}, True),
        (b'"1"', None, {"etag": '"2"'}, False),
        (b'W/"1"', None, {"etag": '"1"'}, False),
        (b'"1"', None, {"etag": 'W/"1"'}, True),
        (b'W/"1"', None, {"etag": 'W/"1"'}, True),
        (None, b"then", {"etag": '"1"', "last-modified": "then"}, False),
        (b'"1"', b"then", {"last-modified": "then"}, True),
        (b'"1"', b"then", {"last-modified": "now"}, False),
        (b'"1"', None, {"x-a": "1"}, True),
        (None, None, {}, True),
    ],
)
def test_not_modified_selects_the_response_with_its_validator(etag, modified, update, expected):
    assert is_selected(etag, modified, Fields(update)) is expected


def test_freshening_replaces_lines_by_name():
    stored = Fields([("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("cache-control", "max-age=1")])
    update = Fields([("cache-control", "max-age=9"), ("x-a", "4"), ("x-c", "5")])
    assert freshen(stored, update).items() == [("x-b", "2"), ("cache-control", "max-age=9"), ("x-a", "4"), ("x-c", "5")]
    assert len(stored) == 4


@pytest.mark.parametrize("name", ["content-encoding", "content-length", "content-range", "content-type"])
def test_freshening_leaves_what_describes_the_stored_bytes(name):
    assert freshen(Fields({name: "old"}), Fields({name: "new"})).items() == [(name, "old")]
    assert freshen(Fields(), Fields({name: "new"})).items() == []


@pytest.mark.parametrize(
    "name", ["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "set-cookie"]
)
def test_freshening_takes_nothing_of_one_hop_or_one_client(name):
    assert freshen(Fields({"x-a": "1"}), Fields({name: "new"})).items() == [("x-a", "1")]


def test_freshening_takes_what_targets_us():
    update = {"edge-cache-control": "max-age=9", "surrogate-control": "max-age=8"}
    assert freshen(Fields(), Fields(update)).items() == list(update.items())


def test_freshened_response_is_as_old_as_the_validation():
    stored = Fields({"date": date(-60), "age": "9", "etag": '"1"'})
    assert freshen(stored, Fields()).items() == [("etag", '"1"')]
    assert freshen(stored, Fields({"date": date(), "age": "1"})).items() == [
        ("etag", '"1"'),
        ("date", date()),
        ("age", "1"),
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({}, True),
        ({"etag": '"1"', "last-modified": "then", "content-length": "5"}, True),
        ({"etag": '"2"'}, False),
        ({"last-modified": "now"}, False),
        ({"content-length": "6"}, False),
    ],
)
def test_answer_to_head_agrees_or_shows_that_the_stored_one_is_old(head, expected):
    assert is_agreed(b'"1"', b"then", 5, Fields(head)) is expected


def test_validator_that_the_stored_response_lacks_is_a_difference():
    assert not is_agreed(None, None, 5, Fields({"etag": '"1"'}))
