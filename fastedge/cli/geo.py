"""`fastedge geo`: what the geo table knows of addresses, where that is from, and how old it is."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import click
import orjson

from fastedge._core.geotable import GeoTable
from fastedge.clock import now
from fastedge.config import ConfigErrors, Sources, load
from fastedge.config.geosource import GeoSource, geo_source
from fastedge.geofiles import read_table

_FACTS = ("country", "continent", "is_eu", "region", "city", "time_zone", "asn", "organization")
_DAY_S = 86_400


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="IP... [FILE]")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def geo(arguments: tuple[str, ...], as_json: bool) -> None:
    """Show what the geo table of FILE (edge.toml) knows of each IP; without FILE, the one that ships with fastedge."""
    addresses, file = _told_apart(arguments)
    try:
        table = _table(file)
    except ConfigErrors as errors:
        for problem in errors.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    report = _report(table, addresses)
    if as_json:
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        for line in _lines(report):
            click.echo(line)


def _told_apart(arguments: tuple[str, ...]) -> tuple[list[str], str | None]:
    *addresses, last = arguments
    file = None if _is_address(last) else last
    if file is None:
        addresses.append(last)
    for text in addresses:
        if not _is_address(text):
            raise click.BadParameter(f"expected an IP address, found {text!r}", param_hint="IP")
    if not addresses:
        raise click.BadParameter(f"expected an IP address before {file!r}", param_hint="IP")
    return [str(ip_address(text)) for text in addresses], file


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ip_address(text))
    except ValueError:
        return False


def _table(file: str | None) -> GeoTable:
    if file is None:
        return read_table(GeoSource())
    sources = Sources.read(file, os.environ)
    return read_table(geo_source(load(sources)), sources.file, sources.shown)


def _report(table: GeoTable, addresses: list[str]) -> dict[str, Any]:
    built = datetime.fromtimestamp(table.built, UTC)
    return {
        "source": table.source,
        "date": built.date().isoformat(),
        "age_days": max(0, int(now() - table.built)) // _DAY_S,
        "ranges": table.ranges_v4 + table.ranges_v6,
        "knows": ["country", *sorted(table.facts)],
        "addresses": {
            text: {fact: getattr(table.lookup(text), fact) for fact in _FACTS} for text in dict.fromkeys(addresses)
        },
    }


def _lines(report: dict[str, Any]) -> Iterator[str]:
    for address, facts in report["addresses"].items():
        yield click.style(address, bold=True)
        known = {name: value for name, value in facts.items() if value}
        for name, value in (known or {"country": "unknown"}).items():
            yield f"  {name:12} {'yes' if value is True else value}"
    yield f"{report['source']}, {report['ranges']:,} ranges"
    yield f"of {report['date']}, {report['age_days']} days old; knows {', '.join(report['knows'])}"
