"""The demo behind `make run`, as a person meets it: started, its commands copied into a shell, ended with Ctrl-C."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PORTS = (8080, 8081, 9001, 9002)
START_TIMEOUT_S = 60


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def printed() -> Iterator[list[str]]:
    """The lines that the running demo has printed."""
    busy = [port for port in PORTS if not _is_free(port)]
    if busy and not os.environ.get("CI"):
        pytest.skip(f"the demo's ports are in use: {busy}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    command = [sys.executable, "policies/demo.py"]
    demo = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    guard = threading.Timer(START_TIMEOUT_S, demo.kill)
    guard.start()
    lines = []
    for line in demo.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("Ctrl-C"):
            break
    guard.cancel()
    yield lines
    demo.send_signal(signal.SIGINT)
    demo.wait(30)
    demo.stdout.close()


def _answers(lines: list[str]) -> list[str]:
    return [line.strip().removeprefix("→ ") for line in lines if line.strip().startswith("→")]


def test_demo_shows_one_thing_with_each_command(printed: list[str]) -> None:
    answers = _answers(printed)
    assert answers[0] == "301 Moved Permanently · /catalogue/shoes?size=42"
    assert answers[1] == '401 Unauthorized · Bearer realm="edge"'
    assert answers[2].startswith("200 OK · us · ")
    assert answers[3:7] == ["200 OK · us · a", "200 OK · us · b", "200 OK · eu", "200 OK · us"]
    assert answers[7].startswith('200 OK · fastedge_requests_total{status="2xx"} ')
    assert int(answers[7].split()[-1]) >= 5


def test_commands_work_when_they_are_copied(printed: list[str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    commands = [line.strip() for line in printed if line.strip().startswith("curl")]
    assert len(commands) == len(_answers(printed))
    for command, answer in zip(commands, _answers(printed), strict=True):
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout.splitlines()[0].startswith(f"HTTP/1.1 {answer[:3]} ")


def test_explain_works_as_it_is_printed(printed: list[str]) -> None:
    command = next(line.strip() for line in printed if " explain " in line)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "JwtAuth.on_request  deny" in done.stdout
    assert "answer: 401 by the edge" in done.stdout
