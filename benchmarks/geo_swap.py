"""Swaps a geo table of a million ranges under load and shows what requests waited: python -m benchmarks.geo_swap

One edge of one worker on loopback, one client that asks without a pause; the same for as long without any swap.
"""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError
from tests.geo.mmdb_writer import encode, even_database

RANGES_LOG2 = 20
PLACES = 200_000
SECONDS = 12.0
SWAPS = 3
REQUEST = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
POLICY = """
from fastedge import Pipeline, Response

class Where:
    def on_request(self, request, ctx):
        return Response.text(ctx.geo.city)

pipeline = Pipeline(Where())
"""
CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[policy]
file = "policy.py"
[log]
access = "off"
[geo]
database = "city.mmdb"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        port = _free_port()
        (directory / "policy.py").write_text(POLICY)
        (directory / "edge.toml").write_text(CONFIG.format(port=port))
        versions = [_database(f"v{i}") for i in range(SWAPS + 1)]
        _put(directory, versions[0])
        edge = subprocess.Popen(
            [sys.executable, "-m", "fastedge", "run", str(directory / "edge.toml")], stderr=subprocess.PIPE
        )
        try:
            _wait(port)
            _report("at rest", _delays(port, lambda share: None))
            waiting = list(versions[1:])

            def swap(share: float) -> None:
                if waiting and share > (SWAPS - len(waiting)) / SWAPS:
                    _put(directory, waiting.pop(0))

            _report(f"{SWAPS} swaps", _delays(port, swap))
        finally:
            edge.send_signal(signal.SIGTERM)
            _, said = edge.communicate(timeout=30)
        swaps = said.decode().count("the new table is in use")
        print(f"{swaps} of {SWAPS} tables came into use")


def _database(version: str) -> bytes:
    records = (
        encode({"city": {"names": {"en": f"{version} {i}"}}, "country": {"iso_code": "DE"}}) for i in range(PLACES)
    )
    return even_database(list(records), bits=RANGES_LOG2)


def _put(directory: Path, data: bytes) -> None:
    fresh = directory / "city.new"
    fresh.write_bytes(data)
    fresh.rename(directory / "city.mmdb")


def _delays(port: int, now_and_then: Callable[[float], None]) -> list[float]:
    """Of each request, in seconds."""
    delays = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(REQUEST)
        client.recv(65536)  # the first one waits for the worker to start
        begin = last = time.perf_counter()
        while last < begin + SECONDS:
            now_and_then((last - begin) / SECONDS)
            asked = time.perf_counter()
            client.sendall(REQUEST)
            client.recv(65536)
            last = time.perf_counter()
            delays.append(last - asked)
    return delays


def _report(what: str, delays: list[float]) -> None:
    delays.sort()
    worst = " ".join(f"{1000 * delay:.2f}" for delay in delays[-5:])
    middle, most = delays[len(delays) // 2], delays[int(len(delays) * 0.9999)]
    figures = f"median {1000 * middle:.3f} ms, 99.99 % {1000 * most:.2f} ms, worst {worst} ms"
    print(f"{what}: {len(delays)} requests, {figures}", flush=True)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchmarkError("the edge does not listen")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
