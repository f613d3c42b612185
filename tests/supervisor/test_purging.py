"""POST /v1/purge: what is asked for, in its normal form; what is wrong, and where."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.purges import name_hash
from fastedge.handover import private_purges
from fastedge.limits import cache_purge_request_items_max
from fastedge.purge_file import PurgeFile, open_purges
from fastedge.supervisor.purging import Purger, absolute_url, parse_purging

URL = b"https://shop.example/a"


def purging(**members: Any) -> Any:
    return parse_purging(json.dumps(members).encode())


# --- what is asked for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example/a", "https://shop.example/a"),
        ("HTTPS://Shop.Example/A?B=c", "https://shop.example/A?B=c"),
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example?q", "https://shop.example/?q"),
        ("https://shop.example:443/", "https://shop.example/"),
        ("http://shop.example:80", "http://shop.example/"),
        ("http://shop.example:443/", "http://shop.example:443/"),
        ("http://shop.example:/", "http://shop.example/"),
        ("http://shop.example./", "http://shop.example/"),
        ("http://[2001:DB8::0:1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://a/?u=https://b/@c:d", "http://a/?u=https://b/@c:d"),
    ],
)
def test_url_comes_in_its_normal_form(text: str, url: str) -> None:
    assert absolute_url(text) == url.encode()


@pytest.mark.parametrize(
    "text",
    [
        *("", "/a", "shop.example/a", "ftp://shop.example/", "https:/shop.example", "https:///a", "https://"),
        *("https://user@shop.example/", "https://shop.example/#part", "https://shop.example/ä", "https://x/a b"),
        *("https://shop.example:x/", "https://shop.example:123456/", "https://a:1:2/", "https://a..b/", "https://a/\n"),
        *("https://[::1/", "https://[::g]/", "https://[fe80::1%25eth0]/"),
    ],
)
def test_what_is_no_such_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        absolute_url(text)


@given(st.text(alphabet="htps:/?#@[]ab.A0 %\n", max_size=30).map(lambda text: f"http://{text}"))
def test_normal_form_is_its_own_normal_form(text: str) -> None:
    try:
        url = absolute_url(text)
    except ValueError:
        return
    assert absolute_url(url.decode()) == url


def test_names_come_as_they_are_stored() -> None:
    asked = purging(tags=["Red", "é"], urls=["HTTP://A"], prefixes=["HTTP://A/b"], hosts=["A.Example."], mode="soft")
    assert asked.tags == (b"Red", "é".encode())
    assert asked.urls == (b"http://a/",)
    assert asked.prefixes == (b"http://a/b",)
    assert asked.hosts == (b"a.example",)
    assert asked.soft
    assert not asked.everything


def test_purge_is_hard_unless_told() -> None:
    assert not purging(everything=True).soft


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "nothing to purge"),
        (b'{"everything":false,"tags":[]}', "nothing to purge"),
        (b'{"tag":["a"]}', "unknown field `tag`"),
        (b'{"tags":"a"}', "Expected `array`, got `str` - at `$.tags`"),
        (b'{"tags":["a",1]}', r"Expected `str`, got `int` - at `$.tags[1]`"),
        (b'{"tags":["a",""]}', "a tag has from 1 to 1024 bytes - at `$.tags[1]`"),
        (b'{"tags":["%s"]}' % (b"x" * 1025), "a tag has from 1 to 1024 bytes - at `$.tags[0]`"),
        (b'{"urls":["/a"]}', "expected an absolute http or https URL"),
        (b'{"urls":["http://a/","http://a/#b"]}', "at `$.urls[1]`"),
        (b'{"prefixes":["shop"]}', "at `$.prefixes[0]`"),
        (b'{"prefixes":["http://a/%s"]}' % (b"x" * 512), "a prefix has at most 512 bytes - at `$.prefixes[0]`"),
        (b'{"hosts":["a b"]}', "at `$.hosts[0]`"),
        (b'{"hosts":["a:80"]}', "it has no port - at `$.hosts[0]`"),
        (b'{"hosts":["*.example"]}', "at `$.hosts[0]`"),
        (b'{"everything":"yes"}', "Expected `bool`, got `str` - at `$.everything`"),
        (b'{"everything":true,"mode":"gentle"}', "Invalid enum value 'gentle' - at `$.mode`"),
        (b'{"everything":true}x', "trailing characters"),
        (b'\xff{"everything":true}', "JSON is malformed"),
    ],
)
def test_mistake_is_named(body: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_purging(body)
    assert message in str(caught.value)


def test_too_many_names_are_refused() -> None:
    half = [f"h{i}" for i in range(cache_purge_request_items_max // 2)]
    assert len(purging(tags=half, hosts=half).tags) == len(half)
    with pytest.raises(ValueError, match="1025 things to purge; one request may name 1024"):
        purging(tags=half, hosts=half, everything=True)


# --- doing it ---------------------------------------------------------------------------------------------------


def test_everything_that_was_asked_for_is_in_force() -> None:
    purges, counted = private_purges(), Counter[str]()
    born = purges.now()
    asked = purging(tags=["red"], urls=["http://a/1", "http://a/2"], prefixes=["http://b/"], hosts=["c"])
    answer = asyncio.run(Purger(purges, None, lambda name, n: counted.update({name: n})).purge(asked))
    assert answer == {
        "purged": {"tags": 1, "urls": 2, "prefixes": 1, "hosts": 1, "everything": 0},
        "mode": "hard",
        "sequence": purges.now(),
        "durable": None,
    }
    for kind, name in [(b"tag", b"red"), (b"url", b"http://a/1"), (b"url", b"http://a/2"), (b"host", b"c")]:
        assert purges.verdict_of([name_hash(kind, name)], URL, born) == "hard"
    assert purges.verdict_of([], b"http://b/x", born) == "hard"
    assert purges.verdict_of([], URL, born) == "kept"
    assert +counted == {"purges_tag": 1, "purges_url": 2, "purges_prefix": 1, "purges_host": 1}


def test_soft_purge_of_everything() -> None:
    purges = private_purges()
    born = purges.now()
    answer = asyncio.run(Purger(purges, None, lambda name, n: None).purge(purging(everything=True, mode="soft")))
    assert answer["mode"] == "soft"
    assert purges.verdict_of([], URL, born) == "softly"


def test_purge_says_whether_a_restart_will_know_of_it(tmp_path: Path) -> None:
    purges, warnings = private_purges(), list[str]()
    file = open_purges(tmp_path, purges, 1e9, warnings.append)
    born = purges.now()
    answer = asyncio.run(Purger(purges, file, lambda name, n: None).purge(purging(tags=["red"])))
    assert answer["durable"] is True
    again = private_purges()
    assert again.restore((tmp_path / "purges.bin").read_bytes())
    assert again.verdict_of([name_hash(b"tag", b"red")], URL, born) == "hard"
    file.close()


def test_purge_that_no_restart_will_know_of_is_in_force() -> None:
    purges, warnings = private_purges(), list[str]()
    file = PurgeFile(os.open("/dev/full", os.O_WRONLY), warnings.append)
    purges.keep = file.keep
    answer = asyncio.run(Purger(purges, file, lambda name, n: None).purge(purging(everything=True)))
    assert answer["durable"] is False
    assert purges.verdict_of([], URL, 0) == "hard"
    assert len(warnings) == 1
    file.close()
