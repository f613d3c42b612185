"""Signing a URL that `SignedUrl` lets in: for an origin's application, and for `fastedge sign`."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from urllib.parse import unquote_plus, urlsplit

from fastedge._core.address import address_text, pack_address
from fastedge._core.signedurlgate import PARAMETERS, signed_target, signed_text
from fastedge.identity.mac import mac_with
from fastedge.limits import secret_bytes_min, signed_url_key_id_chars_max, target_bytes_max


def sign_url(
    url: str,
    *,
    key_id: str,
    secret: bytes | str,
    expires: float,
    query: Collection[str] | None = None,
    host: bool = True,
    address: str | None = None,
    method: str | None = None,
) -> str:
    """`url` with what lets it in until `expires` (Unix seconds). Raises ValueError for what cannot be signed.

    `query`, `host`, `address` and `method` say what is signed, and are what the stage was told: `query` names the
    parameters (None: all), `address` is the one client who may use it, `method` the one that may be used.
    """
    base, target, fragment = _parts(url)
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < secret_bytes_min:
        raise ValueError(f"a secret has at least {secret_bytes_min} bytes, this one has {len(key)}")
    if not is_key_id(key_id):
        raise ValueError(f"a key id is 1 to {signed_url_key_id_chars_max} letters, digits, '-', '_' and '.'")
    if not 0 <= expires < 10**12:
        raise ValueError(f"an expiry is Unix seconds, not {expires}")
    if method is not None and not _METHOD.fullmatch(method):
        raise ValueError("a method is spelled as clients send it, such as PUT")
    moment = str(int(expires))
    text = signed_text(
        key_id.encode(),
        moment.encode(),
        signed_target(target.encode(), query),
        _host(base) if host else b"",
        b"" if address is None else _canonical(address),
        b"" if method is None else method.encode(),
    )
    signature = urlsafe_b64encode(mac_with(key)(text)).rstrip(b"=").decode()
    added = "&".join(f"{name}={value}" for name, value in zip(PARAMETERS, (key_id, moment, signature), strict=True))
    return f"{base}{target}{'&' if '?' in target else '?'}{added}{fragment}"


def is_key_id(text: str) -> bool:
    return 0 < len(text) <= signed_url_key_id_chars_max and _KEY_ID.issuperset(text)


_KEY_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_METHOD = re.compile(r"[A-Z][A-Z-]*")
# RFC 3986 §2; a "'" in the query is allowed there, but browsers encode it.
_AS_SENT = re.compile(r"""([^%"<>\\^`{|}?]|%[0-9A-Fa-f]{2})*(\?[^'"<>\\^`{|}]*)?""")


def _parts(url: str) -> tuple[str, str, str]:
    """(scheme and authority, target, fragment) of a URL, as a client will send it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("a URL such as https://shop.example/path is expected")
    if not all("!" <= c <= "~" for c in url) or not _AS_SENT.fullmatch(url.partition("#")[0]):
        raise ValueError("percent-encode what clients would (spaces, quotes, <, ä, …): the signature is over that")
    if any(part.lower().replace("%2e", ".") in (".", "..") for part in parts.path.split("/")):
        raise ValueError("clients take dot segments out of a path: sign the path without them")
    base = f"{parts.scheme}://{parts.netloc}"
    target, mark, fragment = url[len(base) :].partition("#")
    target = target if target.startswith("/") else f"/{target}"
    if any(unquote_plus(pair.partition("=")[0]) in PARAMETERS for pair in target.partition("?")[2].split("&")):
        raise ValueError("this URL is signed already")
    if len(target) > target_bytes_max:
        raise ValueError(f"a target has at most {target_bytes_max} bytes, this one has {len(target)}")
    return base, target, mark + fragment


def _host(base: str) -> bytes:
    """As a request has it: in lower case, without a port, nor the dot that may end it."""
    host = base.partition("://")[2].lower()
    return (host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].removesuffix(".")).encode()


def _canonical(address: str) -> bytes:
    return address_text(pack_address(address)).encode()
