"""A process that has loaded the program and waits to become it: a fork is ten times faster.

    python -m tests.scenarios.crash.nursery [web]

Reads one JSON object a line, {"words": command line, "log": file, "armed": file, and perhaps
"wall": file, "grace_s": how long a station may take to boot, "call": `module:function` to call
with the words instead}, and says `born PID`; when that process is gone it says `gone PID STATUS`,
negative for a signal. What is born is the real program with its own files and sockets:
`site-gateway WORDS`, with the traps of `points` in it and, if there is `wall`, the clock of the
test on its wall.
"""

import importlib
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import uvloop  # noqa: F401 - what the program loads when it runs is loaded before

from gateway import app, arrivals, cli
from gateway.adapters import store_commands  # noqa: F401 - as above
from tests.scenarios.crash import failpoints
from tests.scenarios.crash.points import TRAPS
from tests.scenarios.crash.wall import WallClock


def main() -> None:
    if "web" in sys.argv:
        importlib.import_module("gateway.adapters.web.server")
    signal.signal(signal.SIGCHLD, lambda *_: _tell_the_gone())
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        _say(f"born {pid}")


def _tell_the_gone() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(f"gone {pid} {os.waitstatus_to_exitcode(status)}")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _become(order: dict[str, Any]) -> None:
    """Be the program; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, log), (2, log)):
        os.dup2(file, number)
    random.seed()
    failpoints.install(TRAPS, failpoints.Armed(Path(order["armed"])))
    if order.get("grace_s") is not None:
        arrivals.BOOT_GRACE_S = order["grace_s"]
    if order.get("wall"):
        _hang_up(WallClock(Path(order["wall"])))
    code = 1
    try:
        if order.get("call"):
            module, _, name = order["call"].partition(":")
            getattr(importlib.import_module(module), name)(*order["words"])
            code = 0
        else:
            code = cli.app(order["words"], standalone_mode=False) or 0
    except BaseException:  # noqa: BLE001 - this is the end of the program, told in its log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _hang_up(wall: WallClock) -> None:
    async def run(site: Any, data_dir: Path, *, stop: Any) -> None:
        await app.run(site, data_dir, stop=stop, wall_clock=wall)

    cli._gateway = run


if __name__ == "__main__":
    main()
