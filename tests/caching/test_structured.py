"""Structured Fields: what is not well-formed to its end is not read at all."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.caching.structured import dictionary, strings

GOOD = [
    (b"", []),
    (b"  ", []),
    (b"a", [(b"a", True)]),
    (b"a=?0, b;x=1;y", [(b"a", False), (b"b", True)]),
    (b"a=1,b=-2 ,\tc=3", [(b"a", 1), (b"b", -2), (b"c", 3)]),
    (b'a="x\\"y\\\\"', [(b"a", b'x"y\\')]),
    (b"a=1.5, b=tok/en:x, c=:aGk=:, d=@99, *e=(1 \"x\" y);z", [(k, None) for k in (b"a", b"b", b"c", b"d", b"*e")]),
    (b"a=1, a=2", [(b"a", 1), (b"a", 2)]),
    (b"a=999999999999999", [(b"a", 999_999_999_999_999)]),
]  # fmt: skip
BAD = [
    *(b"a,", b"a,,b", b",a", b"A=1", b"a =1", b"a= 1", b"a=", b"a b", b"&&", b"a=\xff", b"a=1x", b"\ta", b"a=?2", b"a=?"),
    *(b"a=1.", b"a=1.2345", b"a=1234567890123.1", b"a=1234567890123456", b"a=-", b"a=@1.5", b"a=:a*b:", b"a=:a"),
    *(b'a="x', b'a="\\x"', b'a="\\', b'a="\t"', b"a=(1", b"a=(1,2)", b"a=(1\t2)", b"a;", b"a;X", b"a;x=", b"a=%\"x\""),
]  # fmt: skip


@pytest.mark.parametrize(("value", "members"), GOOD)
def test_dictionary_of_members(value, members):
    assert dictionary(value) == members


@pytest.mark.parametrize("value", BAD)
def test_dictionary_that_is_malformed_anywhere_is_none(value):
    assert dictionary(value) is None


def test_list_of_strings():
    assert strings(b'"a", "b,c";p=1, "\\"d"') == [b"a", b"b,c", b'"d']
    assert strings(b"") == []


@pytest.mark.parametrize("value", [b"a", b'"a", b', b'("a")', b'"a" "b"', b'"a",', b"1", b'"\xe4"'])
def test_list_with_anything_else_is_none(value):
    assert strings(value) is None


PIECES = st.lists(
    st.sampled_from(["a", "b-c", "*", "=", "1", "-", "2.5", '"', "\\", ",", " ", "\t", ";", "(", ")", "?1", "?0", ":", "@", "A", "é"]),
    max_size=8,
)  # fmt: skip


@given(PIECES)
def test_dictionary_is_well_formed_where_http_sf_says_so(pieces):
    value = "".join(pieces).encode("latin-1")
    assert (dictionary(value) is not None) == is_well_formed(value, "dictionary")


@given(PIECES)
def test_list_of_strings_is_one_where_http_sf_says_so(pieces):
    value = "".join(pieces).encode("latin-1")
    if strings(value) is not None:
        assert is_well_formed(value, "list")


@given(st.binary(max_size=24))
def test_any_bytes_have_an_answer(value):
    assert dictionary(value) is None or is_well_formed(value, "dictionary")
    assert strings(value) is None or is_well_formed(value, "list")


def is_well_formed(value, kind):
    try:
        http_sf.parse(value, tltype=kind)
    except http_sf.StructuredFieldError:
        return False
    return True
