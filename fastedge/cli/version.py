"""`fastedge version`."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import click


@click.command()
def version() -> None:
    """Print the version."""
    try:
        click.echo(f"fastedge {version_of('fastedge')}")
    except PackageNotFoundError:
        click.echo("fastedge, from a source tree that is not installed")
