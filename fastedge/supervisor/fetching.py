"""One fetch of a JWK Set over HTTP/1.1, found by OpenID discovery where that is asked. Raises FetchFailed.

Follows no redirect, reads no more than a bound, and says nothing of what it has read.
"""

import asyncio
import ssl

from msgspec import Struct

from fastedge._core.body import BodyReader
from fastedge._core.fields import Fields
from fastedge._core.message import Plan
from fastedge._core.wire import ResponseReader
from fastedge.caching.freshness import freshness
from fastedge.clock import now
from fastedge.config.keysources import KeySource
from fastedge.config.values import WebUrl, may_be_fetched
from fastedge.errors import WireError
from fastedge.identity.strict_json import parse_object
from fastedge.limits import header_bytes_max, informational_max, key_file_bytes_max

_FRAMINGS = ("none", "length", "chunked", "close")  # as ResponseReader numbers them
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_READ_BYTES = 64 * 1024


class Fetched(Struct, frozen=True):
    """What a provider has answered: the set (None: that it has not changed) and for how long that is good.

    `etag` belongs to what `url` answers: with both the next fetch can ask whether anything has changed.
    """

    data: bytes | None
    lifetime_s: float
    url: str
    etag: str | None


class FetchFailed(Exception):
    """Why there is no set, in words for the operator."""


async def fetch_keys(source: KeySource, *, refresh_s: int, timeout_ms: int, before: Fetched | None = None) -> Fetched:
    """Asks the provider, within `timeout_ms` for all of it. A set that was got `before` need not be sent again.

    Raises FetchFailed; whether the bytes are a JWK Set is not looked at here.
    """
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            url = await _discovered(source) if source.is_issuer else source.url
            return await _key_set(source, url, refresh_s, before)
    except TimeoutError:
        raise FetchFailed(f"no whole answer within {timeout_ms} ms") from None
    except ssl.SSLCertVerificationError as error:
        raise FetchFailed(f"its certificate is not trusted: {error.verify_message}") from None
    except ssl.SSLError:
        raise FetchFailed("TLS cannot be spoken with it") from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, WireError):
        raise FetchFailed("its answer is not whole, or not HTTP/1.1") from None
    except (OSError, UnicodeError) as error:
        raise FetchFailed(_reason(error)) from None


async def _key_set(source: KeySource, url: str, refresh_s: int, before: Fetched | None) -> Fetched:
    known = before.etag if before is not None and before.url == url else None
    asked_s = now()
    status, fields, data = await _get(source, url, [("If-None-Match", known)] if known else [])
    if status != 200 and not (status == 304 and known):
        raise FetchFailed(_refused(status))
    plan = Plan()
    plan.default_ttl_s = refresh_s
    found = freshness(plan, 200, fields, asked_s, now())
    lifetime_s = found["lifetime_s"] - found["initial_age_s"]
    return Fetched(data if status == 200 else None, lifetime_s, url, fields.get("etag") or known)


async def _discovered(source: KeySource) -> str:
    """Where the provider says that its keys are (OpenID Connect Discovery 1.0 §4)."""
    status, _, data = await _get(source, f"{source.url.rstrip('/')}/.well-known/openid-configuration", [])
    if status != 200:
        raise FetchFailed(f"discovery: {_refused(status)}")
    document = parse_object(data) or {}
    if "issuer" not in document or "jwks_uri" not in document:
        raise FetchFailed("discovery: a JSON object with issuer and jwks_uri is expected")
    url = document["jwks_uri"]
    if document["issuer"] != source.url:  # §4.3: exactly, or tokens of another issuer would come in
        raise FetchFailed("discovery: it calls itself another issuer than openid_issuer")
    if not isinstance(url, str) or not _is_allowed(source, url):
        raise FetchFailed("discovery: jwks_uri is no URL that keys may be fetched from")
    return url


def _is_allowed(source: KeySource, text: str) -> bool:
    """What an issuer behind TLS says must not lead to where there is none."""
    try:
        url = WebUrl.read(text)
    except ValueError:
        return False
    if WebUrl.read(source.url).scheme == "https":
        return url.scheme == "https"
    return may_be_fetched(url, plain_http=source.plain_http)


# --- HTTP ----------------------------------------------------------------------------------------------------------


async def _get(source: KeySource, text: str, fields: list[tuple[str, str]]) -> tuple[int, Fields, bytes]:
    url = WebUrl.read(text)
    context = _tls_context(source.authorities) if url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context, limit=header_bytes_max)
    try:
        writer.write(_request(url, fields))
        return await _response(reader)
    finally:
        writer.transport.abort()  # nothing more is wanted; an orderly end of TLS could take its time


def _tls_context(authorities: bytes | None) -> ssl.SSLContext:
    try:
        # An empty text would be none to it, and then the system's authorities would do.
        text = None if authorities is None else authorities.decode("ascii") or "\n"
        context = ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        raise FetchFailed("tls_ca_file holds no certificates (PEM)") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _request(url: WebUrl, fields: list[tuple[str, str]]) -> bytes:
    lines = [
        ("Host", url.authority),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "fastedge"),
        ("Connection", "close"),
        *fields,
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"GET {url.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1")


async def _response(reader: asyncio.StreamReader) -> tuple[int, Fields, bytes]:
    response = ResponseReader()
    for _ in range(informational_max):
        status, fields = response.parse(await reader.readuntil(b"\r\n\r\n"))
        if status >= 200:
            break
    if fields.get("content-encoding", "identity") != "identity":
        raise FetchFailed("it has sent a content coding that nobody asked for")
    return status, fields, await _content(reader, response)


async def _content(reader: asyncio.StreamReader, response: ResponseReader) -> bytes:
    body = BodyReader()
    body.begin(_FRAMINGS[response.framing], response.content_length)
    content = b""
    while not body.done:
        data = await reader.read(_READ_BYTES)
        if not data:
            if _FRAMINGS[response.framing] != "close":
                raise FetchFailed("its answer is not whole, or not HTTP/1.1")
            break
        content += body.read(data) or b""
        if len(content) > key_file_bytes_max:
            raise FetchFailed(f"its answer is larger than {key_file_bytes_max} bytes")
    return content


def _refused(status: int) -> str:
    return f"status {status}{', a redirect, which is not followed' if status in _REDIRECTS else ''}"


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError):
        return "the connection ended"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.lower()
