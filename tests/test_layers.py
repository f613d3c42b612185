"""Imports and cimports go downward only, and the world (clock, sockets, files) stands where it is meant to stand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fastedge"
FILES = sorted(path for path in PACKAGE.rglob("*.p*") if path.suffix in (".py", ".pyx", ".pxd"))

# The layer of each module, by the first prefix that fits; what no row names is the shell, at the top.
LAYERS = {
    "fastedge": 3,  # what policies import: the core's types and the errors
    "fastedge.errors": 0,
    "fastedge.limits": 0,
    "fastedge._core": 1,
    **{f"fastedge.{name}": 2 for name in ("semantics", "caching", "identity", "geo", "routing", "imaging", "html")},
    "fastedge.stages": 3,
    "fastedge.engine": 4,
}
SHELL = 5
RULES = [name for name, layer in LAYERS.items() if layer == 2]
OPEN = "fastedge.semantics"  # the one package of rules that the others may use

# What reaches the world. Below the shell each use is listed, with its reason.
WORLD = {
    *("asyncio", "multiprocessing", "sched", "selectors", "signal", "subprocess", "threading", "uvloop"),
    *("http.client", "socket", "ssl", "urllib.request"),
    *("fcntl", "importlib", "io", "mmap", "os", "pathlib", "posix", "shutil", "tempfile"),
    *("datetime", "posix.time", "random", "secrets", "time", "uuid"),
}
ALLOWED = {
    ("fastedge.geo.compile", "datetime"): "a command: prints when a table was built",
    ("fastedge.geo.compile", "pathlib"): "a command: reads and writes the files that it is told",
    ("fastedge.geo.data", "importlib"): "package data: the table that ships",
    ("fastedge.geo.overrides", "io"): "text as a file object, for csv",
    ("fastedge.identity.api_keys", "datetime"): "turns a moment that came as text into a number",
    ("fastedge.routing.redirects", "io"): "text as a file object, for csv",
    ("fastedge.stages.basic_auth", "os"): "os.urandom, as the default of an argument",
    ("fastedge.stages.experiment", "os"): "os.urandom, as the default of an argument",
    ("fastedge.stages.jwt_auth", "os"): "os.urandom, as the default of an argument",
}
# Where the clock is read; `datetime` elsewhere only turns a moment that came as a number, or as text, into the other.
CLOCK = {"time", "posix.time"}
ONLY_IN = {
    "httptools": {"fastedge._core.llhttp"},
    "isal": {"fastedge._core.stitch"},
    "maxminddb": set(),  # the tests' oracle
    "pyvips": set(),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_CYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+c?import[ \t]*(\([^)]*\)|[^\n#]+)|c?import[ \t]+([^\n#]+)|cdef[ \t]+extern[ \t]+from[ \t]+[<\"]([^>\"]+))",
    re.MULTILINE,
)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import or a cimport, wherever in it; C headers as `<header>`."""
    text = path.read_text()
    if path.suffix == ".py":
        yield from _python_imports(ast.parse(text), path)
        return
    text = re.sub(r'"""(?:.|\n)*?"""', "", text)
    for source, names, plain, header in _CYTHON.findall(text):
        if source:
            yield from _from(source, [name.split()[0] for name in names.strip("()\n ").split(",") if name.strip()])
        elif plain:
            yield from (name.split()[0] for name in plain.split(","))
        else:
            yield f"<{header}>"


def _python_imports(tree: ast.AST, path: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: a relative import"
            yield from _from(node.module, [alias.name for alias in node.names])


def _from(source: str, names: list[str]) -> Iterator[str]:
    """`from fastedge import limits` names fastedge.limits; of other modules the source says enough."""
    below = [f"{source}.{name}" for name in names]
    modules = [name for name in below if name in MODULES]
    yield from modules
    if len(modules) < len(below):
        yield source


MODULES = {module_of(path) for path in FILES}
EDGES = sorted({(module_of(path), name) for path in FILES for name in imports(path)})


def layer_of(module: str) -> int:
    while module not in LAYERS:
        module, dot, _ = module.rpartition(".")
        if not dot or module == "fastedge":
            return SHELL
    return LAYERS[module]


def package_of(module: str) -> str:
    return next((name for name in RULES if module == name or module.startswith(name + ".")), module)


def test_reader_of_imports_sees_python_and_cython() -> None:
    assert ("fastedge._core.wire", "fastedge._core.fields") in EDGES
    assert ("fastedge._core.wire", "fastedge.errors") in EDGES
    assert ("fastedge._core.llhttp", "httptools.parser.parser") in EDGES
    assert ("fastedge.origin.fetch", "<sys/socket.h>") in EDGES
    assert ("fastedge.clock", "posix.time") in EDGES
    assert len(MODULES) > 60


def test_layers_of_modules() -> None:
    expected = {
        "errors": 0,
        "_core.wire": 1,
        "geo.mmdb": 2,
        "stages": 3,
        "engine": 4,
        "server.worker": 5,
        "clock": 5,
        "cli": 5,
    }
    assert {name: layer_of(f"fastedge.{name}") for name in expected} == expected


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_imports_downward_only(module: str) -> None:
    up = [
        name
        for importer, name in EDGES
        if importer == module and name.split(".")[0] == "fastedge" and layer_of(name) > layer_of(module)
    ]
    assert up == []


def test_packages_of_rules_do_not_know_each_other() -> None:
    crossing = [
        (importer, name)
        for importer, name in EDGES
        if layer_of(importer) == layer_of(name) == 2
        and package_of(importer) != package_of(name)
        and package_of(name) != OPEN
    ]
    assert crossing == []


def test_engine_names_no_stage_and_the_core_only_its_base() -> None:
    text = "".join((PACKAGE / f"engine.{suffix}").read_text() for suffix in ("pyx", "pxd", "pyi"))
    stages = re.findall(r'"(\w+)"', (PACKAGE / "stages" / "__init__.py").read_text().partition("__all__")[2])
    assert "Redirects" in stages
    assert [name for name in stages if re.search(rf"\b{name}\b", text)] == []
    assert [name for importer, name in EDGES if importer == "fastedge.engine" and "stage" in name] == []


def test_world_is_reached_from_the_shell_alone() -> None:
    reached = {
        (module, next(known for known in (name, name.split(".")[0]) if known in WORLD))
        for module, name in EDGES
        if layer_of(module) < SHELL and (name in WORLD or name.split(".")[0] in WORLD)
    }
    assert reached == set(ALLOWED)


def test_nothing_below_the_shell_opens_files() -> None:
    opening = re.compile(r"(?<![\w.])(?:open|exec|eval|compile|input|print)\(")
    found = {
        module_of(path)
        for path in FILES
        if layer_of(module_of(path)) < SHELL
        and opening.search(re.sub(r'"""(?:.|\n)*?"""|#.*|\bc?def .*', "", path.read_text()))
    }
    assert found <= {"fastedge.geo.compile"}


def test_headers_of_the_system_are_included_where_they_are_meant_to_be() -> None:
    pure = {"<string.h>", "<strings.h>", "<arpa/inet.h>"}  # of the last, the order of bytes
    listed = {("fastedge._core.llhttp", "<dlfcn.h>"), ("fastedge.origin.fetch", "<sys/socket.h>")}
    found = {(module, name) for module, name in EDGES if name.startswith("<") and name not in pure}
    assert {edge for edge in found if layer_of(edge[0]) < SHELL} <= listed


def test_one_file_reads_the_clock() -> None:
    assert {module for module, name in EDGES if name in CLOCK} == {"fastedge.clock"}
    reading = re.compile(
        r"datetime\.(?:now|today|utcnow)\(|\bdate\.today\(|\bperf_counter|\bmonotonic_ns|\btime\.time\("
    )
    assert [path.name for path in FILES if reading.search(path.read_text())] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_imported_by_one_file(library: str) -> None:
    assert {module for module, name in EDGES if name.split(".")[0] == library} == ONLY_IN[library]
