"""The half month of the Caltech garage at every capacity and policy, with the targets beside it.

    python -m tests.benchmarks.bench_day [--realistic] [--month]

Two minutes; with --realistic (delays, tapering cars, rises as slow as live) a quarter of an hour.
--month times a month of 54 EVSEs instead. Needs the recording that lies beside the checkout.
"""

import argparse
import sys
import time
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from gateway.simulation.day import Day, Policy, Weather
from gateway.simulation.day_optimum import optimum_wh
from gateway.simulation.day_record import Figures, figures_of
from tests.gateway.simulation.caltech import FILE, garage, recording
from tests.gateway.simulation.test_day_caltech import (
    CAPACITIES_KW,
    DEPARTURE_PART,
    FAIR_PART,
    LEAST_JAIN,
    REALISM_COSTS,
    WRONG_DEPARTURE_PART,
)

HOUR_S = 3600.0
CASES: tuple[tuple[str, Policy, float, float], ...] = (
    ("fair", "fair", 0.0, FAIR_PART),
    ("departure", "departure", 0.0, DEPARTURE_PART),
    ("departure, 1 h wrong", "departure", HOUR_S, WRONG_DEPARTURE_PART),
)
MONTH_S = 60.0
MORE_EVSES = 9
"""Beside the 45 of the recording."""


def day(capacity_kw: float, weather: Weather) -> Figures:
    site, sessions = garage(capacity_kw, recording())
    began = time.process_time()
    record = Day(site, sessions, weather).run()
    seconds = time.process_time() - began
    return figures_of(record, weather.policy, optimum_wh(site, sessions), seconds)


def table_of(*, is_realistic: bool, console: Console) -> None:
    table = Table(title="Caltech, 1 to 15 March 2019, of the clairvoyant optimum")
    columns = ("policy", "kW", "energy", "target", "Jain", "target", "served", "switched")
    for heading in (*columns, "overload", "fuse", "CPU s"):
        table.add_column(heading, justify="right")
    for name, policy, error_s, target in CASES:
        served = []
        for capacity_kw in CAPACITIES_KW:
            weather = Weather(policy, error_s, 1, 5.0 if is_realistic else 60.0, is_realistic)
            found = day(capacity_kw, weather)
            assert found.optimum_wh
            served.append(found.served_90_share)
            least = target - (REALISM_COSTS if is_realistic else 0.0)
            table.add_row(
                name,
                str(capacity_kw),
                f"{found.delivered_wh / found.optimum_wh:.2%}",
                f"{least:.1%}",
                f"{found.jain:.3f}",
                f"{LEAST_JAIN[capacity_kw]:.2f}" if policy == "fair" and capacity_kw < 70 else "",
                f"{found.served_90_share:.1%}",
                f"{found.switchings_per_session:.1f}",
                f"{found.worst_overload_a:.1f} A {found.worst_overload_s:.0f} s",
                f"{found.fuse_share:.1%}",
                f"{found.seconds:.1f}",
            )
        mean = f"{sum(served) / len(served):.1%}"
        goal = "90 %" if name == "departure" else ""
        table.add_row("", "mean", "", "", "", goal, mean, "", "", "", "", end_section=True)
    console.print(table)


def month(console: Console) -> None:
    """Time the half month twice, with nine more EVSEs that have the days of others."""
    heading, *rows = recording().splitlines()
    extra = [f"X{row}" for row in rows if row.split(",")[0] in _first_evses(rows)]
    text = "\n".join([heading, *rows, *extra, *map(_later, [*rows, *extra])])
    site, sessions = garage(54, text)
    began = time.perf_counter()
    Day(site, sessions, Weather()).run()
    seconds = time.perf_counter() - began
    said = f"a month of {len(site.stations)} EVSEs, {len(sessions)} sessions: {seconds:.1f} s"
    console.print(f"{said}; target {MONTH_S:.0f} s")


def _first_evses(rows: list[str]) -> list[str]:
    return sorted({row.split(",")[0] for row in rows})[:MORE_EVSES]


def _later(row: str) -> str:
    evse, phases, arrival, departure, *rest = row.split(",")
    later = [datetime.fromisoformat(at) + timedelta(days=17) for at in (arrival, departure)]
    return ",".join([evse, phases, *(at.isoformat() for at in later), *rest])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--realistic", action="store_true")
    parser.add_argument("--month", action="store_true")
    asked = parser.parse_args(arguments)
    console = Console(width=110)
    if not FILE.exists():
        console.print(f"no recording {FILE.name}: nothing measured")
    elif asked.month:
        month(console)
    else:
        table_of(is_realistic=asked.realistic, console=console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
