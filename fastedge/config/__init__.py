"""Reading edge.toml: bytes in, an immutable configuration or all its mistakes out. Never a socket, a clock or a default
of its own; only `Sources` opens files."""

from fastedge.config.changes import needs_restart
from fastedge.config.load import load
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.config.schema import EdgeConfig
from fastedge.config.sizes import Size, sizes
from fastedge.config.sources import Sources

__all__ = ["ConfigErrors", "EdgeConfig", "Problem", "Size", "Sources", "load", "needs_restart", "sizes"]
