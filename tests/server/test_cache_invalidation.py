"""Unsafe methods, and what they make invalid."""

import pytest
from exchange import Peer, Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_unsafe_method_invalidates(scene: Scene, method: str) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    client.send(f"{method} / HTTP/1.1", "host: a.example", "content-length: 0")
    server.message()
    server.send("HTTP/1.1 204 No Content")
    assert cache_status(client.message()) == "fastedge; fwd=method; detail=method"
    client.send(*GET)
    server.message()
    server.send(*answer(body=b"new"))
    assert client.message().body == b"new"


def test_unsafe_method_that_fails_invalidates_nothing(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    client.send("POST / HTTP/1.1", "host: a.example", "content-length: 0")
    server.message()
    server.send("HTTP/1.1 403 Forbidden", "content-length: 0")
    client.message()
    assert get(client).body == b"page"


def unsafe(client: Peer, server: Peer, *fields: str, target: str = "/", status: str = "204 No Content") -> None:
    client.send(f"POST {target} HTTP/1.1", "host: a.example", "content-length: 0")
    server.message()
    server.send(f"HTTP/1.1 {status}", *fields)
    client.message()


def is_stored(client: Peer) -> bool:
    return get(client, "cache-control: only-if-cached").status == 200


@pytest.mark.parametrize("field", ["location", "content-location"])
def test_what_an_answer_to_an_unsafe_method_points_to_is_invalid_too(scene: Scene, field: str) -> None:
    client, server = stored(scene, MINUTE)
    unsafe(client, server, f"{field}: http://other.example/", target="/form")
    assert is_stored(client)
    unsafe(client, server, f"{field}: /", target="/form")
    assert not is_stored(client)


def test_groups_that_an_answer_names_are_invalid(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'cache-groups: "news", "sports"')
    unsafe(client, server, 'cache-group-invalidation: "weather"', target="/form")
    assert is_stored(client)
    unsafe(
        client,
        server,
        'cache-group-invalidation: "sports"',
        target="/form",
        status="403 Forbidden\r\ncontent-length: 0",
    )
    assert is_stored(client)
    unsafe(client, server, 'cache-group-invalidation: "sports"', target="/form")
    assert not is_stored(client)


def test_groups_in_an_answer_to_a_safe_method_say_nothing(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'cache-groups: "news"')
    client.send("GET /other HTTP/1.1", "host: a.example")
    server.message()
    server.send(*answer(MINUTE, 'cache-group-invalidation: "news"'))
    client.message()
    assert is_stored(client)


def test_groups_of_another_host_are_others(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, 'cache-groups: "news"')
    client.send("POST /form HTTP/1.1", "host: b.example", "content-length: 0")
    server.message()
    server.send("HTTP/1.1 204 No Content", 'cache-group-invalidation: "news"')
    client.message()
    assert is_stored(client)


def test_fetch_that_an_unsafe_method_overtakes_is_not_stored_for_others(scene: Scene) -> None:
    (client,), server = asked(scene)
    other = scene.client().send("POST / HTTP/1.1", "host: a.example", "content-length: 0")
    second = scene.origin.accept()
    second.message()
    second.send("HTTP/1.1 204 No Content")
    other.message()
    server.send(*answer(MINUTE, body=b"old"))
    assert client.message().body == b"old"
    assert not is_stored(other)


def test_unsafe_method_invalidates_all_variants(scene: Scene) -> None:
    client, server = stored(scene, MINUTE, "vary: accept-language")
    client.send(*GET, "accept-language: de")
    server.message()
    server.send(*answer(MINUTE, "vary: accept-language"))
    client.message()
    unsafe(client, server)
    assert get(client, "cache-control: only-if-cached").status == 504
    assert get(client, "cache-control: only-if-cached", "accept-language: de").status == 504
