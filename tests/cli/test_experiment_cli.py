"""`fastedge experiment`: overrides that the stage takes, and ramps that move as few visitors as they must."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastedge import Context, Request
from fastedge.cli import main
from fastedge.clock import now
from fastedge.identity.keys import KeySet
from fastedge.routing import allocate, read_allocation
from fastedge.stages import Experiment

SECRET = "a secret of more than 32 bytes, this"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **environment: CliRunner(env=environment).invoke(main, ["experiment", *arguments])


def test_signed_override_is_taken_by_the_stage_until_it_expires(run):
    cookie = run("sign", "checkout", "new", "--secret-env", "S", "--expires-in", "1h", S=SECRET).stdout.strip()

    class Snapshot:
        keys = {"testers": KeySet.from_secret(SECRET.encode())}

    stage = Experiment("checkout", {"new": 0, "old": 1}, override_keys="testers").bind(Snapshot)
    for moment, expected in ((now(), "new"), (now() + 3_590, "new"), (now() + 3_601, "old")):
        ctx = Context(now=moment)
        stage.decide(Request("GET", "/", {"cookie": cookie}), ctx)
        assert ctx.variants == {"checkout": expected}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["checkout", "new"], "--secret-env or --secret-file says where the secret is"),
        (["checkout", "new", "--secret-env", "NONE"], "the environment variable NONE is not set"),
        (["checkout", "new", "--secret-env", "SHORT"], "a secret has at least 32 bytes, this one has 5"),
        (["checkout", "new", "--secret-env", "S", "--expires-in", "91d"], "is signed for 90 days at most"),
        (["checkout", "new", "--secret-env", "S", "--expires-in", "soon"], "expected a span"),
        (["check out", "new", "--secret-env", "S"], "expected the names of an experiment and of one of its variants"),
        (["checkout", "", "--secret-env", "S"], "expected the names of an experiment"),
    ],
)
def test_override_that_cannot_be_signed_is_refused(run, arguments, told):
    done = run("sign", *arguments, S=SECRET, SHORT="short")
    assert done.exit_code != 0
    assert told in done.output
    assert SECRET not in done.output


def test_ramp_moves_the_least_and_keeps_the_rest_of_the_file(run):
    document = {"checkout": {"weights": {"new": 10, "old": 90}, "default": "old"}, "hero": {"state": "off"}}
    Path("e.json").write_text(json.dumps(document))
    done = run("ramp", "e.json", "checkout", "new=20", "old=80")
    assert done.stdout == "10 % of visitors move\nnew: 20 %\nold: 80 %\n"
    written = json.loads(Path("e.json").read_text())
    after = allocate({"new": 10, "old": 90}, {"new": 20, "old": 80})
    assert written == {"checkout": {"default": "old", "allocation": after.as_table()}, "hero": {"state": "off"}}
    assert "25 % of visitors move" in run("ramp", "e.json", "checkout", "old=55", "new=45").stdout
    again = read_allocation(json.loads(Path("e.json").read_text())["checkout"]["allocation"])
    assert again.shares() == {"old": 5_500, "new": 4_500}


def test_first_ramp_of_an_experiment_sets_its_weights(run):
    Path("e.json").write_text("{}")
    assert run("ramp", "e.json", "checkout", "new=1", "old=3").stdout == "new: 25 %\nold: 75 %\n"


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (None, ["new=1"], "e.json: there is no such file"),
        ("[]", ["new=1"], "e.json: expected JSON"),
        ('{"checkout": {"state": "x"}}', ["new=1"], "e.json: 'checkout': state"),
        ("{}", ["new"], "expected VARIANT=WEIGHT"),
        ("{}", ["=1"], "expected VARIANT=WEIGHT"),
        ("{}", ["new=x"], "expected VARIANT=WEIGHT"),
        ("{}", ["new=nan"], "weights: 'new' has nan"),
        ("{}", ["new=0"], "weights: all are 0"),
    ],
)
def test_ramp_that_cannot_be_is_refused_and_writes_nothing(run, text, arguments, told):
    if text is not None:
        Path("e.json").write_text(text)
    done = run("ramp", "e.json", "checkout", *arguments)
    assert done.exit_code != 0
    assert told in done.output
    assert (Path("e.json").read_text() if Path("e.json").exists() else None) == text
