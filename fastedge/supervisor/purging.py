"""`POST /v1/purge`: from a body to purges that are in force on the whole host, and on its disk, when it is answered."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fastedge._core.purges import Purges
from fastedge.config.values import parse_host_name
from fastedge.limits import cache_purge_prefix_bytes_max, cache_purge_request_items_max, cache_tag_bytes_max
from fastedge.purge_file import PurgeFile

_URL = re.compile(r"(https?)://([^/?#@]*)([/?][^#]*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?")
_VISIBLE = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class PurgeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the body may say."""

    tags: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    everything: bool = False
    mode: Literal["soft", "hard"] = "hard"


class Purging(Struct, frozen=True):
    """What is to be purged, each name as it is stored."""

    tags: tuple[bytes, ...]
    urls: tuple[bytes, ...]
    prefixes: tuple[bytes, ...]
    hosts: tuple[bytes, ...]
    everything: bool
    soft: bool

    def counts(self) -> Mapping[str, int]:
        return {
            "tags": len(self.tags),
            "urls": len(self.urls),
            "prefixes": len(self.prefixes),
            "hosts": len(self.hosts),
            "everything": int(self.everything),
        }


class Purger:
    """Purges what it is told. `file` is None where there is no disk tier; `count` counts in the supervisor's slot."""

    def __init__(self, purges: Purges, file: PurgeFile | None, count: Callable[[str, int], None]) -> None:
        self._purges = purges
        self._file = file
        self._count = count

    async def purge(self, purging: Purging) -> Mapping[str, Any]:
        """In force when it returns; `durable` says whether a restart will know of it."""
        failures = self._file.failures if self._file else 0
        self._apply(purging)
        sequence = self._purges.now()
        durable = None
        if self._file is not None:
            was_written = self._file.failures == failures
            durable = await asyncio.to_thread(self._file.sync) and was_written
        return {
            "purged": purging.counts(),
            "mode": "soft" if purging.soft else "hard",
            "sequence": sequence,
            "durable": durable,
        }

    def _apply(self, purging: Purging) -> None:
        purges, soft = self._purges, purging.soft
        purges.purge_names(b"tag", purging.tags, soft)
        purges.purge_names(b"url", purging.urls, soft)
        purges.purge_names(b"host", purging.hosts, soft)
        for prefix in purging.prefixes:
            purges.purge_prefix(prefix, soft)
        if purging.everything:
            purges.purge_everything(soft)
        for name, count in zip(_COUNTERS, purging.counts().values(), strict=True):
            self._count(name, count)


_COUNTERS = ("purges_tag", "purges_url", "purges_prefix", "purges_host", "purges_everything")


def parse_purging(body: bytes) -> Purging:
    """ValueError says what is wrong, and where."""
    request = msgspec.json.decode(body, type=PurgeRequest)  # its ValidationError is a ValueError
    purging = Purging(
        _each("tags", request.tags, _tag),
        _each("urls", request.urls, absolute_url),
        _each("prefixes", request.prefixes, _prefix),
        _each("hosts", request.hosts, _host),
        request.everything,
        request.mode == "soft",
    )
    count = sum(purging.counts().values())
    if not count:
        raise ValueError('nothing to purge: name tags, urls, prefixes or hosts, or say "everything": true')
    if count > cache_purge_request_items_max:
        raise ValueError(f"{count} things to purge; one request may name {cache_purge_request_items_max}")
    return purging


def absolute_url(text: str) -> bytes:
    """An http(s) URL as responses are stored under: scheme and host in lower case, without the port that the scheme
    implies, with a path. ValueError for anything else."""
    match = _URL.fullmatch(text)
    if not match or not _VISIBLE.fullmatch(text):
        raise ValueError("expected an absolute http or https URL, percent-encoded, without user and fragment")
    scheme, target = match[1].lower(), match[3] or "/"
    authority = _authority(match[2], _DEFAULT_PORTS[scheme])
    return f"{scheme}://{authority}{target if target.startswith('/') else f'/{target}'}".encode()


def _authority(text: str, default_port: str) -> str:
    match = _AUTHORITY.fullmatch(text)
    if not match:
        raise ValueError("the port is not a number")
    host, port = parse_host_name(match[1].removesuffix("."), ""), match[2]
    return host if not port or port == default_port else f"{host}:{port}"


def _each(member: str, values: Iterable[str], parse: Callable[[str], bytes]) -> tuple[bytes, ...]:
    names = []
    for i, value in enumerate(values):
        try:
            names.append(parse(value))
        except ValueError as why:
            raise ValueError(f"{why} - at `$.{member}[{i}]`") from None
    return tuple(names)


def _tag(text: str) -> bytes:
    tag = text.encode()
    if not 0 < len(tag) <= cache_tag_bytes_max:
        raise ValueError(f"a tag has from 1 to {cache_tag_bytes_max} bytes")
    return tag


def _prefix(text: str) -> bytes:
    prefix = absolute_url(text)
    if len(prefix) > cache_purge_prefix_bytes_max:
        raise ValueError(f"a prefix has at most {cache_purge_prefix_bytes_max} bytes")
    return prefix


def _host(text: str) -> bytes:
    return parse_host_name(text.removesuffix("."), "").encode()
