"""What messages repeat of a value, and what they never do."""

import datetime

import pytest

from fastedge.config.problems import ConfigErrors, Problem, did_you_mean, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("", '""'),
        ("x" * 100, '"' + "x" * 60 + '…"'),
        ("http://user:word@host/", '"…@host/"'),
        ("http://user:pa/ss@wo@rd", '"…@rd"'),
        (1.5, "1.5"),
        (True, "true"),
        ([], "an empty list"),
        (["secret"], "a list"),
        ({"a": "secret"}, "a table"),
        (-(2**70), "an integer of more than 64 bits"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_shown_is_short(value, text):
    assert shown("server.x", value) == text


@pytest.mark.parametrize("key", ["keys.shop.secret_env", "keys.shop", "admin.token_env"])
@pytest.mark.parametrize("value", ["hunter2", 7531, 75.31])
def test_shown_repeats_no_secret(key, value):
    assert str(value) not in shown(key, value)


def test_did_you_mean_names_the_likeliest_or_all():
    assert did_you_mean("wrkers", ["workers", "listen"]) == "did you mean workers?"
    assert did_you_mean("zzz", ["workers", "listen"]) == "known: listen, workers"
    assert did_you_mean("zzz", []) == "there are none"
    assert did_you_mean("x" * 1_000_000, ["workers"]) == "known: workers"
    assert did_you_mean("z", [f"a{i:02}" for i in range(21)]).endswith(", a19, …")


def test_errors_text_is_a_line_for_each_problem():
    errors = ConfigErrors([Problem("f", "k", "t"), Problem("f", "", "u")])
    assert str(errors) == "f: k: t\nf: u"
    assert len(errors.problems) == 2


def test_problem_is_one_printable_line():
    problem = Problem("a\nb", "\x1b[31m", "\u202e\r\x85ü")
    assert str(problem) == "a\\u000ab: \\u001b[31m: \\u202e\\u000d\\u0085ü"
