"""The personal job: each visitor has a page of their own, each peer that is installed makes it, and who does not is refused."""

import json
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import agree, personal
from benchmarks.countries import CountryTable, make_countries
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench
from benchmarks.jobs import JOBS
from benchmarks.jobs import personal as job
from benchmarks.jobs.common import note_targets
from benchmarks.jobs.personal import ROWS, Row
from benchmarks.pages import own_content
from benchmarks.peers import Setting, workerd
from benchmarks.peers.fastedge import FASTEDGE_PERSONAL, POLICIES
from benchmarks.peers.origin import personal_origin
from benchmarks.peers.workerd import WORKERD
from benchmarks.personal_origin import PAGES, PersonalPages
from benchmarks.report import JobReport

HEAD = b"GET /page HTTP/1.1\r\nHost: shop.example\r\n%b\r\n"


@pytest.fixture(scope="module")
def countries() -> CountryTable:
    return make_countries()


@pytest.fixture(scope="module")
def visitors(countries: CountryTable) -> list[personal.Visitor]:
    return personal.make_visitors(countries, 300)


def test_visitors_get_pages_of_their_own_and_of_one_length(visitors: list[personal.Visitor]) -> None:
    pages = {visitor.page() for visitor in visitors}
    assert len(pages) == len(visitors)
    assert len({len(page) for page in pages}) == 1
    assert not any(own_content(slot) in page for page in pages for slot in personal.SLOTS)
    for fact in ("segment", "country", "variant"):
        assert len({getattr(visitor, fact) for visitor in visitors}) > 1


def test_page_has_the_size_tags_and_slots_of_the_job() -> None:
    assert 50_000 < len(personal.PAGE) < 52_000
    assert len(re.findall(rb"<[a-z/]", personal.PAGE)) > 1_200
    assert all(personal.PAGE.count(own_content(slot)) == 1 for slot in personal.SLOTS)


def test_request_says_what_the_parts_hang_on(visitors: list[personal.Visitor]) -> None:
    visitor = visitors[7]
    lines = visitor.request("gzip").decode().split("\r\n")
    assert len(lines) == 1 + 11 + 2
    assert lines[0] == "GET /page HTTP/1.1"
    assert f"X-Forwarded-For: {visitor.address}" in lines
    assert f"X-Country: {visitor.country}" in lines
    assert "Accept-Encoding: gzip" in lines
    cookie = next(line for line in lines if line.startswith("Cookie: "))
    for name in ("uid", "name", "segment", "variant"):
        assert f"; {name}={getattr(visitor, name)}" in cookie


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("esi", [False, True], ids=["whole", "esi"])
def test_origin_sends_the_page_that_its_asker_can_read(gzip: bool, esi: bool) -> None:
    fields = b"Accept-Encoding: gzip\r\n" * gzip + b'Surrogate-Capability: edge="ESI/1.0"\r\n' * esi
    head, _, body = PersonalPages().answer(b"/page", HEAD % fields).partition(b"\r\n\r\n")
    assert body == PAGES[esi, gzip]
    assert (b"\r\nContent-Encoding: gzip" in head) == gzip
    assert (b"\r\nSurrogate-Control: " in head) == esi
    assert b"\r\nCache-Control: max-age=3600" in head


def test_includes_and_parts_make_the_visitor_s_page(visitors: list[personal.Visitor]) -> None:
    pages = PersonalPages()
    page = PAGES[True, False]
    for slot in personal.SLOTS:
        fact = personal.TABLES[slot][0] if slot in personal.TABLES else slot
        target = f"/fragments/{slot}/{getattr(visitors[0], fact)}".encode()
        part = pages.answer(target, b"").partition(b"\r\n\r\n")[2]
        page = page.replace(b'<esi:include src="/fragments/%b"/>' % slot.encode(), part)
    assert page == visitors[0].page()
    assert pages.requests == len(personal.SLOTS)


@pytest.mark.parametrize("target", [b"/", b"/fragments/price/XX", b"/fragments/hero", b"/fragments/nothing/DE"])
def test_origin_has_nothing_else(target: bytes) -> None:
    assert PersonalPages().answer(target, b"").startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.peer.name)
def test_job_runs_and_its_peer_agrees(
    bench: Bench, countries: CountryTable, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := row.peer.missing():
        pytest.skip(reason)
    monkeypatch.setattr(job, "ROWS", (row,))
    monkeypatch.setattr(agree, "ASKED", 20)
    monkeypatch.setattr(personal, "VISITORS", 50)
    bench = replace(bench, rounds=1, count=300, _tables={"countries": countries})
    report = JOBS["personal"](bench)
    assert (report.peers(), list(report.versions), report.notes) == ([row.peer.name], [row.peer.name], [])
    assert all(value > 0 for result in report.results for value in result.values)


@pytest.mark.parametrize(
    ("encoding", "is_personal", "problem"),
    [("identity", True, "another page of .* for visitor-000000"), ("br", False, "in identity instead of br")],
    ids=["page", "encoding"],
)
def test_peer_that_sends_another_page_is_refused(
    bench: Bench, visitors: list[personal.Visitor], encoding: str, is_personal: bool, problem: str
) -> None:
    with bench.serving([], origin_peer=personal_origin()) as scene:
        assert agree.require_personal(scene.origin, visitors[:3], "identity", False) == len(personal.PAGE)
        with pytest.raises(BenchmarkError, match=f"origin: .*{problem}"):
            agree.require_personal(scene.origin, visitors, encoding, is_personal)


def test_policy_of_fastedge_has_the_tables_of_all_peers(setting: Setting) -> None:
    if reason := FASTEDGE_PERSONAL.missing():
        pytest.skip(reason)
    policy = runpy.run_path(str(POLICIES / "personal.py"))
    assert policy["HEROES"] == personal.HEROES
    assert policy["PRICES"].items() <= personal.PRICES.items()
    assert {personal.PRICES[country] for country in personal.PRICES.keys() - policy["PRICES"].keys()} == {"12.99 USD"}
    FASTEDGE_PERSONAL.prepare(setting)
    assert json.loads((setting.directory / "banners.json").read_text()) == personal.BANNERS
    assert json.loads((setting.directory / "offers.json").read_text()) == personal.OFFERS


@pytest.fixture
def setting(tmp_path: Path, countries: CountryTable) -> Setting:
    return Setting(tmp_path, 8080, 9001, tmp_path, countries, workers=1)


def test_workerd_is_found_where_npm_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(workerd.VARIABLE, raising=False)
    monkeypatch.setattr(workerd, "find_program", lambda name: None)
    monkeypatch.setattr(workerd, "HOMES", (tmp_path,))
    assert (WORKERD.missing() or "").startswith("workerd is not installed (npm: workerd")
    program = tmp_path / "node_modules" / "@cloudflare" / "workerd-linux-64" / "bin" / "workerd"
    program.parent.mkdir(parents=True)
    program.touch()
    assert WORKERD.missing() is None
    monkeypatch.setenv(workerd.VARIABLE, str(tmp_path / "elsewhere"))
    assert WORKERD.missing() is not None  # who names one means that one


def test_targets_are_noted_for_those_who_were_measured() -> None:
    report = JobReport("personal", "", compared=("cpu",))
    report.add("mine", "cpu", "µs/request", [10.0, 12.0, 11.0])
    report.add("theirs", "cpu", "µs/request", [20.0, 20.0, 20.0])
    note_targets(report, [("mine", "theirs", 0.6), ("mine", "theirs", 0.5), ("mine", "nobody", 1.0)])
    assert report.notes == ["mine ÷ theirs: 0.55, asked ≤ 0.6: reached", "mine ÷ theirs: 0.55, asked ≤ 0.5: missed"]
