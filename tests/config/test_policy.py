"""Policies: executed under a name of their own, and every way in which they fail is told with their own line."""

import gc
import sys
import weakref

import pytest

from fastedge import Pipeline
from fastedge.config import ConfigErrors, load
from fastedge.config.policy import bind_policies, execute
from fastedge.config.snapshot import Snapshot

EMPTY = b"from fastedge import Pipeline\npipeline = Pipeline()\n"
SNAPSHOT = Snapshot({}, {}, frozenset({"main"}), None)


@pytest.fixture(autouse=True)
def modules_stay_as_they_were():
    before = {name for name in sys.modules if name.startswith("fastedge_policy")}
    yield
    assert {name for name in sys.modules if name.startswith("fastedge_policy")} == before


def run(data):
    return execute(data, "/etc/edge/policies/p.py", "fastedge_policy_test", "policies/p.py")


def refusal(data):
    with pytest.raises(ConfigErrors) as caught:
        run(data)
    return str(caught.value)


def test_policy_gives_its_pipeline():
    pipeline = run(EMPTY)
    module = sys.modules.pop("fastedge_policy_test")
    assert isinstance(pipeline, Pipeline)
    assert (module.pipeline, module.__file__) == (pipeline, "/etc/edge/policies/p.py")


def test_policy_may_define_dataclasses():
    run(
        b"from __future__ import annotations\nfrom dataclasses import dataclass\n"
        b"from typing import ClassVar\n@dataclass(slots=True)\nclass A:\n    b: ClassVar[int] = 1\n" + EMPTY
    )
    assert sys.modules.pop("fastedge_policy_test").A.b == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "policies/p.py: found no pipeline, expected pipeline = Pipeline(...)"),
        (
            b"pipeline = []",
            "policies/p.py: found as pipeline an object of type list, expected pipeline = Pipeline(...)",
        ),
        (b"x = 1\ny = (", "policies/p.py: line 2: SyntaxError: '(' was never closed"),
        (b"\n\nundefined", "policies/p.py: line 3: NameError: name 'undefined' is not defined"),
        (b"import helpers", "policies/p.py: line 1: ModuleNotFoundError: No module named 'helpers'"),
        (b"import sys\nsys.exit(3)", "policies/p.py: line 2: SystemExit: 3"),
        (
            b"import json\njson.loads('{')",
            "policies/p.py: line 2: JSONDecodeError: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)",
        ),
        (b"def f():\n    raise ValueError('a\\nb')\nf()", "policies/p.py: line 2: ValueError: a"),
        (b"raise ValueError('x' * 1000)", f"policies/p.py: line 1: ValueError: {'x' * 200}"),
        (b"raise ValueError", "policies/p.py: line 1: ValueError"),
        (
            b"class E(Exception):\n    def __str__(self):\n        return 1 / 0\nraise E",
            "policies/p.py: line 4: E",
        ),
        (
            b"from fastedge import ConfigError\nraise ConfigError('a\\nb')",
            "policies/p.py: line 2: a\npolicies/p.py: line 2: b",
        ),
        (
            b"'\xff'",
            "policies/p.py: line 1: SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff in "
            "position 0: invalid start byte",
        ),
        (b"(" * 1000, "policies/p.py: line 1: SyntaxError: too many nested parentheses"),
        (b"def f(): f()\nf()", "policies/p.py: line 1: RecursionError: maximum recursion depth exceeded"),
        (b"import sys\ndel sys.modules[__name__]\n1 / 0", "policies/p.py: line 3: ZeroDivisionError: division by zero"),
    ],
)
def test_policy_broken_is_told_with_its_own_line(source, message):
    assert refusal(source) == message


def test_policy_with_null_bytes_is_refused():
    assert "null bytes" in refusal(b"a\0b")


def test_policy_broken_leaves_nothing_alive(monkeypatch):
    born = []
    monkeypatch.setattr(sys, "born", lambda thing: born.append(weakref.ref(thing)), raising=False)
    assert refusal(b"import sys\nclass A: pass\na = A()\nsys.born(a)\n1 / 0")
    gc.collect()
    assert born[0]() is None


def test_policy_interrupted_is_interrupted():
    with pytest.raises(KeyboardInterrupt):
        run(b"raise KeyboardInterrupt")


def test_policies_of_all_sites_are_bound_under_names_of_their_generation(sources, tmp_path):
    read = sources(
        '[policy]\nfile = "a.py"\n[[sites]]\nhosts = ["a"]\n[[sites]]\nhosts = ["b"]\npolicy = "b-1.py"\n'
        '[[sites]]\nhosts = ["c"]\npolicy = "./a.py"',
        {"a.py": EMPTY, "b-1.py": EMPTY},
    )
    config = load(read)
    first, second = (bind_policies(config, read, SNAPSHOT, generation) for generation in (1, 2))
    assert first.modules == ("fastedge_policy_1_0_a", "fastedge_policy_1_1_b_1")
    assert second.modules == ("fastedge_policy_2_0_a", "fastedge_policy_2_1_b_1")
    assert set(first.by_file) == {f"{tmp_path}/a.py", f"{tmp_path}/b-1.py"}
    assert first.of(config.sites[0].policy) is first.of(config.sites[2].policy)
    assert first.of(config.sites[0].policy) is not second.of(config.sites[0].policy)
    assert first.of(None) is first.none
    for policies in (first, second):
        assert all(name in sys.modules for name in policies.modules)
        policies.forget()


def test_policies_one_broken_none_stays_and_all_are_told(sources):
    stage = (
        b"class Gate:\n    def bind(self, snapshot):\n        %s\n    def on_request(self, request, ctx): ...\n"
        b"from fastedge import ConfigError, Pipeline\npipeline = Pipeline(Gate())\n"
    )
    read = sources(
        "".join(f'[[sites]]\nhosts = ["{name}"]\npolicy = "{name}.py"\n' for name in "abcd"),
        {
            "a.py": EMPTY,
            "b.py": b"1 / 0",
            "c.py": stage % b"raise ConfigError('no table moved')",
            "d.py": stage % b"snapshot.tables['moved']",
        },
    )
    with pytest.raises(ConfigErrors) as caught:
        bind_policies(load(read), read, SNAPSHOT, 1)
    assert str(caught.value).splitlines() == [
        "b.py: line 1: ZeroDivisionError: division by zero",
        "c.py: line 3: no table moved",
        "d.py: line 3: KeyError: 'moved'",
    ]


def test_policies_without_any_is_the_empty_pipeline(config, sources):
    policies = bind_policies(config(""), sources(""), SNAPSHOT, 1)
    assert (policies.by_file, policies.modules) == ({}, ())
    assert policies.of(None).hooks() == []
