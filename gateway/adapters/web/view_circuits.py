"""What the page says about each circuit: bars, and everybody who may hold it below its fuse.

Pure. Currents A RMS per phase.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.adapters.web.wording import Clock, duration, time_of_day
from gateway.site_state import CircuitState, MeterState, SiteState
from site_config.circuit_tree import ratings

SOURCES = {
    "input": "by the contact",
    "rest": "over REST",
    "mqtt": "over MQTT",
    "fail_safe": "because nobody can be heard",
}


def circuit_order(state: SiteState) -> dict[str, int]:
    """Return the circuits from the root down, each below its parent, with its depth."""
    circuits = state.site.circuits
    order: dict[str, int] = {}

    def visit(name: str, depth: int) -> None:
        order[name] = depth
        for child, circuit in circuits.items():
            if circuit.parent == name:
                visit(child, depth + 1)

    visit(state.root, 0)
    return order


def circuit_row(
    state: SiteState, name: str, clock: Clock, dimming: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return one circuit; `dimming` as in `view_of`."""
    circuit = state.circuits[name]
    meter_name = state.site.circuits[name].meter
    limiters = _limiters(circuit)
    if dimming is not None and name == state.root:
        limiters.append(_dimming(dimming, clock))
    return {
        "id": name,
        "rating": ratings(state.site.circuits[name]),
        "is_metered": meter_name is not None,
        "limiters": limiters,
        "note": _meter_note(meter_name, state.meters[meter_name], clock) if meter_name else None,
        "phases": _phases(circuit),
    }


def _limiters(circuit: CircuitState) -> list[dict[str, str]]:
    """Return everybody beside the fuse; who holds the circuit below it has a tone."""
    is_limited = circuit.limit != circuit.rating
    amperes = [each.limit_a for each in circuit.limiters if each.limit_a is not None]
    lowest_a = min(amperes, default=None) if is_limited else None
    return [
        {
            "text": each.text,
            "tone": "info" if lowest_a is not None and each.limit_a == lowest_a else "idle",
        }
        for each in circuit.limiters
    ]


def _dimming(status: Mapping[str, Any], clock: Clock) -> dict[str, str]:
    lines = status["evidence"]
    proof = "" if lines is None else f"; {lines} line{'' if lines == 1 else 's'} of evidence"
    if not status["dimmed"]:
        return {"text": f"grid operator: does not dim{proof}", "tone": "idle"}
    begun = time_of_day(datetime.fromisoformat(status["since"]), clock)
    source = SOURCES.get(status["source"], "")
    why = f" ({status['reason']})" if status["reason"] else ""
    total = f"{status['total_w'] / 1000:.1f} kW for all charge points"
    each = f"{status['floor_w'] / 1000:.1f} kW for each charge point"
    how_much = total if status["limit_w"] is None else each
    return {"text": f"grid operator: {how_much} {source} since {begun}{why}{proof}", "tone": "warn"}


def _phases(circuit: CircuitState) -> list[dict[str, Any]]:
    measured: tuple[float | None, ...] = circuit.measured or (None, None, None)
    return [
        {
            "name": f"L{number + 1}",
            "measured_a": rounded(measured[number]),
            "allocated_a": rounded(circuit.allocated[number]),
            "limit_a": rounded(circuit.limit[number]),
            "rating_a": circuit.rating[number],
            "tone": _load_tone(measured[number], circuit.limit[number]),
        }
        for number in range(3)
    ]


def _load_tone(measured_a: float | None, limit_a: float) -> str:
    if measured_a is None:
        return "unknown"
    if measured_a > limit_a:
        return "bad"
    return "warn" if measured_a > 0.95 * limit_a else "good"


def _meter_note(name: str, meter: MeterState, clock: Clock) -> str | None:
    if meter.is_healthy:
        return None
    if meter.reading is None:
        return f"meter {name} has not answered yet"
    silent = timedelta(seconds=clock.now - meter.reading.taken_at)
    return f"meter {name} silent for {duration(silent)}"


def rounded(current_a: float | None) -> float | None:
    return None if current_a is None else round(current_a, 1)
