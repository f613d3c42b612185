"""Invariant: of whatever head the rim accepts, h11 reads the same method, target, version, fields and framing.

That h11 is looser does not matter. It differs in one thing: it writes the coding's name in lower case.
"""

import h11
from heads import ACCEPTED, REFUSED
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.wire import RequestReader
from fastedge.errors import WireError

READER = RequestReader()
SEEDS = [data for _, data, *_ in ACCEPTED + REFUSED if len(data) < 1000]
SPICES = [
    *(bytes([c]) for c in b"\r\n \t\0:,;_*@#0-+%\x0b\x0c\x85\xa0\x7f"),
    *b"\r\n|\r\n\r\n|%2e|/../|chunked|HTTP/1.1|HTTP/1.0|[::1]|GET http://shop.example/ ".split(b"|"),
    *(
        line + b"\r\n"
        for line in b"Transfer-Encoding: chunked|Content-Length: 3|Host: b|Connection: x|Expect: y".split(b"|")
    ),
]
LENGTH, CHUNKED = 1, 2


@st.composite
def heads(draw):
    """A seed with a few cuts, repeats and spices, up to its empty line."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at:at] = draw(st.sampled_from(SPICES))
            case 1:
                del data[at : at + draw(st.integers(1, 4))]
            case 2:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case _:
                data[at:at] = data[max(0, at - draw(st.integers(1, 24))) : at]
    head, _, _ = bytes(data).partition(b"\r\n\r\n")
    return head + b"\r\n\r\n"


def drawn_target(request):
    """The origin-form of what h11 saw."""
    target = request.target.decode()
    if target.lower().startswith(("http://", "https://")):
        rest = target.partition("://")[2]
        size = min(len(rest.partition("/")[0]), len(rest.partition("?")[0]))
        target = rest[size:]
        if not target.startswith("/"):
            target = "*" if request.method == b"OPTIONS" and not target else "/" + target
    return target


@settings(max_examples=1200, deadline=None)
@given(heads())
def test_h11_reads_what_we_read(head):
    try:
        request = READER.parse(head)
    except WireError as refusal:
        assert refusal.status in (400, 413, 414, 417, 421, 431, 501, 505)
        return
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(head)
    seen = connection.next_event()
    assert isinstance(seen, h11.Request)
    assert (seen.method.decode(), drawn_target(seen)) == (request.method, request.target)
    assert seen.http_version.decode() == request.http_version
    # Fields of our own and names with "_" are dropped at the rim; everything else is there, in its order.
    kept = [(n.decode(), v.decode("latin-1")) for n, v in seen.headers if not n.startswith(b"edge-") and b"_" not in n]
    assert [(n, v.lower() if n == "transfer-encoding" else v) for n, v in request.headers.items()] == kept
    said = dict(kept)
    assert (READER.framing == CHUNKED) == ("transfer-encoding" in said)
    assert READER.content_length == (0 if READER.framing == CHUNKED else int(said.get("content-length", 0)))
    assert (READER.framing == LENGTH) == (READER.content_length > 0)
