"""Normal forms: what means the same is written alike, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.caching.values import normal

PIECES = st.lists(
    st.sampled_from(["a", ",", " ", "\t", '"', "\\", ";q=0", ";q=1", "*", "gzip", "identity", "\xe4"]), max_size=9
)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b"", b""),
        (b"a b", b"a b"),
        (b"a ,\t b,,c, ", b"a,b,,c,"),
        (b'"a , b" , c', b'"a , b",c'),
        (b'"a\\" , b" , c', b'"a\\" , b",c'),
        (b'a , "b , c', b'a,"b , c'),
        (b"\\ , a", b"\\,a"),
    ],
)
def test_white_space_at_commas_is_nothing(value, form):
    assert normal("x-a", value) == form


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b"gzip, deflate, BR", b"br,deflate,gzip"),
        (b"x-gzip, X-Compress, x-br", b"compress,gzip,x-br"),
        (b"a;q=0.5, b;q=0, c ; Q=0.00, d", b"a,d"),
        (b"a;q=0", b""),
        (b"a, *;q=0", b"a,*;q=0"),
        (b"b, identity;q=0, a", b"b,identity;q=0,a"),
        (b"b, identity, a", b"a,b,identity"),
        (b",".join(b"c%d" % i for i in range(17, 0, -1)), b",".join(b"c%d" % i for i in range(17, 0, -1))),
        (b"b," * 200 + b"a", b"b," * 200 + b"a"),
        (b"b, a\xff", b"b,a\xff"),
        (b"\xff", b"\xff"),
        (b"b, a;x=1", b"b,a;x=1"),
        (b"b, a;q=x", b"b,a;q=x"),
        (b"b, a c", b"b,a c"),
    ],
)
def test_codings_are_a_set(value, form):
    assert normal("accept-encoding", value) == normal("accept-encoding", value) == form


@given(st.sampled_from(["x-a", "accept-encoding"]), PIECES)
def test_normal_form_is_its_own_and_not_longer(name, pieces):
    value = "".join(pieces).encode("latin-1")
    form = normal(name, value)
    assert len(form) <= len(value)
    assert normal(name, form) == form
