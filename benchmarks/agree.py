"""Before anything is timed, asks every peer the same questions: who gives another answer is not doing the same work."""

import http.client
from collections.abc import Sequence
from typing import Protocol

from benchmarks import traffic
from benchmarks.countries import CountryTable
from benchmarks.errors import BenchmarkError
from benchmarks.process import HOST
from benchmarks.traffic import Visitor

ASKED = 200


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
    """Each visitor gets the page, their country and a bucket that stays; a token that is not ours gets a 401."""
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
    for token in ("", _forged(visitors[0].token)):
        fields_sent = _fields(visitors[0]) | {"Authorization": f"Bearer {token}"}
        if (status := _ask(edge, fields_sent)[0]) not in (400, 401):
            raise BenchmarkError(f"{edge.name}: answered {status} to a forged token")


def _fields(visitor: Visitor) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {visitor.token}",
        "Cookie": f"uid={visitor.uid}",
        "X-Forwarded-For": visitor.address,
    }


def _forged(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _ask(edge: Edge, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, edge.port, timeout=10)
    try:
        connection.request("GET", "/checkout/basket", headers={"Host": traffic.HOST, **fields})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()
