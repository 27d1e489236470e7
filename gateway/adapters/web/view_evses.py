"""What the page says about each EVSE: one chip, the numbers, and one sentence why.

Pure. `kind` is what people sort by: charging, waiting, free or problem.
"""

from datetime import timedelta
from typing import Any

from gateway.adapters.web.wording import Clock, duration, since, time_of_day
from gateway.charging_wishes import ChargingWish
from gateway.events import ChargingState, ConnectorStatus
from gateway.site_state import EvseState, SiteState, StationState
from load_balancer.decision import Turn
from load_balancer.phases import PhaseCurrents

Chip = tuple[str, str, str]
"""Kind, tone of the colour, text."""

BY_STATUS: dict[ConnectorStatus | None, Chip] = {
    ConnectorStatus.FAULTED: ("problem", "bad", "Fault"),
    ConnectorStatus.UNAVAILABLE: ("problem", "idle", "Out of service"),
    ConnectorStatus.AVAILABLE: ("free", "idle", "Free"),
    ConnectorStatus.RESERVED: ("free", "info", "Reserved"),
    ConnectorStatus.OCCUPIED: ("waiting", "info", "Plugged in"),
    None: ("free", "idle", "Not heard yet"),
}
BY_CHARGING_STATE: dict[ChargingState | None, Chip] = {
    ChargingState.CHARGING: ("charging", "good", "Charging"),
    ChargingState.SUSPENDED_EVSE: ("waiting", "warn", "Waiting"),
    ChargingState.SUSPENDED_EV: ("waiting", "info", "Vehicle pauses"),
    ChargingState.EV_CONNECTED: ("waiting", "info", "Plugged in"),
    ChargingState.IDLE: ("waiting", "idle", "Finished"),
}
OFFLINE: Chip = ("problem", "bad", "Offline")

AT_WORK = (ConnectorStatus.OCCUPIED, ConnectorStatus.AVAILABLE, None)
"""Statuses that a transaction's charging state says more about."""


def evse_rows(state: SiteState, clock: Clock) -> dict[str, dict[str, Any]]:
    """Return one row per EVSE, in the order of the site file; the key is `station/evse`."""
    rows = {}
    for station_id, evse_id, evse in state.evse_states():
        station = state.stations[station_id]
        rows[f"{station_id}/{evse_id}"] = {
            "station": station_id,
            "evse_id": evse_id,
            "evse": evse_id if len(station.evses) > 1 else None,
            "circuit": state.site.stations[station_id].circuit,
            **_state(station, evse, clock),
            **_numbers(evse, state.site.site.voltage_v),
            "why": _why(evse, clock) if evse.transaction_id else None,
            "queue": _queue(evse.turn, clock) if evse.transaction_id else None,
            "wish": _wish(evse.wish, clock),
            "details": _details(station, evse, clock),
        }
    return rows


def _state(station: StationState, evse: EvseState, clock: Clock) -> dict[str, Any]:
    kind, tone, text = _chip(station, evse)
    return {"kind": kind, "tone": tone, "text": text, "note": _note(station, evse, clock)}


def _chip(station: StationState, evse: EvseState) -> Chip:
    if not station.is_connected:
        return OFFLINE
    if evse.transaction_id and evse.status in AT_WORK and evse.charging_state is not None:
        return BY_CHARGING_STATE[evse.charging_state]
    return BY_STATUS[evse.status]


def _note(station: StationState, evse: EvseState, clock: Clock) -> str | None:
    if not station.is_connected:
        if station.changed_at is None:
            return "has never connected"
        gone = duration(clock.utc - station.changed_at)
        return f"offline {since(station.changed_at, clock)} ({gone})"
    return evse.error


def _numbers(evse: EvseState, voltage_v: float) -> dict[str, Any]:
    is_running = evse.transaction_id is not None
    power_w = sum(evse.measured) * voltage_v if evse.measured and is_running else 0.0
    return {
        "busy": is_running,
        "power_w": round(power_w),
        "power_kw": f"{power_w / 1000:.1f}" if is_running and evse.measured else None,
        "energy_kwh": None if evse.energy_wh is None else f"{evse.energy_wh / 1000:.1f}",
        "limit_a": None if evse.limit_a is None or not is_running else f"{evse.limit_a:g}",
        "currents_a": _currents(evse.measured) if is_running else None,
    }


def _currents(measured: PhaseCurrents | None) -> str | None:
    return " · ".join(f"{current_a:.1f}" for current_a in measured) if measured else None


def _why(evse: EvseState, clock: Clock) -> dict[str, str] | None:
    reason = evse.limited_by
    if reason is None:
        return None
    return {
        "text": reason.sentence(),
        "since": f"Since {time_of_day(clock.at(reason.since), clock)}.",
    }


def _queue(turn: Turn | None, clock: Clock) -> str | None:
    if turn is None:
        return None
    # The minute that is nearest: two clocks never agree on a second, and turns change on a minute.
    expected = time_of_day(clock.at(turn.expected_at) + timedelta(seconds=30), clock)
    minutes = round((turn.expected_at - clock.now) / 60)
    wait = f"in about {minutes} min" if minutes > 0 else "any moment"
    return f"Number {turn.place} in the queue, its turn should come at {expected}, {wait}."


def _wish(wish: ChargingWish | None, clock: Clock) -> str | None:
    """Say what a driver wants, and who has told.

    >>> from datetime import UTC, datetime
    >>> from zoneinfo import ZoneInfo
    >>> clock = Clock(0.0, datetime(2026, 6, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    >>> _wish(ChargingWish(12_000.0, clock.utc + timedelta(hours=3), "vehicle"), clock)
    'Wants 12 kWh by 17:00, told by the car.'
    """
    if wish is None:
        return None
    energy = "as much as it takes" if wish.energy_wh is None else f"{wish.energy_wh / 1000:g} kWh"
    end = f" by {time_of_day(wish.departs_at, clock)}" if wish.departs_at else ""
    return f"Wants {energy}{end}, told by {'the car' if wish.is_from_vehicle else wish.told_by}."


def _details(station: StationState, evse: EvseState, clock: Clock) -> list[list[str]]:
    """Return pairs of a word and a text, for whoever opens the card."""
    model = " ".join(filter(None, (station.vendor, station.model)))
    details = [
        ["Model", ", ".join(filter(None, (model, station.firmware))) or "not told yet"],
        ["Protocol", station.protocol or "never connected"],
        ["In the cloud", f"EVSE {evse.cloud_evse}"],
        ["Phases", _phases(evse, clock)],
    ]
    if evse.transaction_id:
        details.append(["Transaction", evse.transaction_id])
        if evse.id_token_hint:
            details.append(["Token", f"…{evse.id_token_hint}"])
        if evse.started_at:
            length = duration(_whole_minutes(clock.utc - evse.started_at))
            details.append(["Started", f"{time_of_day(evse.started_at, clock)} ({length} ago)"])
    details.extend(["Odd", note] for note in station.notes[-3:])
    return details


def _phases(evse: EvseState, clock: Clock) -> str:
    """Say on which phases it sits, and how that is known.

    >>> from datetime import UTC, datetime
    >>> from zoneinfo import ZoneInfo
    >>> from gateway.records import FoundPhases
    >>> noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    >>> clock = Clock(0.0, noon, ZoneInfo("Europe/Berlin"))
    >>> found = FoundPhases("CP-01", 1, (("L2", "L1", "L3"), ("L2", "L3", "L1")), noon, "", "", 1.0)
    >>> _phases(EvseState(1, ("L2", None, None), found_phases=found), clock)
    'L2, not known yet, not known yet: found at the meter, 14:00'
    """
    text = ", ".join(phase or "not known yet" for phase in evse.phases)
    found = evse.found_phases
    if found is None:
        return text
    when = time_of_day(found.found_at, clock)
    if found.in_sight_at is not None:
        return f"{text}: found at the meter, {when}"
    phases = ", ".join(phase or "not known" for phase in found.phases)
    return f"counts on every phase until the meter shows again: {phases}, as found {when}"


def _whole_minutes(length: timedelta) -> timedelta:
    """A row that changes every second would be sent every second."""
    return timedelta(minutes=length // timedelta(minutes=1))
