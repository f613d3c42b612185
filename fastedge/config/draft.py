"""A first reading of edge.toml alone: what could be read of it, which files and variables it names, what is wrong.

It opens nothing. `Sources` reads what is named here; `load` refuses a draft that has problems.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fastedge import limits
from fastedge.config.checks import check
from fastedge.config.document import apply_overrides, override_key, parse_document
from fastedge.config.problems import ConfigErrors, Problem, Problems
from fastedge.config.schema import SECTIONS, EdgeConfig, Shape, Site
from fastedge.config.sections import dotted, read_array, read_named, read_section


class Reference(Struct, frozen=True):
    """Something outside edge.toml that a key of it names: a file (its path) or an environment variable."""

    key: str
    name: str
    bytes_max: int
    is_file: bool = True


class Draft(Struct, frozen=True):
    """`config` is whole only if there are no problems: what is broken stands there with its default, or is left out."""

    config: EdgeConfig
    references: tuple[Reference, ...]
    problems: tuple[Problem, ...]


def read_draft(data: bytes, file: str, base: str, overrides: Iterable[str] = ()) -> Draft:
    """The draft of a file's bytes. `file` names it in messages; paths are joined with `base`, its directory."""
    overrides = tuple(overrides)
    try:
        document = apply_overrides(parse_document(data, file), overrides)
    except ConfigErrors as errors:
        return Draft(EdgeConfig(), (), errors.problems)
    problems = Problems(file, map(override_key, overrides))
    config, sites = _read(document, base, problems)
    check(config, sites, _names(document), problems)
    return Draft(_filled_in(config), tuple(_references(config, sites)), tuple(problems.found))


def _read(document: dict[str, Any], base: str, problems: Problems) -> tuple[EdgeConfig, dict[int, Site]]:
    """The sections, and the sites by their position in the file: a broken one is left out of the tuple."""
    sections: dict[str, Any] = {}
    sites: dict[int, Site] = {}
    for name, value in document.items():
        section = SECTIONS.get(name)
        if section is None:
            problems.unknown(dotted("", name), name, "section", SECTIONS)
        elif section.shape is Shape.ARRAY:
            sites = read_array(Site, value, name, section.count_max, base, problems)
        elif section.shape is Shape.NAMED:
            sections[name] = read_named(section.type, value, name, section.count_max, base, problems)
        elif (read := read_section(section.type, value, name, base, problems)) is not None:
            sections[name] = read
    return EdgeConfig(**sections, sites=tuple(sites.values())), sites


def _names(document: dict[str, Any]) -> frozenset[str] | None:
    """The origins that the file declares, broken ones included: naming one of those is no second mistake."""
    origins = document.get("origins", {})
    return frozenset(origins) if isinstance(origins, dict) else None


def _filled_in(config: EdgeConfig) -> EdgeConfig:
    """What is left out, replaced by what it falls back to."""
    default = config.server.default_origin
    if default is None and len(config.origins) == 1:
        default = next(iter(config.origins))  # type: ignore[assignment]
    sites = tuple(
        replace(site, policy=site.policy or config.policy.file, origin=site.origin or default) for site in config.sites
    )
    return replace(config, server=replace(config.server, default_origin=default), sites=sites)


def _references(config: EdgeConfig, sites: Mapping[int, Site]) -> Iterator[Reference]:
    """Every file and variable that a configuration names, section by section."""
    if config.policy.file:
        yield Reference("policy.file", config.policy.file, limits.policy_bytes_max)
    for name, origin in config.origins.items():
        if origin.tls_ca_file:
            key = dotted(dotted("origins", name), "tls_ca_file")
            yield Reference(key, origin.tls_ca_file, limits.certificates_bytes_max)
    for name, keys in config.keys.items():
        for field in ("secret_file", "public_key_file", "jwks_file", "secret_env", "jwks_env"):
            if (value := getattr(keys, field)) is not None:
                key = dotted(dotted("keys", name), field)
                yield Reference(key, value, limits.key_bytes_max, is_file=field.endswith("_file"))
        if keys.tls_ca_file:
            key = dotted(dotted("keys", name), "tls_ca_file")
            yield Reference(key, keys.tls_ca_file, limits.certificates_bytes_max)
    for name, credentials in config.credentials.items():
        for field in ("api_keys_file", "api_keys_env", "users_file", "users_env"):
            if (value := getattr(credentials, field)) is not None:
                key = dotted(dotted("credentials", name), field)
                yield Reference(key, value, limits.credentials_bytes_max, is_file=field.endswith("_file"))
    if config.revocations.file:
        yield Reference("revocations.file", config.revocations.file, limits.revocations_bytes_max)
    if config.experiments.file:
        yield Reference("experiments.file", config.experiments.file, limits.experiment_settings_bytes_max)
    if config.experiments.exposures_key_env:
        name = config.experiments.exposures_key_env
        yield Reference("experiments.exposures_key_env", name, limits.key_bytes_max, is_file=False)
    for name, table in config.tables.items():
        yield Reference(dotted(dotted("tables", name), "file"), table.file, limits.table_bytes_max)
    for name, fragments in config.fragments.items():
        yield Reference(dotted(dotted("fragments", name), "file"), fragments.file, limits.fragments_bytes_max)
    if config.admin and config.admin.token_env:
        yield Reference("admin.token_env", config.admin.token_env, limits.key_bytes_max, is_file=False)
    for i, site in sites.items():
        if site.policy:
            yield Reference(f"sites[{i}].policy", site.policy, limits.policy_bytes_max)
