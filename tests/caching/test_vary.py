"""Vary: one stored response is for those of whom the origin saw the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Plan, Request
from fastedge.caching.vary import is_match, objection_to, packed
from fastedge.limits import cache_vary_fields_max


def request(*lines, **fields):
    return Request(headers=[*lines, *((name.replace("_", "-"), value) for name, value in fields.items())])


def match(vary, one, other, plan=None, other_plan=None):
    plan = plan or Plan()
    kept = packed(vary, one, plan)
    assert is_match(kept, one, plan)
    return is_match(kept, other, other_plan or plan)


@pytest.mark.parametrize(
    ("vary", "reason"),
    [
        (b"*", "vary_star"), (b"a, *", "vary_star"), (b", *", "vary_star"), (b"a b", "vary_star"), (b'"a"', "vary_star"),
        (b"X-Forwarded-For", "vary_edge"), (b"a, forwarded", "vary_edge"), (b"via", "vary_edge"), (b"cdn-loop", "vary_edge"),
        (b"te", "vary_edge"), (b"connection", "vary_edge"),
        (b"", None), (b" , ,", None), (b"host, x-forwarded-host, x-forwarded-proto", None), (b"a, A, a", None),
        (b",".join(b"x-%d" % i for i in range(cache_vary_fields_max)), None),
        (b",".join(b"x-%d" % i for i in range(cache_vary_fields_max + 1)), "vary_fields"),
    ],
)  # fmt: skip
def test_objection_to_a_vary(vary, reason):
    assert objection_to(vary) == reason


@pytest.mark.parametrize("vary", [b"", b",", b"Host, X-Forwarded-Proto"])
def test_nothing_is_packed_where_the_key_says_it_already(vary):
    assert packed(vary, request(a="1"), Plan()) is None
    assert is_match(None, request(), Plan())


def test_packed_is_a_line_for_each_name_in_order():
    kept = packed(b"X-b, x-a,X-B", request(x_b=" 1 ", x_c="2"), Plan())
    assert kept == b"x-a\nx-b: 1\n"


def test_match_of_present_absent_and_empty():
    assert match(b"x-a", request(x_a="1"), request(x_a="1", x_b="2"))
    assert not match(b"x-a", request(x_a="1"), request(x_a="2"))
    assert not match(b"x-a", request(x_a="1"), request())
    assert not match(b"x-a", request(), request(x_a=""))
    assert not match(b"x-a, x-b", request(x_a="1", x_b="1"), request(x_a="1", x_b="2"))
    assert not match(b"x-a", request(x_a="1"), request(x_a="11"))


def test_match_of_lines_that_are_combined():
    assert match(b"x-a", request(("x-a", "1"), ("x-a", "2")), request(x_a="1,2"))
    assert match(b"x-a", request(x_a="1 ,\t2"), request(x_a="1, 2"))
    assert not match(b"x-a", request(x_a="1, 2"), request(x_a="2, 1"))
    assert not match(b"x-a", request(x_a='"1, 2"'), request(x_a='"1,2"'))
    assert not match(b"x-a", request(x_a='"\\", 2"'), request(x_a='"\\",2"'))
    assert match(b"cookie", request(("cookie", "a=1"), ("cookie", "b=2")), request(cookie="a=1; b=2"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gzip, br", "br,gzip"), ("gzip, br", "BR;q=0.5, x-gzip"), ("gzip, br;q=0", "gzip"), ("gzip, br;q=0.000", "gzip, gzip"),
        ("", "br;q=0"), ("gzip;q=1.0", "gzip;q=0.001"), (",gzip,", "gzip"),
    ],
)  # fmt: skip
def test_match_of_the_same_set_of_codings(one, other):
    assert match(b"accept-encoding", request(accept_encoding=one), request(accept_encoding=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gzip", "br"), ("gzip, br", "gzip"), ("gzip", "gzip, identity;q=0"), ("gzip, *", "gzip"), ("*;q=0", ""),
        ("gzip, *, br;q=0", "gzip, *"), ("x-br", "br"), ("gzi", "gzip"),
    ],
)  # fmt: skip
def test_no_match_of_other_sets_of_codings(one, other):
    assert not match(b"accept-encoding", request(accept_encoding=one), request(accept_encoding=other))


def test_match_is_of_what_the_plan_sends():
    sends, plain, adds, removes = Plan(), Plan(), Plan(), Plan()
    sends.set_header("x-a", "edge")
    adds.add_header("x-a", "more")
    removes.set_header("x-a", "early")
    removes.remove_header("x-a")
    assert match(b"x-a", request(x_a="1"), request(x_a="2"), sends)
    assert match(b"x-a", request(x_a="1"), request(), removes)
    assert match(b"x-a", request(x_a="edge"), request(), plain, sends)
    assert match(b"x-a", request(x_a="1, more"), request(x_a="1"), plain, adds)
    assert match(b"x-a", request(), request(x_a="1"), plain, removes)
    assert not match(b"x-a", request(x_a="1"), request(x_a="2"), adds)
    sends.add_header("x-a", "2")
    assert match(b"x-a", request(x_a="edge,2"), request(), plain, sends)
    sends.set_header("x-a", "last")
    assert match(b"x-a", request(x_a="last"), request(), plain, sends)


def test_match_sees_no_line_that_connection_keeps_on_its_hop():
    hidden = request(connection="close, X-A", x_a="1")
    assert match(b"x-a", hidden, request())
    assert not match(b"x-a", hidden, request(connection="keep-alive", x_a="1"))
    assert not match(b"x-a", request(connection="x-a2, x", x_a="1"), request())


def test_match_of_values_of_any_bytes():
    for value in ("\xff", "gzip\xff", "\x80, \x81"):
        assert match(b"accept-encoding", request(accept_encoding=value), request(accept_encoding=value))
        assert not match(b"accept-encoding", request(accept_encoding=value), request(accept_encoding="br"))


def test_match_of_values_of_any_length():
    long = "gzip, " * 2000
    assert match(b"accept-encoding", request(accept_encoding=long), request(accept_encoding=long))
    assert not match(b"accept-encoding", request(accept_encoding=long), request(accept_encoding=long + "br"))
    many = ", ".join(f"c{i}" for i in range(17))
    assert not match(b"accept-encoding", request(accept_encoding=many), request(accept_encoding=many[:-5]))


VALUES = st.lists(
    st.sampled_from(["a", "b", ",", " ", '"', "\\", ";q=0", ";q=1", "*", "gzip", "identity", "x-"]), max_size=8
)


@given(st.sampled_from(["x-a", "accept-encoding", "cookie"]), VALUES, VALUES)
def test_match_never_tells_apart_what_is_equal(name, one, other):
    one, other = (request((name, "".join(value))) for value in (one, other))
    same = one.headers[name] == other.headers[name]
    assert match(name.encode(), one, other) or not same
    assert match(name.encode(), one, other) == match(name.encode(), other, one)
