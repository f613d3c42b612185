"""Tokens, passwords and claims through a whole edge, by clients who try to be somebody else."""

import base64
import hmac
import json
import posixpath
import sys
import time
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from exchange.cached import answer, cache_status, get, until_read
from running import TOKEN, connect, read_reply, wait_until

from fastedge import sign_url
from fastedge.cli import main
from fastedge.identity.api_keys import key_hash
from fastedge.identity.passwords import new_hash

SECRET = b"an HMAC secret of 32 bytes, just"
AUTH = 'keys="shop", issuer="https://id.example", audience="shop"'
MINUTE = "cache-control: max-age=60"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(**changes):
    claims = {"iss": "https://id.example", "aud": "shop", "sub": "ann", "exp": time.time() + 600, **changes}
    signed = b64(b'{"alg":"HS256"}') + b"." + b64(json.dumps(claims).encode())
    return (signed + b"." + b64(hmac.digest(SECRET, signed, "sha256"))).decode()


def bearer(**changes):
    return f"authorization: Bearer {token(**changes)}"


def basic(user, password):
    return "authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def policy(stages):
    return f"from fastedge import Pipeline\nfrom fastedge.stages import *\npipeline = Pipeline({stages})\n"


@pytest.fixture
def guarded(scene, tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "users").write_text(f"ann:{new_hash('pw', bytes(16))}\n")
    scene.more = '[keys.shop]\nsecret_file = "secret"\n[credentials.team]\nusers_file = "users"\n'
    return scene


def serve(scene, *fields):
    """The origin says back the fields that it saw, as JSON; the requests that it saw."""
    seen = []

    def reply(peer, message):
        seen.append(message)
        peer.send(*answer(*(fields or (MINUTE,)), body=json.dumps(message.fields).encode()))

    scene.origin.serve(reply)
    return seen


@pytest.mark.parametrize("place", ["cookie:session", "header:x-token"])
def test_page_of_an_origin_that_sees_the_token_is_for_that_client_alone(guarded, place):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="{place}", forward_token=True)')
    seen = serve(guarded)
    client = guarded.client()
    for sub in ("ann", "bob"):
        show = f"cookie: session={token(sub=sub)}" if place.startswith("cookie") else f"x-token: {token(sub=sub)}"
        get(client, show)
    assert len(seen) == 2


@pytest.mark.parametrize("name", ["x-user", "authorization", "cookie", "host", "x-token"])
def test_connection_cannot_take_away_what_the_edge_tells_the_origin(guarded, name):
    guarded.policy = policy(
        f'JwtAuth({AUTH}, token_from=["header", "cookie:session"], forward_claims={{"sub": "x-user"}})'
    )
    seen = serve(guarded)
    for show in (bearer(), f"cookie: session={token()}"):
        message = get(guarded.client(), show, f"connection: {name}", "x-user: root")
        assert message.status in (200, 400, 401), message
    for message in seen:
        assert message.all("x-user") == ["ann"]
        assert message.get("authorization") is None and message.get("cookie") is None


def test_trailer_cannot_tell_what_the_edge_tells(guarded):
    guarded.policy = policy(f'JwtAuth({AUTH}, forward_claims={{"sub": "x-user"}})')
    seen = serve(guarded)
    body = b"2\r\nok\r\n0\r\nx-user: root\r\nx_user: root\r\nauthorization: Bearer x\r\n\r\n"
    guarded.client().send("POST / HTTP/1.1", "host: a.example", bearer(), "transfer-encoding: chunked", body).message()
    for message in seen:
        assert message.all("x-user") == ["ann"] and not message.trailers


@pytest.mark.parametrize(
    "lookalike",
    ["x_user: root", "X_User: root", "X-USER: root", "x-user : root", "x-user: root\r\n root", "x-us\x00er: root"],
)
def test_lookalike_of_a_told_field_never_reaches_the_origin(guarded, lookalike):
    guarded.policy = policy(f'When("/in/*", JwtAuth({AUTH}, forward_claims={{"sub": "x-user"}}))')
    seen = serve(guarded)
    for target in ("/in/x", "/elsewhere"):
        get(guarded.client(), bearer(), lookalike, target=target)
    for message in seen:
        assert "root" not in str(message.fields)


@pytest.mark.parametrize(
    "target",
    ["/%69n/x", "/in/x", "//in/x", "/./in/x", "/y/../in/x", "/in//x", "/in/%2e/x", "/y/%2e%2e/in/x", "/in%2fx", "/in/"],
)
def test_no_spelling_of_a_guarded_path_gets_round_the_gate(guarded, target):
    guarded.policy = policy(f'When("/in/*", JwtAuth({AUTH}))')
    seen = serve(guarded)
    get(guarded.client(), target=target)
    assert [m.target for m in seen if posixpath.normpath(unquote(m.target)).startswith("/in")] == []


@pytest.mark.parametrize(
    "cookies",
    [
        ["session=GOOD; session=bad"], ["session=bad; session=GOOD"], ["session=GOOD", "session=bad"], ["session=GOOD;session="],
        ["$Version=1; session=GOOD; $Path=/; session=bad"],
    ],
)  # fmt: skip
def test_two_cookies_that_differ_are_refused(guarded, cookies):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="cookie:session")')
    seen = serve(guarded)
    lines = [f"cookie: {line.replace('GOOD', token())}" for line in cookies]
    message = get(guarded.client(), *lines)
    assert message.status == 400 and seen == []


@pytest.mark.parametrize(
    "cookie", ['session="GOOD"', "SESSION=GOOD", "session", "sessionx=GOOD", "x=session=GOOD", '"a=b; session =GOOD']
)
def test_cookie_that_is_not_the_token_is_none(guarded, cookie):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="cookie:session")')
    seen = serve(guarded)
    assert get(guarded.client(), f"cookie: {cookie.replace('GOOD', token())}").status == 401
    assert seen == []


def test_no_token_of_a_cookie_reaches_the_origin_however_it_is_spelled(guarded):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="cookie:session")')
    seen = serve(guarded)
    good = token()
    get(guarded.client(), f"cookie: a=1; session={good}; b=2; session = {good}", f"cookie: \tsession={good} ;c=3")
    [message] = seen
    assert good not in str(message.fields) and "a=1" in message.get("cookie") and "c=3" in message.get("cookie")


@pytest.mark.parametrize("query", ["t=GOOD&t=bad", "t=bad&%74=GOOD", "t=GOOD&t", "x=1&t=GOOD&t="])
def test_two_parameters_that_differ_are_refused(guarded, query):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="query:t")')
    seen = serve(guarded)
    assert get(guarded.client(), target="/?" + query.replace("GOOD", token())).status == 400
    assert seen == []


def test_parameter_that_is_spelled_in_another_way_is_taken_out(guarded):
    guarded.policy = policy(f'JwtAuth({AUTH}, token_from="query:a b")')
    seen = serve(guarded)
    good = token()
    assert get(guarded.client(), target=f"/?x=1&a%20b={good}&a+b={good}&%61%20%62={good}&y=2").status == 200
    assert [message.target for message in seen] == ["/?x=1&y=2"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "POST", "PURGE", "CONNECT", "get"])
def test_no_method_gets_round_a_gate(guarded, method):
    guarded.policy = policy(f"JwtAuth({AUTH}, allow_preflight=True)")
    seen = serve(guarded)
    target = "a.example:80" if method == "CONNECT" else "/"
    client = guarded.client().send(
        f"{method} {target} HTTP/1.1", "host: a.example" + (":80" if method == "CONNECT" else ""), "origin: x"
    )
    message = client.message(head=method == "HEAD")
    assert message.status in (400, 401, 405, 501)
    assert seen == []
    if message.get("connection") != "close":
        assert get(client, bearer()).status == 200


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_upgrade_needs_a_token_and_tells_whose_it_is(guarded, version):
    guarded.policy = policy(f'JwtAuth({AUTH}, forward_claims={{"sub": "x-user"}})')
    seen = serve(guarded)
    ws = ("host: a.example", "connection: upgrade, x-user", "upgrade: websocket", "x-user: root", "x_user: root",
          "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
    assert guarded.client().send(f"GET / {version}", *ws).message().status == 401
    guarded.client().send(f"GET / {version}", *ws, bearer()).message()
    [message] = seen
    assert message.all("x-user") == ["ann"] and message.get("x_user") is None and message.get("authorization") is None


def test_pipelined_requests_are_each_judged_by_their_own_token(guarded):
    guarded.policy = policy(f'JwtAuth({AUTH}, forward_claims={{"sub": "x-user"}}, key_claims=["sub"])')
    serve(guarded)
    head = "GET / HTTP/1.1\r\nhost: a.example\r\n"
    subs = ["ann", None, "bob", None, None, "ann", "cid"]
    raw = "".join(head + (bearer(sub=sub) + "\r\n" if sub else "") + "\r\n" for sub in subs)
    client = guarded.client().send(raw.encode())
    for sub in subs:
        message = client.message()
        assert message.status == (200 if sub else 401)
        assert sub is None or dict(json.loads(message.body))["x-user"] == sub


def test_personal_page_is_nobody_elses_by_range_or_validator(guarded):
    guarded.policy = policy(f'JwtAuth({AUTH}, forward_claims={{"sub": "x-user"}})')
    seen = serve(guarded, MINUTE, 'etag: "one"')
    client = guarded.client()
    get(client, bearer(sub="ann"))
    for extra in ("range: bytes=0-3", 'if-none-match: "one"', "if-none-match: *"):
        get(client, bearer(sub="bob"), extra)
    assert len(seen) == 4 and [m.get("x-user") for m in seen] == ["ann", "bob", "bob", "bob"]


def test_shared_page_is_a_hit_for_no_one_whose_token_is_no_good(guarded):
    guarded.policy = policy(f"JwtAuth({AUTH}, leeway_s=0)")
    seen = serve(guarded)
    client = guarded.client()
    short = bearer(exp=time.time() + 1.2)
    assert get(client, short).status == 200
    assert "hit" in cache_status(get(client, short))
    assert get(client).status == 401
    time.sleep(1.3)
    assert get(client, short).status == 401
    assert "hit" in cache_status(get(client, bearer(sub="bob")))
    assert len(seen) == 1


def test_token_that_was_not_good_yet_becomes_good(guarded):
    guarded.policy = policy(f"JwtAuth({AUTH}, leeway_s=0)")
    serve(guarded)
    client = guarded.client()
    early = bearer(nbf=time.time() + 1)
    assert [get(client, early).status for _ in range(3)] == [401] * 3
    time.sleep(1.1)
    assert get(client, early).status == 200


ALL_OF = (
    'AllOf(BasicAuth(credentials="team", forward_claims={"sub": "x-name"}),'
    f' JwtAuth({AUTH}, token_from="header:x-token", forward_claims={{"sub": "x-user"}}))'
)


def test_all_of_with_a_password_through_an_edge(guarded):
    guarded.policy = policy(ALL_OF)
    seen = serve(guarded)
    client = guarded.client()
    good = f"x-token: {token(sub='tok')}"
    for _ in range(2):
        assert get(client, basic("ann", "wrong"), good).status == 401
        assert get(client, basic("ann", "pw")).status == 401
        assert get(client, good).status == 401
        assert get(client, basic("ann", "pw"), "x-token: bad").status == 401
        assert get(client).status == 401
    assert seen == []
    assert get(client, basic("ann", "pw"), good).status == 200
    [message] = seen
    assert (message.get("x-name"), message.get("x-user")) == ("ann", "tok")
    assert message.get("authorization") is None and message.get("x-token") is None


def test_nested_gates_that_wait_through_an_edge(guarded):
    inner = f'AnyOf(BasicAuth(credentials="team"), JwtAuth({AUTH}, token_from="cookie:c"))'
    guarded.policy = policy(
        f'AllOf(JwtAuth({AUTH}, token_from="header:x-token"), {inner}), Require(equals={{"sub": "tok"}})'
    )
    seen = serve(guarded)
    client = guarded.client()
    good = f"x-token: {token(sub='tok')}"
    assert get(client, good, basic("ann", "pw")).status == 200
    assert get(client, good, f"cookie: c={token()}").status == 200
    assert get(client, good, basic("ann", "no"), f"cookie: c={token()}").status == 401
    assert get(client, f"x-token: {token()}", basic("ann", "pw")).status == 403
    assert get(client, good).status == 401
    assert len(seen) == 1


def test_requests_behind_one_that_waits_are_answered_in_order(guarded):
    guarded.policy = policy(f'AnyOf(BasicAuth(credentials="team"), JwtAuth({AUTH}, token_from="header:x-token"))')
    serve(guarded)
    head = "GET / HTTP/1.1\r\nhost: a.example\r\n"
    raw = f"{head}{basic('ann', 'pw')}\r\n\r\n{head}\r\n{head}x-token: {token()}\r\n\r\n{head}{basic('ann', 'no')}\r\n\r\n"
    client = guarded.client().send(raw.encode())
    assert [client.message().status for _ in range(4)] == [200, 401, 200, 401]
    leaving = guarded.client().send((raw * 3).encode())
    leaving.reset()
    assert get(guarded.client(), basic("ann", "pw")).status == 200


SHOWN = """
import os
from fastedge import CONTINUE, Pipeline, Response
from fastedge.stages import *

class Breaks:
    def on_request(self, request, ctx):
        raise ValueError("broken on purpose")

class Answer:
    def on_request(self, request, ctx):
        return Response.text("hello")

AUTH = {"keys": "shop", "issuer": "https://id.example", "audience": "shop"}
pipeline = Pipeline(
    When("/t/*", JwtAuth(**AUTH, token_from=["header", "cookie:session", "query:token"], forward_claims={"sub": "x-user"})),
    When("/k/*", ApiKeyAuth(credentials="partners", key_from=["header:x-api-key", "query:api_key"])),
    When("/b/*", BasicAuth(credentials="team")),
    When("/s/*", SignedUrl(keys={"k": "shop"})),
    When("/*/broken", Breaks()),
    Answer(),
)
"""


def asked(edge, request):
    with connect(edge.port, request.encode()) as client:
        return read_reply(client).decode()


def test_no_secret_is_shown_by_anything_that_the_edge_prints(run_edge, tmp_path, monkeypatch):
    key = "fastedge_" + "k" * 43
    consumers = [{"name": "acme", "keys": [key_hash(bytes(16), key)]}]
    (tmp_path / "keys.json").write_text(json.dumps({"salt": "A" * 22, "consumers": consumers}))
    (tmp_path / "users").write_text(f"ann:{new_hash('open-the-door', bytes(16))}\n")
    (tmp_path / "secret").write_bytes(SECRET)
    monkeypatch.setenv("EDGE_TOKEN", TOKEN)  # `explain` reads the same configuration
    log = tmp_path / "access.log"
    more = (
        f'[keys.shop]\nsecret_file = "{tmp_path}/secret"\n[credentials.partners]\napi_keys_file = "{tmp_path}/keys.json"\n'
        f'[credentials.team]\nusers_file = "{tmp_path}/users"\n'
    )
    edge = run_edge(policy=SHOWN, more=more, log=str(log), workers=1)
    good, bad = token(), token(aud="other")
    url = sign_url("http://a.example/s/x", key_id="k", secret=SECRET, expires=time.time() + 60)
    signed = url.removeprefix("http://a.example")
    password, wrong = basic("ann", "open-the-door"), basic("ann", "not-the-door")
    secrets = [
        *(part for one in (good, bad) for part in one.split(".")[1:]), key, SECRET.decode(), signed.rpartition("=")[2],
        *(part for one in (password, wrong) for part in (one.rpartition(" ")[2], "open-the-door", "not-the-door")),
        key_hash(bytes(16), key),
    ]  # fmt: skip
    requests = [
        (target.replace("TOKEN", one).replace("KEY", key), fields)
        for one in (good, bad)
        for path in ("/t/x", "/t/broken", "/elsewhere")
        for target, fields in (
            (f"{path}?token=TOKEN", [f"referer: http://a.example{path}?a=1&token={one}&api_key={key}"]),
            (f"{path}?%74oken=TOKEN&x=1", [f"referer: http://a.example{signed}"]),
            (path, [f"authorization: Bearer {one}"]),
            (path, [f"cookie: session={one}"]),
            (path, [f"authorization: Bearer {one}", "cookie: session=other"]),
            ("/k/x?api_key=KEY", [f"x-api-key: {key}"]),
            ("/k/broken?api_key=KEYx", []),
        )
    ]
    requests += [("/b/x", [password]), ("/b/broken", [password]), ("/b/x", [wrong]), (signed, []), (signed + "x", [])]
    for target, fields in requests:
        head = "\r\n".join([f"GET {target} HTTP/1.1", "host: a.example", *fields, "connection: close"])
        reply = asked(edge, f"{head}\r\n\r\n")
        assert reply.startswith("HTTP/1.1 ")
        assert not [one for one in secrets if one in reply], (target, reply)
    asked(edge, f"GET /t/x?token={good} HTTP/1.1\r\n\r\n")
    asked(edge, f"GET /t/x?token={good}{'x' * 70_000} HTTP/1.1\r\nhost: a\r\n\r\n")
    wait_until(lambda: log.read_text().count("\n") >= len(requests) + 2, "the log is written")
    shown = [log.read_text(), *edge.lines]
    assert '"referer":"http://a.example/t/x?a=1"' in shown[0] and "broken on purpose" in "".join(edge.lines)
    shown += [edge.admin("GET", path)[1] for path in ("/metrics", "/v1/status")]
    for target, fields in requests[::3]:
        headers = [part for field in fields for part in ("-H", field)]
        result = CliRunner().invoke(
            main, ["explain", str(edge.directory / "edge.toml"), f"http://a.example{target}", *headers]
        )
        assert result.exit_code == 0, result.output
        for module in [name for name in sys.modules if name.startswith("fastedge_policy_0_")]:
            del sys.modules[module]  # a process of its own runs explain once
        shown.append(result.output)
    found = [(secret, text) for secret in secrets for text in shown if secret in text]
    assert [(one, text[max(0, text.find(one) - 200) :][:400]) for one, text in found] == []


COUNTS = """
import threading
from fastedge import CONTINUE, Pipeline
from fastedge.identity.passwords import Users
from fastedge.stages import AllOf, BasicAuth, JwtAuth, When

gate = threading.Event()
Users.knows = lambda self, user, password: gate.wait(10) and password == b"pw"

class Opens:
    def on_request(self, request, ctx):
        gate.set()
        return CONTINUE

pipeline = Pipeline(
    When("/open", Opens()),
    When("/in/*", AllOf(
        JwtAuth(keys="shop", issuer="https://id.example", audience="shop", token_from="header:x-token"),
        BasicAuth(credentials="team"),
    )),
)
"""


def test_clients_who_leave_while_their_password_is_checked_leave_nothing_behind(guarded, monkeypatch):
    monkeypatch.setattr("fastedge.identity.passwords.Users.knows", None)  # put back what the policy puts in its place
    guarded.policy = COUNTS
    seen = serve(guarded)
    head = f"GET /in/x HTTP/1.1\r\nhost: a.example\r\nx-token: {token()}\r\n"
    rest = "GET /elsewhere HTTP/1.1\r\nhost: a.example\r\n\r\n"
    clients = [guarded.client().send(f"{head}{basic('ann', pw)}\r\n\r\n{rest}".encode()) for pw in ("pw", "no") * 4]
    until_read(guarded, len(clients))
    for client in clients[:4]:
        client.reset()
    assert seen == []
    assert get(guarded.client(), target="/open").status == 200
    for client, status in zip(clients[4:], (200, 401) * 2, strict=True):
        assert [client.message().status, client.message().status] == [status, 200]
    assert get(guarded.client(), f"x-token: {token()}", basic("ann", "pw"), target="/in/x").status == 200
    assert "/in/x" in [message.target for message in seen]
