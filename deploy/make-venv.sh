#!/bin/sh
# Make a virtual environment with PYTHON (default python3) at DIR (default .venv).
# Debian ships venv without pip unless python3-venv is installed: install it when we may.
set -eu
python=${1:-python3}
dir=${2:-.venv}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "site-gateway needs Python 3.11 or newer; $python is $("$python" --version 2>&1)." >&2
    echo "Install it, or name another one: make PYTHON=python3.12 …" >&2
    exit 1
}
[ -x "$dir/bin/pip" ] && exit 0
"$python" -m venv "$dir" >/dev/null 2>&1 && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    rm -rf "$dir"
    exec "$python" -m venv "$dir"
fi
echo "Python cannot make a virtual environment here. As root: apt-get install python3-venv" >&2
exit 1
