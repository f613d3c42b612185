"""What a worker inherits as memory: the sources of its configuration and fetched keys, sealed; counters, purges,
revocations and exposures that all share.

All are anonymous: secrets in them never touch a disk, and the kernel frees them with their last process.
"""

import fcntl
import mmap
import os
from collections.abc import Mapping

import msgspec

from fastedge._core import exposures, purges, revocations
from fastedge._core.exposures import Exposures
from fastedge._core.metrics import WorkerState, initialise, mapping_bytes, read_worker
from fastedge._core.purges import Purges
from fastedge._core.revocations import Revocations
from fastedge.config.sources import Sources


class SealedSources:
    """Sources in anonymous memory that every worker can read and none can change. Holds a descriptor until `close`."""

    def __init__(self, sources: Sources, generation: int) -> None:
        self.sources = sources
        self.generation = generation
        self.descriptor = _seal("fastedge-sources", sources.to_bytes())

    def close(self) -> None:
        os.close(self.descriptor)


def read_sources(descriptor: int) -> Sources:
    """In a worker: what `SealedSources` holds."""
    return Sources.from_bytes(_unsealed(descriptor))


def seal_keys(sets: Mapping[str, bytes]) -> int:
    """JWK Sets by the id of their source, in memory like sealed sources; the descriptor is the caller's to close."""
    return _seal("fastedge-keys", msgspec.msgpack.encode(sets))


def read_keys(descriptor: int) -> dict[str, bytes]:
    """In a worker: what `seal_keys` was given."""
    return msgspec.msgpack.decode(_unsealed(descriptor), type=dict[str, bytes])


def new_memory(name: str) -> int:
    """Anonymous memory that can be sealed; the descriptor is the caller's to close."""
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def write_all(descriptor: int, content: bytes) -> None:
    data = memoryview(content)
    while data:
        data = data[os.write(descriptor, data) :]


def seal(descriptor: int) -> None:
    """From now on nobody can change what is in it."""
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def _seal(name: str, content: bytes) -> int:
    descriptor = new_memory(name)
    write_all(descriptor, content)
    seal(descriptor)
    return descriptor


def _unsealed(descriptor: int) -> bytes:
    """All of it. The descriptor's offset is shared with others, so it is not used."""
    size = os.fstat(descriptor).st_size
    with mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ) as data:
        return bytes(data)


class SharedMetrics:
    """The mapping that all workers count in, made once for the life of the supervisor."""

    def __init__(self, workers: int) -> None:
        size = mapping_bytes(workers)
        self.descriptor = os.memfd_create("fastedge-metrics", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, size)
        self.buffer = mmap.mmap(self.descriptor, size)
        initialise(self.buffer, workers)

    def worker(self, slot: int) -> WorkerState:
        return read_worker(self.buffer, slot)

    def close(self) -> None:
        os.close(self.descriptor)  # the mapping goes with the last Metrics that holds it


class SharedPurges:
    """The table of purges that all workers read, made once for the life of the supervisor."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("fastedge-purges", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, purges.mapping_bytes())
        self.table = _initialised(mmap.mmap(self.descriptor, 0))

    def close(self) -> None:
        os.close(self.descriptor)


def map_purges(descriptor: int) -> Purges:
    """In a worker: what `SharedPurges` holds."""
    return Purges(mmap.mmap(descriptor, purges.mapping_bytes()))


def private_purges() -> Purges:
    """For a worker that shares its memory with nobody."""
    return _initialised(mmap.mmap(-1, purges.mapping_bytes()))


def _initialised(buffer: mmap.mmap) -> Purges:
    purges.initialise(buffer)
    return Purges(buffer)


class SharedRevocations:
    """The table of revocations that all workers read, made once for the life of the supervisor, which writes it."""

    def __init__(self, entries_max: int) -> None:
        self.descriptor = os.memfd_create("fastedge-revocations", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, revocations.mapping_bytes(entries_max))
        self.table = _written_here(mmap.mmap(self.descriptor, 0), entries_max)

    def close(self) -> None:
        os.close(self.descriptor)


def map_revocations(descriptor: int) -> Revocations:
    """In a worker: what `SharedRevocations` holds. It cannot be written there."""
    return Revocations(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))


def private_revocations(entries_max: int) -> Revocations:
    """For a process that shares its memory with nobody."""
    return _written_here(mmap.mmap(-1, revocations.mapping_bytes(entries_max)), entries_max)


class SharedExposures:
    """Who has met which variant, as all workers see it; made once for the life of the supervisor."""

    def __init__(self, key: bytes, window_s: int) -> None:
        self.descriptor = os.memfd_create("fastedge-exposures", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, exposures.mapping_bytes())
        buffer = mmap.mmap(self.descriptor, 0)
        exposures.initialise(buffer, key, window_s)
        self.table = Exposures(buffer)

    def close(self) -> None:
        os.close(self.descriptor)


def map_exposures(descriptor: int) -> Exposures:
    """In a worker: what `SharedExposures` holds."""
    return Exposures(mmap.mmap(descriptor, 0))


def _written_here(buffer: mmap.mmap, entries_max: int) -> Revocations:
    revocations.initialise(buffer, entries_max, os.urandom(32))
    table = Revocations(buffer)
    table.release = lambda offset, size: buffer.madvise(mmap.MADV_REMOVE, offset, size)
    return table
