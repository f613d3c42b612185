"""Revoking on a whole edge: every worker refuses from the answer on, whatever is reloaded, killed or started again."""

import base64
import hmac
import json
import os
import signal
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from running import SECONDS_MAX, TOKEN, Edge, ask, wait_until

Run = Callable[..., Edge]
SECRET = "an HMAC secret of 32 bytes, just"

POLICY = """
import os
from fastedge import Pipeline, Response
from fastedge.stages import JwtAuth

class Answer:
    def on_request(self, request, ctx):
        return Response.text(str(os.getpid()))

pipeline = Pipeline(JwtAuth(issuer="https://id.example", audience="shop", keys="shop"), Answer())
"""
KEYS = '[keys.shop]\nsecret_file = "secret"\n'


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(jti: str, sub: str = "ann", issued: float | None = None) -> str:
    moment = time.time()
    claims = {"iss": "https://id.example", "aud": "shop", "exp": moment + 600, "jti": jti, "sub": sub}
    claims["iat"] = moment - 60 if issued is None else issued
    signed = b64(b'{"alg":"HS256"}') + b"." + b64(json.dumps(claims).encode())
    return (signed + b"." + b64(hmac.digest(SECRET.encode(), signed, "sha256"))).decode()


def revoke(edge: Edge, **members: Any) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", edge.admin_port, timeout=SECONDS_MAX)
    connection.request("POST", "/v1/revocations", json.dumps(members), {"Authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def status(edge: Edge) -> Any:
    return json.loads(edge.admin("GET", "/v1/revocations", {"Authorization": f"Bearer {TOKEN}"})[1])


def get(edge: Edge, bearer: str) -> tuple[int, str]:
    return ask(edge.port, "GET", "/", {"Authorization": f"Bearer {bearer}"})


def pass_everywhere(edge: Edge, bearer: str) -> None:
    """Until each worker has seen the token, and remembers it as good."""
    pids = set(map(str, edge.pids()))

    def seen() -> bool:
        code, pid = get(edge, bearer)
        assert code == 200
        pids.discard(pid)
        return not pids

    wait_until(seen, "every worker answers")


def is_refused(edge: Edge, bearer: str) -> bool:
    """By whichever worker; one that would let it pass is found with all but certainty."""
    codes = {get(edge, bearer)[0] for _ in range(24)}
    assert len(codes) == 1, codes
    return codes == {401}


def run_shop(run_edge: Run, tmp_path: Path, revocations: str = "", **options: Any) -> Edge:
    (tmp_path / "secret").write_text(SECRET)
    more = KEYS.replace('"secret"', f'"{tmp_path}/secret"') + (f"[revocations]\n{revocations}" if revocations else "")
    return run_edge(policy=POLICY, more=more, **options)


def test_revoked_token_is_refused_by_every_worker_from_the_answer_on(run_edge: Run, tmp_path: Path) -> None:
    edge = run_shop(run_edge, tmp_path)
    good, bad, of_bob = token("good"), token("bad"), token("b", "bob")
    for bearer in (good, bad, of_bob):
        pass_everywhere(edge, bearer)
    answer = {"revoked": {"jti": 1, "sub": 1, "everyone": 0}, "restored": 0, "still_in_file": 0, "in_force": 2}
    assert revoke(edge, revoke=[{"jti": "bad"}, {"sub": "bob"}]) == (200, answer | {"durable": None})
    assert is_refused(edge, bad)
    assert is_refused(edge, of_bob)
    assert not is_refused(edge, good)
    assert not is_refused(edge, token("b2", "bob", time.time() + 2))
    assert status(edge) == {"in_force": 2, "in_file": 0, "posted": 2, "capacity": 1_000_000, "durable": None}
    metrics = edge.admin("GET", "/metrics")[1]
    assert "fastedge_revocations 2\n" in metrics
    assert "fastedge_revocations_capacity 1000000\n" in metrics
    revoke(edge, restore=[{"jti": "bad"}])
    assert not is_refused(edge, bad)
    revoke(edge, revoke=[{"everyone": True}])
    assert is_refused(edge, good)


def test_posted_revocation_outlives_workers_and_reloads(run_edge: Run, tmp_path: Path) -> None:
    edge = run_shop(run_edge, tmp_path)
    bearer = token("bad")
    assert revoke(edge, revoke=[{"jti": "bad"}])[0] == 200
    before = edge.pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(edge.pids()) - set(before)) == 2, "others take their places")
    edge.wait_until_ready()
    assert is_refused(edge, bearer)
    assert edge.reload()[0] == 200
    assert is_refused(edge, bearer)


def test_file_is_read_at_the_start_and_again_with_a_reload(run_edge: Run, tmp_path: Path) -> None:
    file = tmp_path / "revoked.jsonl"
    file.write_text('{"jti":"first"}\n{"jti":"both"}\n')
    edge = run_shop(run_edge, tmp_path, f'file = "{file}"')
    first, second, both = token("first"), token("second"), token("both")
    revoke(edge, revoke=[{"jti": "both"}])
    assert [is_refused(edge, bearer) for bearer in (first, second, both)] == [True, False, True]
    file.write_text('{"jti":"second"}\n{"sub":"ann"}\n')
    code, answer = edge.reload()
    assert (code, answer["generation"]) == (422, 1)
    assert "revoked.jsonl, line 2: issued_before is missing" in str(answer["errors"])
    assert [is_refused(edge, bearer) for bearer in (first, second, both)] == [True, False, True]
    file.write_text('{"jti":"second"}\n')
    assert edge.reload()[0] == 200
    assert [is_refused(edge, bearer) for bearer in (first, second, both)] == [False, True, True]


def test_file_that_does_not_fit_refuses_the_reload(run_edge: Run, tmp_path: Path) -> None:
    file = tmp_path / "revoked.jsonl"
    file.write_text('{"jti":"first"}\n')
    edge = run_shop(run_edge, tmp_path, f'file = "{file}"\nentries_max = 2', workers=1)
    assert revoke(edge, revoke=[{"jti": "posted"}])[0] == 200
    assert revoke(edge, revoke=[{"jti": "more"}])[0] == 507
    file.write_text('{"jti":"second"}\n{"jti":"third"}\n')
    code, answer = edge.reload()
    assert code == 422
    assert "revocations.entries_max (2)" in str(answer["errors"])
    assert [is_refused(edge, token(jti)) for jti in ("first", "second", "posted")] == [True, False, True]


def test_journal_outlives_the_end_of_all_processes(run_edge: Run, tmp_path: Path) -> None:
    section = f'journal = "{tmp_path}/journal"'
    edge = run_shop(run_edge, tmp_path, section)
    assert revoke(edge, revoke=[{"jti": "bad"}, {"sub": "bob"}])[1]["durable"] is True
    edge.signal(signal.SIGKILL)
    edge.process.wait()
    again = run_shop(run_edge, tmp_path, section)
    assert is_refused(again, token("bad"))
    assert is_refused(again, token("b", "bob"))
    assert not is_refused(again, token("good"))


def test_journal_that_cannot_be_used_refuses_the_start(run_edge: Run, tmp_path: Path) -> None:
    edge = run_shop(run_edge, tmp_path, f'journal = "{tmp_path}/nowhere/journal"', wait=False)
    assert edge.process.wait(SECONDS_MAX) == 2
    assert edge.wait_for_line("revocations.journal: cannot use")


def test_mistakes_and_strangers_revoke_nothing(run_edge: Run, tmp_path: Path) -> None:
    edge = run_shop(run_edge, tmp_path, workers=1)
    assert revoke(edge)[0] == 400
    code, answer = revoke(edge, revoke=[{"jti": "bad"}, {"jti": ""}])
    assert code == 400
    assert answer["error"].endswith("at `$.revoke[1]`")
    for method in ("GET", "POST"):
        assert edge.admin(method, "/v1/revocations", {"Authorization": "Bearer wrong"})[0] == 401
    assert status(edge)["in_force"] == 0
    assert not is_refused(edge, token("bad"))
