"""One cookie out of a Cookie field: the pairs of RFC 6265 §5.4, and nothing that only looks like one."""

from http.cookies import CookieError, SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.cookies import find_cookie, is_cookie_name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"uid=7", b"7"),
        (b"a=b; uid=7", b"7"),
        (b"a=b; uid=7; c=d", b"7"),
        (b"a=b;uid=7", b"7"),
        (b"a=b;\t uid=7 ; c", b"7"),
        (b"uid=7; uid=8", b"7"),
        (b"uid=", b""),
        (b"uid=a=b==", b"a=b=="),
        (b'uid="7"', b'"7"'),
        (b'a="x; uid=7"', b'7"'),
        (b"uid; uid=7", b"7"),
        (b";;uid=7;", b"7"),
        (b"uid=\xff", b"\xff"),
    ],
)
def test_value_is_found(field, value):
    assert find_cookie(field, b"uid") == value


@pytest.mark.parametrize(
    "field",
    [b"", b";", b"uid", b"UID=7", b"xuid=7", b"uidx=7", b"a=uid=7", b"uid =7", b"a=b, uid=7", b"ui=d=7", b"=uid=7"],
)
def test_value_is_not_found(field):
    assert find_cookie(field, b"uid") is None


@pytest.mark.parametrize("name", [b"", b"a b", b"a=b", b"a;", b"\x00", b"\xc3", b'"a"', b"a,b"])
def test_no_cookie_has_a_name_that_is_no_token(name):
    assert not is_cookie_name(name)
    assert find_cookie(name + b"=1", name) is None


NAMES = st.text("abcXYZ019_-.!#$%&'*+^`|~", min_size=1, max_size=6)
VALUES = st.text("abcXYZ019_-.!#$%&'*+^`|~/:@", min_size=1, max_size=12)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6, unique_by=lambda pair: pair[0]))
def test_plain_cookies_read_as_the_standard_library_reads_them(pairs):
    field = "; ".join(f"{name}={value}" for name, value in pairs)
    try:
        expected = {name: morsel.value for name, morsel in SimpleCookie(field).items()}
    except CookieError:
        expected = {}
    for name, value in pairs:
        assert find_cookie(field.encode(), name.encode()) == value.encode()
        if name in expected:
            assert expected[name] == value


@given(st.binary(max_size=80), st.sampled_from([b"a", b"uid", b"edge_x"]))
def test_any_bytes_give_what_a_split_gives(field, name):
    pairs = [part.strip(b" \t") for part in field.split(b";")]
    values = [part[len(name) + 1 :].strip(b" \t") for part in pairs if part.startswith(name + b"=")]
    assert find_cookie(field, name) == (values[0] if values else None)
