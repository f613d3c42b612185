"""The requests that are sent, as bytes: ten ordinary fields, and for the answer job a token, a visitor and an address.

Deterministic but for the tokens' `exp`, which hangs on the `now` that comes in.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import tokens
from benchmarks.tokens import Signer

HOST = "shop.example"
TARGET_POOL = 1_000
BODY_BYTES = 1024
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def page(body_bytes: int) -> bytes:
    """A page of that size."""
    return b"<!doctype html><title>Checkout</title><p>".ljust(body_bytes - 5, b"x") + b"</p>\n"


PAGE = page(BODY_BYTES)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: what a request of the answer job carries, and what must come of it."""

    token: str
    uid: str
    address: str


def make_visitors(addresses: Sequence[str], now: int, signer: Signer = tokens.HS256) -> list[Visitor]:
    """One visitor an address, each with a token of their own."""
    chance = random.Random(tokens.SECRET)
    return [_make_visitor(number, address, now, signer, chance) for number, address in enumerate(addresses)]


def _make_visitor(number: int, address: str, now: int, signer: Signer, chance: random.Random) -> Visitor:
    claims = tokens.make_claims(f"user-{number:06d}", now, chance)
    return Visitor(tokens.make_token(signer, claims), f"{chance.getrandbits(64):016x}", address)


def proxy_requests(addresses: Sequence[str]) -> list[bytes]:
    """GETs of different targets, so that nobody can answer two of them by one trip to the origin."""
    targets = (f"/catalogue/shoes/{number}?size=42&colour=blue" for number in range(TARGET_POOL))
    return [
        render(target, addresses[number], f"uid={number:016x}; theme=dark") for number, target in enumerate(targets)
    ]


def answer_requests(visitors: Sequence[Visitor]) -> list[bytes]:
    """One GET for each visitor."""
    return [answer_request(visitor) for visitor in visitors]


def answer_request(visitor: Visitor) -> bytes:
    """The GET of one visitor: the ten fields, and Authorization as the eleventh."""
    cookie = f"theme=dark; uid={visitor.uid}"
    return render("/checkout/basket?step=2", visitor.address, cookie, (f"Authorization: Bearer {visitor.token}",))


def render(
    target: str, address: str, cookie: str, more: Sequence[str] = (), encoding: str = "gzip, deflate, br"
) -> bytes:
    """A GET with the ten fields of a browser behind a trusted proxy, and `more` lines."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {HOST}",
        f"User-Agent: {_BROWSER}",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language: de-DE,de;q=0.8,en;q=0.5",
        f"Accept-Encoding: {encoding}",
        "Referer: https://shop.example/catalogue",
        f"Cookie: {cookie}",
        f"X-Forwarded-For: {address}",
        "Sec-Fetch-Mode: navigate",
        "Priority: u=0, i",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()
