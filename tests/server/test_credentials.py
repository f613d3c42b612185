"""API keys, passwords and signed URLs through a whole edge: what the client gets, what the origin sees, who waits for whom."""

import base64
import json
import time

import pytest
from exchange.cached import answer, cache_status, get, until_read

from fastedge import sign_url
from fastedge.identity.api_keys import key_hash
from fastedge.identity.passwords import new_hash
from fastedge.limits import password_queue_max, step_threads

SALT = bytes(16)
SECRET = "an HMAC secret of 32 bytes, just"
KEY = "fastedge_" + "k" * 43
MINUTE = "cache-control: max-age=60"


def policy(stage):
    return f"from fastedge import Pipeline\nfrom fastedge.stages import *\npipeline = Pipeline({stage})\n"


def basic(user, password):
    return "authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guarded(scene, tmp_path):
    """A scene whose edge knows a consumer acme, a user ann ("pw"), and a secret; its origin says back the target."""
    consumers = [{"name": "acme", "keys": [key_hash(SALT, KEY)], "claims": {"tier": "gold"}}]
    (tmp_path / "keys.json").write_text(json.dumps({"salt": "A" * 22, "consumers": consumers}))
    (tmp_path / "users").write_text(f"ann:{new_hash('pw', SALT)}\n")
    (tmp_path / "secret").write_text(SECRET)
    scene.more = (
        '[credentials.partners]\napi_keys_file = "keys.json"\n[credentials.team]\nusers_file = "users"\n'
        '[keys.shop]\nsecret_file = "secret"\n'
    )
    return scene


def serve(scene):
    """The origin's answers can be stored for a minute; the requests that it saw."""
    seen = []

    def reply(peer, message):
        seen.append(message)
        peer.send(*answer(MINUTE, body=message.target.encode()))

    scene.origin.serve(reply)
    return seen


def test_api_key_stays_at_the_edge_and_its_page_is_shared(guarded):
    guarded.policy = policy(
        'ApiKeyAuth(credentials="partners", key_from=["header:x-api-key", "query:api_key"],'
        ' forward_claims={"tier": "x-tier"}, key_claims=["tier"])'
    )
    seen = serve(guarded)
    client = guarded.client()
    assert get(client, f"x-api-key: {KEY}", "x-tier: platinum", target="/a?x=1").body == b"/a?x=1"
    again = get(client, target=f"/a?api_key={KEY}&x=1")
    assert "hit" in cache_status(again) and again.body == b"/a?x=1"
    refused = get(client, "x-api-key: other", target="/a?x=1")
    assert (refused.status, refused.get("www-authenticate")) == (401, 'ApiKey realm="edge"')
    [message] = seen
    assert message.get("x-tier") == "gold" and message.get("x-api-key") is None


def test_all_spellings_of_a_signed_page_are_one_stored_page(guarded):
    guarded.policy = policy('SignedUrl(keys={"k": "shop"})')
    seen = serve(guarded)
    client = guarded.client()
    for seconds, outcome in ((60, "stored"), (90, "hit")):
        url = sign_url("http://a.example/a?x=1", key_id="k", secret=SECRET, expires=time.time() + seconds)
        message = get(client, target=url.removeprefix("http://a.example"))
        assert message.body == b"/a?x=1" and outcome in cache_status(message)
    assert get(client, target="/a?x=1").status == 403
    assert [message.target for message in seen] == ["/a?x=1"]


def test_password_is_checked_and_remembered(guarded):
    guarded.policy = policy('BasicAuth(credentials="team", realm="staging")')
    seen = serve(guarded)
    client = guarded.client()
    assert get(client).get("www-authenticate") == 'Basic realm="staging", charset="UTF-8"'
    assert get(client, basic("ann", "wrong")).status == 401
    for _ in range(2):
        assert get(client, basic("ann", "pw")).body == b"/"
    assert [message.get("authorization") for message in seen] == [None]


SLOW = """
import threading
from fastedge import CONTINUE, Pipeline
from fastedge.identity.passwords import Users
from fastedge.stages import BasicAuth, When

gate = threading.Event()

def knows(self, user, password):
    assert gate.wait(10)
    return True

class Opens:
    def on_request(self, request, ctx):
        gate.set()
        return CONTINUE

Users.knows = knows
pipeline = Pipeline(When("/open", Opens()), When("/in/*", BasicAuth(credentials="team")))
"""


def test_others_are_answered_while_passwords_are_checked_and_too_many_are_told_to_come_back(guarded, monkeypatch):
    monkeypatch.setattr("fastedge.identity.passwords.Users.knows", None)  # put back what the policy puts in its place
    guarded.policy = SLOW
    serve(guarded)
    waiting = [
        guarded.client().send("GET /in/x HTTP/1.1", "host: a.example", basic("ann", str(number)))
        for number in range(step_threads + password_queue_max)
    ]
    until_read(guarded, len(waiting))
    assert get(guarded.client(), target="/elsewhere").status == 200
    busy = get(guarded.client(), basic("ann", "one more"), target="/in/x")
    assert (busy.status, busy.get("retry-after")) == (503, "1")
    for client in waiting[::2]:
        client.close()  # they do not wait for it
    assert get(guarded.client(), target="/open").status == 200
    for client in waiting[1::2]:
        assert client.message().status == 200
    assert get(guarded.client(), basic("ann", "one more"), target="/in/x").status == 200


def test_real_check_leaves_the_loop_free(guarded):
    guarded.policy = policy('When("/in/*", BasicAuth(credentials="team"))')
    serve(guarded)
    fast = guarded.client()
    assert get(fast, target="/").status == 200
    slow = guarded.client().send("GET /in/x HTTP/1.1", "host: a.example", basic("ann", "pw"))
    assert get(fast, target="/").status == 200
    assert slow.message().status == 200


def test_any_of_them_lets_in(guarded):
    guarded.policy = policy(
        'AnyOf(SignedUrl(keys={"k": "shop"}), ApiKeyAuth(credentials="partners"), BasicAuth(credentials="team"))'
    )
    seen = serve(guarded)
    client = guarded.client()
    url = sign_url("http://a.example/a", key_id="k", secret=SECRET, expires=time.time() + 60)
    assert get(client, target=url.removeprefix("http://a.example")).body == b"/a"
    assert get(client, f"x-api-key: {KEY}", target="/b").body == b"/b"
    assert get(client, basic("ann", "pw"), target="/c").body == b"/c"
    refused = get(client, target="/d")
    assert refused.status == 401 and len(refused.all("www-authenticate")) == 2
    assert [message.target for message in seen] == ["/a", "/b", "/c"]
    assert not any(message.get("authorization") or message.get("x-api-key") for message in seen)


NICE = """
import os
from fastedge import Pipeline
from fastedge.identity.passwords import Users
from fastedge.stages import BasicAuth

def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)

before = niceness()
Users.knows = lambda self, user, password: niceness() == min(before + 10, 19)
pipeline = Pipeline(BasicAuth(credentials="team"))
"""


def test_checks_leave_the_processor_to_the_loop(guarded, monkeypatch):
    monkeypatch.setattr("fastedge.identity.passwords.Users.knows", None)
    guarded.policy = NICE
    serve(guarded)
    assert get(guarded.client(), basic("ann", "pw")).status == 200


SLEEPS = """
import time
from fastedge import Pipeline
from fastedge.identity.passwords import Users
from fastedge.stages import BasicAuth

Users.knows = lambda self, user, password: time.sleep(0.3) is None
pipeline = Pipeline(BasicAuth(credentials="team"))
"""


def test_worker_that_ends_while_passwords_are_checked_ends_in_silence(guarded, monkeypatch, caplog):
    monkeypatch.setattr("fastedge.identity.passwords.Users.knows", None)
    guarded.policy = SLEEPS
    serve(guarded)
    clients = [guarded.client().send("GET / HTTP/1.1", "host: a.example", basic("ann", str(i))) for i in range(6)]
    until_read(guarded, len(clients))
    edge, guarded._edge = guarded.edge, None
    edge.stop()  # which says what the loop complained of
    time.sleep(0.4)
    assert caplog.records == []
