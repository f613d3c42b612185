"""What stages resolve their names against: keys, tables, origins and the geo table, built from bytes read before.

Immutable; a reload makes a new one beside the traffic. How bytes become a key set or a table is not known here.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from fastedge.config.geosource import GeoSource, geo_source
from fastedge.config.keysources import KeySource, key_source
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.config.schema import EdgeConfig, Key
from fastedge.config.sections import dotted
from fastedge.config.sources import Sources
from fastedge.errors import ConfigError

Maker = Callable[[str, bytes], Any]  # of a name for messages and the bytes; raises ConfigError, a line for each problem


class Makers(Struct, frozen=True):
    """Who makes what: key sets of a shared secret, a PEM file and a JWK Set, the place of a set that is fetched, API
    keys, users, a redirect table, fragments of pages, a geo table, revocations (at most so many), and the slots of
    experiments."""

    secret: Maker
    public_key: Maker
    jwks: Maker
    fetched: Callable[[KeySource], Any]
    api_keys: Maker
    users: Maker
    table: Maker
    fragments: Maker
    geo: Callable[[GeoSource, Sources], Any]
    revocations: Callable[[str, bytes, int], Any]
    experiments: Callable[[str, bytes], Any]


class Snapshot(Struct, frozen=True):
    """What a pipeline is bound to: `keys`, `credentials`, `tables` and `fragments` by name, the names of the origins,
    the geo table, the revocations (None where nobody can be revoked), and the slots of experiments."""

    keys: Mapping[str, Any]
    tables: Mapping[str, Any]
    origins: frozenset[str]
    geo: Any
    credentials: Mapping[str, Any] = MappingProxyType({})
    revocations: Any = None
    experiments: Any = None
    fragments: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"<Snapshot: {len(self.keys)} keys, {len(self.tables)} tables, {len(self.origins)} origins>"


def make_snapshot(config: EdgeConfig, sources: Sources, makers: Makers, revocations: Any = None) -> Snapshot:
    """The snapshot of a configuration that `load` gave. Raises ConfigErrors for all that cannot be made.

    `revocations` is the host's table; without one a table is made of the file alone.
    """
    problems: list[Problem] = []
    keys = _made(problems, sources, _keys(config, sources, makers))
    credentials = _made(problems, sources, _credentials(config, sources, makers))
    tables = _made(problems, sources, _files("tables", config.tables, makers.table, sources))
    fragments = _made(problems, sources, _files("fragments", config.fragments, makers.fragments, sources))
    try:
        geo = makers.geo(geo_source(config), sources)
    except ConfigErrors as errors:
        problems.extend(errors.problems)
    if revocations is None:
        revocations = _made(problems, sources, _revocations(config, sources, makers)).get("revocations")
    experiments = _made(problems, sources, _experiments(config, sources, makers))
    if problems:
        raise ConfigErrors(problems)
    return Snapshot(
        keys,
        tables,
        frozenset(config.origins),
        geo,
        credentials,
        revocations,
        experiments["experiments"],
        fragments,
    )


_Job = tuple[str, str, Callable[[], Any]]  # the name in the snapshot, the key of edge.toml, how it is made


def _made(problems: list[Problem], sources: Sources, jobs: Iterator[_Job]) -> Mapping[str, Any]:
    made = {}
    for name, key, make in jobs:
        try:
            made[name] = make()
        except ConfigError as error:
            problems.extend(Problem(sources.file, key, line) for line in str(error).splitlines())
    return MappingProxyType(made)


def _keys(config: EdgeConfig, sources: Sources, makers: Makers) -> Iterator[_Job]:
    for name, key in config.keys.items():
        path = dotted("keys", name)
        if key.url is not None:
            yield name, path, partial(makers.fetched, key_source(name, key, sources))
        else:
            field, maker, data = _key_bytes(key, sources, makers)
            yield name, dotted(path, field), _job(maker, name, data)


def _key_bytes(key: Key, sources: Sources, makers: Makers) -> tuple[str, Maker, bytes]:
    if key.secret_env:
        return "secret_env", makers.secret, sources.variables[key.secret_env]
    if key.secret_file:
        return "secret_file", makers.secret, _without_line_end(sources.files[key.secret_file])
    if key.public_key_file:
        return "public_key_file", makers.public_key, sources.files[key.public_key_file]
    if key.jwks_env:
        return "jwks_env", makers.jwks, sources.variables[key.jwks_env]
    assert key.jwks_file is not None, "load() lets no key without a source through"
    return "jwks_file", makers.jwks, sources.files[key.jwks_file]


def _credentials(config: EdgeConfig, sources: Sources, makers: Makers) -> Iterator[_Job]:
    for name, one in config.credentials.items():
        for source, maker in (("api_keys", makers.api_keys), ("users", makers.users)):
            file, variable = getattr(one, f"{source}_file"), getattr(one, f"{source}_env")
            key = dotted(dotted("credentials", name), f"{source}_file" if file else f"{source}_env")
            if file:
                yield name, key, _job(maker, sources.shown(file), sources.files[file])
            elif variable:
                yield name, key, _job(maker, name, sources.variables[variable])


def _files(section: str, tables: Mapping[str, Any], maker: Maker, sources: Sources) -> Iterator[_Job]:
    """Of sections that are one file each."""
    for name, table in tables.items():
        yield (
            name,
            dotted(dotted(section, name), "file"),
            _job(maker, sources.shown(table.file), sources.files[table.file]),
        )


def _revocations(config: EdgeConfig, sources: Sources, makers: Makers) -> Iterator[_Job]:
    file, entries_max = config.revocations.file, config.revocations.entries_max
    if file is not None:
        name, data = sources.shown(file), sources.files[file]
        yield "revocations", "revocations.file", lambda: makers.revocations(name, data, entries_max)


def _experiments(config: EdgeConfig, sources: Sources, makers: Makers) -> Iterator[_Job]:
    file = config.experiments.file
    name, data = (sources.shown(file), sources.files[file]) if file is not None else ("", b"{}")
    yield "experiments", "experiments.file", _job(makers.experiments, name, data)


def _job(maker: Maker, name: str, data: bytes) -> Callable[[], Any]:
    return lambda: maker(name, data)


def _without_line_end(data: bytes) -> bytes:
    # Editors and `echo` end a file with a line end; nobody means it to be a part of the secret.
    return data.removesuffix(b"\n").removesuffix(b"\r")
