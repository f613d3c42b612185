"""A whole edge as its user runs it: real processes on loopback, its standard error read as it comes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

TOKEN = "open-sesame"
SECONDS_MAX = 12.0

POLICY = """
from fastedge import Pipeline, Response

class Answer:
    def on_request(self, request, ctx):
        return Response.text({word!r})

pipeline = Pipeline(Answer())
"""

CONFIG = """
[server]
listen = [{listen}]
workers = {workers}
drain_timeout_ms = {drain_timeout_ms}
[policy]
file = "shop.py"
[log]
access = "{log}"
[admin]
listen = "127.0.0.1:0"
token_env = "EDGE_TOKEN"
{more}
"""


class Edge:
    """Started when made; `stop` in any case. What it prints on standard error is in `lines`."""

    def __init__(
        self,
        directory: Path,
        *,
        policy: str = POLICY.format(word="one"),
        listen: str = '"127.0.0.1:0"',
        workers: int = 2,
        drain_timeout_ms: int = 5_000,
        log: str = "off",
        more: str = "",
        wait: bool = True,
    ) -> None:
        self.directory = directory
        self.lines: list[str] = []
        self.config = CONFIG.format(
            listen=listen, workers=workers, drain_timeout_ms=drain_timeout_ms, log=log, more=more
        )
        self.write(policy)
        (directory / "edge.toml").write_text(self.config)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastedge", "run", str(directory / "edge.toml")],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "EDGE_TOKEN": TOKEN},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if wait:
            line = self.wait_for_line("serving ")
            self.admin_port = int(line.rpartition(":")[2])
            ports = re.findall(r"http://(?:127\.0\.0\.1|\[::1\]):(\d+)", line.partition(" · ")[0])
            self.port = int(ports[0]) if ports else 0

    # --- what is done to it -------------------------------------------------------------------------------------

    def write(self, policy: str) -> None:
        (self.directory / "shop.py").write_text(policy)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    # --- what it is asked ---------------------------------------------------------------------------------------

    def get(self, path: str = "/") -> str:
        return ask(self.port, "GET", path)[1]

    def admin(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        return ask(self.admin_port, method, path, headers)

    def reload(self) -> tuple[int, Any]:
        status, body = self.admin("POST", "/v1/reload", {"Authorization": f"Bearer {TOKEN}"})
        return status, json.loads(body)

    def status(self) -> Any:
        return json.loads(self.admin("GET", "/v1/status")[1])

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"] if worker["pid"]]

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.admin("GET", "/readyz")[0] == 200, "the edge is ready")

    def wait_for_line(self, part: str) -> str:
        def found() -> str:
            return next((line for line in self.lines if part in line), "")

        wait_until(lambda: found() or self.process.poll() is not None, part)
        assert found(), "\n".join(self.lines)
        return found()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())


def ask(port: int, method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS_MAX} s: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether it is a process that has not ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def connect(port: int, request: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
    client.sendall(request)
    return client


def read_reply(client: socket.socket) -> bytes:
    """All bytes until the other side says no more."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
