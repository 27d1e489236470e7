"""A simulated day in words for people. Prints on the console that it is handed."""

from rich.console import Console
from rich.table import Table

from gateway.simulation.day_record import Figures, Record

ENOUGH = 0.9
"""Part of the cars that must get 90 % of their wish for a connection to carry them."""


def print_report(figures: Figures, record: Record, console: Console) -> None:
    table = Table(show_header=False, title=f"{figures.sessions} sessions, policy {figures.policy}")
    delivered, demand = figures.delivered_wh, figures.demand_wh
    table.add_row("wished", f"{demand / 1000:.1f} kWh")
    table.add_row("delivered", f"{delivered / 1000:.1f} kWh, {delivered / demand:.1%} of the wish")
    if figures.optimum_wh:
        best = f"{figures.optimum_wh / 1000:.1f} kWh; {delivered / figures.optimum_wh:.2%} of it"
        table.add_row("clairvoyant optimum", f"{best} delivered")
    table.add_row("cars that got 90 % of their wish", f"{figures.served_90_share:.1%}")
    table.add_row("Jain's index of the parts", f"{figures.jain:.3f}")
    table.add_row("most cars at once", f"{record.most_plugged}, {record.most_waiting} waiting")
    table.add_row("switched per session", f"{figures.switchings_per_session:.1f} times")
    worst = f"{figures.worst_overload_a:.1f} A, {figures.worst_overload_s:.0f} s"
    table.add_row("worst overload", worst if figures.worst_overload_a else "none")
    if record.fullest_quarter is not None:
        table.add_row("fullest quarter of an hour", f"{record.fullest_quarter:.1%} of demand_w")
    for kind, share in record.fuse_shares.items():
        table.add_row(f"of the curve of a fuse {kind}", f"{share:.1%} used up")
    table.add_row("computed in", f"{figures.seconds:.1f} s")
    console.print(table)


def served_in_words(figures: Figures) -> str:
    served = round(figures.served_90_share * figures.sessions)
    return f"{served} of {figures.sessions} cars leave with 90 % of their wish or more"


def verdict(figures: Figures, record: Record) -> str:
    """Answer the planner: how many cars can this connection carry?"""
    said = served_in_words(figures)
    if figures.served_90_share >= ENOUGH:
        return f"{said}: the connection carries these cars, {record.most_plugged} at once."
    if figures.optimum_wh is not None and figures.optimum_wh < ENOUGH * figures.demand_wh:
        return (
            f"{said}: too many cars for the connection. Even with the best of plans it could carry "
            f"{figures.optimum_wh / figures.demand_wh:.0%} of the energy; raise the rating, or "
            "plan for fewer cars (--find tells how far)."
        )
    return (
        f"{said}: a tight fit. Known departures would help (--policy departure), or a somewhat "
        "higher rating (--find rating tells which)."
    )
