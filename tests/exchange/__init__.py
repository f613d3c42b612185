"""A small language for whole lives of requests, after Varnish's .vtc: the test plays the client and the origin on real
sockets, in one thread and in the order of its lines; between them runs the edge, a real Worker on uvloop.

    def test_get(scene):
        scene.options = "queue_max = 1"                      before the edge starts: what differs from one plain origin
        client = scene.client()                             a connection to the edge
        client.send("GET / HTTP/1.1", "host: a.example")    strings are a head, its empty line included; bytes go as they are
        server = scene.origin.accept()                      the edge's connection to the origin
        request = server.message()                          one whole message, strictly read: start, fields, body, framing
        server.send("HTTP/1.1 200 OK", "content-length: 2", b"ok")
        assert client.message().body == b"ok"

Both ends are a Peer: `send`, `drip` (byte by byte), `finish` (half-close), `close`, `reset`, and what must happen:
`message`, `expect` (exactly these bytes), `expect_end` (clean), `expect_gone`, `expect_cut` (the message is visibly
incomplete), `expect_silence`. `origin.serve(answer)` plays the origin in the background where the order does not matter.
Each wait is bounded; what the loop of the edge complains of fails the test, and so does what stays behind it.
"""

from exchange.edge import Edge, Scene
from exchange.peer import Cut, Message, Origin, Peer

__all__ = ["Cut", "Edge", "Message", "Origin", "Peer", "Scene"]
