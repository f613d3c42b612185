"""The class of a device, by what browsers and bots say of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Request
from fastedge._core.device import DEVICES, MARKS, device_class

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"
ANDROID = "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0{} Safari/537.36"


def class_of(user_agent, *more):
    return device_class(Request("GET", "/", [("user-agent", user_agent), *more]))


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (WINDOWS, "desktop"),
        ("", "desktop"),
        ("curl/8.5.0", "desktop"),
        (IPHONE, "mobile"),
        (ANDROID.format("Pixel 8", " Mobile"), "mobile"),
        (ANDROID.format("CUBOT NOTE 20", " Mobile"), "mobile"),
        (ANDROID.format("SM-X710", ""), "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) Mobile/15E148 Safari/604.1", "tablet"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        (ANDROID.format("Nexus 5X", " Mobile") + " (compatible; Googlebot/2.1)", "bot"),
        ("facebookexternalhit/1.1", "bot"),
        (WINDOWS.replace("Chrome", "HeadlessChrome"), "bot"),
        ("BOT", "bot"),
        ("bo", "desktop"),
        ("x cubot bot", "bot"),
        ("{obi", "desktop"),
    ],
)
def test_class_of_user_agents(user_agent, expected):
    assert class_of(user_agent) == expected


def test_hint_of_a_mobile_counts_but_not_against_a_bot():
    assert class_of(WINDOWS, ("sec-ch-ua-mobile", "?1")) == "mobile"
    assert class_of(WINDOWS, ("sec-ch-ua-mobile", "?0")) == "desktop"
    assert class_of(ANDROID.format("K", ""), ("sec-ch-ua-mobile", "?1")) == "mobile"
    assert class_of("Googlebot", ("sec-ch-ua-mobile", "?1")) == "bot"


def test_user_agents_that_were_seen_are_not_mixed_up():
    agents = [f"{'x' * (i % 260)} {'bot' if i % 3 else 'iPad'} {i}" for i in range(3_000)]
    for _ in range(2):
        assert [class_of(one) for one in agents] == ["bot" if i % 3 else "tablet" for i in range(3_000)]


def test_request_that_says_nothing_is_a_desktop():
    assert device_class(Request()) == "desktop"


@given(st.sampled_from(MARKS), st.text("xyz /;", max_size=20), st.text("xyz /;", max_size=20), st.booleans())
def test_mark_counts_wherever_it_stands_and_in_any_case(mark, before, after, is_upper):
    text, device = mark
    assert class_of(before + (text.upper() if is_upper else text) + after) == device


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300))
def test_any_user_agent_has_a_class(user_agent):
    assert class_of(user_agent) in DEVICES
