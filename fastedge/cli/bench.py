"""`fastedge bench`: hands over to the benchmarks, which are in a checkout and not in the package."""

import sys
from importlib import import_module
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure this edge beside others; ARGUMENTS are those of the benchmarks."""
    if not Path("benchmarks/__main__.py").is_file():
        raise click.ClickException("there are no benchmarks here: they are in a checkout of fastedge, run it there")
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(import_module("benchmarks.__main__").main(list(arguments)))
