"""The demo behind `make run`: three small origins, an identity provider, the edge with policies/shop.py, and a table of
commands to try.

Everything is on the loopback address; the secrets are made anew at each start and end with it.
"""

import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from demo_provider import IdentityProvider, base64url
from demo_storefront import door, storefront
from rich.console import Console

from fastedge.routing import assign

HERE = Path(__file__).parent
RUN = HERE.parent / "run"
EDGE, ADMIN = ("127.0.0.1", 8080), ("127.0.0.1", 8081)
ORIGINS = {"eu": 9001, "us": 9002}
PROVIDER = IdentityProvider(9003)
FRONT, DOOR = 9004, 9005
GERMAN, AMERICAN = "194.25.0.60", "8.8.8.8"
READY_TIMEOUT_S = 15
ROTATION_TIMEOUT_S = 10
SHOWN_CHARS_MAX = 87
_CHECKOUT = f"http://{EDGE[0]}:{EDGE[1]}/checkout/pay"
_ADMIN = '"Authorization: Bearer $(cat run/admin)"'
_OWN = '^HTTP|^cache-status|data-edge|class="hero"'  # what a visitor's page is told by
_SHOES = '{"tags":["shoes"]}'
_TOLD = {  # fields that are shown, and what stands before them
    "location": "",
    "www-authenticate": "",
    "x-checkout": "variant ",
    "cache-status": "Cache-Status: ",
    "age": "Age: ",
}


@dataclass(frozen=True)
class Try:
    """One thing to see: what it shows, the path, and the fields that make it so. With a body it is a POST. What has to
    happen before gives a line about it. Of a page, the lines are shown in which `lines` is found."""

    shows: str
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    address: tuple[str, int] = EDGE
    body: str | None = None
    lines: str = ""
    wait_s: float = 0.0
    before: Callable[[], str] | None = None


def main() -> int:
    RUN.mkdir(exist_ok=True)
    shutil.rmtree(RUN / "cache", ignore_errors=True)  # so that the first page is a MISS each time
    environment = {"SHOP_KEY": secrets.token_hex(32), "FASTEDGE_ADMIN_TOKEN": secrets.token_hex(16)}
    (RUN / "token").write_text(_token(environment["SHOP_KEY"]))
    (RUN / "admin").write_text(environment["FASTEDGE_ADMIN_TOKEN"])
    (RUN / "env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    for name, port in ORIGINS.items():
        threading.Thread(target=_origin(name, port).serve_forever, daemon=True).start()
    PROVIDER.publish("old")
    (RUN / "old").write_text(PROVIDER.token("old", "shop", "ada"))
    threading.Thread(target=PROVIDER.server().serve_forever, daemon=True).start()
    threading.Thread(target=storefront(FRONT).serve_forever, daemon=True).start()
    known = {name: {n: _filled(value) for n, value in fields.items()} for name, (_, fields) in _visitors().items()}
    threading.Thread(target=door(DOOR, EDGE, known).serve_forever, daemon=True).start()
    edge = subprocess.Popen(
        [sys.executable, "-m", "fastedge", "run", str(HERE / "shop.toml")],
        env={**os.environ, **environment},
        start_new_session=True,  # Ctrl-C reaches it through us, once
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: edge.terminate())
    if _ready(edge):
        _show(Console())
    return edge.wait()


def _origin(name: str, port: int) -> ThreadingHTTPServer:
    """An application that counts its answers: the catalogue is for all, the rest says what it knows of the visitor."""
    answers: Counter[str] = Counter()

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answers[self.path] += 1
            lines = [f"{self.path}: answer {answers[self.path]} of the {name} origin"]
            is_shared = self.path.startswith("/catalogue/")
            if not is_shared:
                told = [n for n in ("x-customer", "edge-variant", "x-forwarded-for") if self.headers[n]]
                lines += [f"{n}: {self.headers[n]}" for n in told]
            body = ("\n".join(lines) + "\n").encode()
            self.send_response_only(200)  # no Date, which is rounded down: ages are exact without
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            if is_shared:
                self.send_header("Cache-Control", "max-age=60")
                self.send_header("Cache-Tag", self.path.partition("?")[0].split("/")[2])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Page)


def _token(secret: str) -> str:
    """A token for the customer Ada, good for a day (RFC 7519)."""
    claims = {
        "iss": "https://id.shop.example",
        "aud": "shop",
        "sub": "ada",
        "name": "Ada",
        "exp": int(time.time()) + 86_400,
    }
    signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{base64url(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def _rotate() -> str:
    """The provider goes over to a new key while customers ask without a pause: what became of their requests."""
    served: Counter[tuple[str, str]] = Counter()
    signing = ["old"]
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            name = signing[-1]
            try:
                served[name, _account(name)[:3]] += 1
            except OSError:
                served[name, "no answer"] += 1

    customers = [threading.Thread(target=ask) for _ in range(2)]
    for customer in customers:
        customer.start()
    PROVIDER.publish("new")
    (RUN / "new").write_text(PROVIDER.token("new", "shop", "ada"))
    time.sleep(1.5)  # longer than the set's lifetime, which is a second here: every edge has the new key
    signing.append("new")
    time.sleep(0.5)
    PROVIDER.withdraw("old")
    deadline = time.monotonic() + ROTATION_TIMEOUT_S
    while not _account("old").startswith("401") and time.monotonic() < deadline:
        time.sleep(0.1)
    stopped.set()
    for customer in customers:
        customer.join()
    failed = sum(count for (_, status), count in served.items() if status != "200")
    return (
        f"{served.total():,} requests meanwhile, {failed or 'none'} failed: "
        f"{served['old', '200']:,} by the old key, {served['new', '200']:,} by the new one"
    )


def _account(name: str) -> str:
    return _ask(Try("", "/account/", {"Authorization": f"Bearer $(cat run/{name})"}))


def _ready(edge: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and edge.poll() is None:
        try:
            if _ask(Try("", "/readyz", address=ADMIN)).startswith("200"):
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def _ask(what: Try) -> str:
    """Status, and of the answer what the row is about."""
    connection = http.client.HTTPConnection(*what.address, timeout=5)
    fields = {name: _filled(value) for name, value in what.fields.items()}
    connection.request("POST" if what.body else "GET", what.path, what.body, fields)
    response = connection.getresponse()
    lines = response.read().decode().splitlines()
    connection.close()
    told = [label + value for name, label in _TOLD.items() if (value := response.getheader(name))]
    if what.path == "/metrics":
        told = [line for line in lines if line.startswith('fastedge_cache_responses_total{outcome="hit"}')]
    elif response.status == 200 and not what.lines:
        told.insert(0, lines[0] if len(lines[0]) <= SHOWN_CHARS_MAX else f"{lines[0][:SHOWN_CHARS_MAX]}…")
    own = [f"\n     {line.strip()}" for line in lines if what.lines and re.search(what.lines, line)]
    return " · ".join([f"{response.status} {response.reason}", *told]) + "".join(own)


def _filled(value: str) -> str:
    """With what the shell would put in place of `$(cat FILE)`."""
    return re.sub(r"\$\(cat run/(\w+)\)", lambda found: (RUN / found[1]).read_text(), value)


def _visitor(variant: str, experiment: str = "checkout") -> str:
    """A visitor whom the experiment puts into this variant."""
    names = (f"visitor-{number}" for number in range(1000))
    return next(name for name in names if assign(experiment, name, {"a": 50, "b": 50}) == variant)


def _visitors() -> dict[str, tuple[str, dict[str, str]]]:
    """Who they are, and the fields that make them so."""
    ada = {"Authorization": "Bearer $(cat run/token)", "X-Forwarded-For": GERMAN}
    other = {"Cookie": f"uid={_visitor('b', 'hero')}", "X-Forwarded-For": AMERICAN}
    return {
        "german": ("as Ada sees it, signed in, from Germany", ada),
        "american": ("as somebody in the United States sees it, who is in variant b", other),
        "anonymous": ("as a stranger sees it", {}),
    }


def _tries() -> list[Try]:
    customer = {"Authorization": "Bearer $(cat run/token)"}
    admin = {"Authorization": "Bearer $(cat run/admin)"}
    german, american = {"X-Forwarded-For": GERMAN}, {"X-Forwarded-For": AMERICAN}
    return [
        Try("a page that has moved", "/old-shoes?size=42"),
        Try("no token, no checkout: the origin never hears of it", "/checkout/pay"),
        Try("a customer in variant a: not stored", "/checkout/pay", customer | {"Cookie": f"uid={_visitor('a')}"}),
        Try("and in variant b", "/checkout/pay", customer | {"Cookie": f"uid={_visitor('b')}"}),
        Try("MISS: a visitor from Germany, so the European origin is asked", "/catalogue/shoes", german),
        Try("MISS: the other origin's page is another one in the store too", "/catalogue/shoes", american),
        Try("HIT: the next visitor from Germany gets what is stored", "/catalogue/shoes", german),
        Try("MISS: the stock is good for one second", "/catalogue/stock"),
        Try("STALE: over for a second, so it is sent at once and refreshed beside", "/catalogue/stock", wait_s=2.1),
        Try("HIT: what the refresh brought", "/catalogue/stock", wait_s=0.1),
        Try("PURGE: all that is tagged shoes, in force when it is answered", "/v1/purge", admin, ADMIN, _SHOES),
        Try("MISS: so the origin is asked again", "/catalogue/shoes", german),
        Try(
            "ROTATION: the provider publishes a new key, signs with it, withdraws the old one",
            "/account/",
            {"Authorization": "Bearer $(cat run/new)"},
            before=_rotate,
        ),
        Try("a token by the key that was withdrawn", "/account/", {"Authorization": "Bearer $(cat run/old)"}),
        *(
            Try(f"PERSONAL: the shop's page, {who}", "/shop", fields, lines=_OWN)
            for who, fields in _visitors().values()
        ),
        Try("what was counted, over all workers", "/metrics", address=ADMIN),
    ]


def _show(console: Console) -> None:
    """Commands stand alone on their lines, so that they can be copied."""
    for number, one in enumerate(_tries(), 1):
        time.sleep(one.wait_s)
        console.print(f"\n[bold]{number}  {one.shows}[/bold]", highlight=False, soft_wrap=True)
        if one.before is not None:
            console.print(f"   {one.before()}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"   {_command(one)}", style="cyan", highlight=False, markup=False, soft_wrap=True)
        console.print(f"   → {_ask(one)}", style="green", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"\nThe three of them in a browser: http://{EDGE[0]}:{DOOR}/\n"
        "What is stored for a page?\n"
        f"   curl -H {_ADMIN} 'http://{ADMIN[0]}:{ADMIN[1]}/v1/cache?url=http://{EDGE[0]}:{EDGE[1]}/catalogue/shoes'\n"
        "Why was it decided so?\n"
        f"   env $(cat run/env) {_command_line()} explain policies/shop.toml {_CHECKOUT} --ip {GERMAN}\n"
        "Ctrl-C ends the demo. Its log: run/access.log",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _command_line() -> str:
    """How to call fastedge from here."""
    program = Path(sys.executable).with_name("fastedge")
    return os.path.relpath(program) if program.exists() else f"{os.path.relpath(sys.executable)} -m fastedge"


def _command(one: Try) -> str:
    parts = ["curl -is" if one.lines else "curl -i"]
    for name, value in one.fields.items():
        parts.append(f"-H '{name}: {value}'" if "$" not in value else f'-H "{name}: {value}"')
    if one.body:
        parts.append(f"-d '{one.body}'")
    parts.append(f"'http://{one.address[0]}:{one.address[1]}{one.path}'")
    return " ".join([*parts, f"| grep -E '{one.lines}'"] if one.lines else parts)


if __name__ == "__main__":
    sys.exit(main())
