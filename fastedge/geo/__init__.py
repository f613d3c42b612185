"""Which country an address belongs to: tables compiled from MMDB, and what there is to know about countries. Pure."""

from fastedge._core.geotable import GeoFacts, GeoTable
from fastedge.geo.countries import CONTINENTS, COUNTRIES, EU_MEMBERS, UNKNOWN
from fastedge.geo.data import shipped_table
from fastedge.geo.table import compile_table, load

__all__ = [
    "CONTINENTS",
    "COUNTRIES",
    "EU_MEMBERS",
    "UNKNOWN",
    "GeoFacts",
    "GeoTable",
    "compile_table",
    "load",
    "shipped_table",
]
