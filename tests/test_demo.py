"""The demo behind `make run`, as a person meets it: started, its commands copied into a shell, ended with Ctrl-C."""

import json
import os
import re
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
PORTS = (8080, 8081, 9001, 9002, 9003, 9004, 9005)
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
    for number, variant in ((1, "a"), (2, "b")):
        personal = f"/checkout/pay: answer {number} of the us origin · variant {variant}"
        assert answers[number + 1] == f"200 OK · {personal} · Cache-Status: fastedge; fwd=bypass; detail=private"
    assert re.fullmatch(r'200 OK · fastedge_cache_responses_total\{outcome="hit"\} [2-9]', answers[-1])


@pytest.mark.parametrize(
    ("position", "answer", "status"),
    [
        (4, "/catalogue/shoes: answer 1 of the eu origin", r"fwd=uri-miss; stored"),
        (5, "/catalogue/shoes: answer 1 of the us origin", r"fwd=uri-miss; stored"),
        (6, "/catalogue/shoes: answer 1 of the eu origin", r"hit; ttl=\d+ · Age: \d+"),
        (7, "/catalogue/stock: answer 1 of the us origin", r"fwd=uri-miss; stored"),
        (8, "/catalogue/stock: answer 1 of the us origin", r"hit; ttl=-\d+ · Age: \d+"),
        (9, "/catalogue/stock: answer 2 of the us origin", r"hit; ttl=[01] · Age: \d+"),
        (11, "/catalogue/shoes: answer 2 of the eu origin", r"fwd=uri-miss; stored"),
    ],
)
def test_demo_shows_the_cache(printed: list[str], position: int, answer: str, status: str) -> None:
    shown = _answers(printed)[position]
    assert re.fullmatch(rf"200 OK · {re.escape(answer)} · Cache-Status: fastedge; {status}", shown), shown


def test_demo_shows_a_purge(printed: list[str]) -> None:
    assert _answers(printed)[10].startswith('200 OK · {"purged":{"tags":1,')


def test_demo_shows_a_rotation_without_a_failed_request(printed: list[str]) -> None:
    (line,) = [line for line in printed if " requests meanwhile, " in line]
    found = re.fullmatch(r"   ([\d,]+) requests meanwhile, none failed: ([\d,]+) by the old key, ([\d,]+) by .*", line)
    assert found, line
    total, old, new = (int(number.replace(",", "")) for number in found.groups())
    assert old + new == total
    assert min(old, new) > 0
    assert _answers(printed)[12].startswith("200 OK · /account/: answer ")
    assert _answers(printed)[13] == '401 Unauthorized · Bearer realm="edge", error="invalid_token"'


@pytest.mark.parametrize(
    ("position", "status", "shown"),
    [
        (14, "fwd=uri-miss; stored", ["Guten Morgen", ">Ada<", "/shop/dawn.svg", ">129,00 €<", "In zwei Tagen"]),
        (15, "hit; ttl=", ["Trail week", ">stranger<", "/shop/night.svg", ">$139.00<", "At your door"]),
        (16, "hit; ttl=", ["Free returns", ">stranger<", "/shop/dawn.svg", ">from 129 €<", "We deliver"]),
    ],
)
def test_demo_shows_one_stored_page_as_three_see_it(
    printed: list[str], position: int, status: str, shown: list[str]
) -> None:
    first = f"→ {_answers(printed)[position]}"
    assert first.startswith(f"→ 200 OK · Cache-Status: fastedge; {status}")
    at = [i for i, line in enumerate(printed) if line.strip().startswith("→")][position]
    lines = printed[at + 1 : at + 6]
    assert all(part in line for part, line in zip(shown, lines, strict=True)), lines


def test_commands_work_when_they_are_copied(printed: list[str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    commands = [line.strip() for line in printed if line.strip().startswith("curl -i")]
    assert len(commands) == len(_answers(printed))
    for command, answer in zip(commands, _answers(printed), strict=True):
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout.splitlines()[0].startswith(f"HTTP/1.1 {answer[:3]} ")


def test_store_can_be_looked_into_as_it_is_printed(printed: list[str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    command = next(line.strip() for line in printed if "/v1/cache" in line)
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    stored = json.loads(done.stdout)["workers"][0]["objects"]
    assert [one["tags"] for one in stored if one["state"] == "fresh"] == [["shoes"]]


def test_explain_works_as_it_is_printed(printed: list[str]) -> None:
    command = next(line.strip() for line in printed if " explain " in line)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "JwtAuth.on_request  deny" in done.stdout
    assert "answer: 401 by the edge" in done.stdout
