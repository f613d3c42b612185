"""What the personal job's origin answers: its page, plain or gzip, with includes for who does ESI; and their parts."""

import gzip
from collections.abc import Sequence

from benchmarks.pages import own_content
from benchmarks.personal import PAGE, SLOTS, TABLES, TARGET

GZIP_LEVEL = 6  # zlib's default


class PersonalPages:
    """As benchmarks.origin.Pages: what is answered, and how often."""

    def __init__(self) -> None:
        self.requests = 0

    def answer(self, target: bytes, head: bytes) -> bytes:
        """The page, a part of it, or 404."""
        self.requests += 1
        if target == TARGET.encode():
            return _page(head.lower())
        _, _, path = target.decode().partition("/fragments/")
        slot, _, key = path.partition("/")
        part = part_of(slot, key)
        return _answer("404 Not Found", b"") if part is None else _answer("200 OK", part.encode())


def part_of(slot: str, key: str) -> str | None:
    """The part of a slot for a country, a segment, a variant or a name."""
    if slot == "name":
        return key
    return TABLES[slot][1].get(key) if slot in TABLES else None


def _page(head: bytes) -> bytes:
    does_esi = b"\r\nsurrogate-capability:" in head  # Edge Architecture Specification, W3C note of 2001
    accepts_gzip = b"gzip" in head.partition(b"\r\naccept-encoding:")[2].partition(b"\r\n")[0]
    fields = ["Vary: Accept-Encoding"]
    if does_esi:
        fields.append('Surrogate-Control: content="ESI/1.0"')
    if accepts_gzip:
        fields.append("Content-Encoding: gzip")
    return _answer("200 OK", PAGES[does_esi, accepts_gzip], fields)


def _answer(status: str, body: bytes, more: Sequence[str] = ()) -> bytes:
    fields = ["Content-Type: text/html; charset=utf-8", f"Content-Length: {len(body)}", "Cache-Control: max-age=3600"]
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, *more, "", ""]).encode() + body


def _esi_page() -> bytes:
    page = PAGE
    for slot in SLOTS:
        page = page.replace(own_content(slot), f'<esi:include src="/fragments/{slot}"/>'.encode())
    return page


PAGES = {
    (does_esi, is_gzip): gzip.compress(page, GZIP_LEVEL, mtime=0) if is_gzip else page
    for does_esi, page in ((False, PAGE), (True, _esi_page()))
    for is_gzip in (False, True)
}
