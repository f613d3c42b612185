"""HAProxy: as a proxy, as a cache, and with its own jwt_verify, map_ip and xxh3 for the answer and cached jobs."""

from benchmarks import traffic
from benchmarks.peers import CONNECTIONS_MAX, Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, Command

SEED = 9110
OBJECT_BYTES_MAX = 2 << 20
MEMORY_MB = 256


def _missing() -> str | None:
    return None if find_program("haproxy") else "HAProxy is not installed (Debian: haproxy)"


def _version() -> str:
    return " ".join(first_line(_program(), "-v").split()[:3])


def _prepare_proxy(setting: Setting) -> Command:
    return _prepare(setting, fill("haproxy_proxy.cfg", host=HOST, origin_port=setting.origin_port))


def _prepare_cache(setting: Setting) -> Command:
    return _prepare(setting, _cache(setting), _store())


def _prepare_answer(setting: Setting) -> Command:
    return _prepare(setting, _gate(setting) + fill("haproxy_answer.cfg"))


def _prepare_cached(setting: Setting) -> Command:
    job = _gate(setting) + fill("haproxy_cached.cfg") + _cache(setting)
    return _prepare(setting, job, _store())


def _cache(setting: Setting) -> str:
    return fill("haproxy_cache.cfg", host=HOST, origin_port=setting.origin_port)


def _store() -> str:
    return fill("haproxy_store.cfg", memory_mb=MEMORY_MB, object_bytes_max=OBJECT_BYTES_MAX)


def _gate(setting: Setting) -> str:
    lines = (f"{block} {country}\n" for block, country in setting.countries.blocks())
    (setting.directory / "countries.map").write_text("".join(lines))
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    values = {"secret": traffic.SECRET, "issuer": traffic.ISSUER, "audience": traffic.AUDIENCE, "seed": SEED}
    return fill("haproxy_gate.cfg", **values)


def _prepare(setting: Setting, job: str, store: str = "") -> Command:
    common = fill(
        "haproxy.cfg",
        workers=setting.workers,
        connections_max=CONNECTIONS_MAX,
        host=HOST,
        port=setting.port,
    )
    (setting.directory / "haproxy.cfg").write_text(f"{store}{common}{job}")
    return Command((_program(), "-db", "-f", "haproxy.cfg"), {})


def _program() -> str:
    return find_program("haproxy") or "haproxy"


HAPROXY = Peer("haproxy", _missing, _version, _prepare_proxy)
HAPROXY_ANSWER = Peer("haproxy", _missing, _version, _prepare_answer)
HAPROXY_CACHE = Peer("haproxy", _missing, _version, _prepare_cache)
HAPROXY_CACHED = Peer("haproxy", _missing, _version, _prepare_cached)
