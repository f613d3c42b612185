"""workerd: a page from its memory, as it is or through HTMLRewriter, for the personal job."""

import json
import os
import sys
from functools import partial
from pathlib import Path

from benchmarks import personal
from benchmarks.peers import CONFIGS, Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, Command

VARIABLE = "FASTEDGE_WORKERD"
COMPATIBILITY_DATE = "2025-11-01"
HOMES = (Path(sys.prefix), Path(__file__).parents[2])  # of node_modules: the environment, the checkout


def _missing() -> str | None:
    return None if _find() else f"workerd is not installed (npm: workerd; on the path, in {sys.prefix} or {VARIABLE})"


def _version() -> str:
    return first_line(_program(), "--version").replace(" ", "/")


def _prepare(setting: Setting, script: str) -> Command:
    (setting.directory / script).write_text((CONFIGS / script).read_text())
    (setting.directory / "page.html").write_bytes(personal.PAGE)
    parts = {slot: table for slot, (_, table) in personal.TABLES.items()}
    (setting.directory / "parts.json").write_text(json.dumps(parts))
    values = {"host": HOST, "port": setting.port, "date": COMPATIBILITY_DATE, "script": script}
    (setting.directory / "config.capnp").write_text(fill("workerd.capnp", **values))
    return Command((_program(), "serve", "config.capnp"), {})


def _program() -> str:
    return _find() or "workerd"


def _find() -> str | None:
    """As the variable says, in node_modules, or on the path, where npm puts a script that starts the program."""
    if named := os.environ.get(VARIABLE):
        return named if Path(named).is_file() else None
    found = [path for home in HOMES for path in home.glob("node_modules/@cloudflare/workerd-*/bin/workerd")]
    return str(found[0]) if found else find_program("workerd")


WORKERD = Peer("workerd", _missing, _version, partial(_prepare, script="workerd_plain.js"))
WORKERD_REWRITER = Peer("workerd-rewriter", _missing, _version, partial(_prepare, script="workerd_rewriter.js"))
