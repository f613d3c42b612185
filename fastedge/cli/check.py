"""`fastedge check`: prepares a configuration as a worker would, serves nothing, and says what it found."""

import os
import sys
from collections.abc import Iterator

import click

from fastedge.assembly import Prepared, prepare
from fastedge.config import ConfigErrors, Sources, sizes
from fastedge.routing import find_loops


@click.command()
@click.argument("file")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as server.workers=1; may be repeated."
)
def check(file: str, overrides: tuple[str, ...]) -> None:
    """Print everything that is wrong with FILE (edge.toml) and what it names; exit status 2 if anything is.

    Policies are executed.
    """
    try:
        prepared = prepare(Sources.read(file, os.environ, overrides), 0)
    except ConfigErrors as errors:
        for problem in errors.problems:
            click.echo(str(problem), err=True)
        click.echo(f"{file}: {_counted(len(errors.problems), 'problem')}", err=True)
        sys.exit(2)
    prepared.policies.forget()
    loops = list(_loops(prepared))
    for loop in loops:
        click.echo(loop, err=True)
    for name in prepared.snapshot.experiments.unknown():
        click.echo(f"experiments.file: no policy has an experiment {name!r}", err=True)
    for line in _summary(prepared):
        click.echo(line)
    if loops:
        click.echo(f"{file}: {_counted(len(loops), 'redirect loop')}", err=True)
        sys.exit(2)
    click.echo(f"{file}: ok")


def _loops(prepared: Prepared) -> Iterator[str]:
    hosts = frozenset(host for site in prepared.config.sites for host in site.hosts if not host.startswith("*"))
    for name, table in prepared.snapshot.tables.items():
        for loop in find_loops(table, hosts):
            yield f"tables.{name}: {loop}"


def _summary(prepared: Prepared) -> Iterator[str]:
    """What the sizes come to: most of them are one worker's."""
    rows = sizes(prepared.config, len(os.sched_getaffinity(0)))
    width = max(len(row.key) for row in rows)
    yield f"{'over all workers':{width}}  {'a worker':>12} {'in all':>12}"
    for row in rows:
        yield f"{row.key:{width}}  {row.a_worker:>12,} {row.total:>12,} {row.unit}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
