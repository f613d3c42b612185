"""HAProxy: as a proxy, and with its own jwt_verify, map_ip and xxh3 for the answer job."""

from benchmarks import traffic
from benchmarks.peers import CONNECTIONS_MAX, Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, Command

SEED = 9110


def _missing() -> str | None:
    return None if find_program("haproxy") else "HAProxy is not installed (Debian: haproxy)"


def _version() -> str:
    return " ".join(first_line(_program(), "-v").split()[:3])


def _prepare_proxy(setting: Setting) -> Command:
    job = fill("haproxy_proxy.cfg", host=HOST, origin_port=setting.origin_port)
    return _prepare(setting, job)


def _prepare_answer(setting: Setting) -> Command:
    lines = (f"{block} {country}\n" for block, country in setting.countries.blocks())
    (setting.directory / "countries.map").write_text("".join(lines))
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    values = {"secret": traffic.SECRET, "issuer": traffic.ISSUER, "audience": traffic.AUDIENCE, "seed": SEED}
    return _prepare(setting, fill("haproxy_answer.cfg", **values))


def _prepare(setting: Setting, job: str) -> Command:
    common = fill(
        "haproxy.cfg",
        workers=setting.workers,
        connections_max=CONNECTIONS_MAX,
        host=HOST,
        port=setting.port,
    )
    (setting.directory / "haproxy.cfg").write_text(f"{common}{job}")
    return Command((_program(), "-db", "-f", "haproxy.cfg"), {})


def _program() -> str:
    return find_program("haproxy") or "haproxy"


HAPROXY = Peer("haproxy", _missing, _version, _prepare_proxy)
HAPROXY_ANSWER = Peer("haproxy", _missing, _version, _prepare_answer)
