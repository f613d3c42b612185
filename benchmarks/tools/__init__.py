"""Compiles the C tools beside this file, when they are needed and only if their sources changed."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from benchmarks.errors import BenchmarkError

SOURCES = Path(__file__).parent
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


def build(tool: str, directory: Path) -> Path:
    """The path of the compiled tool `floor` or `loadgen` in `directory`."""
    source = SOURCES / f"{tool}.c"
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted([source, *SOURCES.glob("*.h")]):
        digest.update(path.read_bytes())
    program = directory / f"{tool}-{digest.hexdigest()[:12]}"
    if not program.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _compile(source, program)
    return program


def _compile(source: Path, program: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BenchmarkError("no C compiler: gcc builds fastedge and the tools of its benchmarks")
    unfinished = program.with_suffix(".tmp")
    done = subprocess.run(
        [compiler, *FLAGS, "-o", str(unfinished), str(source), "-lm"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"{source.name} does not compile: {done.stderr.strip()}")
    unfinished.rename(program)
