"""Pictures for planners: the load and who waits, and how many cars a connection carries.

Write one file each. Need matplotlib, which is an extra. Currents A RMS per phase.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.simulation.day_record import SERVED, Figures, Moment, Record, parts_of
from gateway.simulation.day_report import served_in_words
from gateway.simulation.day_search import Found
from gateway.simulation.day_search_report import answer_of
from load_balancer.phases import PHASES
from site_config.circuit_tree import roots
from site_config.model import Site

DOTS_PER_INCH = 100
DAY_INCHES = (10.0, 11.0)
CURVE_INCHES = (10.0, 6.0)
LONG_S = 3 * 86_400.0
"""Longer, and the load is drawn as the mean of each quarter of an hour."""
QUARTER_S = 900.0
TENTH_A = 0.1
"""The balancer's limits are whole tenths."""
LOAD, LIMIT, WAITING, FULL = "tab:blue", "tab:red", "tab:orange", "lightgray"


class PlotterMissing(Exception):
    """matplotlib is not installed."""


def save_plot(path: Path, record: Record, site: Site, figures: Figures) -> None:
    """Write the picture of a day in the format of the file's name.

    Raises PlotterMissing, OSError, or ValueError for a format that nobody knows.
    """
    figure = _figure(DAY_INCHES)
    zone = ZoneInfo(site.site.timezone)
    [root] = roots(site)
    has_branches = len(record.circuits) > 1
    heights = [2.0] * (len(PHASES) + has_branches) + [2.5, 2.5]
    grid = figure.add_gridspec(len(heights), height_ratios=heights)
    first = figure.add_subplot(grid[0])
    *loads, crowd = [first, *(figure.add_subplot(g, sharex=first) for g in list(grid)[1:-1])]
    for phase in range(len(PHASES)):
        _draw_load(loads[phase], phase, record.moments, site)
    if has_branches:
        _draw_branches(loads[-1], record, zone)
    first.legend(loc="upper left", ncols=3, fontsize="small")
    first.set_title(f"{site.site.name}: {served_in_words(figures)}\nload of circuit {root}")
    _draw_crowd(crowd, record.moments, zone)
    _mark_dates(crowd, zone)
    for axes in loads:
        axes.tick_params(labelbottom=False)
    _draw_parts(figure.add_subplot(grid[-1]), record)
    figure.savefig(path)


def save_curve(path: Path, found: Found, site: Site) -> None:
    """Write what each try of a search gave; raises as `save_plot`."""
    figure = _figure(CURVE_INCHES)
    axes = figure.add_subplot()
    is_cars = found.aim.sought == "cars"

    def place(one: Any) -> float:
        return float(one.cars_per_day if is_cars else one.rating_a)

    places = [place(one) for one in found.tries]
    served = [100 * one.figures.served_90_share for one in found.tries]
    energy = [100 * one.delivered_share for one in found.tries]
    axes.plot(places, served, "o-", color=LOAD, label="cars that got 90 % of their wish")
    axes.plot(places, energy, ".--", color="gray", label="energy delivered, of all wishes")
    axes.axhline(100 * found.aim.served, color=LIMIT, label=f"enough: {found.aim.served:.0%}")
    if found.answer is not None:
        at = place(found.answer)
        is_left = at < (min(places) + max(places)) / 2
        axes.axvline(at, color=LIMIT, linestyle=":")
        axes.annotate(
            f"{at:g} cars a day" if is_cars else f"{at:g} A",
            (at, 0.5),
            xycoords=("data", "axes fraction"),
            xytext=(8 if is_left else -8, 0),
            textcoords="offset points",
            ha="left" if is_left else "right",
            fontsize="x-large",
            fontweight="bold",
        )
    axes.set_xlabel("cars a day" if is_cars else "rating of the grid connection point, A per phase")
    axes.set_ylabel("%")
    lowest = min(*served, *energy, 100 * found.aim.served)
    axes.set_ylim(max(0, lowest // 10 * 10 - 10), 103)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left" if is_cars else "lower right")
    title = f"{site.site.name}\n{answer_of(found, site)}"
    axes.set_title(title, fontsize="medium", loc="left", wrap=True)
    figure.savefig(path)


def _figure(inches: tuple[float, float]) -> Any:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as reason:
        raise PlotterMissing(str(reason)) from reason
    return Figure(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")


def _draw_load(axes: Any, phase: int, moments: Sequence[Moment], site: Site) -> None:
    """Draw one phase of the grid connection point."""
    zone = ZoneInfo(site.site.timezone)
    [root] = roots(site)
    rating_a = site.circuits[root].ratings_a[phase]
    times = [datetime.fromtimestamp(moment.at, zone) for moment in moments]
    at, flows_a = _smoothed(moments, [moment.flows_a[phase] for moment in moments], zone)
    label = "load, mean of 15 min" if _is_long(moments) else "load"
    axes.fill_between(at, flows_a, step="post", alpha=0.6, color=LOAD, label=label, lw=0)
    limits_a = [moment.limits_a[phase] for moment in moments]
    if min(limits_a) < rating_a - TENTH_A:
        axes.step(times, limits_a, where="post", color=WAITING, lw=1, label="allowed")
    axes.axhline(rating_a, color=LIMIT, label=f"rating, {rating_a:.0f} A")
    axes.set_ylabel(f"{PHASES[phase]}, A")
    axes.set_ylim(0, 1.4 * rating_a)
    axes.grid(alpha=0.3)


def _mark_dates(axes: Any, zone: ZoneInfo) -> None:
    dates: Any = import_module("matplotlib.dates")
    locator = dates.AutoDateLocator(tz=zone)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
    axes.set_xlabel(f"time in {zone.key}")


def _draw_branches(axes: Any, record: Record, zone: ZoneInfo) -> None:
    """Draw how full each circuit below the grid connection point is, on its fullest phase."""
    for index, name in enumerate(record.circuits[1:], start=1):
        nodes = range(3 * index, 3 * index + 3)
        fullness = [
            max(100 * m.flows_a[n] / max(m.limits_a[n], TENTH_A) for n in nodes)
            for m in record.moments
        ]
        at, percents = _smoothed(record.moments, fullness, zone)
        axes.step(at, percents, where="post", lw=1, label=name)
    axes.axhline(100, color=LIMIT)
    axes.set_ylabel("fullest phase, %\nof the limit")
    axes.set_ylim(0, 150)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", ncols=6, fontsize="small")


def _smoothed(
    moments: Sequence[Moment], values: Sequence[float], zone: ZoneInfo
) -> tuple[list[datetime], list[float]]:
    """Return what is drawn of a value at each moment, and where."""
    points = [(moment.at, value) for moment, value in zip(moments, values, strict=True)]
    if _is_long(moments):
        points = quarter_means(points)
    return [datetime.fromtimestamp(at, zone) for at, _ in points], [value for _, value in points]


def _is_long(moments: Sequence[Moment]) -> bool:
    return moments[-1].at - moments[0].at > LONG_S


def _draw_crowd(axes: Any, moments: Sequence[Moment], zone: ZoneInfo) -> None:
    """Draw how many cars wait, charge, and have enough, one above the other."""
    times = [datetime.fromtimestamp(moment.at, zone) for moment in moments]
    crowds = [moment.crowd for moment in moments]
    levels = [
        ("waiting for current", WAITING, [crowd.waiting for crowd in crowds]),
        ("charging", LOAD, [crowd.plugged - crowd.full for crowd in crowds]),
        ("full", FULL, [crowd.plugged for crowd in crowds]),
    ]
    below = [0] * len(crowds)
    for label, color, heights in levels:
        axes.fill_between(times, below, heights, step="post", color=color, label=label, lw=0)
        below = heights
    axes.set_ylabel("cars plugged in")
    axes.set_ylim(0, 1.25 * max(below) + 1)
    axes.legend(loc="upper left", ncols=3, fontsize="small")
    axes.grid(alpha=0.3)


def _draw_parts(axes: Any, record: Record) -> None:
    """Draw which part of its wish each car got, from the worst off on."""
    parts = sorted(100 * part for part in parts_of(record))
    edges = range(1, len(parts) + 1)
    enough = 100 * SERVED - 1e-7
    colors = [LOAD if part >= enough else WAITING for part in parts]
    axes.bar(edges, parts, width=1.0, color=colors)
    axes.axhline(100 * SERVED, color=LIMIT, label="90 % of the wish")
    axes.set_xlabel("every car, the worst served first")
    axes.set_ylabel("got of its wish, %")
    axes.set_xlim(0.5, len(parts) + 0.5)
    axes.set_ylim(0, 110)
    axes.legend(loc="lower right", fontsize="small")


def quarter_means(flows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the mean of each quarter of an hour, by its beginning; what flows at an instant flows
    until the next one."""
    sums: dict[float, float] = {}
    for (begin, flow), (end, _) in pairwise(flows):
        at = begin
        while at < end:
            quarter = at // QUARTER_S * QUARTER_S
            until = min(quarter + QUARTER_S, end)
            sums[quarter] = sums.get(quarter, 0.0) + flow * (until - at) / QUARTER_S
            at = until
    return [*sums.items(), (flows[-1][0] // QUARTER_S * QUARTER_S, flows[-1][1])]
