"""Purges on disk, beside the tier whose responses they concern: both survive a restart, or neither does.

`purges.bin` is an image of the table, of one size for ever, each part of it with a checksum. Every purge is written to
its place at once, by the process that makes it, so that it survives the end of all of them; `sync` makes it survive the
end of the power. An image of which anything cannot be read, or that is missing, is a purge of everything before now.
"""

import os
from collections.abc import Callable
from pathlib import Path

from fastedge._core.purges import Purges, image_bytes

NAME = "purges.bin"
_BLOCK_BITS = 20  # nobody purges a million names a second; a number is exact in JSON too
_HOLE = bytes(4096)


class PurgeFile:
    """Where a process writes its purges. It owns the descriptor; None stands for an image that could not be made.

    No error is raised: a purge that cannot be written is in force all the same. `warn` hears of the first one.
    """

    def __init__(self, descriptor: int | None, warn: Callable[[str], None]) -> None:
        self.descriptor = descriptor
        self.failures = 0
        self._warn = warn

    def keep(self, offset: int, record: bytes) -> None:
        """For `Purges.keep`."""
        self._attempt(lambda descriptor: _write(descriptor, record, offset))

    def sync(self) -> bool:
        """Waits until all that was written is on the disk; whether it is. Blocks."""
        return self._attempt(os.fdatasync)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)

    def _attempt(self, act: Callable[[int], None]) -> bool:
        try:
            if self.descriptor is not None:
                act(self.descriptor)
                return True
        except OSError as error:
            if not self.failures:
                self._warn(f"purges will not survive a restart: {NAME} cannot be written: {_text(error)}")
        self.failures += 1
        return False


def open_purges(directory: Path, purges: Purges, now_s: float, warn: Callable[[str], None]) -> PurgeFile:
    """Takes over what the image in `directory` holds, before anybody reads `purges`, and goes on in a new one: a worker
    that an earlier supervisor has left behind writes to the old one, which nobody reads."""
    image = _read(directory / NAME, warn)
    is_whole = purges.restore(image)
    if image and not is_whole:
        warn(f"{directory / NAME} is damaged: everything stored before now is taken for purged")
    # Numbers that the image has lost may stand in stored responses. Each start begins a block of its own, or that of
    # the wall clock's second if that is ahead: behind all of them even where the whole image is gone.
    purges.advance(max((purges.now() >> _BLOCK_BITS) + 1, int(now_s)) << _BLOCK_BITS)
    try:
        file = PurgeFile(_create(directory, image if is_whole else b""), warn)
    except OSError as error:
        warn(f"purges will not survive a restart: {directory / NAME} cannot be made: {_text(error)}")
        file = PurgeFile(None, warn)
    purges.keep = file.keep
    if is_whole:
        purges.keep_head()
    else:
        purges.purge_everything()
    if file.sync():
        _put_in_place(directory, file, warn)
    return file


def _read(path: Path, warn: Callable[[str], None]) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        warn(f"{path} cannot be read: {_text(error)}: everything stored before now is taken for purged")
        return b""


def _create(directory: Path, image: bytes) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_new(directory), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, image_bytes())
        for at in range(0, len(image), len(_HOLE)):
            block = image[at : at + len(_HOLE)]
            if block != _HOLE:  # what was never written stays one
                _write(descriptor, block, at)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _put_in_place(directory: Path, file: PurgeFile, warn: Callable[[str], None]) -> None:
    try:
        _new(directory).replace(directory / NAME)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        warn(f"purges will not survive a restart: {directory / NAME} cannot be replaced: {_text(error)}")
        file.close()
        file.descriptor = None


def _new(directory: Path) -> Path:
    return directory / f"{NAME}.new"


def _write(descriptor: int, data: bytes, offset: int) -> None:
    if os.pwrite(descriptor, data, offset) != len(data):
        raise OSError("it was cut short")


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
