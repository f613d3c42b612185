"""What a policy may get wrong, through a whole edge: the client is answered, the connection goes on, nobody else notices."""

import pytest

GET = ("GET / HTTP/1.1", "host: a.example")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")

LEAVES = """
import asyncio
import sys
from fastedge import CONTINUE, Pipeline

def leave(request, hook):
    if request.query_value("in") == hook:
        if request.path == "/exit":
            sys.exit(3)
        raise asyncio.CancelledError

class Leaves:
    def on_request(self, request, ctx):
        leave(request, "on_request")
        return CONTINUE

    def on_origin_response(self, request, response, ctx):
        leave(request, "on_origin_response")

    def on_response(self, request, response, ctx):
        leave(request, "on_response")

pipeline = Pipeline(Leaves())
"""

KEEPS = """
from fastedge import CONTINUE, Pipeline

class Keeps:
    def __init__(self):
        self.kept = []

    def on_request(self, request, ctx):
        return self.kept[0] if self.kept else CONTINUE

    def on_origin_response(self, request, response, ctx):
        self.kept.append(response)

pipeline = Pipeline(Keeps())
"""


@pytest.mark.parametrize("path", ["/exit", "/cancelled"])
@pytest.mark.parametrize("hook", ["on_request", "on_origin_response", "on_response"])
def test_hook_that_wants_to_end_the_process_ends_its_request(scene, path, hook):
    scene.policy = LEAVES
    scene.origin.serve(lambda peer, m: peer.send(*OK))
    client = scene.client()
    client.send(f"GET {path}?in={hook} HTTP/1.1", "host: a.example")
    assert client.message().status == 500
    client.send(*GET)
    assert client.message().body == b"ok"


def test_response_of_an_origin_is_no_answer_to_another_request(scene):
    scene.policy = KEEPS
    scene.origin.serve(lambda peer, m: peer.send(*OK))
    client = scene.client()
    client.send(*GET)
    assert client.message().body == b"ok"
    client.send(*GET)
    assert client.message().status == 500
    assert client.is_open()
