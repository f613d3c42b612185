"""`[revocations] file`: from its bytes to the table. Opens nothing: `Sources` has it."""

from collections.abc import Iterable

from msgspec.structs import replace

from fastedge._core.revocations import Revocations, RevocationsFull
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.config.schema import EdgeConfig
from fastedge.config.sources import Sources
from fastedge.errors import ConfigError
from fastedge.handover import private_revocations
from fastedge.identity.revocations import Revocation, parse_list

KEY = "revocations.file"


def packed(table: Revocations, revocations: Iterable[Revocation]) -> bytes:
    """The records that `table` takes."""
    records = bytearray()
    for one in revocations:
        records += table.record(one.kind.encode(), one.name, one.before_s, one.until_s)
    return bytes(records)


def read_list(table: Revocations, config: EdgeConfig, sources: Sources) -> bytes:
    """The records of the file that a configuration names. Raises ConfigErrors, a problem for each line."""
    path = config.revocations.file
    if path is None:
        return b""
    try:
        return packed(table, parse_list(sources.shown(path), sources.files[path]))
    except ConfigError as error:
        raise ConfigErrors(Problem(sources.file, KEY, line) for line in str(error).splitlines()) from None


def private_list(name: str, data: bytes, entries_max: int, now_s: float) -> Revocations:
    """A table of what a file says alone, for who serves nobody. Raises ConfigError."""
    table = private_revocations(entries_max)
    try:
        table.replace_file(packed(table, parse_list(name, data)), now_s)
    except RevocationsFull as error:
        raise ConfigError(f"{name}: {error}") from None
    return table


def for_workers(config: EdgeConfig, sources: Sources) -> Sources:
    """Without the file: what it says is in the table, and a worker need not hold a million lines."""
    path = config.revocations.file
    return sources if path is None else replace(sources, files={**sources.files, path: b""})
