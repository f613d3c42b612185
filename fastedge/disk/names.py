"""Where a record lies below the tier's directory, and what a name says of it."""

import os
import re
from pathlib import PurePath
from typing import Final

LOCK: Final = "fastedge.lock"
OURS: Final = frozenset({LOCK, "purges.bin", "purges.bin.new"})  # beside the records; purge_file.py writes the latter

_TEMPORARY: Final = re.compile(r"([0-9a-f]{16})([0-9a-f]{16})\.([0-9a-f]{16})\.tmp")
FOLDERS: Final = tuple(f"{number:02x}" for number in range(256))


class Names:
    """Paths of one directory, as bytes."""

    def __init__(self, directory: PurePath | str) -> None:
        self.directory = os.fsencode(directory)

    def record(self, high: int, low: int, vary: int) -> bytes:
        """Of a whole record."""
        return b"%b/%02x/%016x%016x-%016x" % (self.directory, high >> 56, high, low, vary)

    def temporary(self, high: int, low: int, stamp: int) -> bytes:
        """Of one that is being written, in the same folder."""
        return b"%b/%02x/%016x%016x.%016x.tmp" % (self.directory, high >> 56, high, low, stamp)


def read_temporary(name: str) -> tuple[int, int, int] | None:
    """High, low and stamp; None for a name of another kind."""
    found = _TEMPORARY.fullmatch(name)
    return None if found is None else (int(found[1], 16), int(found[2], 16), int(found[3], 16))


def disk_bytes(size: int) -> int:
    """What a file of this size takes of the disk, in whole blocks of 4 KiB."""
    return (size + 4095) // 4096 * 4096
