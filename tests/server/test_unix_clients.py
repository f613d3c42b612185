"""A client on a unix socket has no address: none is made up for the origin, and what it says of others is not believed."""

import socket


def test_unix_client_is_proxied_without_an_address(scene):
    scene.family = socket.AF_UNIX
    client = scene.client()
    client.send("GET / HTTP/1.1", "host: a.example", "x-forwarded-for: 192.0.2.1")
    server = scene.origin.accept()
    request = server.message()
    assert request.get("x-forwarded-for") is None
    assert request.get("forwarded") == "host=a.example;proto=http"
    server.send("HTTP/1.1 200 OK", "content-length: 2", b"ok")
    assert client.message().body == b"ok"


def test_trusted_unix_client_says_whom_it_speaks_for(scene):
    scene.family = socket.AF_UNIX
    scene.server = 'trusted_proxies = ["unix:"]'
    client = scene.client()
    client.send("GET / HTTP/1.1", "host: a.example", "x-forwarded-for: 192.0.2.1")
    server = scene.origin.accept()
    request = server.message()
    assert request.get("x-forwarded-for") == "192.0.2.1"
    assert request.get("forwarded") == "for=192.0.2.1, host=a.example;proto=http"
    server.send("HTTP/1.1 200 OK", "content-length: 2", b"ok")
    assert client.message().body == b"ok"
