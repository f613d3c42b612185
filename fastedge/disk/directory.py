"""The tier's directory as a whole: one instance of fastedge has it, and one index in memory says what is in it."""

import fcntl
import mmap
import os
from pathlib import Path

from fastedge._core.diskindex import initialise, mapping_bytes
from fastedge.clock import now
from fastedge.disk.names import LOCK
from fastedge.errors import ConfigError
from fastedge.limits import disk_slots_max, disk_slots_min, disk_slots_per_mb


class DirectoryLock:
    """Makes the directory if need be, and has it until `close`, or until the process ends in whatever way.

    Raises ConfigError where it cannot be made or written to, or is another instance's.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(f"cache.disk_path: {self.path} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise ConfigError(
                f"cache.disk_path: {self.path} is in use by another instance of fastedge (pid {holder})"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def close(self) -> None:
        os.close(self._fd)


class SharedIndex:
    """The mapping that all workers look into, made once for the life of the supervisor; they map `descriptor`."""

    def __init__(self, disk_mb: int) -> None:
        slots = min(max(disk_mb * disk_slots_per_mb, disk_slots_min), disk_slots_max)
        size = mapping_bytes(slots)
        self.descriptor = os.memfd_create("fastedge-disk-index", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, size)
        self.buffer = mmap.mmap(self.descriptor, size)
        initialise(self.buffer, disk_mb << 20, int(now() * 1e6))  # no stamp of an earlier instance comes again

    def close(self) -> None:
        os.close(self.descriptor)
