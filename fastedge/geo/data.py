"""The country table that ships with fastedge: the one place of this package that reads a file, and it is our own.

Called by the shell when `edge.toml` names no [geo] database; nothing else of this package touches a file at run time.
"""

from importlib.resources import files

from fastedge._core.geotable import GeoTable
from fastedge.geo.table import load


def shipped_table() -> GeoTable:
    """The table of country.bin; DATA.md beside it says where its data are from."""
    return load(files("fastedge.geo").joinpath("country.bin").read_bytes())
