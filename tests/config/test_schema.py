"""The contract of edge.toml: names, types and defaults of the keys that users write."""

from msgspec.structs import fields

from fastedge import limits
from fastedge.config.schema import SECTIONS, EdgeConfig, Experiments, Geo, Key, Origin, Revocations, Server, Shape
from fastedge.config.sections import FIELDS
from fastedge.config.values import KINDS, Listener, Network, OriginServer

WHOLE = """
[server]
listen = ["127.0.0.1:8080", "[::1]:8080", "unix:run/edge.sock", { address = "127.0.0.1:8443" }]
workers = 2
trusted_proxies = ["127.0.0.0/8", "2001:db8::/32", "10.0.0.1", "unix:"]
default_origin = "main"
cdn_id = "edge.example"
connections_max = 100
header_timeout_ms = 1
idle_timeout_ms = 2
body_timeout_ms = 3
send_timeout_ms = 4
request_body_mb_max = 5
drain_timeout_ms = 6

[policy]
file = "policies/shop.py"

[origins.main]
servers = ["http://127.0.0.1:9001", "https://App.example", "unix:run/app.sock", "http://[::1]:80"]
connect_timeout_ms = 1000
first_byte_timeout_ms = 10000
read_timeout_ms = 10000
idle_timeout_ms = 0
connections_max = 256
queue_max = 1024
host = "origin"
retry = false
breaker_failures = 0
breaker_open_ms = 1
tls_verify = true
tls_ca_file = "ca.pem"
tls_server_name = "app.example"

[keys.shop]
secret_env = "SHOP_KEY"

[keys.login]
jwks_url = "https://id.example/jwks"
refresh_s = 60
keep_s = 3600
timeout_ms = 1000
tls_ca_file = "ca.pem"

[keys.local]
openid_issuer = "http://[::1]:9000/realm"
plain_http = true

[credentials.partners]
api_keys_file = "partners.json"

[revocations]
file = "revoked.jsonl"
journal = "run/journal"
entries_max = 1000

[experiments]
file = "experiments.json"
exposures = "exposures.jsonl"
exposures_key_env = "EXPOSURES"
exposure_window_s = 3600

[tables.moved]
file = "/srv/moved.csv"

[cache]
memory_mb = 128
disk_path = "cache"
disk_mb = 64
unkeyed = "error"

[geo]
database = "country.mmdb"
asn_database = "asn.mmdb"
overrides = "offices.csv"
ip_override = "X-Client-IP-For-Tests"

[log]
access = "off"

[admin]
listen = "127.0.0.1:8081"
token_env = "FASTEDGE_ADMIN_TOKEN"

[[sites]]
hosts = ["shop.example", "*.Shop.example"]
policy = "policies/other.py"
origin = "main"

[[sites]]
hosts = ["[::1]"]
"""
FILES = dict.fromkeys(
    (
        "policies/shop.py",
        "policies/other.py",
        "partners.json",
        "ca.pem",
        "country.mmdb",
        "moved.csv",
        "revoked.jsonl",
        "experiments.json",
    ),
    b"x",
)
ENVIRONMENT = {"SHOP_KEY": "k" * 32, "FASTEDGE_ADMIN_TOKEN": "t" * 32, "EXPOSURES": "e" * 32}


def test_whole_file_every_key_is_read(sources, tmp_path):
    from fastedge.config import load

    text = WHOLE.replace("/srv/moved.csv", str(tmp_path / "moved.csv"))
    config = load(sources(text, FILES, ENVIRONMENT))
    mapped = b"\0" * 10 + b"\xff\xff"
    assert config.server == Server(
        listen=(
            Listener("127.0.0.1", 8080),
            Listener("::1", 8080),
            Listener(path=f"{tmp_path}/run/edge.sock"),
            Listener("127.0.0.1", 8443),
        ),
        workers=2,
        trusted_proxies=(
            Network(4, mapped + b"\x7f\0\0\0", 104),
            Network(6, b"\x20\x01\x0d\xb8" + b"\0" * 12, 32),
            Network(4, mapped + b"\x0a\0\0\x01", 128),
            Network(0),
        ),
        default_origin="main",
        cdn_id="edge.example",
        connections_max=100,
        header_timeout_ms=1,
        idle_timeout_ms=2,
        body_timeout_ms=3,
        send_timeout_ms=4,
        request_body_mb_max=5,
        drain_timeout_ms=6,
    )
    assert config.origins["main"] == Origin(
        servers=(
            OriginServer("http", "127.0.0.1", 9001),
            OriginServer("https", "app.example", 443),
            OriginServer("http", path=f"{tmp_path}/run/app.sock"),
            OriginServer("http", "::1", 80),
        ),
        host="origin",
        idle_timeout_ms=0,
        retry=False,
        breaker_failures=0,
        breaker_open_ms=1,
        tls_ca_file=f"{tmp_path}/ca.pem",
        tls_server_name="app.example",
    )
    assert config.policy.file == f"{tmp_path}/policies/shop.py"
    assert config.keys["shop"].secret_env == "SHOP_KEY"
    assert config.keys["login"] == Key(
        jwks_url="https://id.example/jwks",
        refresh_s=60,
        keep_s=3600,
        timeout_ms=1000,
        tls_ca_file=f"{tmp_path}/ca.pem",
    )
    assert config.keys["local"] == Key(openid_issuer="http://[::1]:9000/realm", plain_http=True)
    assert config.experiments == Experiments(
        file=f"{tmp_path}/experiments.json",
        exposures=f"{tmp_path}/exposures.jsonl",
        exposures_key_env="EXPOSURES",
        exposure_window_s=3600,
    )
    assert config.revocations == Revocations(
        file=f"{tmp_path}/revoked.jsonl", journal=f"{tmp_path}/run/journal", entries_max=1000
    )
    assert config.tables["moved"].file == f"{tmp_path}/moved.csv"
    assert (config.cache.memory_mb, config.cache.disk_path, config.cache.disk_mb) == (128, f"{tmp_path}/cache", 64)
    assert config.cache.unkeyed == "error"
    assert config.geo == Geo(
        database=f"{tmp_path}/country.mmdb",
        asn_database=f"{tmp_path}/asn.mmdb",
        overrides=f"{tmp_path}/offices.csv",
        ip_override="x-client-ip-for-tests",
    )
    assert config.log.access == "off"
    assert (config.admin.listen, config.admin.token_env) == (Listener("127.0.0.1", 8081), "FASTEDGE_ADMIN_TOKEN")
    assert config.sites[0].hosts == ("shop.example", "*.shop.example")
    assert config.sites[0].policy == f"{tmp_path}/policies/other.py"
    assert (config.sites[1].hosts, config.sites[1].policy, config.sites[1].origin) == (
        ("[::1]",),
        config.policy.file,
        "main",
    )
    assert config.policies == (f"{tmp_path}/policies/other.py", f"{tmp_path}/policies/shop.py")


def test_whole_file_holds_every_key_of_the_schema_but_alternatives():
    alternatives = {"secret_file", "public_key_file", "jwks_env", "jwks_file"}
    alternatives |= {"api_keys_env", "users_file", "users_env"}
    for section in SECTIONS.values():
        for field in FIELDS[section.type]:
            assert field.name in alternatives or f"\n{field.name} = " in WHOLE


def test_defaults_are_those_of_the_limits(config):
    loaded = config("")
    server, origin = loaded.server, loaded.origins["main"]
    assert server.listen == (Listener("127.0.0.1", 8080),)
    assert (server.workers, server.trusted_proxies, server.default_origin) == (0, (), "main")
    assert server.connections_max == limits.client_connections_max
    assert (origin.connect_timeout_ms, origin.first_byte_timeout_ms, origin.read_timeout_ms) == (1000, 10_000, 10_000)
    assert (origin.connections_max, origin.queue_max, origin.host) == (256, 1024, "preserve")
    assert (loaded.cache.memory_mb, loaded.cache.disk_path, loaded.cache.disk_mb) == (256, None, 4096)
    assert loaded.cache.unkeyed == "report"
    assert (loaded.log.access, loaded.admin, loaded.geo.database) == ("stdout", None, None)
    assert (loaded.policy.file, loaded.sites, loaded.policies) == (None, (), ())


def test_admin_section_empty_listens_on_loopback(config):
    admin = config("[admin]").admin
    assert (str(admin.listen), admin.token_env) == ("127.0.0.1:8081", None)


def test_sections_are_the_fields_of_the_configuration():
    assert list(SECTIONS) == [field.name for field in fields(EdgeConfig)]
    assert [name for name, section in SECTIONS.items() if section.shape is Shape.ARRAY] == ["sites"]


def test_fields_all_have_a_description_and_a_known_type():
    for section in SECTIONS.values():
        for field in FIELDS[section.type]:
            assert field.meta.description
            assert field.type in (int, bool) or field.type in KINDS
            assert field.type is not int or field.meta.ge <= field.default <= field.meta.le
            assert not field.many or field.meta.max_length
