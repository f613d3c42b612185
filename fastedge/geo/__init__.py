"""Where an address is: tables compiled from MMDB, and what there is to know about countries. Pure."""

from fastedge._core.geotable import GeoFacts, GeoSlot, GeoTable
from fastedge.geo.countries import CONTINENTS, COUNTRIES, EU_MEMBERS, UNKNOWN
from fastedge.geo.data import shipped_table
from fastedge.geo.places import Place
from fastedge.geo.table import compile_table, load

__all__ = [
    "CONTINENTS",
    "COUNTRIES",
    "EU_MEMBERS",
    "UNKNOWN",
    "GeoFacts",
    "GeoSlot",
    "GeoTable",
    "Place",
    "compile_table",
    "load",
    "shipped_table",
]
