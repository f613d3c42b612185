"""The stages that come with fastedge. Each takes plain values, and is resolved against the configuration once."""

from fastedge._core.condition import Match
from fastedge._core.pipeline import When
from fastedge.stages.api_key_auth import ApiKeyAuth
from fastedge.stages.basic_auth import BasicAuth
from fastedge.stages.cache_rules import CacheRules
from fastedge.stages.combined import AllOf, AnyOf
from fastedge.stages.experiment import Experiment
from fastedge.stages.geo import GeoGate, GeoHeaders, GeoRoute
from fastedge.stages.jwt_auth import JwtAuth
from fastedge.stages.personalize import Personalize, Slot
from fastedge.stages.redirects import Redirects
from fastedge.stages.require import Require
from fastedge.stages.signed_url import SignedUrl
from fastedge.stages.slot_sources import Claim, Cookie, Fragments, Geo, Include, Variant

__all__ = [
    "AllOf",
    "AnyOf",
    "ApiKeyAuth",
    "BasicAuth",
    "CacheRules",
    "Claim",
    "Cookie",
    "Experiment",
    "Fragments",
    "Geo",
    "GeoGate",
    "GeoHeaders",
    "GeoRoute",
    "Include",
    "JwtAuth",
    "Match",
    "Personalize",
    "Redirects",
    "Require",
    "SignedUrl",
    "Slot",
    "Variant",
    "When",
]
