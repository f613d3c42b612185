"""Invariant: however a chunked body is cut, its payload, trailers and end are the same, and h11 sees them too.

A damaged body is refused, or is the same to h11, whose being looser does not matter. Nothing behind the body is read.
"""

from itertools import pairwise

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.body import BodyReader
from fastedge.errors import WireError

BEHIND = b"GET /behind HTTP/1.1\r\n"


@st.composite
def bodies(draw):
    """(bytes on the wire, payload, trailers)."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    extension = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c"', b"; a=b"])
    form = st.sampled_from([b"%x", b"%X", b"0%x", b"00000%X"])
    wire = b"".join(draw(form) % len(p) + draw(extension) + b"\r\n" + p + b"\r\n" for p in pieces)
    trailers = draw(st.lists(st.sampled_from([("x-a", "1"), ("x-b", ""), ("digest", "a b")]), max_size=3))
    last = draw(st.sampled_from([b"0", b"000", b"0;a=b"])) + b"\r\n"
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers)
    return wire + last + lines + b"\r\n", b"".join(pieces), trailers


def read(data, cuts=()):
    """(payload, trailers, end) of what is fed in pieces; the error's reason when it is refused; None when it goes on."""
    reader = BodyReader()
    reader.begin("chunked")
    payload, at = b"", 0
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for start, end in pairwise(edges):
            piece = data[start:end]
            payload += reader.read(piece) or b""
            at = start + reader.position
            if reader.done:
                assert reader.read(b"more") is None
                return payload, reader.trailers.items() if reader.trailers else [], at
            assert reader.position == len(piece)
    except WireError as refusal:
        return refusal.status
    return None


def read_by_h11(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    payload = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                payload += event.data
            elif isinstance(event, h11.EndOfMessage):
                trailers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                return payload, trailers, len(data) - len(connection.trailing_data[0])
            elif event is h11.NEED_DATA:
                return None
    except h11.RemoteProtocolError:
        return 400


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@settings(max_examples=300, deadline=None)
@given(bodies(), CUTS)
def test_pieces_make_no_difference(body, cuts):
    wire, payload, trailers = body
    expected = (payload, trailers, len(wire))
    assert read(wire + BEHIND) == expected
    assert read(wire + BEHIND, cuts) == expected
    assert read(wire, range(len(wire))) == expected
    assert read_by_h11(wire + BEHIND) == expected
    assert read(wire[:-1]) is None


DAMAGE = [*(bytes([c]) for c in b"\r\n \t0-+;x_:\0\x0b"), b"\r\n", b"0x", b"f" * 16, b"3\r\n"]
# Fields that an intermediary must not pass on as trailers are read and dropped; h11 hands them over.
KEPT = {"x-a", "x-b", "digest"}


@settings(max_examples=1000, deadline=None)
@given(
    bodies(),
    st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(DAMAGE), st.integers(0, 3)), min_size=1, max_size=3),
    CUTS,
)
def test_damaged_body_is_refused_or_is_the_same_to_everyone(body, damage, cuts):
    data = bytearray(body[0])
    for at, insert, delete in damage:
        at %= len(data) + 1
        data[at : at + delete] = insert
    wire = bytes(data) + BEHIND
    ours = read(wire)
    assert read(wire, cuts) == ours
    assert read(wire, range(len(wire))) == ours
    if isinstance(ours, tuple):
        payload, trailers, end = ours
        theirs = read_by_h11(wire)
        assert isinstance(theirs, tuple)
        assert (theirs[0], theirs[2]) == (payload, end)
        assert [line for line in theirs[1] if line[0] in KEPT] == [line for line in trailers if line[0] in KEPT]
    else:
        assert ours in (None, 400, 413, 431)
