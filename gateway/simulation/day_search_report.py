"""What a planner's search has found, in words for people and as JSON.

Prints on the console that it is handed. Ratings A per phase, powers W.
"""

from math import floor
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.simulation.day_search import MOST_TIMES, Found, Try
from site_config.circuit_tree import roots
from site_config.model import Site

FUSES_A = (
    *(16, 20, 25, 32, 40, 50, 63, 80, 100, 125, 160, 200),
    *(250, 315, 400, 500, 630, 800, 1000, 1250),
)
"""Preferred ratings of IEC 60269-1, 5.3.1."""
HEADINGS = {
    "cars": ("cars", "a day", "busiest", "EVSEs", "at once", "wait"),
    "rating": ("rating", "power", "wait"),
}
RESULTS = ("energy", "served", "enough")


def print_search(found: Found, policy: str, site: Site, console: Console) -> None:
    """Print one row for each try."""
    title = f"Served: with 90 % of the wish or more; enough: {found.aim.served:.0%} of the cars"
    table = Table(title=f"{title}; policy {policy}")
    for heading in (*HEADINGS[found.aim.sought], *RESULTS):
        table.add_column(heading, justify="right")
    for one in found.tries:
        if found.aim.sought == "cars":
            numbers = [str(one.cars), f"{one.cars_per_day:.1f}", str(one.busiest_day)]
            numbers += [str(one.evses), str(one.most_plugged)]
        else:
            numbers = [f"{one.rating_a:g} A", f"{_power_kw(one.rating_a, site):.1f} kW"]
        numbers += [
            str(one.most_waiting),
            f"{one.delivered_share:.1%}",
            _served(one),
            "yes" if one.is_enough else "no",
        ]
        style = "bold" if one is found.answer else None if one.is_enough else "red"
        table.add_row(*numbers, style=style)
    console.print(table)


def answer_of(found: Found, site: Site) -> str:
    """Answer the planner in a sentence or two."""
    return _cars_answer(found) if found.aim.sought == "cars" else _rating_answer(found, site)


def _cars_answer(found: Found) -> str:
    answer, beyond = found.answer, found.beyond
    if answer is None:
        return (
            "The connection carries none of these cars: too few get 90 % of their wish, even of a "
            "single one. Raise rating_a, or see which other limit binds them."
        )
    said = (
        f"The connection carries {_cars(answer.cars_per_day)} a day like these: {answer.cars} in "
        f"all, {answer.busiest_day} on the busiest day, {answer.most_plugged} at once at "
        f"{answer.evses} EVSEs; {_served(answer)} of them get 90 % of their "
        "wish."
    )
    if beyond is None:
        return f"{said} More than {MOST_TIMES // 2} times the cars of the file were not tried."
    return f"{said} Of {beyond.cars} it would be {_served(beyond)}."


def _rating_answer(found: Found, site: Site) -> str:
    answer, beyond = found.answer, found.beyond
    [root] = roots(site)
    if answer is None:
        most_a = max(one.rating_a for one in found.tries)
        return (
            f"No rating of circuit {root} is enough, not even {most_a:g} A, all that is connected: "
            "look for another limit that holds these cars back (contract_a, demand_w, "
            "limit_windows, the rating of a smaller circuit)."
        )
    said = (
        f"Circuit {root} needs {answer.rating_a:g} A on each phase for these cars, "
        f"{_power_kw(answer.rating_a, site):.1f} kW: {_served(answer)} of them "
        "get 90 % of their wish"
    )
    if beyond is not None:
        said += f"; with {beyond.rating_a:g} A it would be {_served(beyond)}"
    fuse_a = next((fuse_a for fuse_a in FUSES_A if fuse_a >= answer.rating_a), None)
    return f"{said}." if fuse_a is None else f"{said}. The next usual fuse: {fuse_a} A."


def _served(one: Try) -> str:
    """Return the part that is served, rounded down: what is not enough must not look so."""
    return f"{floor(1000 * one.figures.served_90_share + 1e-6) / 10:.1f}%"


def _cars(number: float) -> str:
    return f"{number:g} car" if number == 1 else f"{number:g} cars"


def _power_kw(rating_a: float, site: Site) -> float:
    [root] = roots(site)
    ratings_a = site.circuits[root].ratings_a
    return sum(ratings_a) / max(ratings_a) * rating_a * site.site.voltage_v / 1000


def as_object(found: Found, policy: str, seconds: float) -> dict[str, Any]:
    """Return what a program reads."""
    return {
        "find": found.aim.sought,
        "policy": policy,
        "served": found.aim.served,
        "answer": None if found.answer is None else _try_object(found.answer),
        "tries": [_try_object(one) for one in found.tries],
        "seconds": round(seconds, 2),
    }


def _try_object(one: Try) -> dict[str, Any]:
    figures = one.figures
    return {
        "cars": one.cars,
        "cars_per_day": one.cars_per_day,
        "busiest_day": one.busiest_day,
        "evses": one.evses,
        "rating_a": round(one.rating_a, 1),
        "most_plugged": one.most_plugged,
        "most_waiting": one.most_waiting,
        "demand_wh": figures.demand_wh,
        "delivered_wh": figures.delivered_wh,
        "served_90_share": figures.served_90_share,
        "jain": figures.jain,
        "worst_overload_a": figures.worst_overload_a,
        "fuse_share": figures.fuse_share,
        "is_enough": one.is_enough,
    }
