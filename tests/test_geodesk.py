"""Geo tables in a worker: one place for each source, swapped while others hold it."""

import os

import pytest

from fastedge.config.geosource import GeoSource
from fastedge.geo import COUNTRIES, GeoTable, compile_table
from fastedge.geodesk import GeoDesk
from fastedge.handover import new_memory, seal, write_all

ONE, OTHER = GeoSource(), GeoSource(overrides="x")


def memory(country: str) -> int:
    table = GeoTable(compile_table([(0, country)], [], built=1, source=country), COUNTRIES)
    descriptor = new_memory("test")
    write_all(descriptor, table.shared_form())
    seal(descriptor)
    return descriptor


def test_place_of_a_source_stays_and_its_table_is_swapped() -> None:
    desk = GeoDesk(ONE.id, memory("DE"))
    slot = desk.slot(ONE)
    facts = slot.lookup("1.2.3.4")
    desk.compiled(ONE.id, memory("FR"))
    assert desk.slot(ONE) is slot
    assert (facts.country, slot.lookup("1.2.3.4").country) == ("DE", "FR")


def test_descriptor_is_taken() -> None:
    descriptor = memory("DE")
    GeoDesk(ONE.id, descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_sources_that_nobody_uses_are_forgotten() -> None:
    desk = GeoDesk(ONE.id, memory("DE"))
    desk.compiled(OTHER.id, memory("FR"))
    desk.keep([OTHER.id])
    assert desk.slot(OTHER).lookup("1.2.3.4").country == "FR"
    with pytest.raises(KeyError):
        desk.slot(ONE)
