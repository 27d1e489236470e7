"""Energy registers out of sampled values: which sample is the billable one, exact to the digit.

The register is Energy.Active.Import.Register at the outlet, over all phases, in Wh. Decides nothing
about transactions.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from gateway.events import ENERGY_REGISTER, MeterValue, SampledValue
from gateway.frozen import frozen
from gateway.ocpp.meter_values import LARGEST_MULTIPLIER

_WH_PER_UNIT = {"wh": Decimal(1), "kwh": Decimal(1000)}
_LARGEST_WH = Decimal(10**15)
"""A register beyond the energy of a country is noise."""
_OUTLET = (None, "Outlet")
"""Location defaults to Outlet (1.6 §7.43 SampledValue; 2.0.1 SampledValueType)."""


@frozen
class Registers:
    """What a message says about the energy register, Wh; None: it does not say."""

    begin_wh: float | None = None
    """Sampled with context Transaction.Begin."""
    end_wh: float | None = None
    """Sampled with context Transaction.End."""
    first_wh: float | None = None
    """The earliest of all."""
    last_wh: float | None = None
    """The latest of all."""


def read_registers(meter_values: Sequence[MeterValue]) -> Registers:
    """Return the registers told by the meter values of one message, in any order."""
    begin: float | None = None
    end: float | None = None
    readings = []
    if len(meter_values) > 1:
        meter_values = sorted(meter_values, key=lambda value: value.at)
    for value in meter_values:
        for context, reading_wh in _readings(value.samples):
            readings.append(reading_wh)
            if context == "Transaction.Begin":
                begin = reading_wh
            elif context == "Transaction.End":
                end = reading_wh
    if not readings:
        return Registers()
    return Registers(begin, end, readings[0], readings[-1])


def _readings(samples: Iterable[SampledValue]) -> list[tuple[str, float]]:
    """Return one register for each context, in order of appearance."""
    by_context: dict[str, list[tuple[SampledValue, Decimal]]] = {}
    for sample in [sample for sample in samples if sample.measurand == ENERGY_REGISTER]:
        energy_wh = sample_wh(sample)
        if energy_wh is not None:
            by_context.setdefault(sample.context, []).append((sample, energy_wh))
    return [(context, float(_over_phases(found))) for context, found in by_context.items()]


def _over_phases(found: list[tuple[SampledValue, Decimal]]) -> Decimal:
    if len(found) == 1:
        return found[0][1]
    outlet = [(sample, wh) for sample, wh in found if sample.location in _OUTLET]
    chosen = outlet or [
        (sample, wh) for sample, wh in found if sample.location == found[0][0].location
    ]
    for sample, energy_wh in chosen:
        if sample.phase is None:
            return energy_wh
    phases = {(sample.phase or "")[:2]: energy_wh for sample, energy_wh in chosen}
    return sum(phases.values(), Decimal(0))


def unit_wh(sample: SampledValue) -> Decimal | None:
    """Return what one unit of the sample is in Wh; None: it is no energy."""
    # Who names no unit means Wh, also in a signed sample after others in kWh: seen so, and the
    # signed data itself agreed.
    per_unit = _WH_PER_UNIT.get((sample.unit or "Wh").casefold())
    if per_unit is None or not sample.multiplier:
        return per_unit
    if abs(sample.multiplier) > LARGEST_MULTIPLIER:
        return None
    return per_unit.scaleb(sample.multiplier)


def sample_wh(sample: SampledValue) -> Decimal | None:
    """Return the sample in Wh, exact; None: it is no energy that could be."""
    per_unit = unit_wh(sample)
    if per_unit is None:
        return None
    try:
        value = Decimal(sample.value)
    except InvalidOperation:
        return None  # the opaque text of a signed value (1.6 format SignedData)
    if value.is_nan() or not 0 <= value <= _LARGEST_WH:
        return None
    energy_wh = value * per_unit
    return energy_wh if energy_wh <= _LARGEST_WH else None
