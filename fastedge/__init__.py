"""fastedge: a programmable HTTP edge. What a policy file needs stands here; stages are in `fastedge.stages`."""

from fastedge._core.condition import Match
from fastedge._core.fields import Fields
from fastedge._core.message import Context, Plan, Request, Response
from fastedge._core.pipeline import CONTINUE, Pipeline, When
from fastedge.errors import ConfigError, FastEdgeError, StageError
from fastedge.identity.signed_url import sign_url

__all__ = [
    "CONTINUE",
    "ConfigError",
    "Context",
    "FastEdgeError",
    "Fields",
    "Match",
    "Pipeline",
    "Plan",
    "Request",
    "Response",
    "StageError",
    "When",
    "sign_url",
]
