"""From the files that `[geo]` names to one table. Reads them anew each time: they change while the edge runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastedge._core.geotable import GeoTable
from fastedge.config.geosource import GeoSource
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.config.sources import read_regular
from fastedge.errors import ConfigError
from fastedge.geo.data import shipped_table
from fastedge.geo.layer import Layer, layer_of_table
from fastedge.geo.overrides import read_overrides
from fastedge.geo.table import combined, load, read_locations, read_networks
from fastedge.limits import geo_bytes_max

Signature = tuple[tuple[int, int, int] | None, ...]


def read_table(source: GeoSource, file: str = "", shown: Callable[[str], str] = str) -> GeoTable:
    """The table of these files; `file` is edge.toml. Raises ConfigErrors with all that is wrong."""
    if not source.files:
        return shipped_table()
    readers: dict[str, Callable[[bytes], Any]] = {
        "geo.database": read_locations,
        "geo.asn_database": read_networks,
        "geo.overrides": read_overrides,
    }
    if len(source.files) == 1 and source.database:
        readers["geo.database"] = load_alone
    problems: list[Problem] = []
    read = {}
    for key, path in source.files.items():
        try:
            read[key] = readers[key](_bytes_of(path))
        except ConfigError as error:
            problems += [
                Problem(file, key, f"cannot use the file {shown(path)}: {line}") for line in str(error).splitlines()
            ]
    if problems:
        raise ConfigErrors(problems)
    base = read.get("geo.database")
    if isinstance(base, GeoTable):
        return base
    layer: Layer = layer_of_table(shipped_table()) if base is None else base
    try:
        return combined(layer, read.get("geo.asn_database"), read.get("geo.overrides"))
    except ConfigError as error:
        raise ConfigErrors([Problem(file, "geo", str(error))]) from None


def load_alone(data: bytes) -> GeoTable:
    """A database that nothing is laid over: one that is compiled already is taken as it is."""
    try:
        return load(data, "")
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix(": ")) from None


def signature(source: GeoSource) -> Signature:
    """What changes when one of the files does."""
    return tuple(_signature_of(path) for path in source.files.values())


def _signature_of(path: str) -> tuple[int, int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _bytes_of(path: str) -> bytes:
    try:
        return read_regular(path, geo_bytes_max)
    except OSError as error:
        raise ConfigError((error.strerror or "cannot be read").lower()) from None
    except ValueError as why:
        raise ConfigError(str(why)) from None
