"""Where keys are fetched: what makes one source of `[keys.NAME]` another one after a reload. Fetches nothing."""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from fastedge.config.schema import EdgeConfig, Key
from fastedge.config.sources import Sources


class KeySource(Struct, frozen=True):
    """Whom the keys of a name come from, and how it is known that they do. How often they are fetched is no part of it.

    `authorities` are the certificates (PEM) that the provider is verified by; None: the system's.
    """

    name: str
    url: str
    is_issuer: bool
    plain_http: bool
    authorities: bytes | None

    @property
    def id(self) -> str:
        """For messages between processes: equal for equal sources alone."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def key_sources(config: EdgeConfig, sources: Sources) -> Mapping[KeySource, Key]:
    """The names whose keys are fetched, with their options."""
    return {key_source(name, key, sources): key for name, key in config.keys.items() if key.url is not None}


def key_source(name: str, key: Key, sources: Sources) -> KeySource:
    """The source of one name whose keys are fetched."""
    assert key.url is not None, "its keys are not fetched"
    authorities = sources.files[key.tls_ca_file] if key.tls_ca_file else None
    return KeySource(name, key.url, key.openid_issuer is not None, key.plain_http, authorities)
