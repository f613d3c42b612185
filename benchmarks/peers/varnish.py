"""Varnish: the built-in VCL, storage by malloc, a log line for each request by varnishncsa, which counts with it."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import personal
from benchmarks.peers import Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, Command

MEMORY_MB = 256
MEMORY_MB_LARGE = 8192
# One pool a core; threads enough for every connection of the load, made before anyone waits for one.
PARAMETERS = ("thread_pool_min=250", "thread_pool_max=1000", "timeout_idle=600")
_XKEY = ("lib/*/varnish/vmods/libvmod_xkey.so", "lib*/varnish/vmods/libvmod_xkey.so")
_FIELDS = {
    "time": "%{%Y-%m-%dT%H:%M:%S%z}t",
    "client": "%{X-Forwarded-For}i",
    "method": "%m",
    "host": "%{Host}i",
    "target": "%U%q",
    "status": "%s",
    "bytes": "%O",
    "microseconds": "%D",
    "referer": "%{Referer}i",
    "user_agent": "%{User-Agent}i",
}
LOG_FORMAT = "{" + ",".join(f'"{name}":"{value}"' for name, value in _FIELDS.items()) + "}"
BAN = 'ban("obj.http.xkey == " + req.http.xkey);'
XKEY = "xkey.purge(req.http.xkey);"


def _missing() -> str | None:
    return None if find_program("varnishd") else "Varnish is not installed (Debian: varnish)"


def _missing_xkey() -> str | None:
    if reason := _missing():
        return reason
    found = [path for pattern in _XKEY for path in Path("/usr").glob(pattern)]
    return None if found else "Varnish has no xkey (Debian: varnish-modules)"


def _version() -> str:
    return first_line(_program("varnishd"), "-V").partition("(")[2].partition(" ")[0]


def _prepare(setting: Setting, memory_mb: int = MEMORY_MB, purge: str = BAN) -> Command:
    imports = "import xkey;" if purge is XKEY else ""
    vcl = fill("varnish.vcl", host=HOST, origin_port=setting.origin_port, imports=imports, purge=purge)
    (setting.directory / "edge.vcl").write_text(vcl)
    return Command(("sh", "-c", _script(setting, memory_mb)), {})


def _prepare_esi(setting: Setting, parameters: Sequence[str] = ()) -> Command:
    vcl = fill("varnish_esi.vcl", host=HOST, origin_port=setting.origin_port, parts=_parts())
    (setting.directory / "edge.vcl").write_text(vcl)
    return Command(("sh", "-c", _script(setting, MEMORY_MB, parameters)), {})


def _parts() -> str:
    facts = {slot: personal.TABLES[slot][0] if slot in personal.TABLES else slot for slot in personal.SLOTS}
    branches = (
        f'if (req.url == "/fragments/{slot}") {{ set req.url = req.url + "/" + req_top.http.X-{fact}; }}'
        for slot, fact in facts.items()
    )
    return "\n    else ".join(branches)


def _script(setting: Setting, memory_mb: int, more_parameters: Sequence[str] = ()) -> str:
    """Both programs beside each other; who ends the shell's group ends both."""
    home = str(setting.directory / "home")
    parameters = [f"thread_pools={setting.workers}", *PARAMETERS, *more_parameters]
    cache = [_program("varnishd"), "-F", "-j", "none", "-n", home, "-a", f"{HOST}:{setting.port}", "-T", "none"]
    cache += ["-f", str(setting.directory / "edge.vcl"), "-s", f"malloc,{memory_mb}m"]
    cache += [word for parameter in parameters for word in ("-p", parameter)]
    log = [_program("varnishncsa"), "-n", home, "-t", "off", "-a", "-w", "access.log", "-j", "-F", LOG_FORMAT]
    return f"{shlex.join(cache)} & {shlex.join(log)} & wait"


def _program(name: str) -> str:
    return find_program(name) or name


VARNISH = Peer("varnish", _missing, _version, _prepare)
VARNISH_LARGE = replace(VARNISH, prepare=partial(_prepare, memory_mb=MEMORY_MB_LARGE))
VARNISH_BAN = replace(VARNISH_LARGE, name="varnish-ban")
VARNISH_XKEY = Peer("varnish-xkey", _missing_xkey, _version, partial(_prepare, memory_mb=MEMORY_MB_LARGE, purge=XKEY))
VARNISH_ESI_GZIP = Peer("varnish-esi-gzip", _missing, _version, _prepare_esi)
# Otherwise it would keep the page as gzip alone, and inflate it for each client that wants it plain.
VARNISH_ESI = replace(
    VARNISH_ESI_GZIP, name="varnish-esi", prepare=partial(_prepare_esi, parameters=("http_gzip_support=off",))
)
