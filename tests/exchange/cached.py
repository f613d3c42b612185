"""What lives of cached requests have in common: a page, its answer, and what the edge says of it."""

from exchange.edge import Scene
from exchange.peer import Message, Peer

GET = ("GET / HTTP/1.1", "host: a.example")
MINUTE = "cache-control: max-age=60"


def answer(*fields: str, body: bytes = b"page", status: str = "200 OK") -> tuple[str | bytes, ...]:
    return (f"HTTP/1.1 {status}", *fields, f"content-length: {len(body)}", body)


def get(client: Peer, *fields: str, target: str = "/") -> Message:
    return client.send(f"GET {target} HTTP/1.1", "host: a.example", *fields).message()


def stored(scene: Scene, *fields: str, body: bytes = b"page") -> tuple[Peer, Peer]:
    """A client and the origin's connection, after one request whose answer has these fields."""
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(*fields, body=body))
    assert client.message().body == body
    return client, server


def asked(scene: Scene, *fields: str, count: int = 1) -> tuple[list[Peer], Peer]:
    """Clients who wait for one fetch, and the origin's connection, whose answer is awaited."""
    clients = [scene.client().send(*GET, *fields)]
    server = scene.origin.accept()
    server.message()
    clients += [scene.client().send(*GET, *fields) for _ in range(count - 1)]
    until_read(scene, count)
    return clients, server


def until_read(scene: Scene, count: int) -> None:
    """So many clients have been heard; each has sent a whole request at once."""
    front = scene.edge.worker.front
    scene.edge.until(lambda: sum(connection.started_us > 0 for connection in front.connections) == count)


def until_landed(scene: Scene) -> None:
    """No fetch that is shared is under way."""
    scene.edge.until(lambda: len(scene.edge.worker.front.flights) == 0)


def cache_status(message: Message) -> str | None:
    return message.get("cache-status")
