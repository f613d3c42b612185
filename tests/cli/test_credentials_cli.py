"""The commands that make API keys, set passwords and sign URLs: what they print, write and refuse."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastedge import Context, Plan, Request
from fastedge.cli import main
from fastedge.clock import now
from fastedge.identity.api_keys import KEY_PREFIX, ApiKeys
from fastedge.identity.keys import KeySet
from fastedge.identity.passwords import Users
from fastedge.stages import SignedUrl

SECRET = "a secret of more than 32 bytes, this"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, text=None, **environment):
        return CliRunner(env=environment).invoke(main, arguments, input=text)

    return invoke


def keys_of(path="keys.json", pepper=None):
    keys = ApiKeys.from_json(Path(path).read_bytes())
    return keys, keys.hashing(pepper)


def mode_of(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def names():
    return [path.name for path in Path.cwd().iterdir()]


# --- api-key ---------------------------------------------------------------------------------------------------------


def test_api_key_is_printed_once_and_its_hash_is_written(run):
    done = run("api-key", "keys.json", "acme", "--claim", "tier=gold", "--claim", 'scopes=["a"]', "--claim", "n=1")
    key = done.stdout.strip()
    assert key.startswith(KEY_PREFIX) and len(key) == len(KEY_PREFIX) + 43
    assert done.stderr == "keys.json: written; a reload puts it in force\n"
    keys, hashing = keys_of()
    consumer, _ = keys.grants[hashing(key.encode())]
    assert consumer.claims == {"sub": "acme", "tier": "gold", "scopes": ("a",), "n": 1}
    assert key not in Path("keys.json").read_text()
    assert mode_of("keys.json") == 0o600
    assert names() == ["keys.json"]


def test_second_key_of_a_consumer_leaves_the_first(run):
    made = [run("api-key", "keys.json", "acme").stdout.strip().encode()]
    Path("keys.json").chmod(0o640)
    made.append(run("api-key", "keys.json", "acme", "--expires-in", "90d").stdout.strip().encode())
    keys, hashing = keys_of()
    (one, first), (other, second) = (keys.grants[hashing(key)] for key in made)
    assert one == other and first == float("inf")
    assert second == pytest.approx(now() + 90 * 86_400, abs=60)
    assert mode_of("keys.json") == 0o640


def test_pepper_is_in_the_hash(run):
    done = run("api-key", "keys.json", "acme", "--pepper-env", "PEPPER", PEPPER=SECRET)
    keys, hashing = keys_of(pepper=SECRET.encode())
    assert hashing(done.stdout.strip().encode()) in keys.grants


def test_key_that_there_is_already_is_taken(run):
    assert run("api-key", "keys.json", "acme", "--stdin", text="k" * 22 + "\n").stdout == ""
    keys, hashing = keys_of()
    assert hashing(b"k" * 22) in keys.grants
    again = run("api-key", "keys.json", "bolt", "--stdin", text="k" * 22)
    assert (again.exit_code, again.stderr) == (1, "Error: this key is there already\n")
    for text in ("k" * 21, "k" * 21 + "ä", "", "k" * 600):
        assert "a key has at least 22 characters" in run("api-key", "keys.json", "acme", "--stdin", text=text).stderr


def test_keys_are_listed_and_revoked_by_the_start_of_their_hash(run):
    run("api-key", "keys.json", "acme")
    run("api-key", "keys.json", "bolt", "--claim", "tier=free")
    listed = run("api-key", "keys.json", "--list").stdout.splitlines()
    assert [listed[0], listed[2]] == ["acme  {}", 'bolt  {"tier": "free"}']
    start = listed[1].strip().removesuffix("…")
    assert run("api-key", "keys.json", "--revoke", start).exit_code == 0
    keys, _ = keys_of()
    assert [consumer.name for consumer, _ in keys.grants.values()] == ["bolt"]
    assert "no keys have a hash that begins so" in run("api-key", "keys.json", "--revoke", start).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys.json"], "CONSUMER says whose key it is"),
        (["keys.json", "acme", "--claim", "tier"], "expected NAME=VALUE, found 'tier'"),
        (["keys.json", "acme", "--claim", "sub=root"], 'without "sub", which is the name'),
        (["keys.json", "a\tb"], "1 to 128 printable characters are expected"),
        (["keys.json", "acme", "--expires-in", "soon"], "expected a span such as 90s, 30m, 12h or 7d, found 'soon'"),
        (["keys.json", "acme", "--pepper-env", "hunter2"], "the environment variable is not set"),
        (["keys.json", "acme", "--pepper-env", "A", "--pepper-file", "b"], "exclude each other"),
        (["none.json", "--list"], "none.json: no such file"),
        (["broken.json", "acme"], "broken.json: a JSON object is expected"),
        (["no/such/directory/keys.json", "acme"], "no/such/directory/keys.json: No such file or directory"),
    ],
)
def test_api_key_that_cannot_be_made(run, arguments, message):
    Path("broken.json").touch()
    done = run("api-key", *arguments)
    assert done.exit_code != 0 and message in done.stderr
    assert names() == ["broken.json"] and done.stdout == ""


# --- password --------------------------------------------------------------------------------------------------------


def test_password_is_asked_twice_and_its_hash_is_written(run):
    done = run("password", "users", "ann", text="pä\npä\n")
    assert done.exit_code == 0
    assert "pä" not in done.output
    assert Users.from_lines(Path("users").read_bytes()).knows("ann", "pä".encode())
    assert mode_of("users") == 0o600


def test_password_is_changed_in_its_line(run):
    run("password", "users", "ann", "--stdin", text="one\n")
    run("password", "users", "bob", "--stdin", text="two")
    Path("users").write_text(Path("users").read_text() + "# the end")
    done = run("password", "users", "ann", "--stdin", text="three\nmore\n")
    assert done.stderr == "users: changed ann; a reload puts it in force\n"
    lines = Path("users").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["ann", "bob", "# the end"]
    users = Users.from_lines(Path("users").read_bytes())
    assert users.knows("ann", b"three") and users.knows("bob", b"two") and not users.knows("ann", b"one")


def test_user_is_known_by_either_spelling_of_a_name(run):
    run("password", "users", "jose\u0301", "--stdin", text="one\n")
    assert "changed" in run("password", "users", "jos\u00e9", "--stdin", text="two\n").stderr
    assert Users.from_lines(Path("users").read_bytes()).knows("jos\u00e9", b"two")


@pytest.mark.parametrize(
    ("user", "text", "message"),
    [
        ("ann", "\n", "a password is not empty"),
        ("a:b", "x\n", "a name is 1 to 128 printable characters: no colon"),
        ("#ann", "x\n", "no # at its start"),
        (" ann", "x\n", "no space at its ends"),
        ("", "x\n", "a name is 1 to 128 printable"),
        ("ann", "a\tb\n", "and has no control characters"),
        ("ann", "x" * 800, "longer than 1024 bytes in base64"),
    ],
)
def test_password_that_cannot_be_used(run, user, text, message):
    done = run("password", "users", user, "--stdin", text=text)
    assert done.exit_code == 1 and message in done.stderr
    assert names() == []


# --- sign ------------------------------------------------------------------------------------------------------------


def decided(url, **options):
    gate = SignedUrl(keys={"k": "shop"}, **options).bind(
        type("Snapshot", (), {"keys": {"shop": KeySet.from_secret(SECRET.encode())}})
    )
    target = url.removeprefix("https://shop.example")
    ctx = Context(now=now(), plan=Plan(target=target), client="192.0.2.1")
    gate.decide(Request("GET", target, host="shop.example"), ctx)
    return ctx.notes.get("SignedUrl", "passes")


def test_signed_url_passes(run):
    url = ("https://shop.example/a?x=1&y=2", "--key-id", "k", "--secret-env", "S", "--expires-in", "1h")
    assert decided(run("sign", *url, S=SECRET).stdout.strip()) == "passes"
    assert decided(run("sign", *url, "--query", "x", S=SECRET).stdout.strip(), query=["x"]) == "passes"
    assert decided(run("sign", *url, "--no-query", S=SECRET).stdout.strip(), query=[]) == "passes"
    more = ("--no-host", "--address", "192.0.2.1", "--method", "GET")
    assert decided(run("sign", *url, *more, S=SECRET).stdout.strip(), host=False, address=True, method=True) == "passes"
    assert decided(run("sign", *url, *more, S=SECRET).stdout.strip()) == "signature"


def test_secret_file_loses_one_line_end(run):
    Path("secret").write_text(SECRET + "\n")
    url = ("https://shop.example/a", "--key-id", "k", "--secret-file", "secret", "--expires-in", "1h")
    assert decided(run("sign", *url).stdout.strip()) == "passes"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["https://shop.example/a"], "--secret-env or --secret-file says where the secret is"),
        (["https://shop.example/a", "--secret-env", "NONE"], "the environment variable NONE is not set"),
        (["https://shop.example/a", "--secret-file", "none"], "none: No such file or directory"),
        (["https://shop.example/a", "--secret-env", "SHORT"], "a secret has at least 32 bytes, this one has 5"),
        (["/a", "--secret-env", "S"], "a URL such as https://shop.example/path is expected"),
        (["https://shop.example/a", "--secret-env", "S", "--query", "x", "--no-query"], "exclude each other"),
    ],
)
def test_url_that_cannot_be_signed(run, arguments, message):
    done = run("sign", *arguments, "--key-id", "k", "--expires-in", "1h", S=SECRET, SHORT="short")
    assert done.exit_code != 0 and message in done.stderr
    assert done.stdout == ""
