"""Before anything is timed, asks every peer the same questions: who gives another answer is not doing the same work."""

import gzip
import http.client
from collections.abc import Mapping, Sequence
from typing import Protocol

from benchmarks import personal, traffic
from benchmarks.countries import CountryTable
from benchmarks.errors import BenchmarkError
from benchmarks.process import HOST
from benchmarks.traffic import Visitor

ASKED = 200
REFUSED = (401, 403)  # Envoy says 403 to a token that is meant for somebody else


class Edge(Protocol):
    """Who is asked, and where."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...


def require_page(edge: Edge, body_bytes: int = traffic.BODY_BYTES) -> None:
    """The origin's page comes through."""
    status, _, body = _ask(edge, {})
    if (status, len(body)) != (200, body_bytes):
        raise BenchmarkError(f"{edge.name}: status {status} and {len(body)} bytes instead of the page")


def require_answers(edge: Edge, visitors: Sequence[Visitor], countries: CountryTable) -> None:
    """Each visitor gets the page, their country and a bucket that stays."""
    buckets: dict[str, str] = {}
    for visitor in [*visitors[:ASKED], *visitors[:ASKED]]:
        status, fields, body = _ask(edge, _fields(visitor))
        found = (status, body == traffic.PAGE, fields.get("x-country"), fields.get("x-bucket") in ("a", "b"))
        expected = (200, True, countries.lookup(visitor.address), True)
        if found != expected:
            raise BenchmarkError(f"{edge.name}: answered {found} instead of {expected} to {visitor.address}")
        if buckets.setdefault(visitor.uid, fields["x-bucket"]) != fields["x-bucket"]:
            raise BenchmarkError(f"{edge.name}: visitor {visitor.uid} changed the bucket")
    share = sum(bucket == "a" for bucket in buckets.values()) / len(buckets)
    if not 0.3 < share < 0.7:
        raise BenchmarkError(f"{edge.name}: {share:.0%} of the visitors are in bucket a, expected about half")


def require_pages(edge: Edge, visitors: Sequence[Visitor]) -> None:
    """Each visitor gets the page, the second time as well."""
    for visitor in [*visitors[:ASKED], *visitors[:ASKED]]:
        status, _, body = _ask(edge, _fields(visitor))
        if (status, body) != (200, traffic.PAGE):
            raise BenchmarkError(f"{edge.name}: answered {status} and {len(body)} bytes to {visitor.address}")


def require_personal(edge: Edge, visitors: Sequence[personal.Visitor], encoding: str, is_personal: bool) -> int:
    """Each visitor gets the page with their own parts, or without; gives how long a body is on the wire.

    That is -1 where it is not the same for all, which is compression's to decide alone: the pages have one length.
    """
    lengths = set()
    for visitor in [*visitors[:ASKED], *visitors[:ASKED]]:
        asked = {"X-Forwarded-For": visitor.address, "X-Country": visitor.country, "Cookie": visitor.cookie()}
        status, fields, body = _ask(edge, {**asked, "Accept-Encoding": encoding}, personal.TARGET)
        lengths.add(len(body))
        found = fields.get("content-encoding", "identity")
        if (status, found) != (200, encoding):
            raise BenchmarkError(f"{edge.name}: answered {status} in {found} instead of {encoding}")
        page = gzip.decompress(body) if encoding == "gzip" else body
        if page != (visitor.page() if is_personal else personal.PAGE):
            raise BenchmarkError(f"{edge.name}: another page of {len(page)} bytes for {visitor.name}")
    return lengths.pop() if len(lengths) == 1 else -1


def require_refusals(edge: Edge, refused: Mapping[str, str]) -> None:
    """Nobody gets in without a token, nor with one of `refused`, which says what is wrong with each."""
    tries = {what: {"Authorization": f"Bearer {token}"} for what, token in refused.items()}
    for what, fields in {"no token": {}, **tries}.items():
        if (status := _ask(edge, fields)[0]) not in REFUSED:
            raise BenchmarkError(f"{edge.name}: answered {status} to {what}")


def _fields(visitor: Visitor) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {visitor.token}",
        "Cookie": f"uid={visitor.uid}",
        "X-Forwarded-For": visitor.address,
    }


def _ask(edge: Edge, fields: dict[str, str], target: str = "/checkout/basket") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, edge.port, timeout=10)
    try:
        connection.request("GET", target, headers={"Host": traffic.HOST, **fields})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()
