"""Where a request is sent instead, and which variant a visitor gets: redirect tables and the shares of experiments.

Pure: files come in as bytes, and nothing here knows what time it is.
"""

from fastedge._core.redirecttable import RedirectTable
from fastedge.routing.allocation import Allocation, allocate, allocation_of, read_allocation
from fastedge.routing.experiments import Layer, address_key, assign
from fastedge.routing.loops import Loop, find_loops
from fastedge.routing.redirects import load_table, table_of
from fastedge.routing.shares import shares_of

__all__ = [
    "Allocation",
    "Layer",
    "Loop",
    "RedirectTable",
    "address_key",
    "allocate",
    "allocation_of",
    "assign",
    "find_loops",
    "load_table",
    "read_allocation",
    "shares_of",
    "table_of",
]
