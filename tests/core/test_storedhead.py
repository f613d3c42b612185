"""Invariant: what is read from a stored head is what was written into it, line by line; what is no such head is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields
from fastedge._core.storedhead import stored_fields, stored_head, stored_value

NAMES = st.sampled_from(["a", "aa", "etag", "set-cookie", "cookie", "x-Long-Name-With-Words", "vary", "va"])
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12).map(
    str.strip
)
LINES = st.lists(st.tuples(NAMES, VALUES.map(lambda value: value.strip(" \t"))), max_size=20)


@given(LINES)
def test_fields_of_a_head_are_those_it_was_made_of(lines):
    fields = Fields(lines)
    again = stored_fields(stored_head(fields))
    assert again == fields
    assert stored_head(again) == stored_head(fields)
    for name, _ in lines:
        assert stored_value(stored_head(fields), name).decode("latin-1") == fields[name]


def test_head_is_lines_in_lower_case():
    assert stored_head(Fields([("ETag", '"1"'), ("X-A", "")])) == b'etag: "1"\r\nx-a: \r\n'
    assert stored_head(Fields()) == b""


@pytest.mark.parametrize(
    "name",
    ["Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Age", "Upgrade", "Proxy-Connection", "TE",
     "Surrogate-Control", "Edge-Cache-Control"],
)  # fmt: skip
def test_head_leaves_out_what_belongs_to_one_connection_or_moment(name):
    assert stored_head(Fields([("a", "1"), (name, "x"), ("b", "2")])) == b"a: 1\r\nb: 2\r\n"


def test_head_leaves_out_what_it_is_told_to():
    fields = Fields([("a", "1"), ("Set-Cookie", "s=1"), ("x-user", "u"), ("Set-Cookie", "t=2")])
    assert stored_head(fields, ["set-cookie", "X-User", "absent"]) == b"a: 1\r\n"
    assert stored_head(fields, nominated=["x-user"], left_out=["Set-Cookie"]) == b"a: 1\r\n"


def test_value_is_of_the_whole_name_alone():
    head = stored_head(Fields([("aa", "1"), ("a-b", "a: 2"), ("a", "3"), ("b", "a: 4")]))
    assert stored_value(head, "a") == b"3"
    assert stored_value(head, "A-B") == b"a: 2"
    for absent in ("aaa", "x", "1", "4", "a-"):
        assert stored_value(head, absent) is None
    assert stored_value(b"", "a") is None


def test_values_of_one_name_are_combined():
    head = stored_head(Fields([("vary", "a"), ("cookie", "c=1"), ("vary", "b"), ("cookie", "d=2"), ("vary", "")]))
    assert stored_value(head, "vary") == b"a, b, "
    assert stored_value(head, "cookie") == b"c=1; d=2"


def test_names_come_back_as_the_same_objects():
    fields = stored_fields(b"x-anything: 1\r\netag: 2\r\n")
    assert fields.items() == [("x-anything", "1"), ("etag", "2")]
    fields.set("etag", "3")
    assert fields.get_all("ETag") == ["3"]


@pytest.mark.parametrize("head", [b"a", b"a: 1", b"a:\r\n", b"\r\n", b"a\r\n", b"a: 1\r\nb", b"\n", b":\n"])
def test_what_is_no_head_is_refused(head):
    with pytest.raises(ValueError, match="head"):
        stored_fields(head)


@given(st.lists(st.sampled_from([b"a", b"aa", b":", b" ", b"\r", b"\n", b"a: \n"])).map(b"".join))
def test_bytes_that_are_no_head_are_an_error_at_most(head):
    for read in (stored_fields, lambda text: stored_value(text, "a")):
        try:
            read(head)
        except ValueError as problem:
            assert "head" in str(problem)
