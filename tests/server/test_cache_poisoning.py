"""What one client says outside the key never decides what another one gets."""

import pytest
from exchange import Scene

PAGE = ("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 4")


@pytest.mark.parametrize(
    "framing", [("content-length: 5", b"wrong"), ("transfer-encoding: chunked", b"5\r\nwrong\r\n0\r\n\r\n")]
)
def test_answer_to_a_get_with_a_body_is_for_its_client_alone(scene: Scene, framing: tuple[str, bytes]) -> None:
    attacker, visitor = scene.client(), scene.client()
    attacker.send("GET / HTTP/1.1", "host: a.example", *framing)
    server = scene.origin.accept()
    assert server.message().body == b"wrong"
    server.send(*PAGE, b"evil")
    assert attacker.message().get("cache-status") == "fastedge; fwd=bypass; detail=request_body"
    visitor.send("GET / HTTP/1.1", "host: a.example")
    assert server.message().body == b""
    server.send(*PAGE, b"good")
    assert visitor.message().body == b"good"


@pytest.mark.parametrize(
    "field", ["x-forwarded-host: evil.example", "x-forwarded-proto: gopher", "forwarded: host=evil.example"]
)
def test_forwarding_fields_of_a_stranger_reach_no_origin(scene: Scene, field: str) -> None:
    scene.client().send("GET / HTTP/1.1", "host: a.example", field)
    server = scene.origin.accept()
    asked = server.message()
    assert "evil" not in str(asked.fields) and "gopher" not in str(asked.fields)
    assert asked.get("x-forwarded-host") == "a.example"
    server.send(*PAGE, b"good")
