"""Signed overrides: which variant one tester gets until when. A text of two parts in base64url, joined by a dot: what
is granted, and its HMAC-SHA-256. What is signed begins like nothing else that a key of the edge signs."""

import base64
import re
from collections.abc import Callable
from typing import NamedTuple

from fastedge._core.base64url import decode

OVERRIDE = "edge-variant-override"  # the cookie, and the parameter of the query
_GRANTED = re.compile(rb"([!-<>-~]+)=([!-:<-~]+);([0-9]{1,12})")


class Override(NamedTuple):
    """What is granted, and what proves it."""

    experiment: str
    variant: str
    expires_s: int
    signed: bytes
    signature: bytes


def make_override(experiment: str, variant: str, expires_s: int, mac: Callable[[bytes], bytes]) -> str:
    """The override; `mac` gives the HMAC-SHA-256 of a text under the testers' key."""
    granted = f"{experiment}={variant};{expires_s}".encode()
    return f"{_encoded(granted)}.{_encoded(mac(_signed(granted)))}"


def read_override(text: bytes) -> Override | None:
    """What a text says, the signature unseen; None where it is no override."""
    first, _, second = text.partition(b".")
    granted, signature = decode(first), decode(second)
    found = None if granted is None else _GRANTED.fullmatch(granted)
    if found is None or signature is None:
        return None
    experiment, variant, expires = (part.decode("ascii") for part in found.groups())
    return Override(experiment, variant, int(expires), _signed(found[0]), signature)


def _signed(granted: bytes) -> bytes:
    return OVERRIDE.encode() + b"\0" + granted


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
