"""One instance has a directory; the index is made for its size."""

import os
import subprocess
import sys

import pytest

from fastedge.disk.directory import DirectoryLock, SharedIndex
from fastedge.errors import ConfigError
from fastedge.limits import disk_slots_min

HOLD = "import sys; from fastedge.disk.directory import DirectoryLock; DirectoryLock(sys.argv[1]); print(1, flush=True); input()"


def test_directory_is_made_for_its_owner_alone(tmp_path):
    lock = DirectoryLock(tmp_path / "var" / "cache")
    assert (tmp_path / "var" / "cache").stat().st_mode & 0o777 == 0o700
    lock.close()


def test_second_instance_is_refused_and_told_by_whom(tmp_path):
    lock = DirectoryLock(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"{tmp_path} is in use by another instance of fastedge \(pid {os.getpid()}\)"
    ):
        DirectoryLock(tmp_path)
    lock.close()
    DirectoryLock(tmp_path).close()


def test_killed_instance_leaves_the_directory_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "1\n"
        with pytest.raises(ConfigError, match=f"pid {holder.pid}"):
            DirectoryLock(tmp_path)
        holder.kill()
        holder.wait()
        DirectoryLock(tmp_path).close()


def test_path_that_cannot_be_a_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=f"{path} cannot be used"):
            DirectoryLock(path)


@pytest.mark.parametrize(("disk_mb", "slots"), [(1, disk_slots_min), (4096, 4096 * 128)])
def test_index_has_room_for_small_responses(disk_mb, slots):
    from fastedge._core.diskindex import DiskIndex

    shared = SharedIndex(disk_mb)
    index = DiskIndex(shared.buffer, 1, lambda owner: True)
    assert slots <= index.slots < 3 * slots
    assert index.bytes_max == disk_mb << 20
    shared.close()
