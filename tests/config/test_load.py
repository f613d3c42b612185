"""Every mistake that a configuration can have, with the whole of its message."""

import time

import pytest

from fastedge.config import ConfigErrors, Sources, load
from fastedge.errors import ConfigError
from fastedge.limits import config_problems_max, timeout_ms_max

MISMATCHES = [
    ("server = 3", "server: found 3, expected a table"),
    ("sites = 3", "sites: found 3, expected an array of tables ([[sites]])"),
    ("sites = [3]", "sites[0]: found 3, expected a table"),
    ("keys = 3", "keys: found 3, expected tables with a name ([keys.NAME])"),
    ("[keys]\nshop = 3", "keys.shop: found something else, expected a table"),
    ("[serverr]", "serverr: unknown section; did you mean server?"),
    (
        "[x]",
        "x: unknown section; known: admin, cache, credentials, experiments, fragments, geo, keys, log, origins, policy, revocations, server, sites,"
        " tables",
    ),
    ("[server]\nworker = 1", "server.worker: unknown key; did you mean workers?"),
    ("[log]\nx = 1", "log.x: unknown key; known: access"),
    ('[log]\n"a b\\n" = 1', 'log."a b\\u000a": unknown key; known: access'),
    ('[server]\nworkers = "2"', 'server.workers: found "2", expected an integer from 0 to 256'),
    ("[server]\nworkers = 2.0", "server.workers: found 2.0, expected an integer from 0 to 256"),
    ("[server]\nworkers = true", "server.workers: found true, expected an integer from 0 to 256"),
    ("[server]\nworkers = -1", "server.workers: found -1, expected an integer from 0 to 256"),
    ("[server]\nworkers = 1979-05-27", "server.workers: found 1979-05-27, expected an integer from 0 to 256"),
    ("[server]\nworkers = {}", "server.workers: found a table, expected an integer from 0 to 256"),
    (
        f"[server]\nworkers = {10**30}",
        "server.workers: found an integer of more than 64 bits, expected an integer from 0 to 256",
    ),
    (
        '[server]\nlisten = "127.0.0.1:80"',
        'server.listen: found "127.0.0.1:80", expected a list of 1 to 64, each an address such as "127.0.0.1:8080", '
        '"[::1]:8080" or "unix:run/edge.sock", or a table with it as address',
    ),
    (
        "[server]\nlisten = []",
        'server.listen: found a list of 0, expected a list of 1 to 64, each an address such as "127.0.0.1:8080", '
        '"[::1]:8080" or "unix:run/edge.sock", or a table with it as address',
    ),
    (
        '[server]\nlisten = ["127.0.0.1:1", "x"]',
        'server.listen[1]: found "x", expected an address such as "127.0.0.1:8080", "[::1]:8080" or '
        '"unix:run/edge.sock"',
    ),
    (
        '[server]\nlisten = [{ address = "127.0.0.1:1", proxy_protocol = true }]',
        "server.listen[0]: found a table, expected a listener without proxy_protocol: it is not supported yet",
    ),
    (
        '[server]\nlisten = ["127.0.0.1:1", { address = "127.0.0.1:1" }]',
        'server.listen: found "127.0.0.1:1" 2 times, expected once',
    ),
    (
        '[admin]\nlisten = "127.0.0.1:8080"',
        'admin.listen: found "127.0.0.1:8080", expected an address that server.listen has not',
    ),
    (
        '[server]\ndefault_origin = "mian"',
        'server.default_origin: unknown origin "mian"; did you mean main?',
    ),
    (
        '[server]\ndefault_origin = "a b"',
        'server.default_origin: found "a b", expected a name of 1 to 64 letters, digits, - and _',
    ),
    (
        "[origins.main]\nconnect_timeout_ms = 1",
        'origins.main.servers: missing, expected a list of 1 to 64, each a server such as "http://10.0.0.1:8000", '
        '"https://app.example" or "unix:run/app.sock"',
    ),
    (
        '[origins."a.b"]\nservers = ["http://a"]',
        'origins."a.b": expected as name a name of 1 to 64 letters, digits, - and _',
    ),
    (
        '[origins.a]\nservers = ["http://a"]\nretry = 1',
        "origins.a.retry: found 1, expected true or false",
    ),
    (
        '[origins.a]\nservers = ["http://user:word@a"]',
        'origins.a.servers[0]: found "…@a", expected a server such as "http://10.0.0.1:8000", "https://app.example" '
        'or "unix:run/app.sock", without user information',
    ),
    (
        '[origins.a]\nservers = ["http://a"]\nconnect_timeout_ms = 0',
        f"origins.a.connect_timeout_ms: found 0, expected an integer from 1 to {timeout_ms_max}",
    ),
    (
        '[origins.a]\nservers = ["http://a"]\ntls_verify = false',
        "origins.a.tls_verify: found without an https server, expected only beside one",
    ),
    (
        '[origins.a]\nservers = ["http://a"]\ntls_server_name = "b"',
        "origins.a.tls_server_name: found without an https server, expected only beside one",
    ),
    (
        "[keys.shop]",
        "keys.shop: found no source, expected exactly one of secret_env, secret_file, public_key_file, jwks_env, "
        "jwks_file, jwks_url, openid_issuer",
    ),
    (
        '[keys.shop]\njwks_url = "https://id.example/jwks"\nopenid_issuer = "https://id.example"',
        "keys.shop: found jwks_url and openid_issuer, expected exactly one of secret_env, secret_file, "
        "public_key_file, jwks_env, jwks_file, jwks_url, openid_issuer",
    ),
    (
        '[keys.shop]\njwks_url = "https://user:pass@id.example/jwks"',
        "keys.shop.jwks_url: found a string of 33 characters, expected a URL "
        'such as "https://id.example/jwks.json": a URL without user and without fragment',
    ),
    (
        '[keys.shop]\njwks_url = "http://id.example/jwks"',
        "keys.shop.jwks_url: found an http URL of another host, expected https (or plain_http = true beside it)",
    ),
    (
        '[keys.shop]\njwks_url = "https://id.example/jwks"\nplain_http = true',
        "keys.shop.plain_http: found beside an https URL, where it has no effect",
    ),
    (
        '[keys.shop]\njwks_url = "https://id.example/jwks"\nrefresh_s = 0',
        "keys.shop.refresh_s: found something else, expected an integer from 1 to 86400",
    ),
    (
        '[keys.shop]\nsecret_env = "correct horse"',
        "keys.shop.secret_env: found a string of 13 characters, expected the name of an environment variable",
    ),
    ('[keys.shop]\nsecret = "correct horse"', "keys.shop.secret: unknown key; did you mean secret_env?"),
    ("[tables.moved]", "tables.moved.file: missing, expected a path, absolute or relative to edge.toml"),
    (
        "[[sites]]\norigin = 'main'",
        'sites[0].hosts: missing, expected a list of 1 to 1024, each a host such as "shop.example", '
        'or "*.shop.example"',
    ),
    (
        '[[sites]]\nhosts = ["a"]\n[[sites]]\nhosts = ["b", "A"]',
        'sites[1].hosts[1]: found "a", which sites[0].hosts[0] claims already, expected each host once',
    ),
    (
        '[[sites]]\nhosts = ["a"]\norigin = "other"',
        'sites[0].origin: unknown origin "other"; known: main',
    ),
]


@pytest.mark.parametrize(("text", "message"), MISMATCHES)
def test_mistake_alone_has_one_message(problems, text, message):
    lines = problems(text)
    assert f"edge.toml: {message}" in lines
    # A key without source that is wrong in another way, and nothing else, is reported once.
    assert len(lines) == 1 or text == '[keys.shop]\nsecret = "correct horse"'


def test_journal_that_is_the_file_is_refused(problems):
    assert "edge.toml: revocations.journal: found the file of revocations, expected a file of its own" in problems(
        "[revocations]\nfile = 'r'\njournal = './r'"
    )


def test_origin_without_the_one_that_is_meant(problems):
    two = '[origins.a]\nservers = ["http://a"]\n[origins.b]\nservers = ["http://b"]\n'
    which = "missing, expected one of the 2 origins (or a policy that chooses)"
    assert problems(two) == [f"edge.toml: server.default_origin: {which}"]
    assert problems(two + '[[sites]]\nhosts = ["a"]\norigin = "a"\n[[sites]]\nhosts = ["b"]') == [
        f"edge.toml: sites[1].origin: {which}"
    ]
    assert problems(two + '[server]\ndefault_origin = "b"') == []


def test_origin_none_at_all(problems):
    assert problems("[origins]") == [
        'edge.toml: origins: missing, expected an origin, [origins.main] with servers = ["http://…"] (or a policy)'
    ]


def test_origin_broken_is_no_unknown_name(problems):
    lines = problems('[server]\ndefault_origin = "a"\n[origins.a]\nservers = 3')
    assert [line.split(": ")[1] for line in lines] == ["origins.a.servers"]


def test_origin_several_with_a_policy_that_chooses(sources):
    two = '[origins.a]\nservers = ["http://a"]\n[origins.b]\nservers = ["http://b"]\n[policy]\nfile = "p.py"'
    config = load(sources(two, {"p.py": b""}))
    assert config.server.default_origin is None


def test_tls_ca_file_without_verifying_is_refused(sources):
    text = '[origins.a]\nservers = ["https://a"]\ntls_ca_file = "ca.pem"\ntls_verify = false'
    with pytest.raises(ConfigErrors) as caught:
        load(sources(text, {"ca.pem": b"x"}))
    (problem,) = caught.value.problems
    assert (problem.key, problem.text) == (
        "origins.a.tls_ca_file",
        "found beside tls_verify = false, expected one of the two",
    )


def test_mistakes_all_are_reported_at_once(problems):
    lines = problems(
        """
        typo = 1
        [server]
        workers = "x"
        wrkers = 1
        listen = ["a", "b"]
        [origins.a]
        servers = ["http://a", 3]
        queue_max = -1
        [keys.b]
        secret_env = "A"
        jwks_file = "b"
        [[sites]]
        origin = "c"
        """
    )
    assert [line.split(": ")[1] for line in lines] == [
        "typo",
        "server.wrkers",
        "server.listen[0]",
        "server.listen[1]",
        "server.workers",
        "origins.a.servers[1]",
        "origins.a.queue_max",
        "sites[0].hosts",
        "keys.b",
        "keys.b.jwks_file",
        "keys.b.secret_env",
    ]


def test_mistakes_too_many_are_counted(problems):
    lines = problems("\n".join(f"x{i} = 1" for i in range(config_problems_max + 7)))
    assert len(lines) == config_problems_max + 1
    assert lines[-1] == "and 7 more"


def test_mistakes_as_many_as_a_file_holds_are_told_in_time(problems):
    origins = "".join(f'[origins.origin{i}]\nservers = ["http://a"]\n' for i in range(1024))
    sites = "".join(f'[[sites]]\nhosts = ["h{i}"]\norigin = "origun{i}"\n' for i in range(1024))
    started = time.process_time()
    assert problems(origins + sites)[0] == 'edge.toml: sites[0].origin: unknown origin "origun0"; did you mean origin0?'
    # Only the first of them are compared with every name that is known.
    assert time.process_time() - started < 5


def test_override_broken_is_blamed_on_the_option(problems):
    assert problems("[server]\nworkers = 1", "server.workers=x") == [
        '--set: server.workers: found "x", expected an integer from 0 to 256'
    ]
    assert problems("", 'server.listen=["x"]')[0].startswith('--set: server.listen[0]: found "x", ')
    assert problems("[server]\nworkers = 'y'", "server.cdn_id=a")[0].startswith("edge.toml: server.workers: ")


def test_override_is_in_force(config):
    assert config("[server]\nworkers = 1", "server.workers=2", "log.access=off").server.workers == 2


def test_file_missing_is_a_config_error(tmp_path):
    path = tmp_path / "edge.toml"
    with pytest.raises(ConfigError, match=r"^.*/edge\.toml: no such file or directory$"):
        load(Sources.read(path, {}))


def test_file_of_fifty_routes_loads_in_milliseconds(sources):
    sites = "".join(f'[[sites]]\nhosts = ["a{i}.example", "*.a{i}.example"]\norigin = "o{i}"\n' for i in range(50))
    origins = "".join(f'[origins.o{i}]\nservers = ["http://10.0.0.{i}:80"]\nqueue_max = 9\n' for i in range(50))
    read = sources(sites + origins)
    started = time.process_time()
    assert len(load(read).sites) == 50
    # 6 ms where this was written; the bound only catches a change of order.
    assert time.process_time() - started < 0.2


def test_options_of_fetching_beside_what_is_not_fetched_are_mistakes(sources):
    text = """
    [keys.shop]
    secret_env = "SHOP_KEY"
    refresh_s = 60
    keep_s = 60
    timeout_ms = 60
    tls_ca_file = "ca.pem"
    plain_http = true
    [keys.near]
    openid_issuer = "http://localhost:1"
    tls_ca_file = "ca.pem"
    """
    with pytest.raises(ConfigErrors) as caught:
        load(sources(text, {"ca.pem": b"x"}, {"SHOP_KEY": "k" * 32}))
    alone = "found without jwks_url or openid_issuer, expected only beside one"
    assert [(problem.key, problem.text) for problem in caught.value.problems] == [
        *((f"keys.shop.{name}", alone) for name in ("refresh_s", "keep_s", "timeout_ms", "tls_ca_file", "plain_http")),
        ("keys.near.tls_ca_file", "found beside an http URL, where it has no effect"),
    ]
