"""nginx and HAProxy for tests, each with a configuration of its own in a test's directory. Stopped by their pid."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

PACKAGES = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
}
START_S = 20.0


def binary(name: str) -> str:
    """Where the server is; without it the test is skipped, but in CI it fails."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        text = f"needs {name}: apt-get install {PACKAGES[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RealServer:
    """Runs from `with` to its end, and answers on `port` as soon as it is entered."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self._command = command
        self.port = port
        self._log = log

    def __enter__(self) -> "RealServer":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    pytest.fail(self._log.read_text())
                time.sleep(0.01)

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def nginx(directory: Path, server: str) -> RealServer:
    """nginx with one `server` block; it must not say where it listens."""
    program, port = binary("nginx"), free_port()
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / "nginx" / name).mkdir(parents=True, exist_ok=True)
    temporary = " ".join(
        f"{key}_temp_path {directory}/nginx/{name};"
        for key, name in [("client_body", "body"), *((n, n) for n in ("proxy", "fastcgi", "uwsgi", "scgi"))]
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr error;\n"
        f"events {{ worker_connections 512; }}\n"
        f"http {{ access_log off; {temporary}\nserver {{ listen 127.0.0.1:{port};\n{server}\n}} }}\n"
    )
    command = [program, "-e", "stderr", "-p", str(directory), "-c", str(directory / "nginx.conf")]
    return RealServer(command, port, directory / "nginx.log")


def haproxy(directory: Path, server: str) -> RealServer:
    """HAProxy in front of one `server` (its address), as most people run it."""
    program, port = binary("haproxy"), free_port()
    (directory / "haproxy.cfg").write_text(
        "defaults\n mode http\n timeout connect 2s\n timeout client 5s\n timeout server 5s\n option forwardfor\n"
        f"frontend front\n bind 127.0.0.1:{port}\n default_backend edge\n"
        f"backend edge\n http-reuse always\n server edge {server}\n"
    )
    return RealServer([program, "-db", "-f", str(directory / "haproxy.cfg")], port, directory / "haproxy.log")
