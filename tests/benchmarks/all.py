"""Every benchmark, briefly, with the target of each figure beside it: some nine minutes.

    python -m tests.benchmarks.all

Run it on a machine that does nothing else, or compare only the ratios.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import (
    bench_balancer,
    bench_cut,
    bench_day,
    bench_gateway,
    bench_outage,
    bench_store,
    bench_wire,
)
from tests.benchmarks.support import console

STORE_MESSAGES = 10_000
"""In the backlog of the store."""


def store() -> int:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench_store.main(STORE_MESSAGES, Path(folder)))
    console.print("target: 1,000,000 meter values waiting <= 400 MB\n")
    return 0


BENCHES = {
    "whole gateway": lambda: bench_gateway.main(
        ["--messages", "10000", "--seconds", "5", "--rounds", "2"]
    ),
    "wire": lambda: bench_wire.main(["--messages", "1500", "--rounds", "2"]),
    "store": store,
    "a day without the cloud": lambda: bench_outage.main([]),
    "balancer": bench_balancer.main,
    "a garage's half month": lambda: bench_day.main([]),
    "cut": lambda: bench_cut.main(["--cuts", "15"]),
}


def main() -> int:
    began = time.perf_counter()
    for name, bench in BENCHES.items():
        console.rule(name)
        bench()
    console.print(f"{time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
