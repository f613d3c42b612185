"""Where a request is sent instead, and which variant a visitor gets: redirect tables and the shares of experiments.

Pure: files come in as bytes, and nothing here knows what time it is.
"""

from fastedge._core.redirecttable import RedirectTable
from fastedge.routing.experiments import address_key, assign, shares_of
from fastedge.routing.loops import Loop, find_loops
from fastedge.routing.redirects import load_table, table_of

__all__ = ["Loop", "RedirectTable", "address_key", "assign", "find_loops", "load_table", "shares_of", "table_of"]
