"""The demo's identity provider: signs tokens (RS256), and publishes its keys as a JWK Set, old ones beside new ones."""

import base64
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256


class IdentityProvider:
    """`issuer` is its address. A key is published before it signs, and withdrawn when its tokens are to end."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._port = port
        self._keys: dict[str, RSAPrivateKey] = {}
        self._published: dict[str, dict[str, str]] = {}

    def publish(self, kid: str) -> None:
        self._keys[kid] = generate_private_key(65537, 2048)
        public = self._keys[kid].public_key().public_numbers()
        n, e = (base64url(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (public.n, public.e))
        self._published[kid] = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e}

    def withdraw(self, kid: str) -> None:
        del self._published[kid]

    def token(self, kid: str, audience: str, subject: str) -> str:
        """Good for a day."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + 86_400}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": kid}, claims))
        return f"{signed}.{base64url(self._keys[kid].sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def server(self) -> ThreadingHTTPServer:
        """Whatever the path, the answer is the JWK Set."""
        provider = self

        class KeySet(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"keys": list(provider._published.values())}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", self._port), KeySet)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
