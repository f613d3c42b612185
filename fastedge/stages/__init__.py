"""The stages that come with fastedge. Each takes plain values, and is resolved against the configuration once."""

from fastedge.stages.experiment import Experiment
from fastedge.stages.jwt_auth import JwtAuth
from fastedge.stages.redirects import Redirects

__all__ = ["Experiment", "JwtAuth", "Redirects"]
