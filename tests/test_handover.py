"""Memory that workers inherit."""

import os

import pytest

from fastedge._core.revocations import Revocable
from fastedge.config import Sources
from fastedge.handover import (
    SealedSources,
    SharedMetrics,
    SharedPurges,
    SharedRevocations,
    map_purges,
    map_revocations,
    private_purges,
    private_revocations,
    read_keys,
    read_sources,
    seal_keys,
)

SOURCES = Sources("edge.toml", "/etc/edge", b"[server]\n", ("a=1",), {"/x": b"\0" * 100_000}, {"KEY": b"s"}, {})


def test_sources_are_read_any_number_of_times() -> None:
    sealed = SealedSources(SOURCES, 7)
    try:
        assert [read_sources(sealed.descriptor) for _ in range(2)] == [SOURCES, SOURCES]
    finally:
        sealed.close()


def test_nobody_can_change_sealed_sources() -> None:
    sealed = SealedSources(SOURCES, 7)
    try:
        with pytest.raises(PermissionError):
            os.pwrite(sealed.descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(sealed.descriptor, 0)
    finally:
        sealed.close()


def test_fetched_keys_are_read_as_they_were_sealed() -> None:
    for sets in ({}, {"5ce": b'{"keys": []}', "d1f": b"\0" * 100_000}):
        descriptor = seal_keys(sets)
        assert [read_keys(descriptor) for _ in range(2)] == [sets, sets]
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        os.close(descriptor)


def test_descriptors_are_not_inherited_by_chance() -> None:
    sealed, metrics = SealedSources(SOURCES, 7), SharedMetrics(2)
    try:
        assert not os.get_inheritable(sealed.descriptor)
        assert not os.get_inheritable(metrics.descriptor)
        assert metrics.worker(1).pid == 0
    finally:
        sealed.close()
        metrics.close()


def test_purge_is_in_force_wherever_its_table_is_mapped() -> None:
    shared = SharedPurges()
    try:
        worker = map_purges(shared.descriptor)
        born = worker.now()
        shared.table.purge(1, False)
        assert worker.verdict_of([1], b"", born) == "hard"
        assert private_purges().verdict_of([1], b"", born) == "kept"
    finally:
        shared.close()


def test_revocation_is_in_force_wherever_its_table_is_mapped() -> None:
    shared = SharedRevocations(100)
    try:
        worker, who = map_revocations(shared.descriptor), Revocable("a", None)
        shared.table.revoke(shared.table.record(b"jti", "a", None, None), 1.0)
        assert worker.is_revoked(who, 1.0)
        assert not private_revocations(100).is_revoked(who, 1.0)
        with pytest.raises(ValueError, match="may only read"):
            worker.restore(b"", 1.0)
    finally:
        shared.close()


def test_keys_of_two_tables_are_not_the_same() -> None:
    one, other = private_revocations(1), private_revocations(1)
    assert one.record(b"jti", "a", None, None) != other.record(b"jti", "a", None, None)


def test_memory_of_revocations_is_used_as_they_come_and_given_back() -> None:
    """Of the 120 MB that a million may take, the rows of 30,000, also after each has moved a few times."""
    shared = SharedRevocations(1_000_000)
    table = shared.table
    try:
        assert os.fstat(shared.descriptor).st_blocks * 512 <= 65_536
        for i in range(0, 30_000, 1_000):
            table.revoke(b"".join(table.record(b"jti", str(j), None, None) for j in range(i, i + 1_000)), 1.0)
        assert os.fstat(shared.descriptor).st_blocks * 512 <= 30_000 * 64 + 4096
        table.restore(b"".join(table.record(b"jti", str(j), None, None) for j in range(30_000)), 1.0)
        table.replace_file(table.record(b"jti", "a", None, None), 1.0)
        assert os.fstat(shared.descriptor).st_blocks * 512 <= 65_536
    finally:
        shared.close()
