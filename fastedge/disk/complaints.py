"""What goes wrong with the disk, said once a cause and minute: a broken disk breaks often."""

import errno
import threading
from collections.abc import Callable

from fastedge.clock import monotonic
from fastedge.limits import disk_warning_ms

Warn = Callable[[str], None]

_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "files may not become so large",
    errno.EACCES: "it is not writable",
    errno.EPERM: "it is not writable",
    errno.EROFS: "it is mounted read-only",
    errno.ENOENT: "the directory is gone",
    errno.ENOTDIR: "the directory is gone",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


class Complaints:
    """`warn` takes a line, and may be called from any thread."""

    def __init__(self, directory: str, warn: Warn) -> None:
        self._directory = directory
        self._warn = warn
        self._lock = threading.Lock()
        self._next_us: dict[str, int] = {}
        self._hidden: dict[str, int] = {}

    def failed(self, error: OSError) -> None:
        """The disk has refused something."""
        cause = _CAUSES.get(error.errno or 0, (error.strerror or str(error)).lower())
        self.say(cause, f"cache.disk_path: {self._directory}: {cause}; the service goes on without it")

    def say(self, cause: str, text: str) -> None:
        """Passes `text` on, unless the same cause was complained of within the last minute; then it is counted."""
        now_us = monotonic()
        with self._lock:
            if now_us < self._next_us.get(cause, 0):
                self._hidden[cause] = self._hidden.get(cause, 0) + 1
                return
            self._next_us[cause] = now_us + disk_warning_ms * 1000
            hidden = self._hidden.pop(cause, 0)
        self._warn(f"{text} ({hidden} more of these before)" if hidden else text)
