"""An identity provider for tests: a real HTTP server that serves a JWK Set, counts who asks, and misbehaves when told."""

import base64
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

CLAIMS = {"iss": "https://id.example", "aud": "shop", "sub": "ann"}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    """A key of the provider's, made once for each `kid` of a test run: RSA keys take their time."""

    _made: dict[str, RSAPrivateKey] = {}

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._private = self._made.setdefault(kid, None) or generate_private_key(65537, 2048)  # type: ignore[arg-type]
        self._made[kid] = self._private

    @property
    def jwk(self) -> dict[str, Any]:
        public = self._private.public_key().public_numbers()
        n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (public.n, public.e))
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": _encoded(n), "e": _encoded(e)}

    def token(self, **claims: Any) -> str:
        said = {**CLAIMS, "exp": time.time() + 600, **claims}
        head = {"alg": "RS256", "kid": self.kid}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, said))
        return f"{signed}.{_encoded(self._private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


Answer = Callable[[BaseHTTPRequestHandler], None]


class Provider:
    """Serves `keys` until `answer` says otherwise; `asked` are the paths of all requests. `with` ends it."""

    def __init__(self, *kids: str, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.keys = [SigningKey(kid).jwk for kid in kids]
        self.fields = {"Cache-Control": "max-age=600"}
        self.answer: Answer | None = None
        self.discovery: dict[str, Any] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider.asked.append(self.path)
                provider.headers.append({name.lower(): value for name, value in self.headers.items()})
                if provider.answer is not None:
                    provider.answer(self)
                elif self.path.endswith("/.well-known/openid-configuration"):
                    send(self, json.dumps(provider.discovery).encode())
                else:
                    send(self, provider.jwks, **provider.fields)

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, address: object) -> None:
                pass  # whoever fetches may leave when it has heard enough

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def jwks(self) -> bytes:
        return json.dumps({"keys": self.keys}).encode()

    def publish(self, *kids: str) -> None:
        self.keys = [SigningKey(kid).jwk for kid in kids]

    def discover(self, **changes: Any) -> str:
        """From now on OpenID discovery is answered, with these changes; gives the issuer."""
        self.discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **changes}
        return self.url

    def close(self) -> None:
        """Nobody listens there any more."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Provider":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **fields: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **fields}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


# --- ways to misbehave ---------------------------------------------------------------------------------------------


def says(body: bytes, status: int = 200, **fields: str) -> Answer:
    return lambda request: send(request, body, status, **fields)


def raw(data: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(data)
        request.close_connection = True

    return answer


def hangs(request: BaseHTTPRequestHandler) -> None:
    """Until whoever asks has gone."""
    request.connection.settimeout(10)
    request.rfile.read(1)


def drips(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, each in time."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        for _ in range(1000):
            request.wfile.write(b" ")
            time.sleep(0.02)
    except OSError:
        request.close_connection = True


def dies(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True
