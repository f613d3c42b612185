"""python -m benchmarks [JOB ...]: runs jobs, prints their tables and, with --save, appends to benchmarks/history/."""

import argparse
import resource
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.cpu import busy_percent
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench
from benchmarks.jobs import JOBS
from benchmarks.report import ROOT, describe_machine, save, show

BUSY_SAMPLE_S = 1.0
BUSY_PERCENT_MAX = 5.0
TABLE_COLUMNS = 170  # of text that goes to a file; a terminal has its own width


def main(argv: Sequence[str] | None = None) -> int:
    """0; 1 if a job could not be measured; 2 for options that make no sense."""
    options = _parser().parse_args(argv)
    unknown = [job for job in options.jobs if job not in JOBS]
    if unknown:
        print(f"unknown job {unknown[0]!r}: expected {', '.join(JOBS)}", file=sys.stderr)
        return 2
    _raise_file_limit()
    signal.signal(signal.SIGTERM, _end)  # by way of an exception, so that no server stays behind
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    machine = describe_machine(datetime.now(UTC).isoformat(timespec="seconds"))
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)
    bench = _bench(options)
    failures = [job for job in options.jobs or JOBS if not _run(job, bench, options.save, machine, console)]
    return 1 if failures else 0


def _run(job: str, bench: Bench, keep: bool, machine: dict[str, str], console: Console) -> bool:
    print(f"\n{job} …", file=sys.stderr)
    busy = busy_percent(BUSY_SAMPLE_S)
    try:
        report = JOBS[job](bench)
    except BenchmarkError as error:
        print(f"{job}: {error}", file=sys.stderr)
        return False
    if busy > BUSY_PERCENT_MAX:
        report.notes.append(f"others kept the machine {busy:.0f} % busy: trust the ratios, and those only so far")
    show(report, console)
    if keep:
        print(f"kept in {save(report, {**machine, 'busy_percent': f'{busy:.0f}'}).relative_to(ROOT)}", file=sys.stderr)
    return True


def _bench(options: argparse.Namespace) -> Bench:
    directory: Path = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    quick = options.quick
    return Bench(
        directory,
        rounds=options.rounds or (2 if quick else 7),
        count=15_000 if quick else 60_000,
        seconds=1.0 if quick else 4.0,
        body_mb=options.body_mb or (256 if quick else 4096),
        idle_connections=1_000 if quick else 10_000,
        objects=50_000 if quick else 1_000_000,
        without=frozenset(options.without),
        say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastedge bench", description="Measures what a request costs")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"any of {', '.join(JOBS)}; left out: all")
    parser.add_argument("--rounds", type=_positive, help="turns of each peer; left out: 7")
    parser.add_argument("--without", action="append", default=[], metavar="PEER", help="leave a peer out")
    parser.add_argument("--quick", action="store_true", help="a look in seconds; too short to quote")
    parser.add_argument("--save", action="store_true", help="append the results to benchmarks/history/")
    parser.add_argument("--body-mb", type=_positive, help="MiB of the bigbody job; left out: 4096")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / "build" / "benchmarks", help="where tools and the peers' files go"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _raise_file_limit() -> None:
    """10,000 idle connections are ours as well."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
