"""Entity-tags compared, and the conditions of a request held against a stored response (RFC 9110 §8.8.3, §13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Request
from fastedge.semantics.dates import read_date, write_date
from fastedge.semantics.validators import applies_range, compares_strongly, compares_weakly, outcome

NOON = 1_800_000_000
BEFORE, MODIFIED, AFTER = (write_date(NOON + s) for s in (-1, 0, 1))


def asked(*lines):
    return Request(headers=[(name, value.decode("latin-1")) for name, value in lines])


# --- entity-tags -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [
        # the table of §8.8.3.2
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
        (b'""', b'""', True, True),
        (b'"a"', b'"A"', False, False),
        (b'"1"', b'"12"', False, False),
        (b'w/"1"', b'"1"', False, False),
        (b'"', b'"', False, True),
        (b"1", b"1", False, True),
        (b"1", b'"1"', False, False),
        (b"", b"", False, False),
        (b"W/", b"W/", False, False),
        (None, None, False, False),
        (None, b'"1"', False, False),
    ],
)
def test_tags_are_compared(one, other, strongly, weakly):
    assert (compares_strongly(one, other), compares_weakly(one, other)) == (strongly, weakly)
    assert (compares_strongly(other, one), compares_weakly(other, one)) == (strongly, weakly)


# --- preconditions ---------------------------------------------------------------------------------------------------


def test_request_without_conditions_passes():
    request = asked(("range", b"bytes=0-1"), ("if-range", b'"1"'))
    assert outcome(request, etag=b'"1"', last_modified=MODIFIED) == "PASSES"


@pytest.mark.parametrize("status", [203, 204, 206, 301, 404, 410, 500])
def test_conditions_mean_nothing_for_another_status_than_200(status):
    request = asked(("if-match", b'"2"'), ("if-none-match", b'"1"'))
    assert outcome(request, status=status, etag=b'"1"') == "PASSES"
    assert outcome(request, etag=b'"1"') == "FAILED"


@pytest.mark.parametrize(
    ("listed", "etag", "expected"),
    [
        (b'"1"', b'"1"', "NOT_MODIFIED"),
        (b'W/"1"', b'"1"', "NOT_MODIFIED"),
        (b'"1"', b'W/"1"', "NOT_MODIFIED"),
        (b'"0", "1"', b'"1"', "NOT_MODIFIED"),
        (b'"0","1"', b'"1"', "NOT_MODIFIED"),
        (b',, "0" ,\t W/"1" ,', b'"1"', "NOT_MODIFIED"),
        (b'"a,b"', b'"a,b"', "NOT_MODIFIED"),
        (b"1", b"1", "NOT_MODIFIED"),
        (b"*", b'"1"', "NOT_MODIFIED"),
        (b"*", None, "NOT_MODIFIED"),
        (b'"2"', b'"1"', "PASSES"),
        (b'"1"x', b'"1"', "PASSES"),
        (b'x"1"', b'"1"', "PASSES"),
        (b'"0 "1"', b'"1"', "PASSES"),
        (b'"0, "1"', b'"1"', "PASSES"),
        (b'"a,b"', b'"a"', "PASSES"),
        (b'"1', b'"1"', "PASSES"),
        (b'*, "2"', b'"1"', "PASSES"),
        (b"", b'"1"', "PASSES"),
        (b",", b'"1"', "PASSES"),
        (b'"1"', None, "PASSES"),
    ],
)
def test_if_none_match(listed, etag, expected):
    assert outcome(asked(("if-none-match", listed)), etag=etag) == expected


def test_lines_of_if_none_match_are_one_list():
    assert outcome(asked(("if-none-match", b'"0"'), ("if-none-match", b'"1"')), etag=b'"1"') == "NOT_MODIFIED"


def test_if_none_match_that_finds_nothing_silences_if_modified_since():
    request = asked(("if-none-match", b'"2"'), ("if-modified-since", AFTER))
    assert outcome(request, etag=b'"1"', last_modified=MODIFIED) == "PASSES"
    assert outcome(request, last_modified=MODIFIED) == "PASSES"


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (BEFORE, "PASSES"),
        (MODIFIED, "NOT_MODIFIED"),
        (AFTER, "NOT_MODIFIED"),
        (b"Friday, 15-Jan-27 08:00:00 GMT", "NOT_MODIFIED"),
        (b"Fri Jan 15 08:00:00 2027", "NOT_MODIFIED"),
        (b"yesterday", "PASSES"),
        (b"", "PASSES"),
        (MODIFIED + b", " + MODIFIED, "PASSES"),
    ],
)
def test_if_modified_since(since, expected):
    assert outcome(asked(("if-modified-since", since)), last_modified=MODIFIED, now=NOON) == expected


def test_if_modified_since_is_held_against_date_where_last_modified_is_missing():
    request = asked(("if-modified-since", MODIFIED))
    assert outcome(request, date=MODIFIED) == "NOT_MODIFIED"
    assert outcome(request, date=AFTER) == "PASSES"
    assert outcome(request, last_modified=AFTER, date=MODIFIED) == "PASSES"
    assert outcome(request, last_modified=b"yesterday", date=MODIFIED) == "PASSES"
    assert outcome(request) == "PASSES"


@pytest.mark.parametrize(
    ("listed", "etag", "expected"),
    [
        (b'"1"', b'"1"', "PASSES"),
        (b'"0", "1"', b'"1"', "PASSES"),
        (b"*", b'"1"', "PASSES"),
        (b"*", None, "PASSES"),
        (b'"2"', b'"1"', "FAILED"),
        (b'W/"1"', b'W/"1"', "FAILED"),
        (b'W/"1"', b'"1"', "FAILED"),
        (b'"1"', None, "FAILED"),
        (b"1", b"1", "FAILED"),
    ],
)
def test_if_match_compares_strongly(listed, etag, expected):
    assert outcome(asked(("if-match", listed)), etag=etag) == expected


@pytest.mark.parametrize(
    ("since", "expected"),
    [(BEFORE, "FAILED"), (MODIFIED, "PASSES"), (AFTER, "PASSES"), (b"yesterday", "PASSES"), (b"", "PASSES")],
)
def test_if_unmodified_since(since, expected):
    assert outcome(asked(("if-unmodified-since", since)), last_modified=MODIFIED) == expected


@pytest.mark.parametrize("last_modified", [None, b"yesterday"])
def test_if_unmodified_since_is_ignored_without_a_modification_date(last_modified):
    assert outcome(asked(("if-unmodified-since", BEFORE)), last_modified=last_modified, date=AFTER) == "PASSES"


def test_preconditions_are_evaluated_in_their_order():
    stored = {"etag": b'"1"', "last_modified": MODIFIED}
    match, mismatch = ("if-match", b'"1"'), ("if-match", b'"2"')
    known, unknown = ("if-none-match", b'"1"'), ("if-none-match", b'"2"')
    assert outcome(asked(match, ("if-unmodified-since", BEFORE)), **stored) == "PASSES"
    assert outcome(asked(mismatch, ("if-unmodified-since", AFTER)), **stored) == "FAILED"
    assert outcome(asked(known, mismatch), **stored) == "FAILED"
    assert outcome(asked(known, match), **stored) == "NOT_MODIFIED"
    assert outcome(asked(unknown, match), **stored) == "PASSES"
    assert outcome(asked(known, ("if-modified-since", BEFORE)), **stored) == "NOT_MODIFIED"
    assert outcome(asked(known, ("if-unmodified-since", BEFORE)), **stored) == "FAILED"


# --- If-Range --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validator", "applies"),
    [
        (b'"1"', True),
        (b'"2"', False),
        (b'W/"1"', False),
        (b'"1", "1"', False),
        (b"*", False),
        (b"", False),
        (MODIFIED, True),
        (AFTER, False),
        (b"Friday, 15-Jan-27 08:00:00 GMT", False),
    ],
)
def test_if_range_needs_an_exact_match(validator, applies):
    request = asked(("if-range", validator))
    assert applies_range(request, etag=b'"1"', last_modified=MODIFIED, date=AFTER) is applies


def test_range_applies_without_if_range():
    assert applies_range(asked(("range", b"bytes=0-1")))


def test_if_range_with_a_weak_tag_never_applies():
    assert not applies_range(asked(("if-range", b'W/"1"')), etag=b'W/"1"')


@pytest.mark.parametrize(("date", "applies"), [(AFTER, True), (MODIFIED, False), (b"now", False), (None, False)])
def test_if_range_with_a_date_needs_that_second_to_be_over(date, applies):
    assert applies_range(asked(("if-range", MODIFIED)), last_modified=MODIFIED, date=date) is applies


def test_if_range_with_what_is_no_date_never_applies():
    assert not applies_range(asked(("if-range", b"yesterday")), last_modified=b"yesterday", date=AFTER)
    assert not applies_range(asked(("if-range", AFTER)), date=AFTER)


# --- whatever comes --------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"])
VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
) | st.sampled_from([b'"1"'.decode(), "*", 'W/"1", "2"', MODIFIED.decode(), AFTER.decode()])
STORED = st.none() | st.binary(max_size=30) | st.sampled_from([b'"1"', b'W/"1"', MODIFIED])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), STORED, STORED, STORED)
def test_any_conditions_give_an_answer(lines, etag, last_modified, date):
    request = Request(headers=lines)
    stored = {"etag": etag, "last_modified": last_modified, "date": date}
    names = {name for name, _ in lines}
    answer = outcome(request, **stored)
    assert answer in {"PASSES", "NOT_MODIFIED", "FAILED"}
    assert answer != "FAILED" or names & {"if-match", "if-unmodified-since"}
    assert answer != "NOT_MODIFIED" or names & {"if-none-match", "if-modified-since"}
    assert applies_range(request, **stored) or "if-range" in names


OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'), max_size=8)
TAGS = st.builds('{}"{}"'.format, st.sampled_from(["", "W/"]), OPAQUE)


@given(st.lists(TAGS, min_size=1, max_size=6), TAGS)
def test_list_has_the_tags_that_it_was_made_of(tags, other):
    request = asked(("if-none-match", ", ".join(tags).encode("latin-1")))
    for tag in tags:
        assert outcome(request, etag=tag.encode("latin-1")) == "NOT_MODIFIED"
    bare = {tag.removeprefix("W/") for tag in tags}
    expected = "NOT_MODIFIED" if other.removeprefix("W/") in bare else "PASSES"
    assert outcome(request, etag=other.encode("latin-1")) == expected


@given(st.integers(0, 2**32), st.integers(-2, 2))
def test_modified_since_is_a_comparison_of_seconds(seconds, later):
    since = write_date(seconds + later)
    answer = outcome(asked(("if-modified-since", since)), last_modified=write_date(seconds))
    assert answer == ("NOT_MODIFIED" if read_date(since, 0) >= seconds else "PASSES")
