"""The main program of a short-lived process that compiles a geo table: it may take its time, and nobody waits for it.

python -m fastedge.geo_process '{"source": …}'        started by the supervisor, never by people
"""

import gc
import os
import sys

import msgspec
from msgspec import Struct

from fastedge.config import ConfigErrors
from fastedge.config.geosource import GeoSource
from fastedge.config.problems import Problem
from fastedge.geofiles import read_table
from fastedge.handover import write_all


class Order(Struct, frozen=True):
    """What is to be compiled, and the descriptor that the shared form of the table is written to."""

    source: GeoSource
    file: str
    base: str
    descriptor: int


class Report(Struct, frozen=True):
    """What has come of it: problems, or what the table knows, where it is from, and its date in unix seconds."""

    problems: tuple[Problem, ...] = ()
    facts: tuple[str, ...] = ()
    name: str = ""
    built: int = 0


def main() -> None:
    gc.disable()  # it ends before that would pay
    os.nice(19)  # the cores belong to the traffic
    order = msgspec.json.decode(sys.argv[1], type=Order)
    try:
        table = read_table(order.source, order.file, lambda path: path.removeprefix(order.base))
        write_all(order.descriptor, table.shared_form())
        report = Report((), tuple(sorted(table.facts)), table.source, table.built)
    except ConfigErrors as errors:
        report = Report(errors.problems)
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
