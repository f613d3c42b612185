#!/bin/sh
# Installs what is not Python's, by package name, when run as root on Debian or Ubuntu; otherwise it says what is missing.
#   install_system.sh build [PYTHON]   what building needs: venv, headers, a C compiler
#   install_system.sh servers          what tests and benchmarks talk to: nginx with Lua, HAProxy, Chromium, Varnish, curl
set -eu

install() {
    echo "installing: $*" >&2
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
    else
        echo "not root on Debian: please install $*" >&2
        return 1
    fi
}

case "$1" in
build)
    python=${2:-python3}
    command -v cc >/dev/null || install gcc libc6-dev
    "$python" -c 'import ensurepip, sysconfig, os; assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' \
        2>/dev/null || install python3-venv python3-dev
    ;;
servers)
    missing=
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
    command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
    command -v curl >/dev/null || missing="$missing curl"
    # Without root the tests that need a server are skipped, each with its reason.
    [ -z "$missing" ] || install $missing || [ "${CI:-}" != true ]
    # Apart: where a distribution has no such packages, the rest is installed all the same.
    command -v chromedriver >/dev/null || install chromium chromium-driver || [ "${CI:-}" != true ]
    # Peers of the benchmarks alone; they do without what cannot be had.
    [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || install libnginx-mod-http-lua lua-cjson || true
    command -v varnishd >/dev/null || [ -x /usr/sbin/varnishd ] || install varnish varnish-modules || true
    ;;
*)
    echo "usage: $0 build [PYTHON] | servers" >&2
    exit 2
    ;;
esac
