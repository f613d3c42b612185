"""What a policy may import, as literal lists: a change here is a change of the contract."""

import fastedge
from fastedge import stages


def test_names_of_the_package() -> None:
    assert fastedge.__all__ == [
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
    assert all(hasattr(fastedge, name) for name in fastedge.__all__)


def test_names_of_the_stages() -> None:
    assert stages.__all__ == [
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
    assert all(hasattr(stages, name) for name in stages.__all__)


def test_hooks_and_what_they_take() -> None:
    from fastedge._core.pipeline import HOOKS

    assert HOOKS == {"on_request": 2, "on_origin_request": 2, "on_origin_response": 3, "on_response": 3}
