"""nginx behind the edge, nginx and HAProxy in front of it: what other people's HTTP looks like."""

import random
import socket
import threading
import time
from http.client import HTTPConnection

import pytest
import servers
from exchange import Peer

CLIENT_POLICY = """
from fastedge import Pipeline, Response

class Who:
    def on_request(self, request, ctx):
        return Response(200, {"x-client": ctx.client, "x-for": request.headers.get("x-forwarded-for") or "-"}, b"")

pipeline = Pipeline(Who())
"""


def behind(scene, nginx):
    scene.more = f'[origins.nginx]\nservers = ["http://127.0.0.1:{nginx.port}"]'
    scene.server = 'default_origin = "nginx"'


def test_nginx_that_keeps_connections_shortly_fails_no_get(scene, tmp_path):
    """2,000 requests while nginx closes connections after three of them, and idle ones when ours are still good."""
    failed: list[object] = []

    def ask(address, seed):
        luck = random.Random(seed)
        connection = HTTPConnection(*address, timeout=10)
        for i in range(250):
            if i % 50 == 49:
                time.sleep(luck.uniform(0.9, 1.1))  # as long as nginx waits
            connection.request("GET", f"/{i}")
            response = connection.getresponse()
            if (response.status, response.read()) != (200, f"/{i}".encode()):
                failed.append((response.status, response.getheader("proxy-status")))
        connection.close()

    rules = 'keepalive_requests 3; keepalive_timeout 1; location / { return 200 "$request_uri"; }'
    with servers.nginx(tmp_path, rules) as nginx:
        behind(scene, nginx)
        threads = [threading.Thread(target=ask, args=(scene.edge.address, seed)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_nginx_bodies(scene, tmp_path):
    (tmp_path / "page.html").write_text("<!--# echo var='x' default='chunked' -->" + "x" * 100_000)
    (tmp_path / "file").write_bytes(bytes(range(256)) * 4000)
    with servers.nginx(tmp_path, f"root {tmp_path}; gzip off; location /page.html {{ ssi on; }}") as nginx:
        behind(scene, nginx)
        client = scene.client()
        client.send("GET /page.html HTTP/1.1", "host: a")
        page = client.message()
        assert (page.framing, page.body) == ("chunked", b"chunked" + b"x" * 100_000)
        client.send("GET /file HTTP/1.1", "host: a")
        assert client.message().body == bytes(range(256)) * 4000
        client.send("HEAD /file HTTP/1.1", "host: a")
        assert client.message(head=True).get("content-length") == "1024000"
        client.send("GET /file HTTP/1.1", "host: a", "range: bytes=10-19")
        part = client.message()
        assert (part.status, part.body) == (206, bytes(range(10, 20)))
        client.send("POST /file HTTP/1.1", "host: a", "content-length: 3", b"abc")
        assert client.message().status == 405
        client.send("GET /nothing HTTP/1.1", "host: a")
        assert client.message().status == 404


def edge_address(scene):
    """As nginx and HAProxy call it."""
    if scene.family == socket.AF_UNIX:
        return f"unix:{scene.edge.address}:", f"unix@{scene.edge.address}"
    host, port = scene.edge.address
    return f"{host}:{port}", f"{host}:{port}"


def ask_from(port, *fields):
    """The answer to a request from 127.0.0.2, which no one trusts."""
    sock = socket.create_connection(("127.0.0.1", port), 5, source_address=("127.0.0.2", 0))
    with Peer(sock) as client:
        answers = []
        for _ in range(3):
            client.send("GET / HTTP/1.1", "host: a", *fields)
            answers.append(client.message().get("x-client"))
        return answers


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_client_seen_through_a_proxy_in_front(scene, tmp_path, name, family):
    servers.binary(name)
    scene.family, scene.policy = family, CLIENT_POLICY
    scene.server = 'trusted_proxies = ["127.0.0.1/32", "unix:"]'
    for_nginx, for_haproxy = edge_address(scene)
    pass_on = (
        f"location / {{ proxy_pass http://{for_nginx}; proxy_http_version 1.1; proxy_set_header Connection '';"
        " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"
    )
    with servers.nginx(tmp_path, pass_on) if name == "nginx" else servers.haproxy(tmp_path, for_haproxy) as front:
        assert ask_from(front.port) == ["127.0.0.2"] * 3
        assert ask_from(front.port, "x-forwarded-for: 203.0.113.9") == ["127.0.0.2"] * 3  # a lie changes nothing


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_proxy_in_front_that_is_not_trusted_is_the_client(scene, tmp_path, family):
    servers.binary("haproxy")
    scene.family, scene.policy = family, CLIENT_POLICY
    with servers.haproxy(tmp_path, edge_address(scene)[1]) as front:
        assert set(ask_from(front.port)) == {"127.0.0.1" if family == socket.AF_INET else "::"}
