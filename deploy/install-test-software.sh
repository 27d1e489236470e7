#!/bin/sh
# Install the foreign software that `make test` runs against, when it is missing and we may:
# from Debian mosquitto, chromium, openssl, nodejs, npm, systemd; from npm what tests/interop/package.json pins.
set -eu
cd "$(dirname "$0")/.."

missing=""
needs() { # COMMAND PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
needs mosquitto mosquitto
needs chromium chromium
needs openssl openssl
needs node nodejs
needs npm npm
needs systemd-analyze systemd

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing$missing"
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "The tests need$missing. As root: apt-get install$missing" >&2
        exit 1
    fi
fi

if [ -f tests/interop/package-lock.json ] &&
    [ ! tests/interop/node_modules/.installed -nt tests/interop/package-lock.json ]; then
    npm ci --prefix tests/interop --no-audit --no-fund --loglevel=error
    touch tests/interop/node_modules/.installed
fi
