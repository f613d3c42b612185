"""Real processes: two that want one object, and some that are killed at any moment."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disk.desk import Listener, response
from disk.victim import BODY, STORED

from fastedge.disk.directory import SharedIndex
from fastedge.disk.follow import End

TESTS = Path(__file__).parents[1]


@pytest.fixture
def spawn():
    made = []

    def start(directory: Path, shared: SharedIndex, task: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "disk.victim", str(directory), str(shared.descriptor), task]
        made.append(
            subprocess.Popen(
                command,
                cwd=TESTS,
                pass_fds=[shared.descriptor],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_two_processes_and_two_hundred_requests_make_one_fetch(tmp_path, spawn):
    shared = SharedIndex(64)
    workers = [spawn(tmp_path, shared, "fetch") for _ in range(2)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.stdout.read() for worker in workers]
    assert sorted(said) == ["followed True\nfetches 0\n", "led True\nfetches 1\n"]
    shared.close()


def test_leader_that_is_killed_leaves_nothing_and_another_leads(make_desk, spawn):
    desk = make_desk()
    victim = spawn(desk.directory, desk.shared, "lead")
    assert victim.stdout.readline() == "half\n"
    claim, listener = desk.tier.claim(STORED.high, STORED.low), Listener()
    assert not claim.is_leader
    claim.follow(listener)
    desk.until(lambda: len(listener.data) == 150_000)
    assert listener.data == BODY[:150_000]
    victim.kill()  # and not waited for: a zombie is as dead
    desk.until(lambda: listener.end)
    assert listener.end is End.LOST
    assert desk.files() == []
    assert desk.tier.claim(STORED.high, STORED.low).is_leader


def test_leader_that_is_stopped_is_not_taken_for_dead(make_desk, spawn):
    desk = make_desk()
    victim = spawn(desk.directory, desk.shared, "lead")
    assert victim.stdout.readline() == "half\n"
    victim.send_signal(signal.SIGSTOP)
    listener = Listener()
    desk.tier.claim(STORED.high, STORED.low).follow(listener)
    desk.until(lambda: len(listener.data) == 150_000)
    with pytest.raises(AssertionError, match="does not come"):
        desk.until(lambda: listener.end, patience_s=0.3)


def test_successor_sweeps_what_a_killed_worker_left(make_desk, spawn):
    desk = make_desk()
    victim = spawn(desk.directory, desk.shared, "lead")
    assert victim.stdout.readline() == "half\n"
    victim.kill()
    victim.wait()
    assert len(desk.files()) == 1
    successor = make_desk(beside=desk)
    successor.until(lambda: not successor.files())
    assert successor.tier.claim(STORED.high, STORED.low).is_leader


def test_workers_killed_at_any_moment_leave_whole_records_only(make_desk, spawn):
    """What is on disk afterwards is right, byte for byte, and counted right; a restart finds the same."""
    desk = make_desk()
    randomness = random.Random(1)
    for _ in range(6):
        victim = spawn(desk.directory, desk.shared, "hammer")
        victim.stdout.readline()
        time.sleep(randomness.uniform(0.02, 0.2))
        victim.kill()
        victim.wait()
    make_desk(beside=desk).settle()
    desk.settle()
    assert [path for path in desk.files() if path.suffix] == []
    found = check_all(desk)
    assert found
    assert desk.tier.index.entries == len(desk.files())
    assert desk.tier.index.bytes_used == sum((path.stat().st_size + 4095) // 4096 * 4096 for path in desk.files())
    assert check_all(make_desk()) == found, "after a restart"


def check_all(desk) -> int:
    """How many responses there are; every one has a body that its own beginning tells."""
    count = 0
    for number in range(50):
        stored = response(b"http://hammer/%d" % number)
        for one in desk.load(stored):
            body = one.body if isinstance(one.body, bytes) else b"".join(pieces(desk, one.body))
            value = int(re.match(rb"(\d*)", body)[0] or 0)
            assert body == b"%d," % value * (value * 20)
            assert value % 50 == number or body == b""
            count += 1
    return count


def pieces(desk, body):
    offset = 0
    while offset < body.length:
        piece = body.read_some(offset, 1 << 18)
        assert piece, "it was just verified"
        yield piece
        offset += len(piece)


def test_process_is_known_by_its_start(spawn, tmp_path):
    from fastedge.disk.process import is_alive, owner_of, this_owner

    assert is_alive(this_owner())
    assert owner_of(os.getpid()) == this_owner()
    assert not is_alive(this_owner() ^ 1), "another one of the same number"
    shared = SharedIndex(1)
    victim = spawn(tmp_path, shared, "lead")
    owner = owner_of(victim.pid)
    assert is_alive(owner)
    victim.kill()
    victim.stdout.read()
    deadline = time.monotonic() + 5
    while is_alive(owner):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not is_alive(0)
    shared.close()
