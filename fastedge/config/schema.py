"""What edge.toml may say, as types: every section, every key, its type, bounds, default, and what a reload can change.

The structs are the single source: reading, messages, the JSON Schema and docs/configuration.md follow from them.
A field is live unless its Meta says `restart`. Numbers are bounds of one worker unless the description says otherwise.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from fastedge import limits
from fastedge.config.values import (
    CdnId,
    FieldName,
    FilePath,
    HostName,
    HostPattern,
    IssuerUrl,
    KeyUrl,
    Listener,
    LogTarget,
    Name,
    Network,
    OriginHost,
    OriginServer,
    Unkeyed,
    VariableName,
)

_RESTART = {"restart": True}


class Server(Struct, frozen=True, kw_only=True):
    """The listeners and the workers behind them, and what a client may ask of them."""

    listen: Annotated[
        tuple[Listener, ...],
        Meta(
            min_length=1,
            max_length=limits.listeners_max,
            description="Where the edge listens: `ADDRESS:PORT`, `[ADDRESS]:PORT` or `unix:PATH`; or a table with it "
            "as `address`. Port 0 is any that is free.",
            extra=_RESTART,
        ),
    ] = (Listener("127.0.0.1", 8080),)
    workers: Annotated[
        int, Meta(ge=0, le=limits.workers_max, description="Worker processes. 0: one for each core.", extra=_RESTART)
    ] = 0
    trusted_proxies: Annotated[
        tuple[Network, ...],
        Meta(
            max_length=limits.trusted_proxies_max,
            description="Peers whose `Forwarded` and `X-Forwarded-For` are believed: networks, addresses, and `unix:` "
            "for peers on unix sockets. The client is the rightmost address that is not among them.",
        ),
    ] = ()
    default_origin: Annotated[
        Name | None,
        Meta(
            description="The origin of requests for which no policy and no site names one. "
            "Left out: the only origin there is."
        ),
    ] = None
    cdn_id: Annotated[
        CdnId,
        Meta(
            description="The name of this edge in `CDN-Loop` (RFC 8586) and `Via`. Edges in a row need different ones: "
            "a request that carries this name already is refused as a loop."
        ),
    ] = CdnId("fastedge")
    connections_max: Annotated[
        int,
        Meta(ge=1, le=limits.client_connections_asked_max, description="Client connections that a worker holds."),
    ] = limits.client_connections_max
    header_timeout_ms: Annotated[
        int,
        Meta(ge=1, le=limits.timeout_ms_max, description="From the first byte of a request to the end of its head."),
    ] = limits.client_header_timeout_ms
    idle_timeout_ms: Annotated[
        int, Meta(ge=1, le=limits.timeout_ms_max, description="Between requests on a connection that is kept open.")
    ] = limits.client_idle_timeout_ms
    body_timeout_ms: Annotated[
        int, Meta(ge=1, le=limits.timeout_ms_max, description="Without one more byte of a request's body.")
    ] = limits.client_body_timeout_ms
    send_timeout_ms: Annotated[
        int,
        Meta(ge=1, le=limits.timeout_ms_max, description="Without the client taking one more byte of a response."),
    ] = limits.client_send_timeout_ms
    request_body_mb_max: Annotated[
        int,
        Meta(ge=0, le=limits.request_body_mb_asked_max, description="The largest request body; beyond it, 413."),
    ] = limits.request_body_mb_max
    drain_timeout_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=limits.timeout_ms_max,
            description="How long requests in flight may take to finish when fastedge is told to stop.",
        ),
    ] = limits.drain_timeout_ms


class Policy(Struct, frozen=True, kw_only=True):
    """The program of every site that names none of its own."""

    file: Annotated[
        FilePath | None,
        Meta(description="A Python file that defines `pipeline`. Left out: a plain caching reverse proxy."),
    ] = None


class Origin(Struct, frozen=True, kw_only=True):
    """A named pool of servers that hold the same content."""

    servers: Annotated[
        tuple[OriginServer, ...],
        Meta(
            min_length=1,
            max_length=limits.origin_servers_max,
            description="`http://HOST[:PORT]`, `https://HOST[:PORT]` or `unix:PATH`. The least busy one is asked.",
        ),
    ]
    host: Annotated[
        OriginHost,
        Meta(
            description="The `Host` that the origin sees: `preserve` (the client's), `origin` (the server's own), "
            "or a host."
        ),
    ] = OriginHost("preserve")
    connect_timeout_ms: Annotated[
        int, Meta(ge=1, le=limits.timeout_ms_max, description="To open a connection, TLS included.")
    ] = limits.origin_connect_timeout_ms
    first_byte_timeout_ms: Annotated[
        int,
        Meta(ge=1, le=limits.timeout_ms_max, description="From the end of the request to the response's first byte."),
    ] = limits.origin_first_byte_timeout_ms
    read_timeout_ms: Annotated[
        int, Meta(ge=1, le=limits.timeout_ms_max, description="Without one more byte of a response.")
    ] = limits.origin_read_timeout_ms
    idle_timeout_ms: Annotated[
        int, Meta(ge=0, le=limits.timeout_ms_max, description="How long an idle connection is kept. 0: not at all.")
    ] = limits.origin_idle_timeout_ms
    connections_max: Annotated[
        int,
        Meta(ge=1, le=limits.origin_connections_asked_max, description="Connections of a worker to the whole origin."),
    ] = limits.origin_connections_max
    queue_max: Annotated[
        int,
        Meta(
            ge=0,
            le=limits.origin_queue_asked_max,
            description="Requests of a worker that may wait for a connection; beyond it, 503.",
        ),
    ] = limits.origin_queue_max
    retry: Annotated[
        bool,
        Meta(description="Ask once more where that is safe: an idempotent request, nothing sent back yet."),
    ] = True
    breaker_failures: Annotated[
        int,
        Meta(
            ge=0,
            le=limits.origin_breaker_failures_asked_max,
            description="Failures in a row after which a server is left alone. 0: never.",
        ),
    ] = limits.origin_breaker_failures
    breaker_open_ms: Annotated[
        int, Meta(ge=1, le=limits.timeout_ms_max, description="How long it is left alone before it is tried again.")
    ] = limits.origin_breaker_open_ms
    tls_verify: Annotated[
        bool, Meta(description="Whether the certificates of `https` servers must be valid. `false` is for tests.")
    ] = True
    tls_ca_file: Annotated[
        FilePath | None,
        Meta(description="The authorities that `https` servers are verified by (PEM). Left out: the system's."),
    ] = None
    tls_server_name: Annotated[
        HostName | None,
        Meta(description="The name in SNI that the certificate must hold. Left out: the server's own host."),
    ] = None


class Key(Struct, frozen=True, kw_only=True):
    """A secret or a set of keys. Exactly one of the first seven says where it comes from."""

    secret_env: Annotated[
        VariableName | None, Meta(description="The environment variable that holds a shared secret.")
    ] = None
    secret_file: Annotated[
        FilePath | None, Meta(description="A file that holds a shared secret; one line end at its end does not count.")
    ] = None
    public_key_file: Annotated[FilePath | None, Meta(description="A public key or a certificate (PEM).")] = None
    jwks_env: Annotated[
        VariableName | None, Meta(description="The environment variable that holds a JWK Set (RFC 7517).")
    ] = None
    jwks_file: Annotated[FilePath | None, Meta(description="A file that holds a JWK Set.")] = None
    jwks_url: Annotated[
        KeyUrl | None, Meta(description="Where a JWK Set is fetched, again and again, beside the traffic.")
    ] = None
    openid_issuer: Annotated[
        IssuerUrl | None,
        Meta(
            description="An OpenID provider, as `iss` names it: its `/.well-known/openid-configuration` says where its "
            "JWK Set is fetched."
        ),
    ] = None
    refresh_s: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.keys_lifetime_s_max,
            description="How long a fetched set is good where its response does not say so.",
        ),
    ] = limits.keys_refresh_s
    keep_s: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.keys_keep_s_max,
            description="How long the last good set is used while no newer one can be had. Then it is gone: 503.",
        ),
    ] = limits.keys_keep_s
    timeout_ms: Annotated[
        int, Meta(ge=1, le=limits.keys_timeout_ms_max, description="For one fetch as a whole, discovery included.")
    ] = limits.keys_timeout_ms
    tls_ca_file: Annotated[
        FilePath | None,
        Meta(description="The authorities that the provider is verified by (PEM). Left out: the system's."),
    ] = None
    plain_http: Annotated[
        bool,
        Meta(description="Whether keys may come by `http` from another host: anyone between can change them."),
    ] = False

    @property
    def url(self) -> str | None:
        """Where keys are fetched, or are found out how; None: they are not fetched."""
        return self.jwks_url or self.openid_issuer


class Credentials(Struct, frozen=True, kw_only=True):
    """Who may come with an API key or a password. Exactly one of these keys says where they are."""

    api_keys_file: Annotated[
        FilePath | None,
        Meta(description="Consumers and the hashes of their keys (JSON), as `fastedge api-key` writes it."),
    ] = None
    api_keys_env: Annotated[VariableName | None, Meta(description="The environment variable that holds such JSON.")] = (
        None
    )
    users_file: Annotated[
        FilePath | None,
        Meta(description="Users, one `name:hash` a line (Argon2id or scrypt), as `fastedge password` writes it."),
    ] = None
    users_env: Annotated[VariableName | None, Meta(description="The environment variable that holds such lines.")] = (
        None
    )


class Revocations(Struct, frozen=True, kw_only=True):
    """Tokens that are no longer good before their time is over; more of them come by `POST /v1/revocations`."""

    file: Annotated[
        FilePath | None,
        Meta(
            description="Revocations, a JSON object a line. What is no longer there after a reload is revoked no more."
        ),
    ] = None
    journal: Annotated[
        FilePath | None,
        Meta(
            description="Where those that were POSTed are kept over a restart. Left out: they end with the supervisor.",
            extra=_RESTART,
        ),
    ] = None
    entries_max: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.revocations_asked_max,
            description="Revocations in force on the host, 64 bytes of memory each.",
            extra=_RESTART,
        ),
    ] = limits.revocations_entries_max


class Experiments(Struct, frozen=True, kw_only=True):
    """What experiments are told while they run, and where it is written down who met which variant."""

    file: Annotated[
        FilePath | None,
        Meta(
            description="Weights, allocations and states by experiment (JSON). Looked at every 2 s; a change is in "
            "force on all workers without a reload, and a file that cannot be used changes nothing."
        ),
    ] = None
    exposures: Annotated[
        FilePath | None,
        Meta(
            description="Where exposures are appended, a JSON object a line. Left out: they are counted alone.",
            extra=_RESTART,
        ),
    ] = None
    exposures_key_env: Annotated[
        VariableName | None,
        Meta(
            description="The environment variable that holds the secret by which visitors are hashed there, 32 bytes "
            "or more. Left out: a new one at each start, so that no two starts can be joined.",
            extra=_RESTART,
        ),
    ] = None
    exposure_window_s: Annotated[
        int,
        Meta(
            ge=60,
            le=limits.cache_ttl_s_max,
            description="For how long a visitor is exposed to one variant once.",
            extra=_RESTART,
        ),
    ] = limits.experiment_exposure_window_s


class Table(Struct, frozen=True, kw_only=True):
    """A table that a stage names."""

    file: Annotated[FilePath, Meta(description="The rows: CSV, or JSON.")]


class FragmentTable(Struct, frozen=True, kw_only=True):
    """HTML by name, for slots of personal pages."""

    file: Annotated[FilePath, Meta(description='A JSON object of HTML: `{"DE": "<p>Hallo</p>"}`.')]


class Cache(Struct, frozen=True, kw_only=True):
    """Where stored responses are kept, and how much room they have."""

    memory_mb: Annotated[
        int,
        Meta(
            ge=0,
            le=limits.cache_memory_mb_max,
            description="A worker's own tier: all of it counts, heads and keys included. 0: nothing is kept in memory.",
            extra=_RESTART,
        ),
    ] = limits.cache_memory_mb
    disk_path: Annotated[
        FilePath | None,
        Meta(description="The directory of the tier that all workers share. Left out: none.", extra=_RESTART),
    ] = None
    disk_mb: Annotated[
        int, Meta(ge=1, le=limits.cache_disk_mb_max, description="The size of that tier.", extra=_RESTART)
    ] = limits.cache_disk_mb
    unkeyed: Annotated[
        Unkeyed,
        Meta(
            description="What becomes of a stage that lets a request's field decide what is stored, though that is "
            "neither in the key nor in `Vary`: `report` (once, in the error log), `error` (500), or `ignore`."
        ),
    ] = Unkeyed("report")


class Geo(Struct, frozen=True, kw_only=True):
    """Where an address is taken to be. The files are looked at every few seconds: one that changes needs no reload."""

    database: Annotated[
        FilePath | None,
        Meta(
            description="A database with countries, and whatever else it knows: an MMDB of MaxMind, DB-IP, IPinfo or "
            "ip-location-db, or a compiled table. Left out: the countries that ship with fastedge."
        ),
    ] = None
    asn_database: Annotated[
        FilePath | None, Meta(description="A database with AS numbers, whose facts are joined to the other's.")
    ] = None
    overrides: Annotated[
        FilePath | None,
        Meta(
            description="Corrections: a CSV `network,country[,region,city,time_zone,asn]` that has the last word; the "
            "more specific network wins."
        ),
    ] = None
    ip_override: Annotated[
        FieldName | None,
        Meta(
            description="For tests: a field in which a trusted peer may name the address that geo takes the client to "
            "have. Dropped from all others. Left out: there is none."
        ),
    ] = None


class Log(Struct, frozen=True, kw_only=True):
    """What is written down."""

    access: Annotated[
        LogTarget, Meta(description="One JSON line a request: `stdout`, a path, or `off`.", extra=_RESTART)
    ] = LogTarget("stdout")


class Admin(Struct, frozen=True, kw_only=True):
    """Metrics, health and reload. Without this section there is no admin listener."""

    listen: Annotated[Listener, Meta(description="Where they are offered.", extra=_RESTART)] = Listener(
        "127.0.0.1", 8081
    )
    token_env: Annotated[
        VariableName | None,
        Meta(
            description="The environment variable that holds the token for whatever changes state. "
            "Left out: nothing that does is offered."
        ),
    ] = None


class Site(Struct, frozen=True, kw_only=True):
    """One of several sites on one edge. Where sites are named, a host that none claims gets 421."""

    hosts: Annotated[
        tuple[HostPattern, ...],
        Meta(
            min_length=1,
            max_length=limits.site_hosts_max,
            description="Hosts, in lower case and without port, and `*.` patterns; the most exact match is taken.",
        ),
    ]
    policy: Annotated[FilePath | None, Meta(description="Its policy file. Left out: `policy.file`.")] = None
    origin: Annotated[Name | None, Meta(description="Its origin. Left out: `server.default_origin`.")] = None


class EdgeConfig(Struct, frozen=True, kw_only=True):
    """All of edge.toml: read, checked, defaults in place, paths joined with its directory. Nothing in it is a secret.

    `server.default_origin`, and `policy` and `origin` of each site, are filled in with what they fall back to.
    """

    server: Server = Server()
    policy: Policy = Policy()
    origins: Mapping[str, Origin] = MappingProxyType({})
    keys: Mapping[str, Key] = MappingProxyType({})
    credentials: Mapping[str, Credentials] = MappingProxyType({})
    revocations: Revocations = Revocations()
    experiments: Experiments = Experiments()
    tables: Mapping[str, Table] = MappingProxyType({})
    fragments: Mapping[str, FragmentTable] = MappingProxyType({})
    cache: Cache = Cache()
    geo: Geo = Geo()
    log: Log = Log()
    admin: Admin | None = None
    sites: tuple[Site, ...] = ()

    @property
    def policies(self) -> tuple[str, ...]:
        """The policy files that serve a host, each once."""
        files = [site.policy for site in self.sites] if self.sites else [self.policy.file]
        return tuple(dict.fromkeys(str(file) for file in files if file is not None))


class Shape(Enum):
    """How often a section may stand in the file."""

    ONE = "[name]"
    NAMED = "[name.NAME]"
    ARRAY = "[[name]]"


class Section(Struct, frozen=True):
    """A section of edge.toml: the struct it becomes, its shape, and how many of them there may be."""

    type: type[Struct]
    shape: Shape = Shape.ONE
    count_max: int = 1


SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "server": Section(Server),
        "policy": Section(Policy),
        "origins": Section(Origin, Shape.NAMED, limits.origins_max),
        "keys": Section(Key, Shape.NAMED, limits.keys_max),
        "credentials": Section(Credentials, Shape.NAMED, limits.credentials_max),
        "revocations": Section(Revocations),
        "experiments": Section(Experiments),
        "tables": Section(Table, Shape.NAMED, limits.tables_max),
        "fragments": Section(FragmentTable, Shape.NAMED, limits.fragments_max),
        "cache": Section(Cache),
        "geo": Section(Geo),
        "log": Section(Log),
        "admin": Section(Admin),
        "sites": Section(Site, Shape.ARRAY, limits.sites_max),
    }
)
