"""The half month of the Caltech garage at every capacity and policy, with the targets beside it.

    python -m tests.benchmarks.bench_day [--voltage V] [--realistic] [--hold-outs] [--month]

Four minutes; with --realistic (delays, tapering cars, rises as slow as live) half an hour.
--voltage: at another voltage the same power is another current, and whole amperes leave another
fraction; "whole A" compares with the best that whole amperes allow. --hold-outs prints how far
above or below its target each policy is on changed recordings and at other voltages, 20 minutes.
--month times a month of 54 EVSEs instead. Needs the recording that lies beside the checkout.
"""

import argparse
import sys
import time
from datetime import datetime, timedelta
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from gateway.simulation.day import Day, Policy, Weather
from gateway.simulation.day_optimum import optimum_wh
from gateway.simulation.day_record import Figures, figures_of
from tests.gateway.simulation.caltech import FILE, HOLD_OUTS, VOLTAGE_V, garage, recording
from tests.gateway.simulation.test_day_caltech import (
    CAPACITIES_KW,
    DEPARTURE_PART,
    FAIR_PART,
    LEAST_JAIN,
    REALISM_COSTS,
    WRONG_DEPARTURE_PART,
)

HOUR_S = 3600.0
MONTH_S = 60.0
MORE_EVSES = 9
"""Beside the 45 of the recording."""


class Case(NamedTuple):
    name: str
    policy: Policy
    error_s: float
    target: float
    """Part of the optimum."""
    seeds: tuple[int, ...] = (1,)
    """Of the errors; of several, the worst is shown."""

    def weathers(self, *, is_realistic: bool = False) -> list[Weather]:
        step_s = 5.0 if is_realistic else 60.0
        return [
            Weather(self.policy, self.error_s, seed, step_s, is_realistic) for seed in self.seeds
        ]


CASES = (
    Case("fair", "fair", 0.0, FAIR_PART),
    Case("departure", "departure", 0.0, DEPARTURE_PART),
    Case("1 h wrong", "departure", HOUR_S, WRONG_DEPARTURE_PART, (1, 2, 3)),
)


class Found(NamedTuple):
    figures: Figures
    whole_part: float
    """Of the optimum of the whole amperes."""

    @property
    def part(self) -> float:
        assert self.figures.optimum_wh
        return self.figures.delivered_wh / self.figures.optimum_wh


def day(capacity_kw: float, weather: Weather, text: str, voltage_v: float) -> Found:
    site, sessions = garage(capacity_kw, text, voltage_v)
    began = time.process_time()
    record = Day(site, sessions, weather).run()
    seconds = time.process_time() - began
    found = figures_of(record, weather.policy, optimum_wh(site, sessions), seconds)
    whole = garage(capacity_kw, text, voltage_v, whole_amperes=True)
    return Found(found, found.delivered_wh / optimum_wh(*whole))


def worst_day(
    capacity_kw: float, case: Case, text: str, voltage_v: float, *, is_realistic: bool = False
) -> Found:
    weathers = case.weathers(is_realistic=is_realistic)
    return min(
        (day(capacity_kw, weather, text, voltage_v) for weather in weathers),
        key=lambda found: found.part,
    )


def table_of(voltage_v: float, *, is_realistic: bool, console: Console) -> None:
    title = f"Caltech, 1 to 15 March 2019, {voltage_v:g} V, of the clairvoyant optimum"
    table = Table(title=title)
    columns = ("policy", "kW", "energy", "target", "whole A", "Jain", "target", "served")
    for heading in (*columns, "switched", "overload", "fuse", "CPU s"):
        table.add_column(heading, justify="right")
    for case in CASES:
        served = []
        for capacity_kw in CAPACITIES_KW:
            found = worst_day(capacity_kw, case, recording(), voltage_v, is_realistic=is_realistic)
            figures = found.figures
            served.append(figures.served_90_share)
            least = case.target - (REALISM_COSTS if is_realistic else 0.0)
            has_least = case.policy == "fair" and capacity_kw < 70
            table.add_row(
                case.name,
                str(capacity_kw),
                f"{found.part:.2%}",
                f"{least:.1%}",
                f"{found.whole_part:.2%}",
                f"{figures.jain:.3f}",
                f"{LEAST_JAIN[capacity_kw]:.2f}" if has_least else "",
                f"{figures.served_90_share:.1%}",
                f"{figures.switchings_per_session:.1f}",
                f"{figures.worst_overload_a:.1f} A {figures.worst_overload_s:.0f} s",
                f"{figures.fuse_share:.1%}",
                f"{figures.seconds:.1f}",
            )
        mean = f"{sum(served) / len(served):.1%}"
        goal = "90 %" if case.name == "departure" else ""
        table.add_row("", "mean", "", "", "", "", goal, mean, "", "", "", "", end_section=True)
    console.print(table)


def hold_outs(console: Console) -> None:
    """Print by how much each policy is above its target in other circumstances."""
    table = Table(title="points above the target, of the optimum / of that of whole amperes")
    for heading in ("recording", "V", "policy", *(f"{kw} kW" for kw in CAPACITIES_KW), "served"):
        table.add_column(heading, justify="right")
    circumstances = [("as recorded", recording(), voltage_v) for voltage_v in (VOLTAGE_V, 230, 240)]
    circumstances += [(name, change(recording()), VOLTAGE_V) for name, change in HOLD_OUTS.items()]
    for name, text, voltage_v in circumstances:
        for case in CASES:
            days = [worst_day(kw, case, text, voltage_v) for kw in CAPACITIES_KW]
            margins = [_margin(found, case.target) for found in days]
            served = sum(found.figures.served_90_share for found in days) / len(days)
            table.add_row(name, f"{voltage_v:g}", case.name, *margins, f"{served:.1%}")
        table.add_section()
    console.print(table)


def _margin(found: Found, target: float) -> str:
    return " / ".join(f"{100 * (part - target):+.1f}" for part in (found.part, found.whole_part))


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
    parser.add_argument("--voltage", type=float, default=VOLTAGE_V)
    parser.add_argument("--realistic", action="store_true")
    parser.add_argument("--hold-outs", action="store_true")
    parser.add_argument("--month", action="store_true")
    asked = parser.parse_args(arguments)
    console = Console(width=120)
    if not FILE.exists():
        console.print(f"no recording {FILE.name}: nothing measured")
    elif asked.month:
        month(console)
    elif asked.hold_outs:
        hold_outs(console)
    else:
        table_of(asked.voltage, is_realistic=asked.realistic, console=console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
