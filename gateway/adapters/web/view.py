"""The site in the words of the page: `SiteState` -> texts, tones and bars.

Pure. A view is plain JSON: everything a browser shows, once a second, the same for all of them.
What did not change since the last view is not sent again (`changes`). Times of day are those
of the site's zone; currents A RMS per phase.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.adapters.web.advice import banner
from gateway.adapters.web.view_circuits import circuit_order, circuit_row, rounded
from gateway.adapters.web.view_evses import evse_rows
from gateway.adapters.web.wording import Clock, duration, since
from gateway.site_state import CloudState, HistoryPoint, SiteState
from load_balancer.phases import PhaseCurrents

View = dict[str, Any]

PLOT_STEP = timedelta(seconds=4)
"""Spacing of the plot's history when a page is opened; 900 points an hour."""

NESTED = ("circuits", "evses")
"""Parts of a view that are compared row by row."""


def view_of(
    state: SiteState,
    now: float,
    now_utc: datetime,
    health: Mapping[str, Any],
    dimming: Mapping[str, Any] | None = None,
) -> View:
    """Return all that the page shows of the site at this instant.

    Args:
        dimming: `GridOperatorOperations.status`; None: nobody may dim this site.
    """
    clock = Clock(now, now_utc, ZoneInfo(state.site.site.timezone))
    evses = evse_rows(state, clock)
    return {
        "clock": clock.local.strftime("%H:%M:%S"),
        "at_ms": int(now_utc.timestamp()) // 60 * 60_000,
        "date": clock.local.strftime("%a %-d %B"),
        "cloud": _cloud(state, clock),
        "outbox": _outbox(state, clock),
        "health": {
            "tone": "good" if health["status"] == "ok" else "warn",
            "lines": banner(state.problems),
        },
        "totals": _totals(state, evses),
        "circuits": {
            name: circuit_row(state, name, clock, dimming) for name in circuit_order(state)
        },
        "evses": evses,
        "point": _point(state.history[-1]) if state.history else None,
    }


def plot_history(state: SiteState) -> list[list[float | None]]:
    """Return the past of the plot, thinned to `PLOT_STEP` up to the newest, oldest first."""
    points: list[HistoryPoint] = []
    for point in state.history:
        if not points or point.at - points[-1].at >= PLOT_STEP or point is state.history[-1]:
            points.append(point)
    return [_point(point) for point in points]


def changes(old: View, new: View) -> View:
    """Return what of `new` a page that shows `old` must be told; empty: nothing."""
    told = {key: value for key, value in new.items() if key not in NESTED and old.get(key) != value}
    for part in NESTED:
        shown = old.get(part, {})
        rows = {key: row for key, row in new[part].items() if shown.get(key) != row}
        if rows:
            told[part] = rows
    return told


def _cloud(state: SiteState, clock: Clock) -> dict[str, Any]:
    cloud = state.cloud
    when = since(cloud.changed_at, clock)
    if cloud.is_connected and cloud.is_registered:
        return {"tone": "good", "text": "Cloud connected", "detail": f"{cloud.protocol}, {when}"}
    if cloud.is_connected:
        return {"tone": "warn", "text": "Cloud has not accepted us", "detail": when}
    if cloud.changed_at is None:
        return {"tone": "warn", "text": "Cloud not reached yet", "detail": ""}
    return {"tone": "bad", "text": "Cloud away", "detail": when}


def _outbox(state: SiteState, clock: Clock) -> dict[str, Any]:
    cloud = state.cloud
    age = duration(clock.utc - cloud.oldest_at) if cloud.oldest_at and cloud.pending else None
    return {
        "tone": "bad" if cloud.quarantined else "good" if cloud.is_connected else "warn",
        "pending": cloud.pending,
        "quarantined": cloud.quarantined,
        "detail": _waiting(cloud, age),
    }


def _waiting(cloud: CloudState, age: str | None) -> str:
    if not cloud.pending:
        return "all delivered"
    if cloud.drain_s is not None:
        return f"gone in about {duration(timedelta(seconds=cloud.drain_s))}"
    return f"oldest {age}" if age else ""


def _totals(state: SiteState, evses: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    root = state.circuits[state.root]
    meter = state.meters.get(state.site.circuits[state.root].meter or "")
    reading = meter.reading if meter and meter.is_healthy else None
    power_w = reading.power_w if reading else None
    if power_w is None and root.measured is not None and reading is not None:
        power_w = sum(root.measured) * state.site.site.voltage_v
    kinds = [row["kind"] for row in evses.values()]
    return {
        "power_kw": None if power_w is None else f"{power_w / 1000:.1f}",
        "charging_kw": f"{sum(row['power_w'] for row in evses.values()) / 1000:.1f}",
        "charging": kinds.count("charging"),
        "waiting": kinds.count("waiting"),
        "free": kinds.count("free"),
        "problem": kinds.count("problem"),
        "all": len(kinds),
    }


def _point(point: HistoryPoint) -> list[float | None]:
    """Milliseconds since 1970, L1, L2, L3, the lowest limit."""
    measured: PhaseCurrents | tuple[None, None, None] = point.measured or (None, None, None)
    return [
        round(point.at.timestamp() * 1000),
        *(rounded(current_a) for current_a in measured),
        rounded(min(point.limit)),
    ]
