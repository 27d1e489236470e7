"""What a station's meter values say about now: the currents of one EVSE. Pure.

Stations differ: currents per phase, one current for all, or power alone. Where they say less than
the fuse needs, the higher reading is taken. Old and replayed values say nothing about now and are
left out: they are billed, never steered by.

Currents A RMS in the EVSE's own conductor order, import positive; power W.
"""

import math
from collections.abc import Iterable
from datetime import datetime

from gateway.events import MeterValue, SampledValue
from gateway.frozen import frozen
from gateway.ocpp.meter_values import LARGEST_MULTIPLIER
from load_balancer.phases import PhaseCurrents

FRESH_S = 30.0
"""A sample older than this by its own time is from a queue (mobile link, outage), not from now."""
CLOCK_UNSET_BEFORE = 2020
"""A station that has not been told the time counts from 1970: its samples are taken as of now."""

CONDUCTORS = {"L1": 0, "L1-N": 0, "L2": 1, "L2-N": 1, "L3": 2, "L3-N": 2}
OUTLET = (None, "Outlet")


@frozen
class Draw:
    """What an EVSE was drawing when it was sampled."""

    currents: PhaseCurrents
    age_s: float
    """Of the sample, when it was heard; never negative."""


def latest_draw(
    meter_values: Iterable[MeterValue],
    now_utc: datetime,
    *,
    phases: int,
    voltage_v: float,
    is_dc: bool = False,
) -> Draw | None:
    """Return what the newest fresh sample says; None: nothing about now.

    Args:
        phases: conductors of the EVSE; a current without a phase flows on each of them.
        voltage_v: what one ampere on one phase is in watts at the outlet.
        is_dc: its currents are those of the outlet, and only the power says what its input draws.
    """
    fresh = [value for value in meter_values if _age_s(value.at, now_utc) <= FRESH_S]
    fresh.sort(key=lambda value: value.at, reverse=True)
    for value in fresh:
        currents = None if is_dc else _currents(value.samples, phases)
        if currents is None and (power_w := _power(value.samples)) is not None:
            currents = _on_each(power_w / (voltage_v * phases), phases)
        if currents is not None:
            return Draw(currents, max(0.0, _age_s(value.at, now_utc)))
    return None


def _age_s(at: datetime, now_utc: datetime) -> float:
    return 0.0 if at.year < CLOCK_UNSET_BEFORE else (now_utc - at).total_seconds()


def _currents(samples: Iterable[SampledValue], phases: int) -> PhaseCurrents | None:
    by_conductor: dict[int, float] = {}
    for_all: float | None = None
    for sample in [sample for sample in samples if sample.measurand == "Current.Import"]:
        if sample.location not in OUTLET:
            continue
        current_a = _number(sample)
        if current_a is None or sample.phase == "N":
            continue
        conductor = CONDUCTORS.get(sample.phase or "")
        if conductor is None:
            for_all = max(for_all or 0.0, current_a)
        else:
            by_conductor[conductor] = current_a
    if by_conductor:
        get = by_conductor.get
        return PhaseCurrents(get(0, 0.0), get(1, 0.0), get(2, 0.0))
    return None if for_all is None else _on_each(for_all, phases)


def _on_each(current_a: float, phases: int) -> PhaseCurrents:
    return PhaseCurrents(*(current_a if n < phases else 0.0 for n in range(3)))


def _power(samples: Iterable[SampledValue]) -> float | None:
    """Return the sum, W: the value without a phase if there is one, else over the phases."""
    by_phase_w: list[float] = []
    for sample in samples:
        if sample.measurand != "Power.Active.Import" or sample.location not in OUTLET:
            continue
        power_w = _number(sample)
        if power_w is None:
            continue
        if sample.phase is None:
            return power_w
        by_phase_w.append(power_w)
    return sum(by_phase_w) if by_phase_w else None


def _number(sample: SampledValue) -> float | None:
    if sample.signed is not None or abs(sample.multiplier) > LARGEST_MULTIPLIER:
        return None
    try:
        value = float(sample.value)
    except ValueError:
        return None
    if sample.unit in {"kW", "kA"}:
        value *= 1000
    if sample.multiplier:
        value *= 10.0**sample.multiplier
    return value if math.isfinite(value) else None
