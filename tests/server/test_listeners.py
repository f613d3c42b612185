"""Addresses of every family, on either side."""

import socket

import pytest

GET = ("GET / HTTP/1.1", "host: a", "x-forwarded-for: 203.0.113.9")


def seen(scene):
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    request = server.message()
    server.send("HTTP/1.1 200 OK", "content-length: 2", b"ok")
    assert client.message().body == b"ok"
    return request


def test_ipv6_listener_and_origin(scene):
    scene.family = socket.AF_INET6
    scene.add_origin(socket.AF_INET6)
    scene.options = 'host = "origin"'
    request = seen(scene)
    assert request.all("x-forwarded-for") == ["::1"]
    assert request.get("forwarded") == 'for="[::1]";host=a;proto=http'
    assert request.get("host") == scene.origin.authority
    assert "[::1]" in scene.origin.authority


def test_unix_origin(scene, tmp_path):
    scene.add_origin(path=str(tmp_path / "origin.sock"))
    scene.options = 'host = "origin"'
    assert seen(scene).get("host") == "localhost"


def test_unix_origin_that_is_gone(scene, tmp_path):
    scene.add_origin(path=str(tmp_path / "origin.sock")).stop()
    client = scene.client()
    client.send(*GET)
    answer = client.message()
    assert (answer.status, answer.get("proxy-status")) == (502, "fastedge; error=connection_refused")


@pytest.mark.parametrize("trusted", [False, True])
def test_unix_listener(scene, trusted):
    scene.family = socket.AF_UNIX
    scene.server = 'trusted_proxies = ["unix:"]' if trusted else ""
    request = seen(scene)
    assert request.all("x-forwarded-for") == (["203.0.113.9"] if trusted else [])
