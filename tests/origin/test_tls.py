"""https origins: who they are is verified before a byte is asked."""

import socket
import ssl
import time

import pytest
import trustme

GET = ("GET / HTTP/1.1", "host: a")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def context(authority, *names):
    one = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(one)
    return one


def https(scene, authority, tmp_path, *names, options="", answer=OK):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    scene.add_origin(tls=context(authority, *names)).serve(lambda peer, m: peer.send(*answer))
    scene.options = options if "tls_verify" in options else f'tls_ca_file = "ca.pem"\n{options}'
    return scene.client()


def failure(client):
    client.send(*GET)
    answer = client.message()
    return answer.status, answer.get("proxy-status")


def test_verified_origin_answers_and_is_kept(scene, authority, tmp_path):
    client = https(scene, authority, tmp_path, "127.0.0.1")
    for _ in range(3):
        client.send(*GET)
        assert client.message().body == b"ok"
    assert scene.origin.accepted == 1


def test_large_bodies_both_ways(scene, authority, tmp_path):
    client = https(
        scene, authority, tmp_path, "127.0.0.1", answer=("HTTP/1.1 200 OK", "content-length: 3000000", b"y" * 3_000_000)
    )
    client.send("POST / HTTP/1.1", "host: a", "content-length: 3000000", b"x" * 3_000_000)
    assert client.message().body == b"y" * 3_000_000


def test_name_in_sni_can_be_another(scene, authority, tmp_path):
    client = https(scene, authority, tmp_path, "inner.example", options='tls_server_name = "inner.example"')
    client.send(*GET)
    assert client.message().status == 200


def test_wrong_name_refused(scene, authority, tmp_path):
    client = https(scene, authority, tmp_path, "other.example")
    assert failure(client) == (502, "fastedge; error=tls_certificate_error")


def test_unknown_authority_refused(scene, authority, tmp_path):
    scene.add_origin(tls=context(trustme.CA(), "127.0.0.1")).serve(lambda peer, m: peer.send(*OK))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    scene.options = 'tls_ca_file = "ca.pem"'
    assert failure(scene.client()) == (502, "fastedge; error=tls_certificate_error")


def test_nothing_verified_where_that_is_asked(scene, authority, tmp_path):
    client = https(scene, authority, tmp_path, "other.example", options="tls_verify = false")
    client.send(*GET)
    assert client.message().status == 200


def test_origin_that_speaks_no_tls(scene):
    scene.more = f'[origins.secure]\nservers = ["https://{scene.origin.authority}"]'
    scene.server = 'default_origin = "secure"'
    client = scene.client()
    client.send(*GET)
    scene.origin.accept().send("HTTP/1.1 400 Bad Request", "content-length: 0")
    assert client.message().get("proxy-status") == "fastedge; error=tls_protocol_error"


def test_body_up_to_the_end_needs_the_end_of_tls(scene, authority, tmp_path):
    """Whoever sits between could cut it: without close_notify the body counts as incomplete (RFC 9112 §9.8)."""

    def cut(peer, message):
        peer.send("HTTP/1.1 200 OK", b"half of it")
        time.sleep(0.1)
        raw = socket.socket(fileno=peer.socket.detach())
        raw.close()

    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    scene.add_origin(tls=context(authority, "127.0.0.1")).serve(cut)
    scene.options = 'tls_ca_file = "ca.pem"'
    client = scene.client()
    client.send(*GET)
    client.expect_cut()


def test_body_up_to_the_end_of_tls_is_whole(scene, authority, tmp_path):
    def finish(peer, message):
        peer.send("HTTP/1.1 200 OK", b"all of it")
        peer.socket.unwrap().close()

    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    scene.add_origin(tls=context(authority, "127.0.0.1")).serve(finish)
    scene.options = 'tls_ca_file = "ca.pem"'
    client = scene.client()
    client.send(*GET)
    assert client.message().body == b"all of it"
