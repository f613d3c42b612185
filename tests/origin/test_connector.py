"""Names for connections that could not be opened (RFC 9209)."""

import errno
import socket
import ssl
import threading

import pytest

from fastedge.origin.connector import _meaning

GET = ("GET / HTTP/1.1", "host: a")


def refused(scene, url):
    scene.more = f'[origins.other]\nservers = ["{url}"]'
    scene.server = 'default_origin = "other"'
    client = scene.client()
    client.send(*GET)
    return client.message().get("proxy-status")


def test_host_with_several_addresses_that_all_refuse(scene):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert refused(scene, f"http://localhost:{sock.getsockname()[1]}") == "fastedge; error=connection_refused"


def test_host_name_that_no_resolver_takes(scene):
    assert refused(scene, f"http://{'a' * 63}.{'b' * 63}.invalid") == "fastedge; error=dns_error"


def test_handshake_that_is_reset(scene):
    origin = scene.origin
    thread = threading.Thread(target=lambda: origin.accept().reset())
    thread.start()
    assert refused(scene, origin.url.replace("http:", "https:")) == "fastedge; error=connection_terminated"
    thread.join()


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (TimeoutError(), 504, "connection_timeout"),
        (ssl.SSLCertVerificationError(), 502, "tls_certificate_error"),
        (ssl.SSLError(), 502, "tls_protocol_error"),
        (ConnectionRefusedError(), 502, "connection_refused"),
        (FileNotFoundError(), 502, "connection_refused"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"),
            502,
            "connection_refused",
        ),
        (ConnectionResetError(), 502, "connection_terminated"),
        (socket.gaierror(), 502, "dns_error"),
        (UnicodeError("label too long"), 502, "dns_error"),
        (OSError(errno.EHOSTUNREACH, "no route"), 502, "destination_ip_unroutable"),
    ],
)
def test_failure_has_its_name(error, status, name):
    assert _meaning(error) == (status, name)
