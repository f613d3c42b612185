"""The log's writer: whole lines, in order, from a thread that nothing stops and that stops nothing."""

import errno
import fcntl
import os
import select
import subprocess
import sys
import threading
import time

import pytest

from fastedge.errors import ConfigError
from fastedge.server import log_writer
from fastedge.server.log_writer import LogWriter

LINE = b'{"line":%06d,"filler":"' + b"x" * 300 + b'"}\n'


class Counts(dict):
    def __call__(self, name, n):
        self[name] = self.get(name, 0) + n


@pytest.fixture
def counts():
    return Counts()


@pytest.fixture
def quick(monkeypatch):
    """Failed writes are repeated at once."""
    monkeypatch.setattr(log_writer, "log_retry_ms", 5)


def lines(start, count):
    return b"".join(LINE % i for i in range(start, start + count))


def wait_for(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def pipe_writer(tmp_path, counts):
    """A writer into a FIFO, and the descriptor of its reader."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LogWriter(str(path), counts)
    yield writer, reader
    writer.close(50)
    if writer._thread.is_alive():
        os.close(reader)
        writer._thread.join(5)
    else:
        os.close(reader)


def drain(reader, want, patience_s=5.0):
    """Reads `want` bytes, or less when no more come."""
    taken = b""
    while len(taken) < want and select.select([reader], [], [], patience_s)[0]:
        taken += os.read(reader, 65536)
    return taken


def test_batches_arrive_whole_and_in_order(tmp_path, counts):
    path = tmp_path / "log"
    writer = LogWriter(str(path), counts)
    for i in range(0, 1000, 10):
        writer.put(lines(i, 10))
    assert writer.close()
    assert path.read_bytes() == lines(0, 1000)
    assert counts == {}
    assert writer.backlog_bytes == 0


def test_file_is_appended_to_and_not_for_everyone(tmp_path, counts):
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    LogWriter(str(path), counts).close()
    writer = LogWriter(str(tmp_path / "new"), counts)
    writer.put(b"x\n")
    assert writer.close()
    assert path.read_bytes() == b"before\n"
    assert (tmp_path / "new").stat().st_mode & 0o007 == 0


def test_path_that_cannot_be_opened_is_a_config_error(tmp_path, counts):
    with pytest.raises(ConfigError, match=r"log\.access: .*missing/log cannot be written: No such file"):
        LogWriter(str(tmp_path / "missing" / "log"), counts)


def test_closed_stdout_is_a_config_error(counts, monkeypatch):
    closed = os.open(os.devnull, os.O_WRONLY)
    os.close(closed)
    monkeypatch.setattr(log_writer, "_STDOUT", closed)
    with pytest.raises(ConfigError, match=r"log\.access: stdout cannot be written: Bad file descriptor"):
        LogWriter("stdout", counts)


def test_fifo_without_reader_is_a_config_error_and_no_wait(tmp_path, counts):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="fifo"):
        LogWriter(str(tmp_path / "fifo"), counts)


def test_reopen_after_rotation_keeps_the_order(tmp_path, counts):
    path = tmp_path / "log"
    writer = LogWriter(str(path), counts)
    writer.put(lines(0, 50))
    path.rename(tmp_path / "log.1")
    writer.put(lines(50, 50))
    writer.reopen()
    writer.put(lines(100, 50))
    assert writer.close()
    assert (tmp_path / "log.1").read_bytes() == lines(0, 100)
    assert path.read_bytes() == lines(100, 50)


def test_reopen_that_fails_keeps_the_old_file(tmp_path, counts):
    directory = tmp_path / "logs"
    directory.mkdir()
    writer = LogWriter(str(directory / "log"), counts)
    directory.rename(tmp_path / "moved")
    writer.reopen()
    writer.put(lines(0, 1))
    assert writer.close()
    assert (tmp_path / "moved" / "log").read_bytes() == lines(0, 1)
    assert counts == {"log_write_errors": 1}


def test_slow_reader_costs_whole_lines_and_no_time(pipe_writer, counts, monkeypatch):
    writer, reader = pipe_writer
    monkeypatch.setattr(log_writer, "log_queue_bytes_max", 100_000)
    began = time.monotonic()
    for i in range(0, 2000, 100):
        writer.put(lines(i, 100))
    assert time.monotonic() - began < 0.5
    assert writer.backlog_bytes <= 100_000
    got = drain(reader, 2000 * len(LINE % 0), 0.4).splitlines(keepends=True)
    numbers = [int(line[8:14]) for line in got]
    assert b"".join(got) == b"".join(LINE % n for n in numbers)
    assert numbers == sorted(set(numbers))
    assert len(numbers) + counts["log_lines_dropped"] == 2000


def test_batch_beyond_the_room_is_cut_between_lines(pipe_writer, counts, monkeypatch):
    writer, reader = pipe_writer
    size = len(LINE % 0)
    monkeypatch.setattr(log_writer, "log_queue_bytes_max", 3 * size + size // 2)
    writer.put(lines(0, 5))
    assert drain(reader, 3 * size) == lines(0, 3)
    assert counts == {"log_lines_dropped": 2}


def test_close_waits_no_longer_than_it_may(pipe_writer, counts):
    writer, _ = pipe_writer
    for _ in range(3):
        writer.put(lines(0, 300))
    began = time.monotonic()
    assert writer.close(100) is False
    assert 0.09 < time.monotonic() - began < 1
    assert counts["log_lines_dropped"] == 600


def test_put_after_close_is_a_drop(tmp_path, counts):
    writer = LogWriter(str(tmp_path / "log"), counts)
    assert writer.close()
    writer.put(lines(0, 2))
    assert counts == {"log_lines_dropped": 2}


def test_lost_reader_is_counted_and_survived(pipe_writer, counts, quick, tmp_path):
    writer, reader = pipe_writer
    os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
    writer.put(lines(0, 2))
    wait_for(lambda: counts.get("log_write_errors", 0) >= 2)
    again = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert drain(again, len(lines(0, 2))) == lines(0, 2)
    wait_for(lambda: writer.backlog_bytes == 0)
    os.close(again)


def test_lines_for_a_lost_reader_are_dropped_at_close(pipe_writer, counts):
    writer, reader = pipe_writer
    os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
    writer.put(lines(0, 7))
    assert writer.close() is False
    assert counts["log_lines_dropped"] == 7


def test_full_disk_leaves_one_fragment_and_every_line_whole(tmp_path, counts, quick, monkeypatch):
    path = tmp_path / "log"
    writer = LogWriter(str(path), counts)
    room = [len(LINE % 0) * 2 + 100, 3]

    def short_write(fd, data, write=os.write):
        if room[0] == 0:
            room[1] -= 1
            room[0] = 0 if room[1] else 10**9
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(fd, bytes(data)[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", short_write)
    writer.put(lines(0, 5))
    wait_for(lambda: writer.backlog_bytes == 0)
    assert writer.close()
    assert counts == {"log_write_errors": 3}
    assert path.read_bytes() == lines(0, 2) + (LINE % 2)[:100] + b"\n" + lines(2, 3)


def test_reopen_is_a_way_out_of_a_full_disk(tmp_path, counts, quick):
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    writer = LogWriter(str(path), counts)
    writer.put(lines(0, 5))
    wait_for(lambda: counts.get("log_write_errors"))
    path.unlink()
    writer.reopen()
    wait_for(lambda: writer.backlog_bytes == 0)
    assert writer.close()
    assert path.read_bytes() == lines(0, 5)


def test_nonblocking_pipe_is_waited_for(pipe_writer, counts):
    writer, reader = pipe_writer
    fcntl.fcntl(writer._fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_WRONLY)
    writer.put(lines(0, 1000))
    assert drain(reader, len(lines(0, 1000))) == lines(0, 1000)
    assert counts == {}


WORKER = """
import sys
from fastedge.server.log_writer import LogWriter
writer = LogWriter(sys.argv[1], lambda name, n: sys.exit(name))
name = sys.argv[2]
for i in range(200):
    writer.put(b"".join(b"%s %06d %s\\n" % (name.encode(), i * 10 + j, name.encode() * (37 * j)) for j in range(10)))
assert writer.close(30_000)
"""


def run_workers(target, **options):
    return [subprocess.Popen([sys.executable, "-c", WORKER, target, name], **options) for name in ("a", "b")]


def check_lines_of_two_workers(data):
    for name in (b"a", b"b"):
        mine = [line for line in data.splitlines() if line.startswith(name)]
        assert mine == [b"%s %06d %s" % (name, i, name * (37 * (i % 10))) for i in range(2000)]
    assert len(data.splitlines()) == 4000


def test_two_workers_on_one_pipe_tear_no_line():
    read, write = os.pipe()
    workers = run_workers("stdout", stdout=write)
    os.close(write)
    taken = bytearray()
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while chunk := pipe.read(3000):
            taken += chunk
    assert [worker.wait(30) for worker in workers] == [0, 0]
    check_lines_of_two_workers(bytes(taken))


@pytest.mark.parametrize("target", ["path", "stdout"])
def test_two_workers_on_one_file_tear_no_line(tmp_path, target):
    path = tmp_path / "log"
    with path.open("wb") as stdout:
        workers = run_workers("stdout" if target == "stdout" else str(path), stdout=stdout)
        assert [worker.wait(30) for worker in workers] == [0, 0]
    check_lines_of_two_workers(path.read_bytes())


def test_writer_is_a_daemon_and_never_holds_up_the_exit(tmp_path, counts):
    writer = LogWriter(str(tmp_path / "log"), counts)
    assert writer._thread.daemon
    assert writer._thread is not threading.main_thread()
    assert writer.close()
    assert not writer._thread.is_alive()
