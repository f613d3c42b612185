"""Hooks around the cache: what they edit for one client is never stored, what they edit for all is stored once."""

import pytest
from exchange import Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored, until_read

from fastedge import clock

ETAG = 'etag: "1"'

OVERLAY = """
from fastedge import CONTINUE, Pipeline

class Overlay:
    def on_response(self, request, response, ctx):
        response.headers["x-user"] = request.query_value("user") or request.headers.get("x-user")
        response.headers["x-cache"] = ctx.cache
        response.headers["etag"] = '"theirs"'
        if request.headers.get("x-body"):
            response.body = request.headers["x-body"].encode()

pipeline = Pipeline(Overlay())
"""

EXPERIMENT = """
from fastedge import Pipeline
from fastedge.stages import Experiment

pipeline = Pipeline(Experiment("exp", {"a": 1}))
"""

FOR_ALL = """
from fastedge import CONTINUE, Pipeline

class ForAll:
    turns = 0

    def on_origin_response(self, request, response, ctx):
        ForAll.turns += 1
        response.headers["x-turn"] = str(ForAll.turns)
        if response.headers.get("x-do") == "replace":
            response.body = b"replaced"
        if response.headers.get("x-do") == "fail":
            raise ValueError("it fails")
        if response.headers.get("x-do") == "keep":
            response.headers["cache-control"] = "max-age=60"

pipeline = Pipeline(ForAll())
"""

BEFORE = """
from fastedge import CONTINUE, Pipeline, Response

class Before:
    def on_origin_request(self, request, ctx):
        if request.headers.get("x-answer"):
            return Response.text(request.headers["x-answer"])
        if request.headers.get("x-fail"):
            raise ValueError("it fails")
        return CONTINUE

pipeline = Pipeline(Before())
"""


def user(name: str) -> str:
    return f"x-user: {name}"


def test_overlay_of_one_client_reaches_no_other(scene: Scene) -> None:
    scene.policy = OVERLAY
    client = scene.client().send(*GET, user("ann"))
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE, ETAG))
    said = [client.message()]
    said += [get(client, user("bob")), get(client, user("eve"), "range: bytes=1-2")]
    said += [get(client, user("ann"), 'if-none-match: "1"')]
    client.send("HEAD / HTTP/1.1", "host: a.example", user("bob"))
    said += [client.message(head=True)]
    clock.travel(61)
    client.send(*GET, user("eve"))
    assert server.message().get("if-none-match") == '"1"'  # of what is stored, not of an overlay
    server.send("HTTP/1.1 304 Not Modified", ETAG)
    said += [client.message()]
    assert [one.all("x-user") for one in said] == [["ann"], ["bob"], ["eve"], ["ann"], ["bob"], ["eve"]]
    assert [one.get("x-cache") for one in said] == ["MISS", "HIT", "HIT", "HIT", "HIT", "REVALIDATED"]
    assert [one.status for one in said] == [200, 200, 206, 304, 200, 200]
    assert [one.body for one in said] == [b"page", b"page", b"ag", b"", b"", b"page"]
    assert {one.get("etag") for one in said} == {'"theirs"'}


def test_body_of_one_client_reaches_no_other(scene: Scene) -> None:
    scene.policy = OVERLAY
    client = scene.client().send(*GET, user("ann"), "x-body: for ann")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE))
    assert client.message().body == b"for ann"
    assert get(client, user("bob")).body == b"page"
    assert get(client, user("eve"), "x-body: for eve").body == b"for eve"
    assert get(client, user("bob")).body == b"page"


def test_overlays_of_clients_who_share_a_fetch(scene: Scene) -> None:
    scene.policy = OVERLAY
    names = ["ann", "bob", "eve"]
    clients = [scene.client().send(*GET, user(names[0]))]
    server = scene.origin.accept()
    server.message()
    clients += [scene.client().send(*GET, user(name), f"x-body: {name}") for name in names[1:]]
    until_read(scene, 3)
    server.send(*answer(MINUTE))
    said = [client.message() for client in clients]
    assert [one.all("x-user") for one in said] == [[name] for name in names]
    assert [one.body for one in said] == [b"page", b"bob", b"eve"]
    assert [one.get("x-cache") for one in said] == ["MISS", "COLLAPSED", "COLLAPSED"]


def test_cookies_of_a_compiled_hook_are_each_clients_own(scene: Scene) -> None:
    scene.policy = EXPERIMENT
    client, _ = stored(scene, MINUTE, ETAG)
    cookies = [get(client).get("set-cookie") for _ in range(3)]
    cookies += [get(client, "range: bytes=0-0").get("set-cookie"), get(client, 'if-none-match: "1"').get("set-cookie")]
    assert len(set(cookies)) == 5 and None not in cookies
    settled = get(client, f"cookie: {(cookies[0] or '').partition(';')[0]}")
    assert settled.get("set-cookie") is None and (cache_status(settled) or "").startswith("fastedge; hit")


def test_origin_response_hook_runs_once_for_all_and_is_stored(scene: Scene) -> None:
    scene.policy = FOR_ALL
    clients, server = asked(scene, count=3)
    server.send(*answer(MINUTE))
    assert {client.message().get("x-turn") for client in clients} == {"1"}
    assert get(clients[0]).all("x-turn") == ["1"]


@pytest.mark.parametrize("body", [b"page", bytes(300 * 1024)])
def test_body_that_an_origin_response_hook_puts_in_is_stored(scene: Scene, body: bytes) -> None:
    scene.policy = FOR_ALL
    clients, server = asked(scene, count=2)
    server.send("HTTP/1.1 200 OK", MINUTE, "x-do: replace", f"content-length: {len(body)}", body)
    assert [client.message().body for client in clients] == [b"replaced", b"replaced"]
    hit = get(clients[0])
    assert (hit.body, hit.get("x-turn"), cache_status(hit)) == (b"replaced", "1", "fastedge; hit; ttl=60")


def test_origin_response_hook_decides_what_is_stored(scene: Scene) -> None:
    scene.policy = FOR_ALL
    client, _ = stored(scene, "cache-control: no-store", "x-do: keep")
    assert cache_status(get(client)) == "fastedge; hit; ttl=60"


def test_origin_response_hook_that_fails_fails_for_all_and_stores_nothing(scene: Scene) -> None:
    scene.policy = FOR_ALL
    clients, server = asked(scene, count=3)
    clients[0].send(*GET)  # pipelined: it must not wait for what is over
    server.send(*answer(MINUTE, "x-do: fail"))
    assert [client.message().status for client in clients] == [500, 500, 500]
    again = scene.origin.accept()
    again.message()
    again.send(*answer(MINUTE))
    assert clients[0].message().body == b"page"


def test_origin_response_hook_sees_the_merged_result_of_a_304(scene: Scene) -> None:
    scene.policy = FOR_ALL
    client, server = stored(scene, MINUTE, ETAG, "x-kept: 1")
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", ETAG)
    merged = client.message()
    assert (merged.body, merged.get("x-turn"), merged.get("x-kept")) == (b"page", "2", "1")
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", ETAG, "x-do: fail")
    assert client.message().status == 500


def test_origin_response_hook_that_replaces_the_body_of_a_304_sees_the_whole(scene: Scene) -> None:
    scene.policy = FOR_ALL
    client, server = stored(scene, MINUTE, ETAG)
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", ETAG, "x-do: replace")
    assert server.message().get("if-none-match") is None
    server.send(*answer(MINUTE, "x-do: replace"))
    assert client.message().body == b"replaced"


def test_answer_of_an_origin_request_hook_is_for_one_alone(scene: Scene) -> None:
    scene.policy = BEFORE
    client = scene.client()
    mine = get(client, "x-answer: mine")
    assert (mine.body, cache_status(mine)) == (b"mine", None)
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE))
    assert client.message().body == b"page"
    assert get(client, "x-answer: mine").body == b"page"  # no fetch, no hook


def test_origin_request_hook_that_fails_stores_nothing_and_stops_nobody(scene: Scene) -> None:
    scene.policy = BEFORE
    failing = scene.client()
    assert get(failing, "x-fail: 1").status == 500
    failing.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE))
    assert failing.message().body == b"page"


def test_refresh_that_a_hook_answers_asks_nobody(scene: Scene) -> None:
    scene.policy = BEFORE
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(61)
    assert get(client, "x-answer: mine").body == b"page"
    assert get(client, "x-fail: 1").body == b"page"
    server.expect_silence()
