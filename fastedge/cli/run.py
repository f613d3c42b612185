"""`fastedge run`."""

import sys

import click

from fastedge.supervisor import supervise


@click.command()
@click.argument("file")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as server.workers=1; may be repeated."
)
def run(file: str, overrides: tuple[str, ...]) -> None:
    """Run the edge that FILE (edge.toml) describes, until SIGTERM or Ctrl-C. SIGHUP reloads it."""
    sys.exit(supervise(file, overrides))
