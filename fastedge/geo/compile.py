"""python -m fastedge.geo.compile IN.mmdb OUT.bin: a geo table, compiled ahead of time.

A command, not a library: the only module here that reads and writes files by name. No other module may import it.
"""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fastedge.errors import ConfigError
from fastedge.geo.layer import compiled
from fastedge.geo.table import load, read_locations


def main(arguments: list[str] | None = None) -> int:
    """0, or 1 with one line on stderr that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m fastedge.geo.compile", description=__doc__)
    parser.add_argument("database", type=Path, help="an MMDB with countries")
    parser.add_argument("table", type=Path, help="the compiled table to write")
    parser.add_argument("--source", help="the data's name; left out: the MMDB's own")
    options = parser.parse_args(arguments)
    try:
        print(_compile(options.database, options.table, options.source))
    except (ConfigError, OSError) as error:
        print(f"{options.database}: {error}", file=sys.stderr)
        return 1
    return 0


def _compile(database: Path, output: Path, source: str | None) -> str:
    found = read_locations(database.read_bytes())
    data = compiled(replace(found, source=source or found.source))
    table = load(data)
    output.write_bytes(data)
    date = datetime.fromtimestamp(table.built, UTC).date()
    unlisted = f"; codes that are no country, left unknown: {', '.join(found.unlisted)}" if found.unlisted else ""
    return (
        f"{output}: {len(data)} bytes, {table.ranges_v4} IPv4 and {table.ranges_v6} IPv6 ranges, "
        f"{len(table.countries)} countries, {table.source!r} of {date}{unlisted}"
    )


if __name__ == "__main__":
    sys.exit(main())
