"""All that a configuration is made of outside the process, read once: edge.toml, the files and variables it names.

The supervisor reads; every worker, also one that is started later, gets these same bytes, whatever has become of the
files since. This is the only module of the package that opens files. A repr never shows what was read.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from fastedge.config.draft import Draft, Reference, read_draft
from fastedge.limits import config_bytes_max, sources_bytes_max


class Sources(Struct, frozen=True):
    """An immutable snapshot of what a configuration names; `load` makes a configuration of it or says what is wrong.

    `file` is edge.toml as the user called it, `base` its directory (absolute), `data` its bytes, None if it could not
    be read. `files` is by path, `variables` by name; `failures` says of a path or variable why it has no bytes.
    """

    file: str
    base: str
    data: bytes | None
    overrides: tuple[str, ...]
    files: Mapping[str, bytes]
    variables: Mapping[str, bytes]
    failures: Mapping[str, str]

    @classmethod
    def read(cls, file: str | Path, environment: Mapping[str, str], overrides: Iterable[str] = ()) -> "Sources":
        """Read edge.toml and all it names. Nothing is raised: what cannot be read is a failure that `load` reports."""
        name, base = _text(str(file)), _text(str(Path(file).absolute().parent))
        overrides = tuple(map(_text, overrides))
        reader = _Reader(environment)
        data = reader.read(str(file), name, config_bytes_max)
        if data is not None:
            for reference in read_draft(data, name, base, overrides).references:
                reader.resolve(reference)
        return _frozen(cls(name, base, data, overrides, reader.files, reader.variables, reader.failures))

    def draft(self) -> Draft:
        """What edge.toml alone says."""
        return read_draft(self.data or b"", self.file, self.base, self.overrides)

    def shown(self, path: str) -> str:
        """A path as the user wrote it: relative to the directory of edge.toml where it is below it."""
        return path.removeprefix(self.base.rstrip("/") + "/")

    def to_bytes(self) -> bytes:
        """For a worker. Secrets are in it: it may go through a pipe or a memfd, never into a file."""
        return msgspec.msgpack.encode(self, enc_hook=dict)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sources":
        """What `to_bytes` was given."""
        return _frozen(msgspec.msgpack.decode(data, type=cls))

    def __repr__(self) -> str:
        return f"<Sources of {self.file}: {len(self.files)} files, {len(self.variables)} variables>"


def _frozen(sources: Sources) -> Sources:
    maps = (sources.files, sources.variables, sources.failures)
    files, variables, failures = (MappingProxyType(dict(one)) for one in maps)
    return msgspec.structs.replace(sources, files=files, variables=variables, failures=failures)


def _text(text: str) -> str:
    # A name that is not UTF-8 on the file system arrives with surrogates, which no message can carry.
    return text.encode("utf-8", "backslashreplace").decode()


class _Reader:
    """Reads each file and variable once and keeps within the bound of all of them together."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.files: dict[str, bytes] = {}
        self.variables: dict[str, bytes] = {}
        self.failures: dict[str, str] = {}
        self._environment = environment
        self._bytes_left = sources_bytes_max

    def resolve(self, reference: Reference) -> None:
        name = reference.name
        if not reference.is_file:
            self._variable(name, reference.bytes_max)
        elif name not in self.files and name not in self.failures:
            data = self.read(name, name, reference.bytes_max)
            if data is not None:
                self.files[name] = data

    def read(self, path: str, name: str, bytes_max: int) -> bytes | None:
        """The bytes of a file, or None and a failure under `name`."""
        try:
            data = read_regular(path, min(bytes_max, self._bytes_left))
        except OSError as error:
            self.failures[name] = (error.strerror or "cannot be read").lower()
            return None
        except ValueError as why:
            self.failures[name] = str(why)
            return None
        self._bytes_left -= len(data)
        return data

    def _variable(self, name: str, bytes_max: int) -> None:
        data = self._environment.get(name, "").encode("utf-8", "surrogateescape")
        if not data:
            self.failures[name] = "not set" if name not in self._environment else "empty"
        elif len(data) > bytes_max:
            self.failures[name] = f"larger than {bytes_max} bytes"
        else:
            self.variables[name] = data


def read_regular(path: str, bytes_max: int) -> bytes:
    """The bytes of a regular file; OSError, or a ValueError that says what is wrong with it."""
    # O_NONBLOCK: a FIFO in the place of a file must not hold the supervisor for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError(f"larger than {bytes_max} bytes")
    return data
