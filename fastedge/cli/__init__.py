"""The command line. Each command is imported when it is called, so that `fastedge run` does not wait for others."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

# name → (where it is, what it does)
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("fastedge.cli.run:run", "Run the edge of a configuration file."),
        "check": ("fastedge.cli.check:check", "Print everything that is wrong with a configuration."),
        "explain": ("fastedge.cli.explain:explain", "Show what would be decided about one request, and by whom."),
        "api-key": ("fastedge.cli.api_key:api_key", "Make an API key, list them, take one back."),
        "password": ("fastedge.cli.password:password", "Set a user's password."),
        "experiment": ("fastedge.cli.experiment:experiment", "Sign an override for a tester; ramp an experiment."),
        "sign": ("fastedge.cli.sign:sign", "Sign a URL for a while."),
        "geo": ("fastedge.cli.geo:geo", "Show what the geo table knows of addresses, and how old it is."),
        "bench": ("fastedge.cli.bench:bench", "Measure this edge beside others."),
        "version": ("fastedge.cli.version:version", "Print the version."),
    }
)


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """fastedge: a programmable HTTP edge."""
