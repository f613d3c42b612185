"""One key that verifies signatures. Immutable; no repr shows its material."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fastedge.errors import ConfigError
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.material import Material
from fastedge.identity.signature import Check


@dataclass(frozen=True, slots=True)
class Key:
    """A check for each algorithm that the key may be used with."""

    key_type: str
    kid: str | None
    checks: Mapping[str, Check] = field(repr=False)
    thumbprint: bytes = field(repr=False)

    @classmethod
    def of(cls, material: Material, kid: str | None, algorithm: str | None, where: str) -> "Key":
        """A key for all that its material can do, or for the one algorithm that the key itself names."""
        able = {row.name: row for row in material.algorithms()}
        if algorithm is not None and algorithm not in able:
            least, found = ALGORITHMS[algorithm].secret_bytes_min, len(material.key)
            raise ConfigError(f"{where}: a secret for {algorithm} has at least {least} bytes, this one has {found}")
        checks = {name: able[name].check_with(material.key) for name in ([algorithm] if algorithm else able)}
        return cls(material.key_type, kid, MappingProxyType(checks), material.thumbprint())
