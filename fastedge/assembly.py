"""From the sources of a configuration to what decides with it: the engine, the trusted peers, the origins' options.

Executes policies, so it is called in workers and tools, never in the supervisor. Opens nothing but geo
files: `Sources` has all else.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from fastedge._core.exposures import Exposures
from fastedge._core.geotable import GeoSlot
from fastedge._core.keyslot import KeySlot
from fastedge._core.pipeline import BoundPipeline
from fastedge._core.proxies import TrustedProxies
from fastedge._core.revocations import Revocations
from fastedge.clock import now
from fastedge.config.geosource import GeoSource
from fastedge.config.keysources import KeySource
from fastedge.config.load import load
from fastedge.config.policy import Policies, bind_policies
from fastedge.config.schema import EdgeConfig
from fastedge.config.snapshot import Makers, Snapshot, make_snapshot
from fastedge.config.sources import Sources
from fastedge.engine import Engine, Site
from fastedge.geofiles import read_table
from fastedge.html import load_fragments
from fastedge.identity.api_keys import ApiKeys
from fastedge.identity.keys import KeySet
from fastedge.identity.passwords import Users
from fastedge.limits import html_pages_bytes_min, html_pages_share
from fastedge.revocation_list import private_list
from fastedge.routing.experiment_settings import ExperimentSlots, read_settings
from fastedge.routing.redirects import load_table


def not_fetched(source: KeySource) -> KeySlot:
    """For tools, which open no socket: fetched keys are not known, and nobody can be asked for them."""
    return KeySlot(renew=lambda: None)


MAKERS = Makers(
    secret=lambda name, data: KeySet.from_secret(data, name=name),
    public_key=lambda name, data: KeySet.from_pem(data, name=name),
    jwks=lambda name, data: KeySet.from_jwks(data, name=name),
    api_keys=lambda name, data: ApiKeys.from_json(data, name=name),
    users=lambda name, data: Users.from_lines(data, name=name),
    fetched=not_fetched,
    table=load_table,
    fragments=load_fragments,
    geo=lambda source, sources: read_table(source, sources.file, sources.shown),
    revocations=lambda name, data, entries_max: private_list(name, data, entries_max, now()),
    experiments=lambda name, data: ExperimentSlots(read_settings(name, data)),
)


class Prepared(Struct, frozen=True):
    """One generation, ready to be swapped in."""

    config: EdgeConfig
    sources: Sources
    snapshot: Snapshot
    policies: Policies
    engine: Engine
    trust: TrustedProxies

    def hook_names(self) -> tuple[str, ...]:
        """What a marker stands for, by number, over the pipelines of all sites."""
        return tuple(name for pipeline in self._pipelines() for name in pipeline.hook_names)

    def set_marker(self, address: int) -> None:
        """From now on the running hook leaves its number in `hook_names` at `address`."""
        first = 0
        for pipeline in self._pipelines():
            pipeline.set_marker(address, first)
            first += len(pipeline.hook_names)

    def _pipelines(self) -> list[BoundPipeline]:
        return list({id(site.pipeline): site.pipeline for site in self.engine.sites()}.values())


def prepare(
    sources: Sources,
    generation: int,
    revocations: Revocations | None = None,
    *,
    exposures: Exposures | None = None,
    fetched: Callable[[KeySource], KeySlot] = not_fetched,
    geo: Callable[[GeoSource], GeoSlot] | None = None,
) -> Prepared:
    """Everything that one configuration needs to serve. Raises ConfigErrors with all that is wrong.

    `revocations` is the host's table, which its supervisor fills; without one a table is made of the file alone.
    `exposures` is the host's too; without it nobody is counted. `fetched` gives the places of keys that are fetched,
    `geo` that of the geo table: left out, its files are read here.
    """
    config = load(sources)
    makers = replace(
        MAKERS,
        fetched=fetched,
        geo=MAKERS.geo if geo is None else lambda source, _: geo(source),
        experiments=lambda name, data: ExperimentSlots(read_settings(name, data), exposures),
    )
    snapshot = make_snapshot(config, sources, makers, revocations)
    policies = bind_policies(config, sources, snapshot, generation)
    engine = Engine(
        _sites(config, policies),
        config.origins,
        geo=snapshot.geo,
        cdn_id=config.server.cdn_id,
        generation=generation,
        pages_bytes_max=max((config.cache.memory_mb << 20) // html_pages_share, html_pages_bytes_min),
    )
    trust = TrustedProxies([str(network) for network in config.server.trusted_proxies])
    return Prepared(config, sources, snapshot, policies, engine, trust)


def _sites(config: EdgeConfig, policies: Policies) -> Mapping[str, Site]:
    if not config.sites:
        return {"*": Site("", policies.of(config.policy.file), config.server.default_origin)}
    sites: dict[str, Site] = {}
    for row in config.sites:
        site = Site(row.hosts[0], policies.of(row.policy), row.origin)
        sites.update(dict.fromkeys(row.hosts, site))
    return sites
