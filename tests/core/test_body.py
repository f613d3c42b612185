"""Bodies by their framing: payload, trailers, where they end; and every trick with chunk lines refused."""

import pytest

from fastedge._core.body import BodyReader
from fastedge.errors import WireError
from fastedge.limits import chunk_line_bytes_max, header_count_max, trailer_bytes_max


def read(framing, *pieces, length=0):
    """(payload, bytes behind it) of a body that ends in the last piece."""
    reader = BodyReader()
    reader.begin(framing, length)
    payload = b""
    for piece in pieces:
        assert not reader.done
        payload += reader.read(piece) or b""
    assert reader.done
    return payload, pieces[-1][reader.position :]


def test_no_body_is_done_at_once():
    for framing, length in (("none", 0), ("length", 0)):
        reader = BodyReader()
        reader.begin(framing, length)
        assert reader.done and reader.read(b"next") is None and reader.position == 0


def test_length_takes_what_is_its_own():
    assert read("length", b"abcGET", length=3) == (b"abc", b"GET")
    assert read("length", b"a", b"b", b"cGET", length=3) == (b"abc", b"GET")


def test_until_close_takes_all():
    reader = BodyReader()
    reader.begin("close")
    assert (reader.read(b"abc"), reader.read(b"def"), reader.done) == (b"abc", b"def", False)


@pytest.mark.parametrize(
    "wire",
    [
        b"3\r\nabc\r\n0\r\n\r\n",
        b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        b"003\r\nabc\r\n000\r\n\r\n",
        b"3;a\r\nabc\r\n0;b=c\r\n\r\n",
        b'3;a="b c"\r\nabc\r\n0\r\n\r\n',
    ],
)
def test_chunked(wire):
    assert read("chunked", wire + b"GET") == (b"abc", b"GET")
    assert read("chunked", *[wire[i : i + 1] for i in range(len(wire))]) == (b"abc", b"")


def test_digits_in_both_cases():
    assert read("chunked", b"a\r\n0123456789\r\nB\r\n01234567890\r\n0\r\n\r\n")[0] == b"012345678901234567890"


REFUSED = [
    ("no size", b"\r\n", 400),
    ("no digit", b"x\r\n", 400),
    ("a negative size", b"-1\r\n", 400),
    ("a signed size", b"+1\r\n", 400),
    ("0x", b"0x1\r\n", 400),
    ("an underscore", b"1_0\r\n", 400),
    ("a space before", b" 1\r\n", 400),
    ("a space behind", b"1 \r\n", 400),
    ("a space before the extension", b"1 ;a\r\n", 400),
    ("a tab behind", b"1\t\r\n", 400),
    ("a comma", b"1,2\r\n", 400),
    ("a NUL", b"1\0\r\n", 400),
    ("a size of 16 digits", b"ffffffffffffffff\r\n", 413),
    ("a size that wraps around", b"10000000000000003\r\n", 413),
    ("a bare LF behind the size", b"1\nA\r\n0\r\n\r\n", 400),
    ("a bare CR behind the size", b"1\rA\r\n", 400),
    ("a bare CR in the extension", b"1;a\rb\r\n", 400),
    ("a bare LF in the extension", b"1;a\nb\r\n", 400),
    ("two CRs", b"1\r\r\n", 400),
    ("a control in the extension", b"1;\x01\r\n", 400),
    ("a NUL in the extension", b"1;a\0b\r\n", 400),
    ("a line too long", b"1;" + b"a" * chunk_line_bytes_max, 400),
    ("nothing behind the payload", b"1\r\nA1\r\nB\r\n", 400),
    ("a bare LF behind the payload", b"1\r\nA\n0\r\n\r\n", 400),
    ("a bare CR behind the payload", b"1\r\nA\rB0\r\n\r\n", 400),
    ("more payload than said", b"1\r\nABC\r\n0\r\n\r\n", 400),
    ("less payload than said", b"3\r\nA\r\n0\r\n\r\n", 400),
    ("a bare LF as the end", b"0\r\n\n", 400),
    ("a trailer without colon", b"0\r\nX\r\n\r\n", 400),
    ("a trailer without name", b"0\r\n: y\r\n\r\n", 400),
    ("a space before a trailer's colon", b"0\r\nX : y\r\n\r\n", 400),
    ("a folded trailer", b"0\r\nX: y\r\n z: a\r\n\r\n", 400),
    ("a bare LF behind a trailer", b"0\r\nX: y\nZ: a\r\n\r\n", 400),
    ("a bare CR in a trailer", b"0\r\nX: y\rZ: a\r\n\r\n", 400),
    ("a NUL in a trailer", b"0\r\nX: \0\r\n\r\n", 400),
    ("a request as a trailer", b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
    ("a trailer too long", b"0\r\nX: " + b"y" * trailer_bytes_max, 431),
    ("trailers too long together", b"0\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 9 + b"\r\n", 431),
    ("dropped trailers too long together", b"0\r\n" + (b"Host: " + b"y" * 1000 + b"\r\n") * 9 + b"\r\n", 431),
    ("too many trailers", b"0\r\n" + b"X: y\r\n" * (header_count_max + 1) + b"\r\n", 431),
]


@pytest.mark.parametrize(("name", "wire", "status"), REFUSED, ids=[row[0] for row in REFUSED])
def test_chunked_is_refused_whole_and_byte_by_byte(name, wire, status):
    for pieces in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        reader = BodyReader()
        reader.begin("chunked")
        with pytest.raises(WireError) as refusal:
            for piece in pieces:
                reader.read(piece)
        assert refusal.value.status == status


def test_largest_size_that_counts():
    reader = BodyReader()
    reader.begin("chunked")
    assert reader.read(b"fffffffffffffff\r\nA") == b"A"
    assert reader.remaining == 16**15 - 2


def test_trailers_are_kept_in_order():
    reader = BodyReader()
    reader.begin("chunked")
    reader.read(b"0\r\nDigest: a\r\nX-One:1\r\nX-One: 2 \r\n\r\n")
    assert reader.trailers.items() == [("digest", "a"), ("x-one", "1"), ("x-one", "2")]


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "Via",
        "Forwarded",
        "X-Forwarded-For",
        "Content-Type",
        "Content-Encoding",
        "Content-Range",
        "Cache-Control",
        "Location",
        "Vary",
        "Edge-Variant",
        "x_user",
        "Age",
    ],
)
def test_trailer_that_nobody_may_send_is_dropped(name):
    reader = BodyReader()
    reader.begin("chunked")
    reader.read(b"0\r\n%b: 1\r\nX: y\r\n\r\n" % name.encode())
    assert reader.done and reader.trailers.items() == [("x", "y")]


def test_one_body_leaves_nothing_to_the_next():
    reader = BodyReader()
    for _ in range(2):
        reader.begin("chunked")
        assert reader.trailers is None
        reader.read(b"0\r\nX: y\r\n\r\n")
        assert reader.trailers.items() == [("x", "y")]
    reader.begin("length", 3)
    assert (reader.read(b"abc"), reader.trailers) == (b"abc", None)
