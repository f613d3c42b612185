"""What of an origin's answers is stored, with which fields, and why not."""

import pytest
from exchange import Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored

from fastedge import clock


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        (["cache-control: no-store"], "origin_no_store"),
        (["cache-control: private"], "private"),
        (["cache-control: max-age=60", "set-cookie: a=b"], "set_cookie"),
        (["cache-control: max-age=60", "vary: *"], "vary_star"),
        ([], "no_freshness"),
    ],
)
def test_what_is_not_for_sharing_is_not_stored_and_says_why(scene: Scene, fields: list[str], detail: str) -> None:
    client, server = stored(scene, *fields)
    for _ in range(2):
        client.send(*GET)
        server.message()
        server.send(*answer(*fields, body=b"again"))
        again = client.message()
        assert again.body == b"again" and cache_status(again) == f"fastedge; fwd=uri-miss; detail={detail}"


def test_body_that_is_too_large_passes_unstored(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 1\n"
    body = bytes(200 * 1024)
    client, server = stored(scene, "cache-control: max-age=60", body=body)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "transfer-encoding: chunked")
    server.send(b"32000\r\n" + bytes(0x32000) + b"\r\n0\r\n\r\n")
    again = client.message()
    assert len(again.body) == 0x32000 and cache_status(again) == "fastedge; fwd=uri-miss; detail=too_large"


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (["cache-control: max-age=60"], False),
        (["cache-control: max-age=60, public"], True),
        (["cache-control: s-maxage=60"], True),
        (["cache-control: max-age=60, must-revalidate"], True),
    ],
)
def test_answer_to_authorization_is_for_others_only_where_the_origin_says_so(
    scene: Scene, fields: list[str], kept: bool
) -> None:
    secret = scene.client().send(*GET, "authorization: Bearer one")
    server = scene.origin.accept()
    assert server.message().get("authorization") == "Bearer one"
    server.send(*answer(*fields))
    first = secret.message()
    assert cache_status(first) == f"fastedge; fwd=uri-miss; {'stored' if kept else 'detail=authorization'}"
    other = scene.client().send(*GET, "authorization: Bearer two")
    if not kept:
        assert server.message().get("authorization") == "Bearer two"
        server.send(*answer(*fields, body=b"two"))
    assert other.message().body == (b"page" if kept else b"two")


@pytest.mark.parametrize("directive", ["no-cache", "private"])
def test_field_that_a_directive_names_reaches_the_first_client_alone(scene: Scene, directive: str) -> None:
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(f'cache-control: max-age=60, {directive}="Set-Cookie, X-Mine"', "set-cookie: a=b", "x-mine: 1"))
    first, hit = client.message(), get(client)
    assert hit.get("set-cookie") is hit.get("x-mine") is None
    assert first.get("set-cookie") == "a=b" and first.get("x-mine") == "1"


@pytest.mark.parametrize(
    ("fields", "passed_on"),
    [
        (["edge-cache-control: max-age=60"], []),
        (["cdn-cache-control: max-age=60"], ["cdn-cache-control"]),
        (["surrogate-control: max-age=60"], []),
        (["edge-cache-control: max-age=60", "cdn-cache-control: no-store"], ["cdn-cache-control"]),
    ],
)
def test_targeted_field_decides_and_only_that_for_all_caches_goes_on(
    scene: Scene, fields: list[str], passed_on: list[str]
) -> None:
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer("cache-control: no-store", *fields))
    for reply in (client.message(), get(client)):
        names = {"edge-cache-control", "cdn-cache-control", "surrogate-control"}
        assert [name for name, _ in reply.fields if name in names] == passed_on
        assert reply.get("cache-control") == "no-store"
    assert cache_status(reply) == "fastedge; hit; ttl=60"


def test_targeted_field_that_forbids_storing_does_not_reach_the_client_either(scene: Scene) -> None:
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE, "edge-cache-control: no-store"))
    reply = client.message()
    assert reply.get("edge-cache-control") is None
    assert cache_status(reply) == "fastedge; fwd=uri-miss; detail=origin_no_store"


def test_request_no_store_takes_from_the_store_and_puts_nothing_there(scene: Scene) -> None:
    client = scene.client().send(*GET, "cache-control: no-store")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE))
    assert cache_status(client.message()) == "fastedge; fwd=uri-miss; detail=request_no_store"
    client.send(*GET)
    server.message()
    server.send(*answer(MINUTE, body=b"two"))
    client.message()
    assert get(client, "cache-control: no-store").body == b"two"


def test_not_found_is_stored_where_the_origin_gives_its_lifetime(scene: Scene) -> None:
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE, status="404 Not Found", body=b"none"))
    client.message()
    hit = get(client, "range: bytes=0-1")
    assert (hit.status, hit.body) == (404, b"none")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_every_framing_is_stored_with_its_length(scene: Scene, framing: str) -> None:
    head, body = {
        "length": (["content-length: 4"], b"page"),
        "chunked": (["transfer-encoding: chunked"], b"1\r\np\r\n3\r\nage\r\n0\r\n\r\n"),
        "close": (["connection: close"], b"page"),
    }[framing]
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", MINUTE, *head, body)
    if framing == "close":
        server.close()
    assert client.message().body == b"page"
    hit = get(client)
    assert (hit.framing, hit.body, hit.get("connection")) == ("length", b"page", None)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_body_that_ends_too_early_is_not_stored(scene: Scene, framing: str) -> None:
    head, body = {
        "length": (["content-length: 9"], b"page"),
        "chunked": (["transfer-encoding: chunked"], b"4\r\npage\r\n"),
        "close": (["connection: close"], b"page"),
    }[framing]
    (client, late), server = asked(scene, count=2)
    server.send("HTTP/1.1 200 OK", MINUTE, *head, body)
    heads = [client.head(), late.head()]
    assert {one.status for one in heads} == {200}
    if framing == "close":
        server.reset()
    else:
        server.close()
    for peer, one in zip((client, late), heads, strict=True):
        cut = peer.rest()
        assert b"page" in cut and not cut.endswith(b"0\r\n\r\n") and one.get("content-length") != "4"
    again = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer())
    assert cache_status(again.message()) == "fastedge; fwd=uri-miss; detail=no_freshness"


def test_key_whose_answer_was_not_for_sharing_is_stored_once_it_is(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: private")
    for says in ("detail=private", "stored"):  # the first that says something else is a sign, the next one is stored
        client.send(*GET)
        server.message()
        server.send(*answer(MINUTE, body=b"for all"))
        assert cache_status(client.message()) == f"fastedge; fwd=uri-miss; {says}"
    assert get(client).body == b"for all"


def test_trailers_go_to_those_who_wait_and_are_not_stored(scene: Scene) -> None:
    client = scene.client().send(*GET, "te: trailers", "connection: te")
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", MINUTE, "transfer-encoding: chunked", b"4\r\npage\r\n0\r\nx-sum: 1\r\n\r\n")
    assert client.message().trailers == [("x-sum", "1")]
    hit = get(client, "te: trailers", "connection: te")
    assert hit.framing == "length" and hit.body == b"page"


def test_request_no_store_takes_nothing_from_the_others(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    client.send(*GET, "cache-control: no-store, no-cache")
    assert server.message().get("if-none-match") is None
    server.send(*answer(MINUTE, body=b"mine"))
    assert client.message().body == b"mine"
    assert get(client).body == b"page"
    clock.travel(61)
    client.send(*GET, "cache-control: no-store")
    server.message()
    waiting = scene.client().send(*GET)
    second = scene.origin.accept()
    assert second.message().get("if-none-match") == '"1"'
    second.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    assert waiting.message().body == b"page"
    server.send(*answer(MINUTE, body=b"mine"))
    assert client.message().body == b"mine"
    assert get(client).body == b"page"


def test_request_no_store_and_only_if_cached_does_not_reach_the_origin(scene: Scene) -> None:
    assert get(scene.client(), "cache-control: no-store, only-if-cached").status == 504
    assert scene.origin.accepted == 0


# --- unkeyed input ---------------------------------------------------------------------------------------------------

THEMED = """
from fastedge import Pipeline

class Theme:
    def on_origin_response(self, request, response, ctx):
        response.headers["x-theme"] = request.headers.get("x-theme", "none")

pipeline = Pipeline(Theme())
"""


@pytest.mark.parametrize(("vary", "says", "status"), [
    ("", "report", 200), ("", "error", 500), ("", "ignore", 200), ("x-theme", "error", 200),
])  # fmt: skip
def test_unkeyed_input_is_reported_or_refused(scene: Scene, caplog, vary: str, says: str, status: int) -> None:
    scene.policy = THEMED
    scene.more = f'[cache]\nunkeyed = "{says}"\n'
    fields = ["cache-control: max-age=60", *([f"vary: {vary}"] if vary else [])]
    scene.origin.serve(lambda peer, request: peer.send(*answer(*fields)))
    client = scene.client()
    assert [get(client, "x-theme: dark", target=target).status for target in ("/1", "/2")] == [status, status]
    told = [record.message for record in caplog.records if "reads x-theme outside the key" in record.message]
    assert len(told) == {"report": 1, "error": 2, "ignore": 0}[says] * (not vary)
