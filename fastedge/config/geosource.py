"""Which files a geo table is made of: what makes it another one after a reload. Opens nothing."""

import hashlib

import msgspec
from msgspec import Struct

from fastedge.config.schema import EdgeConfig


class GeoSource(Struct, frozen=True):
    """Paths, None for what is not named. Without a database it is the table that ships with fastedge."""

    database: str | None = None
    asn_database: str | None = None
    overrides: str | None = None

    @property
    def files(self) -> dict[str, str]:
        """Key of edge.toml → path."""
        named = {f"geo.{name}": getattr(self, name) for name in self.__struct_fields__}
        return {key: path for key, path in named.items() if path is not None}

    @property
    def id(self) -> str:
        """For messages between processes: equal for equal sources alone."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def geo_source(config: EdgeConfig) -> GeoSource:
    geo = config.geo
    return GeoSource(geo.database, geo.asn_database, geo.overrides)
