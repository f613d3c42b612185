"""HAProxy: as a proxy, as a cache, and with its own jwt_verify, map_ip and xxh3 for the jobs with tokens."""

from benchmarks import tokens, traffic
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


def _prepare_rs256(setting: Setting) -> Command:
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    (setting.directory / "shop.pem").write_bytes(tokens.public_pem())
    return _prepare(setting, _token("RS256", "shop.pem") + fill("haproxy_page.cfg"))


def _cache(setting: Setting) -> str:
    return fill("haproxy_cache.cfg", host=HOST, origin_port=setting.origin_port)


def _store() -> str:
    return fill("haproxy_store.cfg", memory_mb=MEMORY_MB, object_bytes_max=OBJECT_BYTES_MAX)


def _gate(setting: Setting) -> str:
    lines = (f"{block} {country}\n" for block, country in setting.countries.blocks())
    (setting.directory / "countries.map").write_text("".join(lines))
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    return _token("HS256", tokens.SECRET) + fill("haproxy_bucket.cfg", seed=SEED)


def _token(algorithm: str, key: str) -> str:
    values = {"algorithm": algorithm, "key": key, "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE}
    return fill("haproxy_token.cfg", **values)


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
HAPROXY_RS256 = Peer("haproxy", _missing, _version, _prepare_rs256)
HAPROXY_CACHE = Peer("haproxy", _missing, _version, _prepare_cache)
HAPROXY_CACHED = Peer("haproxy", _missing, _version, _prepare_cached)
