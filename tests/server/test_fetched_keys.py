"""A whole edge whose keys come from a provider: it rotates, dies, misbehaves, and no request pays for it."""

import os
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme
from provider import Provider, SigningKey, hangs, says, send
from running import SECONDS_MAX, Edge, ask, connect, read_reply, wait_until

Run = Callable[..., Edge]

POLICY = """
from fastedge import Pipeline, Response
from fastedge.stages import JwtAuth

class Hello:
    def on_request(self, request, ctx):
        return Response.text(ctx.claims["sub"])

pipeline = Pipeline(JwtAuth(issuer="https://id.example", audience="shop", keys="shop"), Hello())
"""


def section(provider: Provider, options: str = "") -> str:
    return f'[keys.shop]\njwks_url = "{provider.url}/jwks"\n{options}\n'


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(edge: Edge, token: str) -> int:
    return ask(edge.port, "GET", "/", bearer(token))[0]


def metric(edge: Edge, name: str) -> int:
    lines = edge.admin("GET", "/metrics")[1].splitlines()
    return int(next(line for line in lines if line.startswith(name + " ")).rpartition(" ")[2])


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider("one") as one:
        yield one


@pytest.fixture(scope="module")
def one() -> SigningKey:
    return SigningKey("one")


@pytest.fixture(scope="module")
def two() -> SigningKey:
    return SigningKey("two")


class Load:
    """Clients that ask without a pause, each with a new token of the key that signs now; whatever is no 200 is kept."""

    def __init__(self, edge: Edge, key: SigningKey) -> None:
        self.key = key
        self.failures: list[object] = []
        self.served = 0
        self._edge = edge
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(3)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped = True
        for thread in self._threads:
            thread.join()

    def _run(self, client: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._edge.port, timeout=SECONDS_MAX)
        try:
            while not self._stopped:
                connection.request("GET", "/", headers=bearer(self.key.token(jti=f"{client}-{self.served}")))
                response = connection.getresponse()
                response.read()
                self.served += 1
                if response.status != 200:
                    self.failures.append(response.status)
        except OSError as error:
            self.failures.append(error)
        connection.close()


# --- rotation ------------------------------------------------------------------------------------------------------


def test_workers_share_one_fetch_and_a_flood_of_unknown_keys_is_one_more(
    run_edge: Run, provider: Provider, one: SigningKey
) -> None:
    edge = run_edge(policy=POLICY, more=section(provider))
    assert [status(edge, one.token(jti=str(i))) for i in range(20)] == [200] * 20
    assert provider.asked == ["/jwks"]
    assert edge.status()["keys"][0] | {"age_s": 0} == {"name": "shop", "keys": 1, "age_s": 0, "problem": None}
    head, _, rest = one.token().partition(".")
    unknown = SigningKey("unknown").token().partition(".")[0]
    began = time.monotonic()
    assert {status(edge, f"{unknown}.{rest}") for _ in range(200)} == {401}
    assert time.monotonic() - began < 5
    assert len(provider.asked) == 2
    assert status(edge, f"{head}.{rest}") == 200


def test_rotation_with_overlap_fails_no_request_and_withdraws_the_old_key(
    run_edge: Run, provider: Provider, one: SigningKey, two: SigningKey
) -> None:
    provider.fields = {}
    edge = run_edge(policy=POLICY, more=section(provider, "refresh_s = 1"))
    with Load(edge, one) as load:
        provider.publish("one", "two")
        edge.wait_for_line("keys.shop: others than before")
        load.key = two
        wait_until(lambda: load.served > 300, "some requests")
        assert status(edge, one.token()) == 200
        old = one.token()
        assert status(edge, old) == 200  # verified, and remembered
        assert metric(edge, "fastedge_key_fetches_early_total") == 0
        provider.publish("two")
        wait_until(lambda: status(edge, old) == 401, "the old key is gone")
    assert load.failures == []
    assert [status(edge, old) for _ in range(10)] == [401] * 10
    assert metric(edge, 'fastedge_key_fetches_total{outcome="changed"}') == 3


def test_rotation_without_overlap_makes_the_first_request_wait(
    run_edge: Run, provider: Provider, one: SigningKey, two: SigningKey
) -> None:
    edge = run_edge(policy=POLICY, more=section(provider))
    assert status(edge, one.token()) == 200
    provider.publish("two")
    with Load(edge, two) as load:
        wait_until(lambda: load.served > 100, "some requests")
    assert load.failures == []
    assert status(edge, one.token()) == 401
    assert len(provider.asked) == 2
    assert metric(edge, "fastedge_key_fetches_early_total") == 1
    # A worker that is started while the provider is down begins with what the others have.
    provider.close()
    os.kill(edge.pids()[0], signal.SIGKILL)
    wait_until(lambda: edge.status()["workers"][0]["restarts"] == 1, "another worker")
    edge.wait_until_ready()
    assert [status(edge, two.token()) for _ in range(20)] == [200] * 20


# --- a provider that fails -----------------------------------------------------------------------------------------


def test_providers_that_are_down_at_the_start_are_a_warning_and_a_503(
    run_edge: Run, provider: Provider, one: SigningKey
) -> None:
    provider.close()
    with Provider("two") as other:
        other.answer = hangs
        more = f'[keys.other]\njwks_url = "{other.url}/jwks"\ntimeout_ms = 500\n'
        edge = run_edge(policy=POLICY, more=section(provider) + more)
    nobody = "there are none: nobody who needs them is let in (503)"
    assert edge.lines[:2] == [
        f"fastedge: keys.shop: cannot be fetched: connection refused; {nobody}",
        f"fastedge: keys.other: cannot be fetched: no whole answer within 500 ms; {nobody}",
    ]
    assert status(edge, one.token()) == 503
    assert ask(edge.port, "GET", "/")[0] == 401
    assert metric(edge, "fastedge_keys_unavailable") == 2


def test_edge_that_waits_for_its_first_keys_can_be_stopped(run_edge: Run, provider: Provider) -> None:
    provider.answer = hangs
    edge = run_edge(policy=POLICY, more=section(provider), wait=False)
    wait_until(lambda: provider.asked, "the keys are fetched")
    began = time.monotonic()
    edge.signal(signal.SIGTERM)
    assert edge.process.wait(SECONDS_MAX) == 0
    assert time.monotonic() - began < 3
    edge.stop()
    assert edge.lines == ["fastedge: stopping: requests in flight may finish"]


def test_last_good_keys_are_kept_then_gone(run_edge: Run, provider: Provider, one: SigningKey) -> None:
    provider.fields = {}
    edge = run_edge(policy=POLICY, more=section(provider, "refresh_s = 1\nkeep_s = 3"))
    provider.answer = says(b"<html>maintenance</html>")
    line = edge.wait_for_line("keys.shop: cannot be fetched: its answer: ")
    assert "maintenance" not in line
    token = one.token()
    assert status(edge, token) == 200
    edge.wait_for_line("keys.shop: not fetched for 3 s and therefore gone")
    assert status(edge, token) == 503
    assert metric(edge, "fastedge_keys_age_seconds") >= 3


def test_client_that_leaves_or_a_worker_that_ends_while_a_key_is_looked_for(
    run_edge: Run, provider: Provider, one: SigningKey, two: SigningKey
) -> None:
    edge = run_edge(policy=POLICY, more=section(provider), workers=1)
    provider.answer = hangs
    request = f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {two.token()}\r\n\r\n".encode()
    for _ in range(5):
        leaving = connect(edge.port, request)
        wait_until(lambda: len(provider.asked) == 2, "the key is looked for")
        leaving.close()
    staying = connect(edge.port, request)
    assert status(edge, one.token()) == 200
    edge.signal(signal.SIGTERM)
    assert staying.recv(65536).startswith(b"HTTP/1.1 401 ")  # nobody waits for ever
    staying.close()
    assert edge.process.wait(SECONDS_MAX) == 0
    assert [line for line in edge.lines if "ended" in line or "Traceback" in line] == []


# --- reload --------------------------------------------------------------------------------------------------------


def test_reload_fetches_what_is_new_and_keeps_what_it_has(
    run_edge: Run, provider: Provider, one: SigningKey, two: SigningKey
) -> None:
    edge = run_edge(policy=POLICY, more=section(provider))
    file = edge.directory / "edge.toml"
    with Provider("two") as other:
        other.answer = says(b"", 500)
        file.write_text(edge.config.replace(provider.url, other.url))
        code, answer = edge.reload()
        assert (code, answer["errors"][0]["key"]) == (422, "keys.shop")
        assert answer["errors"][0]["text"] == "cannot be fetched: status 500"
        assert status(edge, one.token()) == 200
        other.answer = None
        assert edge.reload()[0] == 200
        assert [status(edge, two.token()) for _ in range(10)] == [200] * 10
        assert len(other.asked) == 2
        assert status(edge, one.token()) == 401
    # It is down now; other options and another policy are no reason to lose its keys.
    file.write_text(edge.config.replace(provider.url, other.url) + "keep_s = 100000\n")
    edge.write(POLICY + "\n")
    assert edge.reload()[0] == 200
    assert [status(edge, two.token()) for _ in range(10)] == [200] * 10
    assert len(provider.asked) == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_reload_while_a_request_waits_for_its_key(
    run_edge: Run, provider: Provider, two: SigningKey, keeps: bool
) -> None:
    """It is judged by the pipeline that it came to; one whose source is gone waits for nothing that would let it in."""
    edge = run_edge(policy=POLICY, more=section(provider), workers=1)
    may_answer = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        may_answer.wait(SECONDS_MAX)
        send(handler, provider.jwks)

    provider.publish("two")
    provider.answer = answer
    head = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {two.token()}\r\n\r\n"
    with connect(edge.port, head.encode()) as waiting:
        wait_until(lambda: len(provider.asked) == 2, "the key is looked for")
        if not keeps:
            edge.write(POLICY.replace("JwtAuth(issuer", "Hello(), JwtAuth(issuer").replace('keys="shop"', 'keys="own"'))
            (edge.directory / "secret").write_text("a secret of 32 bytes, one of many")
            config = edge.config.replace(section(provider), '[keys.own]\nsecret_file = "secret"\n')
            (edge.directory / "edge.toml").write_text(config)
        else:
            edge.write(POLICY.replace("Response.text(", "Response.text('new ' + "))
        assert edge.reload()[0] == 200
        may_answer.set()
        reply = read_reply(waiting)
    assert reply.startswith(b"HTTP/1.1 200 " if keeps else b"HTTP/1.1 401 ")
    assert not keeps or reply.endswith(b"\r\nann")
    assert not keeps or ask(edge.port, "GET", "/", bearer(two.token())) == (200, "new ann")


# --- OpenID, TLS ---------------------------------------------------------------------------------------------------


def test_openid_issuer_behind_tls_is_discovered_and_verified(run_edge: Run, tmp_path: Path, one: SigningKey) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Provider("one", tls=context) as provider:
        issuer = provider.discover()
        more = f'[keys.shop]\nopenid_issuer = "{issuer}"\ntls_ca_file = "{tmp_path / "ca.pem"}"\n'
        edge = run_edge(policy=POLICY.replace("https://id.example", issuer), more=more)
        assert status(edge, one.token(iss=issuer)) == 200
        assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]
