"""Hits and misses on connections of every kind, and edges that change under them."""

from exchange import Scene
from exchange.cached import GET, stored


def test_pipelined_hits(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60")
    client.send(*GET, *[]).send(*GET).send(*GET)
    assert [client.message().body for _ in range(3)] == [b"page"] * 3
