"""nginx: as a proxy, as a cache, and with LuaJIT for the answer and cached jobs (FFI to libcrypto, cjson, geo,
split_clients).

Two gates stand in the comparison: one verifies each token, as lua-resty-jwt does, and one remembers verified tokens,
all of them or a tenth.
"""

import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import personal, tokens, traffic
from benchmarks.cpu import process_tree
from benchmarks.pages import own_content
from benchmarks.peers import CONNECTIONS_MAX, Peer, Setting, fill, find_program, first_line
from benchmarks.process import HOST, STOP_S_MAX, Command

MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
# The faster for each: small pages are read and written with their heads; of large ones the kernel sends the files. With
# tcp_nopush, what is left of a page of 64 KB waits for the client's acknowledgement: 40 ms.
SMALL_PAGES = "sendfile off;"
LARGE_PAGES = "sendfile on;"
# A page of 50 KB leaves at once, so that a head and its file share packets at no wait.
WHOLE_PAGES = "sendfile on; tcp_nopush on;"
PARSED_PAGES = "sendfile off; output_buffers 1 64k;"  # one piece, so that no search begins anew
ALL_TOKENS = 2 * tokens.POOL
_CJSON = ("/usr/lib/*/lua/5.1/cjson.so", "/usr/local/lib/lua/5.1/cjson.so", "/usr/lib/lua/5.1/cjson.so")


def _missing() -> str | None:
    return None if find_program("nginx") else "nginx is not installed (Debian: nginx-light)"


def _missing_lua() -> str | None:
    if reason := _missing():
        return reason
    if not all((_modules_directory() / name).exists() for name in MODULES):
        return "nginx has no Lua module (Debian: libnginx-mod-http-lua)"
    if not any(list(Path("/").glob(pattern[1:])) for pattern in _CJSON):
        return "LuaJIT has no cjson (Debian: lua-cjson)"
    return None


def _version() -> str:
    return first_line(_program(), "-v").removeprefix("nginx version: ")


def _prepare_proxy(setting: Setting) -> Command:
    return _prepare(setting, _origin(setting) + _server("nginx_proxy.conf", setting), "")


def _prepare_cache(setting: Setting, sending: str) -> Command:
    store = fill("nginx_store.conf", sending=sending)
    return _prepare(setting, _origin(setting) + store + _server("nginx_cache.conf", setting), "")


def _prepare_sub(setting: Setting) -> Command:
    """`sub_filter` looks for the parts in a page that is not compressed."""
    job = _countries(setting) + _parts() + _origin(setting) + 'proxy_set_header Accept-Encoding "";\n'
    store = fill("nginx_store.conf", sending=PARSED_PAGES)
    return _prepare(setting, job + store + _server("nginx_cache.conf", setting), "")


def _parts() -> str:
    facts = {"country": "$country", "segment": "$cookie_segment", "variant": "$cookie_variant"}
    lines = []
    for slot, (fact, table) in personal.TABLES.items():
        lines += [f"map {facts[fact]} $part_{slot} {{", *(f"    {key} '{part}';" for key, part in table.items()), "}"]
    for slot in personal.SLOTS:
        part = f"$part_{slot}" if slot in personal.TABLES else f"$cookie_{slot}"
        lines.append(f'sub_filter "{own_content(slot).decode()}" {part};')
    return "\n".join([*lines, ""])


def _prepare_answer(setting: Setting, remembered: int = 0) -> Command:
    return _prepare_gate(setting, _server("nginx_answer.conf", setting), remembered)


def _prepare_cached(setting: Setting, remembered: int = 0) -> Command:
    store = fill("nginx_store.conf", sending=SMALL_PAGES)
    return _prepare_gate(setting, _origin(setting) + store + _server("nginx_cached.conf", setting), remembered)


def _origin(setting: Setting) -> str:
    return fill("nginx_origin.conf", host=HOST, origin_port=setting.origin_port)


def _server(template: str, setting: Setting) -> str:
    return fill(template, host=HOST, port=setting.port)


def _prepare_gate(setting: Setting, job: str, remembered: int) -> Command:
    (setting.directory / "page.html").write_bytes(traffic.PAGE)
    gate = fill(
        "gate.lua",
        secret=tokens.SECRET,
        issuer=tokens.ISSUER,
        audience=tokens.AUDIENCE,
        remembered=remembered,
        libcrypto=_libcrypto(),
    )
    (setting.directory / "gate.lua").write_text(gate)
    modules = "\n".join(f"load_module {_modules_directory() / name};" for name in MODULES)
    return _prepare(setting, _countries(setting) + fill("nginx_gate.conf") + job, modules)


def _countries(setting: Setting) -> str:
    lines = (f"{block} {country};\n" for block, country in setting.countries.blocks())
    (setting.directory / "countries.conf").write_text("".join(lines))
    return fill("nginx_country.conf")


def _prepare(setting: Setting, job: str, modules: str) -> Command:
    (setting.directory / "job.conf").write_text(job)
    main = fill("nginx.conf", workers=setting.workers, connections_max=CONNECTIONS_MAX, modules=modules, job="job.conf")
    (setting.directory / "nginx.conf").write_text(main)
    return Command((_program(), "-p", f"{setting.directory}/", "-c", "nginx.conf", "-e", "error.log"), {})


def _dismiss_loader(root: int) -> None:
    """A cache's loader would end by itself a minute after the start, and void the turn in which it does."""
    for pid in process_tree(root):
        if b"cache loader" in (Path("/proc") / str(pid) / "cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            _await_end(root, pid)


def _await_end(root: int, pid: int) -> None:
    deadline = time.monotonic() + STOP_S_MAX
    while pid in process_tree(root) and time.monotonic() < deadline:
        time.sleep(0.005)


def _program() -> str:
    return find_program("nginx") or "nginx"


def _modules_directory() -> Path:
    done = subprocess.run([_program(), "-V"], stderr=subprocess.PIPE, text=True, check=False)
    found = re.search(r"--modules-path=(\S+)", done.stderr)
    return Path(found[1] if found else "/usr/lib/nginx/modules")


def _libcrypto() -> str:
    """The library that nginx itself has loaded, by its versioned name."""
    done = subprocess.run(["ldd", _program()], stdout=subprocess.PIPE, text=True, check=False)
    found = re.search(r"libcrypto\.so\S*", done.stdout)
    return found[0] if found else "crypto"


NGINX = Peer("nginx", _missing, _version, _prepare_proxy, settle=_dismiss_loader)
NGINX_CACHE = replace(NGINX, prepare=partial(_prepare_cache, sending=SMALL_PAGES))
NGINX_CACHE_LARGE = replace(NGINX, prepare=partial(_prepare_cache, sending=LARGE_PAGES))
NGINX_LUA = Peer("nginx-lua", _missing_lua, _version, _prepare_answer, settle=_dismiss_loader)
NGINX_LUA_CACHED = replace(NGINX_LUA, prepare=_prepare_cached)
NGINX_LUA_CACHE = replace(NGINX_LUA, name="nginx-lua-cache", prepare=partial(_prepare_answer, remembered=ALL_TOKENS))
NGINX_LUA_CACHE_CACHED = replace(NGINX_LUA_CACHE, prepare=partial(_prepare_cached, remembered=ALL_TOKENS))
NGINX_LUA_TENTH = replace(NGINX_LUA_CACHE, prepare=partial(_prepare_answer, remembered=tokens.TENTH))
NGINX_PAGE = replace(NGINX, prepare=partial(_prepare_cache, sending=WHOLE_PAGES))
NGINX_PAGE_GZIP = replace(NGINX_CACHE, name="nginx-gzip")
NGINX_SUB = replace(NGINX, name="nginx-sub", prepare=_prepare_sub)
