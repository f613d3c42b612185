"""The documentation says what is so: its examples run, its links lead somewhere, its tables are complete."""

import ast
import doctest
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import fastedge
import fastedge.stages
from fastedge import CONTINUE, Context, Fields, Pipeline, Plan, Request, Response
from fastedge._core.address import pack_address
from fastedge.cli import COMMANDS, main
from fastedge.config import Sources, load
from fastedge.engine import Engine, Site
from fastedge.geo.data import shipped_table
from fastedge.html import load_fragments
from fastedge.identity.api_keys import ApiKeys
from fastedge.identity.keys import KeySet
from fastedge.identity.passwords import Users, new_hash
from fastedge.routing import load_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ORIGIN = '\n[origins.main]\nservers = ["http://127.0.0.1:9001"]\n'
LANGUAGES = {"", "csv", "haproxy", "ini", "json", "nginx", "pycon", "python", "sh", "toml"}
# Every name that an example may use.
SNAPSHOT = SimpleNamespace(
    keys={"shop": KeySet.from_secret(b"k" * 32, name="shop")},
    credentials={
        "partners": ApiKeys(b"", {}),
        "team": Users.from_lines(f"ann:{new_hash('a', bytes(16))}".encode()),
    },
    tables={"moved": load_table("moved.csv", b"source,target\n/a,/b\n")},
    origins=frozenset({"main", "beta", "eu", "eu-de", "us", "checkout-v2"}),
    fragments={"banners": load_fragments("banners.json", b'{"DE": "<p>Hallo</p>"}')},
    geo=shipped_table(),
    revocations=None,
)


def name_of(page):
    return str(page.relative_to(ROOT))


def fences(page):
    """The fenced blocks of a page as (language, text)."""
    parts = re.split(r"^```(.*)\n", page.read_text() + "\n", flags=re.MULTILINE)
    assert len(parts) % 4 == 1, f"{name_of(page)}: a block is not closed"
    assert not any(parts[3::4]), f"{name_of(page)}: a closing fence has a language"
    return list(zip(parts[1::4], parts[2::4], strict=True))


def blocks(page, language):
    return [text for found, text in fences(page) if found == language]


def spans(page):
    """What stands in code font outside of blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def pages_with(language):
    return pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, language)], ids=name_of)


# --- code --------------------------------------------------------------------------------------------------------


@pages_with("python")
def test_python_runs_and_binds(page):
    names = {}
    for code in blocks(page, "python"):
        if code.startswith("# test_"):
            continue
        names.pop("pipeline", None)
        exec(compile(code, name_of(page), "exec"), names)
        if "pipeline" in names:
            names["pipeline"].bind(SNAPSHOT)


@pages_with("python")
def test_tests_shown_pass_beside_their_policy(page, tmp_path):
    files = [code for code in blocks(page, "python") if re.match(r"# \w+\.py\n", code)]
    for code in files:
        (tmp_path / code.partition("\n")[0].removeprefix("# ")).write_text(code)
    tests = [*tmp_path.glob("test_*.py")]
    if not tests:
        return
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout
    count = sum(code.count("\ndef test_") for code in files)
    assert f"{count} passed" in run.stdout
    assert f"{count} passed" in page.read_text()


@pages_with("pycon")
def test_sessions_print_what_they_show(page):
    parser, names = doctest.DocTestParser(), {}
    for number, session in enumerate(blocks(page, "pycon")):
        test = parser.get_doctest(session, names, f"{name_of(page)}[{number}]", name_of(page), 0)
        report = []
        doctest.DocTestRunner(verbose=False).run(test, out=report.append, clear_globs=False)
        assert not report, "".join(report)
        names = test.globs


@pages_with("toml")
def test_toml_loads(page):
    for text in blocks(page, "toml"):
        text = text if "[origins" in text else text + ORIGIN
        found = Sources("edge.toml", "/etc/edge", text.encode(), (), {}, {}, {})
        files = {one.name: b"" for one in found.draft().references if one.is_file}
        variables = {one.name: b"" for one in found.draft().references if not one.is_file}
        assert load(Sources("edge.toml", "/etc/edge", text.encode(), (), files, variables, {})).origins


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_are_closed_and_of_known_languages(page):
    assert {language for language, _ in fences(page)} <= LANGUAGES


# --- what a log line says of a broken hook -----------------------------------------------------------------------


def failure(origins=("main",), default="main", **hooks):
    """What is logged when a request meets a stage called Gate with these hooks, and an origin that answers."""
    stages = [type("Gate", (), hooks)()] if hooks else []
    site = Site("", Pipeline(*stages).bind(SNAPSHOT), default)
    exchange = Engine({"*": site}, origins).begin(Request(), 0.0, pack_address("192.0.2.1"))
    if exchange.step_start() == "fetch":
        exchange.step_fetched(Response(200))
    assert exchange.response.status == 500
    return str(exchange.failure)


def go_elsewhere(self, request, ctx):
    ctx.plan.origin = "checkout-v3"
    return CONTINUE


FAILURES = [
    lambda: failure(on_request=lambda self, request, ctx: None),
    lambda: failure(on_request=lambda self, request, ctx: True),
    lambda: failure(on_response=lambda self, request, response, ctx: response),
    lambda: failure(on_request=lambda self, request, ctx: ctx.variants["checkout"]),
    lambda: failure(on_origin_request=go_elsewhere),
    lambda: failure(on_request=go_elsewhere),
    lambda: failure(default=None),
]


@pytest.mark.parametrize("case", FAILURES)
def test_logged_text_of_a_mistake_is_documented(case):
    page = (ROOT / "docs/writing-stages.md").read_text().partition("| mistake | what the log says |")[2]
    documented = re.findall(r"\| (?:`([^`]+)`|``(.+?)``) \|$", page, re.MULTILINE)
    assert case() in {one or other for one, other in documented}


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", [Request, Context, Plan, Response, Fields], ids=lambda type_: type_.__name__)
def test_every_public_attribute_has_a_row(type_):
    text = (ROOT / "docs/writing-stages.md").read_text()
    section = re.search(rf"^### {type_.__name__}\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL).group(1)
    cells = chain.from_iterable(re.findall(r"`([^`]+)`", row) for row in re.findall(r"^\|([^|]+)\|", section, re.M))
    named = {re.match(r"\w+", cell).group() for cell in cells if re.match(r"[a-z_]+(\(|$)", cell)}
    assert named - {"len"} == {name for name in dir(type_) if not name.startswith("_")}


def test_every_stage_is_in_the_index_and_has_a_page():
    text = (ROOT / "docs/stages/README.md").read_text()
    for name in fastedge.stages.__all__:
        (target,) = re.findall(rf"^\| \[`{name}`\]\(([^)]+)\)", text, re.MULTILINE)
        heading = text if target.startswith("#") else (ROOT / "docs/stages" / target).read_text()
        assert re.search(rf"^#.*\b{name}\b", heading, re.MULTILINE)


def test_public_names_are_all_in_the_docs():
    text = "".join(page.read_text() for page in PAGES)
    for name in fastedge.__all__:
        assert re.search(rf"\b{name}\b", text), name


@pytest.mark.parametrize("kind", ["holds", "does not hold"])
def test_path_patterns_hold_as_documented(kind):
    text = (ROOT / "docs/stages/README.md").read_text()
    rows = text.partition("| pattern | holds for |")[2].partition("\n\n")[0].splitlines()[2:]
    for row in rows:
        pattern, fits, others = (re.findall(r"`([^`]+)`", cell) for cell in row.strip("|").split("|"))
        for path in fits if kind == "holds" else others:
            assert fastedge.Match(path=pattern).holds(Request("GET", path)) is (kind == "holds"), (pattern, path)


def test_paths_are_compared_as_documented():
    text = (ROOT / "docs/stages/README.md").read_text()
    rows = text.partition("| sent | compared as |")[2].partition("\n\n")[0].splitlines()[2:]
    for row in rows:
        sent, compared = re.findall(r"`([^`]+)`", row)
        assert fastedge.Match(path=compared).holds(Request("GET", sent)), row


# --- links, files, commands, tests -------------------------------------------------------------------------------


def anchors(page):
    """The anchors of a page's headings, made as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_are_there(page):
    """Paths in code font that begin in this repository."""
    named = re.findall(r"`((?:fastedge|docs|tests|benchmarks|policies)/[\w./-]*)", page.read_text())
    if page.name == "architecture.md":
        named += [f"fastedge/{path}" for path in re.findall(r"`([\w/]+\.pyx?)`", page.read_text())]
    missing = [path for path in named if not (ROOT / path).exists()]
    assert set(missing) <= {"benchmarks/history/JOB.jsonl"}, missing  # a pattern


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text()):
            linked = (page.parent / target).resolve()
            if not target.startswith("http") and linked not in reached:
                waiting.append(linked)
    assert set(PAGES) <= reached


def shown_lines(page):
    """What a reader could type: the lines of plain blocks, and what stands in code font."""
    return [line.removeprefix("$ ") for text in blocks(page, "") for line in text.splitlines()] + spans(page)


def shown_commands(page):
    """(command, the rest of its line) of each `fastedge …`."""
    found = (re.match(r"(?:\.venv/bin/|python -m )?fastedge ([\w-]+)([^#|&]*)", line) for line in shown_lines(page))
    return [match.groups() for match in found if match]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_exist(page):
    for name, rest in shown_commands(page):
        assert name in COMMANDS, name
        if name == "bench":
            continue  # its options are the benchmarks' own
        command = main.get_command(click.Context(main), name)
        options = set(chain.from_iterable(option.opts for option in command.params)) | {"--help"}
        given = re.findall(r"(?<!\S)(--?[a-zA-Z][\w-]*)", rest)
        assert set(given) <= options, (name, given)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    found = [re.match(r"make ([a-z]+)", line.strip()) for line in shown_lines(page)]
    assert {match.group(1) for match in found if match} <= targets


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def threats():
    text = (ROOT / "docs/threat-model.md").read_text()
    return [row for row in re.findall(r"^\| (?!---|threat)(.*) \|$", text, re.MULTILINE) if row.count(" | ") >= 2]


@pytest.mark.parametrize("row", threats(), ids=lambda row: row.partition(" | ")[0])
def test_threat_names_a_test_that_exists_or_says_that_none_does(row):
    guards = row.rpartition(" | ")[2]
    if guards == "**not guarded**":
        return
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", guards)
    assert named, row
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert test in functions_of(ROOT / path), f"{path}::{test}"


def test_readme_is_short_and_says_what_is_not_there():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert "## Not there yet" in text
