"""Exposures: once a visitor, variant and window, whoever of the workers sees them; what is counted is what was met."""

import mmap

import pytest

from fastedge._core.exposures import Exposures, initialise, mapping_bytes
from fastedge.limits import experiment_visitors_remembered_max, metrics_experiments_max
from fastedge.routing.experiments import buckets_of

HALVES = buckets_of("s", {"a": 1, "b": 1})
KEY = b"k" * 32
NOW = 1_800_000_000.0


def buffer_of(window_s=60):
    buffer = mmap.mmap(-1, mapping_bytes())
    initialise(buffer, KEY, window_s)
    return buffer


def test_visitor_counts_once_in_a_window_on_all_workers():
    buffer = buffer_of()
    one, other = Exposures(buffer), Exposures(buffer)
    row = one.row("checkout")
    assert other.row("checkout") == row
    assert one.expose(row, 0, HALVES, b"ann", NOW)
    assert not one.expose(row, 0, HALVES, b"ann", NOW + 1)
    assert not other.expose(row, 0, HALVES, b"ann", NOW)
    assert other.expose(row, 1, HALVES, b"ann", NOW)
    assert one.expose(row, 0, HALVES, b"bob", NOW)
    (figures,) = other.figures()
    assert figures == ("checkout", int(NOW / 60), [2, 1], [1.5, 1.5])


def test_next_window_begins_anew():
    exposures = Exposures(buffer_of())
    row = exposures.row("checkout")
    for moment in (NOW, NOW + 60, NOW + 120):
        assert exposures.expose(row, 0, HALVES, b"ann", moment)
    assert exposures.figures() == [("checkout", int(NOW / 60) + 2, [1, 0], [0.5, 0.5])]
    assert exposures.expose(row, 0, HALVES, b"ann", NOW + 256 * 60)  # whose number ends as the first one's


def test_experiments_and_salts_are_told_apart():
    exposures = Exposures(buffer_of())
    rows = [exposures.row(f"e{i}") for i in range(3)]
    assert [exposures.expose(row, 0, HALVES, b"ann", NOW) for row in rows] == [True, True, True]
    assert [figures.experiment for figures in exposures.figures()] == ["e0", "e1", "e2"]


def test_expected_follows_the_weights_of_each_exposure():
    exposures = Exposures(buffer_of())
    row = exposures.row("ramp")
    exposures.expose(row, 0, buckets_of("s", {"a": 10, "b": 90}), b"ann", NOW)
    exposures.expose(row, 1, buckets_of("s", {"a": 30, "b": 70}), b"bob", NOW)
    ((_, _, observed, expected),) = exposures.figures()
    assert (observed, expected) == ([1, 1], [0.4, 1.6])


def test_experiments_beyond_the_last_row_are_not_counted():
    exposures = Exposures(buffer_of())
    rows = [exposures.row(f"e{i}") for i in range(metrics_experiments_max + 1)]
    assert rows == [*range(metrics_experiments_max), -1]
    assert exposures.expose(-1, 0, HALVES, b"ann", NOW)
    assert not exposures.expose(-1, 0, HALVES, b"ann", NOW)
    assert exposures.figures() == []


def test_nearly_all_of_half_as_many_visitors_as_there_is_room_for_are_remembered():
    exposures = Exposures(buffer_of(window_s=86_400))
    row = exposures.row("checkout")
    count = experiment_visitors_remembered_max // 2
    keys = [b"visitor-%d" % i for i in range(count)]
    assert sum(exposures.expose(row, 0, HALVES, key, NOW) for key in keys) >= count - 2
    again = sum(exposures.expose(row, 0, HALVES, key, NOW) for key in keys)
    assert again < 0.05 * count


def test_visitors_of_an_earlier_window_make_room_first():
    exposures = Exposures(buffer_of())
    for i in range(experiment_visitors_remembered_max):
        exposures.expose(-1, 0, HALVES, b"old-%d" % i, NOW)
    keys = [b"new-%d" % i for i in range(10_000)]
    assert all(exposures.expose(-1, 0, HALVES, key, NOW + 60) for key in keys)
    assert not any(exposures.expose(-1, 0, HALVES, key, NOW + 60) for key in keys)


def test_hash_of_a_key_needs_the_secret():
    one, other = buffer_of(), mmap.mmap(-1, mapping_bytes())
    initialise(other, b"o" * 32, 60)
    hashes = {Exposures(one).hash_of(b"42"), Exposures(one).hash_of(b"43"), Exposures(other).hash_of(b"42")}
    assert len(hashes) == 3
    assert {len(text) for text in hashes} == {24}
    assert Exposures(one).hash_of(b"42") == Exposures(one).hash_of(b"42")


def test_what_is_no_mapping_is_refused():
    with pytest.raises(ValueError, match="no mapping of exposures"):
        Exposures(mmap.mmap(-1, mapping_bytes()))
    with pytest.raises(ValueError, match="a key of 32"):
        initialise(mmap.mmap(-1, mapping_bytes()), b"short", 60)
    with pytest.raises(ValueError, match="at most 64 bytes"):
        Exposures(buffer_of()).row("x" * 65)
    with pytest.raises(ValueError, match="no such variant"):
        Exposures(buffer_of()).expose(0, 2, HALVES, b"ann", NOW)
