"""[experiments] file: what it may say, what is refused, and that nothing is ever half in force."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.routing import allocation_of
from fastedge.routing.experiment_settings import ExperimentSlots, Setting, read_settings
from fastedge.routing.experiments import buckets_of

OWN = {"new": 10, "old": 90}


def read(**entries):
    return read_settings("experiments.json", json.dumps(entries).encode())


def bound(slots, name="checkout", default=None):
    return slots.slot(name, name, buckets_of(name, OWN), default)


def variants_of(slot):
    return [slot.buckets.variant_of(str(i).encode()) for i in range(500)]


def test_entries_are_read():
    settings = read(
        a={}, b={"state": "off", "default": "old"}, c={"weights": OWN}, d={"allocation": {"x": [[0, 10_000]]}}
    )
    assert settings["a"] == Setting()
    assert settings["b"] == Setting("off", None, "old")
    assert settings["c"] == Setting("on", allocation_of(OWN))
    assert settings["d"].allocation == allocation_of({"x": 1})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "experiments.json: expected JSON"),
        (b"[]", "experiments.json: expected JSON"),
        (b"\xff", "experiments.json: expected JSON"),
        (b'{"a": 1}', "experiments.json: expected JSON"),
        (b"[" * 100_000, "experiments.json: expected JSON"),
        (b'{"a": {"stat": "on"}}', "experiments.json: 'a': there is no 'stat'; there are state, weights"),
        (b'{"a": {"state": "stopped"}}', "experiments.json: 'a': state: expected one of on, paused, off"),
        (b'{"a": {"state": ["on"]}}', "experiments.json: 'a': state: expected one of"),
        (b'{"a": {"default": 7}}', "experiments.json: 'a': default: expected a variant"),
        (b'{"a": {"weights": {"x": -1}}}', "experiments.json: 'a': weights: 'x' has -1"),
        (b'{"a": {"weights": 7}}', "experiments.json: 'a': weights: expected 1 to 64 variants"),
        (b'{"a": {"allocation": {"x": [[0, 5]]}}}', "experiments.json: 'a': allocation: no variant has bucket 5"),
        (b'{"a": {"weights": {"x": 1}, "allocation": {}}}', "experiments.json: 'a': expected one of weights and"),
    ],
)
def test_file_that_cannot_be_used_is_refused(data, told):
    with pytest.raises(ConfigError) as caught:
        read_settings("experiments.json", data)
    assert str(caught.value).startswith(told)


def test_every_entry_that_is_wrong_is_told():
    with pytest.raises(ConfigError) as caught:
        read(a={"state": "x"}, b={}, c={"x": 1})
    assert len(str(caught.value).splitlines()) == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_a_config_error(data):
    with suppress(ConfigError):
        assert all(isinstance(one, Setting) for one in read_settings("experiments.json", data).values())


def test_slot_has_what_the_settings_say_when_it_is_bound():
    slots = ExperimentSlots(read(checkout={"weights": {"new": 1}, "state": "paused", "default": "new"}))
    slot = bound(slots)
    assert (slot.state, slot.default, set(variants_of(slot))) == ("paused", 0, {"new"})
    assert slot.buckets.variants == ("new", "old")


def test_swap_reaches_every_slot_and_the_next_swap_takes_it_back():
    slots = ExperimentSlots()
    one, other = bound(slots, default="old"), bound(slots)
    before = variants_of(one)
    slots.swap(read(checkout={"weights": {"old": 1}, "state": "off"}))
    for slot in (one, other):
        assert (slot.state, set(variants_of(slot))) == ("off", {"old"})
    assert (one.default, other.default) == (1, -1)
    slots.swap(read())
    assert (one.state, variants_of(one), one.default) == ("on", before, 1)


def test_setting_that_does_not_fit_changes_no_experiment():
    slots = ExperimentSlots()
    first, second = bound(slots, "first"), bound(slots, "second")
    for entry in ({"weights": {"newer": 1}}, {"default": "newer"}):
        with pytest.raises(
            ConfigError, match=r"experiment 'second': .*'newer' is no variant of it; there are new, old"
        ):
            slots.swap(read(first={"state": "off"}, second=entry))
        assert (first.state, second.state) == ("on", "on")


def test_setting_that_does_not_fit_refuses_the_configuration():
    with pytest.raises(ConfigError, match="'newer' is no variant of it"):
        bound(ExperimentSlots(read(checkout={"weights": {"newer": 1}})))


def test_settings_without_an_experiment_are_named():
    slots = ExperimentSlots(read(checkout={}, chekcout={}))
    bound(slots)
    assert list(slots.unknown()) == ["chekcout"]
