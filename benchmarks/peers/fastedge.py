"""fastedge, as shipped: the command that users run, an edge.toml, limits and log on."""

import importlib.util
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import personal, tokens
from benchmarks.errors import BenchmarkError
from benchmarks.peers import Peer, Setting, fill
from benchmarks.process import HOST, Command

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "benchmarks" / "policies"
SECRET_VARIABLE = "BENCHMARK_SHOP_KEY"
TOKEN_VARIABLE = "BENCHMARK_ADMIN_TOKEN"
ADMIN_TOKEN = "benchmark-admin-token"
MEMORY_MB = 256
DISK = 'disk_path = "cache"\ndisk_mb = 4096'


def _missing(*more: str) -> str | None:
    for module in ("fastedge._core.pipeline", "fastedge.__main__", *more):
        try:
            found = importlib.util.find_spec(module)
        except ImportError:
            found = None
        if found is None:
            return f"{module} cannot be imported (make build)"
    return None


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"fastedge/{version('fastedge')}"
    except PackageNotFoundError:
        return "fastedge, this checkout"


def _prepare_proxy(setting: Setting) -> Command:
    return _prepare(setting, fill("fastedge_proxy.toml", **_addresses(setting)), {})


def _prepare_bulk(setting: Setting) -> Command:
    text = fill("fastedge_proxy.toml", **_addresses(setting))
    return _prepare(setting, text.replace("[server]\n", "[server]\nrequest_body_mb_max = 65536\n"), {})


def _prepare_cache(setting: Setting, memory_mb: int = MEMORY_MB, disk: str = "") -> Command:
    values = {"memory_mb": memory_mb, "disk": disk, "admin_port": setting.admin_port, "token_variable": TOKEN_VARIABLE}
    text = fill("fastedge_cache.toml", **_addresses(setting), **values)
    return _prepare(setting, text, {TOKEN_VARIABLE: ADMIN_TOKEN})


def _prepare_answer(setting: Setting, policy: str, cache_tokens: int = 0) -> Command:
    (setting.directory / "country.bin").write_bytes(_compiled_countries(setting))
    values = {"policy": _policy(setting, policy, cache_tokens), "secret_variable": SECRET_VARIABLE}
    text = fill("fastedge_answer.toml", **_addresses(setting), **values)
    return _prepare(setting, text, {SECRET_VARIABLE: tokens.SECRET})


def _prepare_rs256(setting: Setting, cache_tokens: int = 0) -> Command:
    (setting.directory / "jwks.json").write_text(tokens.jwk_set())
    policy = _policy(setting, "verified.py", cache_tokens)
    return _prepare(setting, fill("fastedge_rs256.toml", **_addresses(setting), policy=policy), {})


def _prepare_personal(setting: Setting) -> Command:
    (setting.directory / "country.bin").write_bytes(_compiled_countries(setting))
    (setting.directory / "banners.json").write_text(json.dumps(personal.BANNERS))
    (setting.directory / "offers.json").write_text(json.dumps(personal.OFFERS))
    text = fill("fastedge_personal.toml", **_addresses(setting), policy=POLICIES / "personal.py")
    return _prepare(setting, text, {})


def _policy(setting: Setting, name: str, cache_tokens: int) -> Path:
    """The policy, or a copy of it that differs in how many tokens it remembers."""
    if not cache_tokens:
        return POLICIES / name
    text = (POLICIES / name).read_text().replace('keys="shop"', f'keys="shop", cache_tokens={cache_tokens}')
    (setting.directory / name).write_text(text)
    return setting.directory / name


def _addresses(setting: Setting) -> dict[str, object]:
    return {"host": HOST, "port": setting.port, "origin_port": setting.origin_port, "workers": setting.workers}


def _prepare(setting: Setting, text: str, environment: dict[str, str]) -> Command:
    (setting.directory / "edge.toml").write_text(text)
    return Command((sys.executable, "-m", "fastedge", "run", "edge.toml"), {"PYTHONPATH": str(ROOT), **environment})


def _compiled_countries(setting: Setting) -> bytes:
    try:
        from fastedge.geo import compile_table
    except ImportError as error:
        raise BenchmarkError(f"fastedge.geo cannot be imported: {error}") from error
    return compile_table(setting.countries.ranges(), [], built=int(time.time()), source="benchmark")


FASTEDGE = Peer("fastedge", _missing, _version, _prepare_proxy)
FASTEDGE_BULK = Peer("fastedge", _missing, _version, _prepare_bulk)
FASTEDGE_ANSWER = Peer("fastedge", _missing, _version, partial(_prepare_answer, policy="answer.py"))
FASTEDGE_CACHED = replace(FASTEDGE_ANSWER, prepare=partial(_prepare_answer, policy="cached.py"))
FASTEDGE_TENTH = replace(
    FASTEDGE_ANSWER, prepare=partial(_prepare_answer, policy="answer.py", cache_tokens=tokens.TENTH)
)
FASTEDGE_RS256 = Peer("fastedge", _missing, _version, _prepare_rs256)
# One is the fewest that it remembers.
FASTEDGE_RS256_VERIFY = replace(FASTEDGE_RS256, name="fastedge-verify", prepare=partial(_prepare_rs256, cache_tokens=1))
FASTEDGE_CACHE = Peer("fastedge", _missing, _version, _prepare_cache)
# A tier of memory that holds a dozen pages of 64 KB: the other thousand come from the disk's.
FASTEDGE_DISK = replace(FASTEDGE_CACHE, prepare=partial(_prepare_cache, memory_mb=1, disk=DISK))
FASTEDGE_TIERS = replace(FASTEDGE_CACHE, prepare=partial(_prepare_cache, disk=DISK))
FASTEDGE_CACHE_LARGE = replace(FASTEDGE_CACHE, prepare=partial(_prepare_cache, memory_mb=4096))
FASTEDGE_PERSONAL = Peer(
    "fastedge-personal", partial(_missing, "fastedge.stages.personalize"), _version, _prepare_personal
)
