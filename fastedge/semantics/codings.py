"""Content codings (RFC 9110 §8.4.1) that can be taken off again: gzip and deflate, within a bound."""

import zlib

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits: with the wrapping that belongs to each


def decoded(data: bytes, codings: bytes, bytes_max: int) -> bytes | None:
    """The content under a Content-Encoding; None for a coding that is not known, a damaged or a larger content."""
    for coding in reversed(codings.decode("latin-1").lower().split(",")):
        name = coding.strip()
        if name in ("", "identity"):
            continue
        plain = _inflated(data, _WINDOW[name], bytes_max) if name in _WINDOW else None
        if plain is None:
            return None
        data = plain
    return data


def _inflated(data: bytes, window: int, bytes_max: int) -> bytes | None:
    """Of several gzip members all (RFC 1952 §2.2)."""
    pieces: list[bytes] = []
    left = bytes_max
    while data:
        inflater = zlib.decompressobj(window)
        try:
            piece = inflater.decompress(data, left + 1)
        except zlib.error:
            return None
        if len(piece) > left or not inflater.eof:
            return None
        pieces.append(piece)
        left -= len(piece)
        data = inflater.unused_data if window == _WINDOW["gzip"] else b""
    return b"".join(pieces)
