"""The listening sockets: opened once by the supervisor and kept for as long as it lives, so that no connection in an
accept queue is lost with a worker. The only module that binds an address."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from fastedge.config.values import Listener
from fastedge.errors import ConfigError
from fastedge.limits import listen_backlog

_PROBE_TIMEOUT_S = 1.0
_FILE_MODE = 0o660  # of a unix socket: its user and its group may connect


class Listeners:
    """`sockets[i]` are those of worker i: one of its own for each TCP listener, the shared one for each unix socket.

    Raises ConfigError for an address that cannot be had; then nothing stays open.
    """

    def __init__(self, key: str, listeners: Sequence[Listener], workers: int) -> None:
        self.sockets: list[list[socket.socket]] = [[] for _ in range(workers)]
        self.names: list[str] = []  # as they are now: with the port that a port 0 has become
        self._files: list[tuple[Path, int]] = []
        try:
            for listener in listeners:
                self._open(key, listener)
        except BaseException:
            self.close()
            raise

    def descriptors(self, worker: int) -> tuple[int, ...]:
        return tuple(one.fileno() for one in self.sockets[worker])

    def close(self) -> None:
        """From now on only the workers hold the sockets. The files of unix sockets are removed, if still ours."""
        for one in {one.fileno(): one for row in self.sockets for one in row}.values():
            one.close()
        for row in self.sockets:
            row.clear()
        for path, inode in self._files:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:
                    path.unlink()
        self._files.clear()

    def _open(self, key: str, listener: Listener) -> None:
        try:
            if listener.path:
                shared = _open_unix(listener.path)
                path = Path(listener.path)
                self._files.append((path, path.stat().st_ino))
                opened = [shared] * len(self.sockets)
                name = f"unix:{listener.path}"
            else:
                opened = _open_tcp(listener.host, listener.port, len(self.sockets))
                name = f"http://{Listener(listener.host, opened[0].getsockname()[1])}"
        except OSError as error:
            raise ConfigError(f"{key}: cannot listen on {listener}: {_reason(error)}") from None
        for row, one in zip(self.sockets, opened, strict=True):
            row.append(one)
        self.names.append(name)


def _open_tcp(host: str, port: int, count: int) -> list[socket.socket]:
    """One socket for each worker, among which the kernel spreads new connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port:
        # SO_REUSEPORT would let a second fastedge of this user share the port without a word.
        with _bound(family, host, port, share=False) as alone:
            alone.listen(1)
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            one = _bound(family, host, port, share=True)
            opened.append(one)
            port = one.getsockname()[1]
        for one in opened:
            one.listen(listen_backlog)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


def _bound(family: socket.AddressFamily, host: str, port: int, *, share: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # "0.0.0.0:80" may stand beside "[::]:80"
        one.setblocking(False)
        one.bind((host, port))
    except OSError:
        one.close()
        raise
    return one


def _open_unix(path: str) -> socket.socket:
    """A socket file that nobody answers at is left from one that was killed, and is replaced."""
    _remove_stale(path)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~_FILE_MODE)
    try:
        one.setblocking(False)
        one.bind(path)
        one.listen(listen_backlog)
    except OSError:
        one.close()
        raise
    finally:
        os.umask(before)
    return one


def _remove_stale(path: str) -> None:
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is a file of that name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
