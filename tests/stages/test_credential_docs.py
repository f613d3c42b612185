"""The pages of ApiKeyAuth, BasicAuth and SignedUrl say what the stages take and answer, and their files can be used."""

import inspect
import re
from pathlib import Path

import pytest

from fastedge import limits
from fastedge._core import apikeygate, basicgate, signedurlgate
from fastedge.identity.api_keys import ApiKeys
from fastedge.identity.passwords import Users
from fastedge.stages import ApiKeyAuth, BasicAuth, SignedUrl

DOCS = Path(__file__).parents[2] / "docs" / "stages"
PAGES = {
    "api_key_auth.md": (ApiKeyAuth, {"missing", *apikeygate.REASONS}),
    "basic_auth.md": (BasicAuth, {"missing", "busy", *basicgate.REASONS}),
    "signed_url.md": (SignedUrl, {"missing", *signedurlgate.REASONS}),
}


def rows(page: str, heading: str) -> list[str]:
    table = (DOCS / page).read_text().partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_option_table_names_every_option_in_order(page: str) -> None:
    assert rows(page, "option") == list(inspect.signature(PAGES[page][0]).parameters)


@pytest.mark.parametrize("page", PAGES)
def test_reason_table_names_every_reason(page: str) -> None:
    assert set(rows(page, "reason")) == PAGES[page][1]


@pytest.mark.parametrize("page", PAGES)
def test_documented_defaults_are_those_of_the_constructor(page: str) -> None:
    text = (DOCS / page).read_text()
    for name, default in re.findall(r'^\| `(\w+)` \| (`?"?[\w:-]+"?`?) \|', text, re.MULTILINE):
        parameter = inspect.signature(PAGES[page][0]).parameters.get(name)
        if parameter is not None and isinstance(parameter.default, str | bool | int):
            assert default.strip("`").strip('"') == str(parameter.default)


def test_documented_bounds_are_the_limits() -> None:
    keys, basic, url = ((DOCS / page).read_text() for page in PAGES)
    assert f"more than {limits.api_key_bytes_max} bytes" in keys
    assert f"at least {limits.api_key_salt_bytes_min} random bytes" in keys
    assert f"fewer than {limits.api_key_chars_min} characters" in keys
    assert f"more than {limits.basic_credentials_bytes_max} bytes of base64" in basic
    assert f"up to {limits.password_remember_s_max}, 0 for never" in basic
    assert f"{limits.password_queue_max} checks may wait" in basic
    assert f"refused for {limits.password_refused_s} s" in basic
    assert f"take {limits.password_memory_kib_max // 1024} MiB of memory" in basic
    assert f"{limits.password_work_kib_max // 1024} MiB\nof memory times passes" in basic
    assert f"1 to {limits.signed_url_key_id_chars_max} letters" in url
    assert limits.step_threads == 2 and "by two threads" in basic


def test_documented_files_can_be_used() -> None:
    [text] = re.findall(r"```json\n(.*?)```", (DOCS / "api_key_auth.md").read_text(), re.DOTALL)
    grants = ApiKeys.from_json(text.encode()).grants
    assert [consumer.name for consumer, _ in grants.values()] == ["acme", "acme"]
    [lines] = re.findall(r"```\n(# the team.*?)```", (DOCS / "basic_auth.md").read_text(), re.DOTALL)
    assert repr(Users.from_lines(lines.encode())) == "<Users: 2>"
