"""Stored responses that the origin is asked about, and clients who ask about theirs."""

import pytest
from exchange import Scene
from exchange.cached import GET, MINUTE, answer, cache_status, get, stored, until_read

from fastedge import clock


def test_stale_response_is_validated_and_freshened(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"', "x-turn: 1")
    clock.travel(61)
    client.send(*GET)
    asked = server.message()
    assert asked.get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: max-age=30", "x-turn: 2")
    again = client.message()
    assert again.body == b"page" and again.get("x-turn") == "2"
    assert cache_status(again) == "fastedge; fwd=stale; fwd-status=304"
    clock.travel(20)
    assert cache_status(get(client)) == "fastedge; hit; ttl=10"


def test_stale_response_is_replaced_by_a_new_one(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send(*answer("cache-control: max-age=60", 'etag: "2"', body=b"new"))
    assert client.message().body == b"new"
    hit = get(client)
    assert hit.body == b"new" and hit.get("etag") == '"2"'


def test_304_about_another_representation_is_not_believed(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "other"')
    whole = server.message()
    assert whole.get("if-none-match") is None
    server.send(*answer('etag: "other"', "cache-control: no-store", body=b"other"))
    assert client.message().body == b"other"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_clients_condition_is_answered_by_the_edge(scene: Scene, method: str) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: W/"1"', "content-type: text/plain")
    client.send(f"{method} / HTTP/1.1", "host: a.example", 'if-none-match: "0", "1"')
    same = client.message(head=method == "HEAD")
    assert same.status == 304 and same.get("etag") == 'W/"1"' and same.get("content-type") is None
    assert cache_status(same) == "fastedge; hit; ttl=60"
    server.expect_silence()


def test_clients_condition_does_not_reach_the_origin_on_a_miss(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, 'if-none-match: "1"')
    server = scene.origin.accept()
    assert server.message().get("if-none-match") is None
    server.send(*answer("cache-control: max-age=60", 'etag: "1"'))
    assert client.message().status == 304
    assert get(client).body == b"page"


def test_request_no_cache_and_max_age_ask_the_origin(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(10)
    for directive in ("no-cache", "max-age=5"):
        client.send(*GET, f"cache-control: {directive}")
        assert server.message().get("if-none-match") == '"1"'
        server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
        assert cache_status(client.message()) == "fastedge; fwd=request; fwd-status=304"
        clock.travel(10)


def test_validation_asks_with_what_is_stored_in_place_of_the_clients_condition(scene: Scene) -> None:
    modified = "Sun, 06 Nov 1994 08:49:37 GMT"
    client, server = stored(scene, MINUTE, 'etag: "1"', f"last-modified: {modified}")
    clock.travel(61)
    client.send(*GET, 'if-none-match: "client"', "range: bytes=0-1")
    got = server.message()
    assert got.all("if-none-match") == ['"1"'] and got.all("if-modified-since") == [modified]
    assert got.get("range") is None
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    part = client.message()
    assert (part.status, part.body) == (206, b"pa")


def test_304_with_no_store_answers_who_asked_and_leaves_nothing(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: no-store")
    assert client.message().body == b"page"
    client.send(*GET)
    assert server.message().get("if-none-match") is None
    server.send(*answer("cache-control: no-store", body=b"new"))
    assert client.message().body == b"new"


@pytest.mark.parametrize("directive", ["no-store", "private"])
def test_304_that_is_not_for_sharing_is_for_the_first_who_waits(scene: Scene, directive: str) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    other = scene.client().send(*GET)
    until_read(scene, 2)
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', f"cache-control: {directive}")
    assert client.message().body == b"page"
    assert server.message().get("if-none-match") is None
    server.send(*answer(f"cache-control: {directive}", body=b"theirs"))
    assert other.message().body == b"theirs"


def test_304_with_a_new_vary_answers_only_those_who_say_the_same(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"', body=b"german")
    clock.travel(61)
    client.send(*GET, "accept-language: de")
    server.message()
    same, other = (scene.client().send(*GET, f"accept-language: {language}") for language in ("de", "en"))
    until_read(scene, 3)
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', MINUTE, "vary: accept-language")
    assert client.message().body == same.message().body == b"german"
    assert server.message().get("accept-language") == "en"
    server.send(*answer(MINUTE, "vary: accept-language", body=b"english"))
    assert other.message().body == b"english"
    assert get(client, "accept-language: de").body == b"german"
    assert get(client, "accept-language: en").body == b"english"


def test_304_shortens_the_lifetime(scene: Scene) -> None:
    client, server = stored(scene, "edge-cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "edge-cache-control: max-age=5")
    assert client.message().get("edge-cache-control") is None
    assert cache_status(get(client)) == "fastedge; hit; ttl=5"


def test_waiting_clients_are_all_answered_by_one_validation(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    clock.travel(61)
    others = [scene.client() for _ in range(3)]
    for one in (client, *others):
        one.send(*GET)
    server.message()
    until_read(scene, 4)
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    assert {one.message().body for one in (client, *others)} == {b"page"}
    server.expect_silence()


def test_no_cache_response_is_validated_each_time(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: no-cache", 'etag: "1"')
    for _ in range(2):
        client.send(*GET)
        assert server.message().get("if-none-match") == '"1"'
        server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
        assert client.message().body == b"page"


def test_pipelined_request_behind_a_304_that_is_not_stored_is_answered(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    clock.travel(61)
    client.send(*GET, b"", *GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: no-store")
    server.message()
    server.send(*answer("cache-control: no-store", body=b"new"))
    assert [client.message().body for _ in range(2)] == [b"page", b"new"]


def test_clients_date_is_compared(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE, "last-modified: Sun, 06 Nov 1994 08:49:37 GMT")
    assert get(client, "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT").status == 304
    assert get(client, "if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT").status == 200
    assert get(client, 'if-none-match: "1"', "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT").status == 200


def test_if_match_is_for_the_origin(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"')
    client.send(*GET, 'if-match: "2"')
    assert server.message().get("if-match") == '"2"'
    server.send("HTTP/1.1 412 Precondition Failed", "content-length: 0")
    assert client.message().status == 412
    assert get(client).body == b"page"
