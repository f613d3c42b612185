"""Pieces that were compressed one by one are one gzip member, which zlib and gzip read as the whole."""

import gzip
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.stitch import Fragment, stitched
from fastedge.html import PageRules, Slot, compile_page
from fastedge.limits import gzip_stored_bytes_max

PIECES = st.lists(
    st.one_of(st.binary(max_size=40), st.binary(min_size=1, max_size=4).map(lambda text: text * 400)), max_size=8
)


def inflated(made):
    """All of one member, checked, with nothing behind it."""
    reader = zlib.decompressobj(31)
    whole = reader.decompress(made) + reader.flush()
    assert reader.eof
    assert reader.unused_data == b""
    return whole


@given(PIECES, st.sets(st.integers(0, 7)))
def test_pieces_are_read_as_the_whole(pieces, known):
    assert inflated(stitched(pieces, known)) == b"".join(pieces)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksum_is_zlib_s(one, other):
    made = stitched([one, other], {1})
    assert made[-8:-4] == zlib.crc32(one + other).to_bytes(4, "little")
    assert made[-4:] == len(one + other).to_bytes(4, "little")


@pytest.mark.parametrize(
    "size", [0, 1, 16, 17, gzip_stored_bytes_max, gzip_stored_bytes_max + 1, 65_535, 65_536, 200_000]
)
@pytest.mark.parametrize("known", [(), (1,), (0, 1, 2)])
def test_any_size_fits(size, known):
    noise = b"".join(zlib.crc32(b"%d" % i).to_bytes(4, "little") for i in range(size // 4 + 1))[:size]
    for piece in (b"a" * size, noise):
        assert inflated(stitched([b"<p>", piece, b"</p>"], known)) == b"<p>" + piece + b"</p>"


def test_pieces_fit_in_any_order_and_number():
    page = b"".join(b"<div data-edge=s%d>The same text again and again.</div>" % i for i in range(6))
    template = compile_page(page, PageRules([Slot(f"s{i}") for i in range(6)]), "utf-8")
    for which in range(64):
        values = tuple(b"value" if which >> i & 1 else None for i in range(6))
        assert inflated(template.render_gzip(values)) == template.render_bytes(values)


def test_gzip_itself_is_content(tmp_path):
    path = tmp_path / "page.gz"
    path.write_bytes(stitched([b"<html>" * 1000, b"fresh", Fragment(b"known" * 100).data], {0, 2}))
    subprocess.run(["gzip", "-t", path], check=True)
    assert gzip.decompress(path.read_bytes()) == b"<html>" * 1000 + b"fresh" + b"known" * 100


def test_spans_compress_nearly_as_well_as_the_whole():
    page = b"".join(
        b"<article><h2>Story %d</h2><p>Some text of it, %d words.</p></article>" % (i, i * 7) for i in range(600)
    )
    slots = b"<p data-edge=a>x</p>"
    template = compile_page(page + slots + page[:20_000], PageRules([Slot("a")]), "utf-8")
    whole = zlib.compress(page + slots + page[:20_000], 6)
    assert len(template.render_gzip((b"V",))) < 1.6 * len(whole)
