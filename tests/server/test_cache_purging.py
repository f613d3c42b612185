"""Purges, before, during and after a fetch: what was asked for before one is never sent to who asks after it."""

from collections.abc import Callable

import pytest
from exchange import Peer, Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored, until_landed, until_read

from fastedge import clock
from fastedge._core.purges import Purges

FIELDS = (MINUTE, 'etag: "1"', "cache-tag: red, blue")
PURGES: dict[str, Callable[[Purges, bool], object]] = {
    "url": lambda purges, soft: purges.purge_names(b"url", [b"http://a.example/"], soft),
    "host": lambda purges, soft: purges.purge_names(b"host", [b"a.example"], soft),
    "tag": lambda purges, soft: purges.purge_names(b"tag", [b"blue"], soft),
    "prefix": lambda purges, soft: purges.purge_prefix(b"http://a.example/", soft),
    "everything": lambda purges, soft: purges.purge_everything(soft),
}
OTHERS: dict[str, Callable[[Purges, bool], object]] = {
    "url": lambda purges, soft: purges.purge_names(b"url", [b"http://a.example/other"], soft),
    "host": lambda purges, soft: purges.purge_names(b"host", [b"b.example"], soft),
    "tag": lambda purges, soft: purges.purge_names(b"tag", [b"Blue", b"green"], soft),
    "prefix": lambda purges, soft: purges.purge_prefix(b"http://a.example/p", soft),
}

by_each = pytest.mark.parametrize("kind", PURGES)


def purge(scene: Scene, kind: str, soft: bool = False) -> None:
    scene.edge.call(lambda: PURGES[kind](scene.edge.worker.front.purges, soft))


@by_each
def test_what_is_purged_is_fetched_anew(scene: Scene, kind: str) -> None:
    client, server = stored(scene, *FIELDS)
    purge(scene, kind)
    client.send(*GET)
    assert server.message().get("if-none-match") is None
    server.send(*answer(*FIELDS, body=b"new"))
    reply = client.message()
    assert (reply.body, cache_status(reply)) == (b"new", "fastedge; fwd=uri-miss; stored")
    assert get(client).body == b"new"


@by_each
def test_what_is_softly_purged_is_validated(scene: Scene, kind: str) -> None:
    client, server = stored(scene, *FIELDS)
    purge(scene, kind, soft=True)
    client.send(*GET)
    assert server.message().get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    reply = client.message()
    assert (reply.body, cache_status(reply)) == (b"page", "fastedge; fwd=stale; fwd-status=304")
    assert cache_status(get(client)) == "fastedge; hit; ttl=60"


def test_what_is_softly_purged_may_be_sent_while_it_is_refreshed(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    purge(scene, "url", soft=True)
    assert get(client).body == b"page"
    server.message()
    server.send(*answer(MINUTE, body=b"new"))
    until_landed(scene)
    assert get(client).body == b"new"


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", OTHERS)
def test_purge_of_something_else_changes_nothing(scene: Scene, kind: str, soft: bool) -> None:
    client, _ = stored(scene, *FIELDS)
    scene.edge.call(lambda: OTHERS[kind](scene.edge.worker.front.purges, soft))
    assert cache_status(get(client)) == "fastedge; hit; ttl=60"


def arrive(server: Peer, body: bytes) -> None:
    server.send(*answer(*FIELDS, body=body))


@pytest.mark.parametrize("soft", [False, True])
@by_each
def test_purge_before_the_head_of_a_fetch_has_come(scene: Scene, kind: str, soft: bool) -> None:
    (before,), server = asked(scene)
    purge(scene, kind, soft)
    after = scene.client().send(*GET)
    until_read(scene, 2)
    arrive(server, b"old")
    assert before.message().body == b"old"
    server.message()  # the same connection: it is free
    arrive(server, b"new")
    assert after.message().body == b"new"
    assert get(before).body == b"new"


@pytest.mark.parametrize("soft", [False, True])
@by_each
def test_purge_while_a_body_is_arriving(scene: Scene, kind: str, soft: bool) -> None:
    (before,), server = asked(scene)
    server.send("HTTP/1.1 200 OK", *FIELDS, "content-length: 4", b"ol")
    before.head()
    purge(scene, kind, soft)
    after = scene.client().send(*GET)
    second = scene.origin.accept()
    second.message()
    server.send(b"d!")
    before.expect(b"old!")
    arrive(second, b"new")
    assert after.message().body == b"new"
    assert get(before).body == b"new"


@by_each
def test_purge_while_a_validation_is_under_way(scene: Scene, kind: str) -> None:
    before, server = stored(scene, *FIELDS)
    clock.travel(61)
    before.send(*GET)
    server.message()
    purge(scene, kind)
    after = scene.client().send(*GET)
    second = scene.origin.accept()
    assert second.message().get("if-none-match") is None
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    assert before.message().body == b"page"
    arrive(second, b"new")
    assert after.message().body == b"new"
    assert get(before).body == b"new"


def test_what_was_asked_for_before_a_purge_does_not_replace_what_was_after(scene: Scene) -> None:
    (before,), server = asked(scene)
    server.send("HTTP/1.1 200 OK", *FIELDS, "content-length: 4", b"ol")
    before.head()
    purge(scene, "tag")
    after = scene.client().send(*GET)
    second = scene.origin.accept()
    second.message()
    arrive(second, b"new")
    assert after.message().body == b"new"
    server.send(b"d!")
    before.expect(b"old!")
    assert cache_status(get(after)) == "fastedge; hit; ttl=60"
    assert get(before).body == b"new"


def test_purge_of_something_else_does_not_split_a_fetch(scene: Scene) -> None:
    (before,), server = asked(scene)
    scene.edge.call(lambda: OTHERS["tag"](scene.edge.worker.front.purges, False))
    after = scene.client().send(*GET)
    until_read(scene, 2)
    arrive(server, b"one")
    assert before.message().body == after.message().body == b"one"
    assert scene.origin.accepted == 1
