"""What one message costs: MeterValues of 12 values, parsed, validated and answered.

    python -m tests.benchmarks.bench_wire [--stations 200] [--messages 6000] [--rounds 3]

Each server runs in its own process, keeps nothing and answers at once; the same bare stations ask
it over loopback, each waiting for its answer before it asks again. CPU is the server's, read from
/proc (Linux). Figures drift with the neighbours; the ratios are the result.
"""

import argparse
import sys
from collections.abc import Sequence

import uvloop

from tests.benchmarks import support
from tests.benchmarks.support import ClosedLoop, console

OURS, THEIRS = "site-gateway, uvloop", "ocpp package"
SERVERS: dict[str, tuple[str, ...]] = {
    THEIRS: ("ocpp",),
    "ocpp package, uvloop": ("ocpp", "--uvloop"),
    "site-gateway": ("wire", "{stations}"),
    OURS: ("wire", "{stations}", "--uvloop"),
}


async def load(port: int, pid: int, stations: int, messages: int) -> tuple[float, float]:
    """Return messages per second and CPU microseconds per message."""
    crowd = await support.connected(port, range(stations))
    await ClosedLoop(crowd, stations).run()  # Only to warm up.
    before = support.cpu_s(pid)
    elapsed_s = await ClosedLoop(crowd, messages).run()
    used_s = support.cpu_s(pid) - before
    support.leave(crowd)
    return messages / elapsed_s, used_s / messages * 1e6


def measure(words: Sequence[str], stations: int, messages: int) -> tuple[float, float]:
    arguments = [word.format(stations=stations) for word in words]
    with support.running_peer(*arguments) as (pid, port):
        return uvloop.run(load(port, pid, stations, messages))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--messages", type=int, default=6000, help="ten times as many of ours")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in SERVERS}
    for _ in range(options.rounds):
        for name, words in SERVERS.items():
            messages = options.messages * (10 if "wire" in words else 1)
            rounds[name].append(measure(words, options.stations, messages))
    table = support.table(
        f"parse, validate, answer: {options.stations} stations, MeterValues of 12 values "
        f"({len(support.PAYLOAD)} B)",
        *("server", "msg/s", "CPU us/msg", "x ocpp package"),
    )
    base_us = support.median([cpu_us for _, cpu_us in rounds[THEIRS]])
    for name, results in rounds.items():
        rate, cpu_us = (support.median(column) for column in zip(*results, strict=True))
        table.add_row(name, f"{rate:,.0f}", f"{cpu_us:.1f}", f"{base_us / cpu_us:.1f}")
    console.print(table)
    console.print("target: >= 20 times less CPU than the ocpp package's own pump\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
