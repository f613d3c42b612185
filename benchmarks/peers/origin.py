"""The origin of the cache's jobs (benchmarks/origin.py), and how often it was asked."""

import http.client
import sys
from pathlib import Path

from benchmarks.peers import Peer, Setting
from benchmarks.process import HOST, Command
from benchmarks.traffic import BODY_BYTES

ROOT = Path(__file__).parents[2]


def counting_origin(body_bytes: int = BODY_BYTES, tags: int = 0, delay_ms: int = 0) -> Peer:
    """An origin whose pages may be stored for an hour; its options are those of benchmarks/origin.py."""

    return _origin("--body", str(body_bytes), "--tags", str(tags), "--delay-ms", str(delay_ms))


def personal_origin() -> Peer:
    """The origin of the personal job, which counts as well."""
    return _origin("--personal")


def requests_seen(port: int) -> int:
    """How often the origin on `port` was asked for a page."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/requests")
        return int(connection.getresponse().read())
    finally:
        connection.close()


def _origin(*options: str) -> Peer:
    def prepare(setting: Setting) -> Command:
        argv = (sys.executable, "-m", "benchmarks.origin", str(setting.port), *options)
        return Command(argv, {"PYTHONPATH": str(ROOT)})

    return Peer("origin", lambda: None, lambda: "counts its requests", prepare)
