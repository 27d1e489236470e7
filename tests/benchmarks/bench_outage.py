"""A day without the cloud: 40 EVSEs, a sample a minute each, then everything is delivered.

    python -m tests.benchmarks.bench_outage [--hours 24] [--evses 40] [--real]

The site is that of `tests/scenarios/outage.py`, real but for its sockets to the stations. `--real`
waits for every round trip of 150 ms (about nine minutes a version); else its time is added, which
is the same: one CALL at a time.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.support import console, table
from tests.scenarios.outage import Figures, outage

ROUND_TRIP_S = 0.15
VISIT_MINUTES = 180
"""A car every three hours: eight transactions a day at each EVSE."""
VERSIONS = ("ocpp1.6", "ocpp2.0.1")


async def measure(version: str, hours: float, evses: int, is_real: bool) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        async with outage(Path(folder), version, evses=evses) as site:
            await site.endure(hours, VISIT_MINUTES)
            await site.drain(ROUND_TRIP_S, is_real=is_real)
    figures: Figures = site.figures
    return figures


def report(measured: dict[str, Figures]) -> None:
    shown = table("A day without the cloud", "", *measured)
    rows = {
        "messages of stations, answered and on disk": lambda f: f"{f.accepted:,}",
        "of them a second, while it lasted": lambda f: f"{f.accepted / f.fill_s:,.0f}",
        "rows waiting at its end": lambda f: f"{f.rows:,}",
        "on disk": lambda f: f"{f.megabytes:.1f} MB",
        "CALLs that told the cloud": lambda f: f"{f.calls:,}",
        "meter values in a CALL that carries them (target >= 10)": lambda f: (
            f"{f.values_per_call:.1f}"
        ),
        "drained in, at a round trip of 150 ms": lambda f: f"{f.drain_s:.0f} s",
        "of it the gateway and the simulated cloud": lambda f: f"{f.own_s:.1f} s",
        "CALLs a second (target >= 0.9 / round trip)": lambda f: f"{f.pace:.2f} / round trip",
        "differences between the books": lambda f: str(len(f.differences)),
    }
    for name, told in rows.items():
        shown.add_row(name, *(told(figures) for figures in measured.values()))
    console.print(shown)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--evses", type=int, default=40)
    parser.add_argument("--real", action="store_true", help="wait for every round trip")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    measured = {
        version: asyncio.run(measure(version, options.hours, options.evses, options.real))
        for version in VERSIONS
    }
    report(measured)
    found = [line for figures in measured.values() for line in figures.differences]
    for line in found[:20]:
        console.print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
