"""Memory that workers inherit."""

import os

import pytest

from fastedge.config import Sources
from fastedge.handover import (
    SealedSources,
    SharedMetrics,
    SharedPurges,
    map_purges,
    private_purges,
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
