"""`fastedge experiment`: signs an override for a tester; ramps an experiment, moving as few visitors as it must."""

import json
from collections.abc import Iterable
from typing import Any

import click

from fastedge.cli.credentials import read_file, read_secret, replace_file, span
from fastedge.clock import now
from fastedge.errors import ConfigError
from fastedge.identity.mac import mac_with
from fastedge.limits import experiment_override_s_max, secret_bytes_min
from fastedge.routing.allocation import Allocation, allocate, allocation_of, read_allocation
from fastedge.routing.experiment_settings import read_settings
from fastedge.routing.overrides import OVERRIDE, make_override, read_override


@click.group()
def experiment() -> None:
    """Overrides for testers, and ramps."""


@experiment.command()
@click.argument("name")
@click.argument("variant")
@click.option("--secret-env", metavar="NAME", help="The environment variable that holds the secret.")
@click.option("--secret-file", metavar="PATH", help="The file that holds it; one line end at its end does not count.")
@click.option("--expires-in", type=span, default="12h", show_default=True, metavar="SPAN", help="90s, 30m, 12h or 7d.")
def sign(name: str, variant: str, secret_env: str | None, secret_file: str | None, expires_in: float) -> None:
    """Print what gives a tester VARIANT of the experiment NAME, as a parameter or a cookie. The secret is that of
    `Experiment(override_keys=…)`."""
    secret = read_secret("secret", secret_env, secret_file)
    if secret is None:
        raise click.UsageError("--secret-env or --secret-file says where the secret is")
    if len(secret) < secret_bytes_min:
        raise click.ClickException(f"a secret has at least {secret_bytes_min} bytes, this one has {len(secret)}")
    if not 0 < expires_in <= experiment_override_s_max:
        raise click.ClickException(f"an override is signed for {experiment_override_s_max // 86_400} days at most")
    text = make_override(name, variant, int(now() + expires_in), mac_with(secret))
    if read_override(text.encode()) is None:
        raise click.ClickException("expected the names of an experiment and of one of its variants")
    click.echo(f"{OVERRIDE}={text}")


@experiment.command()
@click.argument("file")
@click.argument("name")
@click.argument("weights", nargs=-1, required=True, metavar="VARIANT=WEIGHT...")
def ramp(file: str, name: str, weights: tuple[str, ...]) -> None:
    """Set the weights of the experiment NAME in FILE ([experiments] file), so that as few visitors as possible move.

    What FILE says of it counts as what there is: for the first ramp of an experiment that it does not name, give it the
    policy's weights first.
    """
    document = _document(file)
    entry = document.setdefault(name, {})
    try:
        after = _ramped(entry, _weights(weights))
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    entry.pop("weights", None)
    entry["allocation"] = after.as_table()
    replace_file(file, _text(document).encode())
    for variant, share in after.shares().items():
        click.echo(f"{variant}: {share / 100:g} %")


def _ramped(entry: dict[str, Any], weights: dict[str, float]) -> Allocation:
    before = None
    if "allocation" in entry:
        before = read_allocation(entry["allocation"])
    elif "weights" in entry:
        before = allocation_of(entry["weights"])
    if before is None:
        return allocation_of(weights)
    after = allocate(before, weights)
    moved = sum(one != other for one, other in zip(before.owners(), after.owners(), strict=True))
    click.echo(f"{moved / 100:g} % of visitors move")
    return after


def _document(file: str) -> dict[str, Any]:
    data = read_file(file)
    if data is None:
        raise click.ClickException(f"{file}: there is no such file; begin with {{}}")
    try:
        read_settings(file, data)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    document: dict[str, Any] = json.loads(data)
    return document


def _weights(texts: Iterable[str]) -> dict[str, float]:
    weights = {}
    for text in texts:
        variant, equals, weight = text.rpartition("=")
        try:
            weights[variant] = float(weight)
        except ValueError:
            equals = ""
        if not equals or not variant:
            raise click.UsageError(f"expected VARIANT=WEIGHT, such as new=20, found {text!r}")
    return weights


def _text(document: dict[str, Any]) -> str:
    """One experiment a line, for people who compare versions."""
    lines = (f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in document.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
