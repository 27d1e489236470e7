"""Time one balancing step at 10, 100 and 1,000 EVSEs on a three-level tree.

    python tests/benchmarks/bench_balancer.py

Every step is given all-new inputs: a new reading of the grid meter, whose base load wanders, and
new currents from a tenth of the stations. Vehicles differ in phases and appetite, every board and
the grid are full. Prints milliseconds of CPU per step: median, 99th percentile (a step that has
to share everything anew) and highest. The garbage collector rests, as in `timeit`: what it
collects here are the inputs.
"""

import gc
import random
import statistics
import sys
import time

from rich.console import Console
from rich.table import Table

from load_balancer.balancer import (
    Balancer,
    CircuitInput,
    EvseInput,
    EvseKey,
    MeterReading,
    SiteInputs,
)
from load_balancer.phases import PhaseCurrents
from site_config.model import Site

SIZES = (10, 100, 1000)
TARGET_MS = {100: 1.0, 1000: 5.0}
STEPS = 300
WARM_UP = 120

ROTATIONS = (["L1", "L2", "L3"], ["L2", "L3", "L1"], ["L3", "L1", "L2"])


def build_site(evses: int) -> Site:
    """A grid connection, a feeder per 100 EVSEs, a distribution board per 10."""
    feeders, boards = max(1, evses // 100), max(1, evses // 10)
    circuits: dict[str, object] = {"grid": {"rating_a": 12.0 * evses, "meter": "grid"}}
    for number in range(feeders):
        circuits[f"feeder-{number}"] = {"parent": "grid", "rating_a": 13.0 * evses / feeders}
    for number in range(boards):
        parent = f"feeder-{number % feeders}"
        circuits[f"board-{number}"] = {"parent": parent, "rating_a": 160}
    return Site.model_validate(
        {
            "site": {"id": "bench", "name": "Benchmark"},
            "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "BENCH"},
            "meters": {"grid": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:5020"}},
            "circuits": circuits,
            "stations": {
                f"CP-{number}": {
                    "circuit": f"board-{number % boards}",
                    "safe_current_a": 6,
                    "evses": {1: {"phases": ROTATIONS[number % 3], "priority": 1 + number % 2}},
                }
                for number in range(evses)
            },
        }
    )


class Fleet:
    """Vehicles that draw what they are allowed, on one or three conductors."""

    def __init__(self, evses: int) -> None:
        self._dice = random.Random(evses)
        self.takes_a = [self._dice.uniform(8, 32) for _ in range(evses)]
        self.conductors = [self._dice.choice((1, 3)) for _ in range(evses)]
        self.limits_a = [0.0] * evses
        self.reported = [PhaseCurrents(0.0, 0.0, 0.0)] * evses
        self.reported_at = [0.0] * evses

    def inputs(self, now: float) -> SiteInputs:
        count = len(self.takes_a)
        for number in range(int(now) % 10, count, 10):
            drawn_a = min(self.takes_a[number], self.limits_a[number])
            live = self.conductors[number]
            self.reported[number] = PhaseCurrents(*[drawn_a * (k < live) for k in range(3)])
            self.reported_at[number] = now
        evses = tuple(
            EvseInput(
                key=EvseKey(f"CP-{number}", 1),
                is_reachable=True,
                wants_current=True,
                believed_a=self.limits_a[number],
                measured=self.reported[number],
                measured_at=self.reported_at[number],
                energy_wh=now * number,
            )
            for number in range(count)
        )
        drawn_a = sum(sum(currents) for currents in self.reported) / 3
        base_a = 1.5 * count + self._dice.uniform(-0.1, 0.1) * count
        reading = MeterReading(now, PhaseCurrents(*[drawn_a + base_a] * 3))
        return SiteInputs(evses, (CircuitInput("grid", reading),))


def step_times_ms(evses: int) -> list[float]:
    balancer, fleet = Balancer(build_site(evses)), Fleet(evses)
    times_ms = []
    for second in range(WARM_UP + STEPS):
        now = 1000.0 + second
        inputs = fleet.inputs(now)
        started = time.process_time()
        decision = balancer.step(inputs, now)
        times_ms.append((time.process_time() - started) * 1e3)
        fleet.limits_a = [limit.limit_a for limit in decision.limits.values()]
    return times_ms[WARM_UP:]


def main() -> int:
    gc.disable()
    table = Table(title="balancing step, three-level tree, CPU ms")
    for heading in ("EVSEs", "median", "p99", "highest", "target"):
        table.add_column(heading, justify="right")
    for evses in SIZES:
        times_ms = sorted(step_times_ms(evses))
        p99_ms = times_ms[int(len(times_ms) * 0.99)]
        target = f"{TARGET_MS[evses]:.0f}" if evses in TARGET_MS else ""
        figures = (statistics.median(times_ms), p99_ms, times_ms[-1])
        table.add_row(str(evses), *(f"{figure:.2f}" for figure in figures), target)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
