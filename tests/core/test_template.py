"""Steps of a template: what is joined for which values, and that steps only lead on."""

import pytest

from fastedge._core.template import Template

PAGE = b"abcdef"
BARE = (b"", b"")


def text(template, *values):
    return template.render_bytes(values).decode()


def test_spans_and_values_are_joined():
    steps = [("static", 0, 2), ("value", 0, 3, -1, "text", BARE), ("static", 2, 4), ("static", 4, 6)]
    template = Template(PAGE, steps, ["x"])
    assert text(template, None) == "abcdef"
    assert text(template, "<") == "ab&lt;ef"
    assert template.render((b"X",)) == (b"ab", b"X", b"ef")


def test_what_stands_around_a_value_comes_with_it_alone():
    template = Template(PAGE, [("value", 0, 1, -1, "quoted", (b' a="', b'"'))], ["x"])
    assert text(template, None) == ""
    assert text(template, '"') == ' a="&#34;"'


def test_value_of_no_content_only_takes_the_page_s_away():
    template = Template(PAGE, [("value", 0, 2, -1, "nothing", BARE), ("static", 0, 6)], ["x"])
    assert text(template, "anything") == ""


def test_test_leads_on_where_it_does_not_hold():
    steps = [("test", lambda values: values[0] == b"1", 3), ("static", 0, 1), ("jump", 4), ("static", 1, 2)]
    assert text(Template(PAGE, steps, ["x"]), b"1") == "a"
    assert text(Template(PAGE, steps, ["x"]), b"2") == "b"


def test_attempt_takes_back_what_it_wrote():
    steps = [
        ("attempt", 0, 5), ("static", 0, 2), ("value", 0, 3, 0, "raw", BARE), ("static", 2, 3), ("jump", 6), ("static", 4, 6),
    ]  # fmt: skip
    template = Template(PAGE, steps, ["x"])
    assert text(template, b"X") == "abXc"
    assert text(template, None) == "ef"


@pytest.mark.parametrize("step", [("jump", 0), ("jump", 2), ("value", 0, 0, -1, "text", BARE), ("test", bool, 5)])
def test_step_that_does_not_lead_on_is_our_own_mistake(step):
    with pytest.raises(ValueError, match="leads on"):
        Template(PAGE, [step], ["x"])


def test_page_is_kept_once():
    template = Template(PAGE, [("static", 0, 3), ("static", 3, 6)])
    assert template.page is PAGE
    assert all(segment.obj is PAGE for segment in template.render(()))
