"""The servers that are compared, each configured as its experts would: same work, same log, same addresses for all.

A peer that cannot run here is named with its reason; it is never silently left out.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.countries import CountryTable
from benchmarks.process import Command

CONFIGS = Path(__file__).parent / "configs"
CONNECTIONS_MAX = 16_384  # file descriptors are the limit: 20,000 for a process is common


@dataclass(frozen=True, slots=True)
class Setting:
    """What a peer is told: where it may write, where it listens, whom it asks."""

    directory: Path
    port: int
    origin_port: int
    tools: Path
    countries: CountryTable
    workers: int
    admin_port: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """`missing` gives the reason why it cannot run here, or None; `prepare` writes its files and gives its command.

    `workers` are its processes or threads, a core for each. `settle` gets the root of its tree once it answers.
    """

    name: str
    missing: Callable[[], str | None]
    version: Callable[[], str]
    prepare: Callable[[Setting], Command]
    workers: int = 1
    settle: Callable[[int], None] = lambda root: None


def fill(template: str, **values: object) -> str:
    """The text of peers/configs/`template`, with what stands between two @ replaced. KeyError for unknown names."""
    text = (CONFIGS / template).read_text()
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1].lower()]), text)


def find_program(name: str) -> str | None:
    """Where a server is installed. Debian's are in sbin, which is not on every user's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")


def first_line(*argv: str) -> str:
    """The first line that a command prints, on either stream."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return (done.stdout.strip().splitlines() or ["unknown"])[0]
