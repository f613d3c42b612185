"""HEAD: answered from a stored GET, and what its answer says of one."""

from exchange import Scene
from exchange.cached import GET, MINUTE, answer, cache_status, get, stored, until_landed

from fastedge import clock


def test_head_is_answered_from_a_stored_get(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60")
    client.send("HEAD / HTTP/1.1", "host: a.example")
    head = client.message(head=True)
    assert head.get("content-length") == "4" and cache_status(head) == "fastedge; hit; ttl=60"


def test_head_that_disagrees_makes_what_is_stored_invalid(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send("HEAD / HTTP/1.1", "host: a.example")
    server.message()
    server.send("HTTP/1.1 200 OK", 'etag: "2"', "content-length: 4")
    assert client.message(head=True).get("etag") == '"2"'
    client.send(*GET)
    assert server.message().get("if-none-match") is None
    server.send(*answer())
    client.message()


def test_head_that_agrees_freshens_what_is_stored(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'etag: "1"', "x-turn: 1")
    clock.travel(61)
    client.send("HEAD / HTTP/1.1", "host: a.example")
    server.message()
    server.send("HTTP/1.1 200 OK", 'etag: "1"', "content-length: 4", "cache-control: max-age=30", "x-turn: 2")
    assert client.message(head=True).get("x-turn") == "2"
    hit = get(client)
    assert (hit.body, hit.get("x-turn"), cache_status(hit)) == (b"page", "2", "fastedge; hit; ttl=30")


def test_head_of_what_is_not_stored_stores_nothing(scene: Scene) -> None:
    client = scene.client().send("HEAD / HTTP/1.1", "host: a.example")
    server = scene.origin.accept()
    assert server.message().start == "HEAD / HTTP/1.1"
    server.send("HTTP/1.1 200 OK", MINUTE, "content-length: 4")
    client.message(head=True)
    client.send(*GET)
    server.message()
    server.send(*answer(MINUTE))
    assert client.message().body == b"page"


def test_head_of_a_stale_response_refreshes_all_of_it(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(61)
    client.send("HEAD / HTTP/1.1", "host: a.example")
    assert cache_status(client.message(head=True)) == "fastedge; hit; ttl=-1"
    assert server.message().start == "GET / HTTP/1.1"
    server.send(*answer(MINUTE, body=b"new page"))
    until_landed(scene)
    assert get(client).body == b"new page"
