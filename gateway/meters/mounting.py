"""How a meter sits in its cabinet: which phase each of its inputs measures, and which way round.

Pure. The site file says it, so that nobody has to rewire a meter to have its values right.
"""

from dataclasses import replace

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import CURRENTS, POWERS, VOLTAGES, Quantity
from load_balancer.phases import rotation
from site_config.meters import Meter


def mounted(values: DecodedValues, meter: Meter) -> DecodedValues:
    """Return what a meter measured, on the phases of the circuit and positive for import."""
    turned = _inverted(values) if meter.invert else values
    at = rotation(meter.phases)
    return replace(
        turned,
        currents=_on_circuit(turned.currents, at),
        voltages=_on_circuit(turned.voltages, at),
        powers=_on_circuit(turned.powers, at),
    )


def as_the_meter_sees(values: DecodedValues, meter: Meter) -> DecodedValues:
    """Return the inverse of `mounted`: what a meter that sits so shows of a circuit."""
    at = rotation(meter.phases)
    seen = replace(
        values,
        currents=PhaseValues(*(values.currents[phase] for phase in at)),
        voltages=PhaseValues(*(values.voltages[phase] for phase in at)),
        powers=PhaseValues(*(values.powers[phase] for phase in at)),
    )
    return _inverted(seen) if meter.invert else seen


def input_of(quantity: Quantity, meter: Meter) -> Quantity:
    """Return which of the meter's own values stands for one of its circuit.

    >>> turned = Meter(model="sunspec", url="tcp://h", phases=("L2", "L3", "L1"))
    >>> input_of(Quantity.CURRENT_L1, turned).value
    'current_l3'
    """
    for row in (CURRENTS, VOLTAGES, POWERS):
        if quantity in row:
            return row[rotation(meter.phases).index(row.index(quantity))]
    swapped = {
        Quantity.ENERGY_IMPORT: Quantity.ENERGY_EXPORT,
        Quantity.ENERGY_EXPORT: Quantity.ENERGY_IMPORT,
    }
    return swapped.get(quantity, quantity) if meter.invert else quantity


def _on_circuit(values: PhaseValues, at: tuple[int, ...]) -> PhaseValues:
    return PhaseValues(*(values[at.index(phase)] for phase in range(3)))


def _inverted(values: DecodedValues) -> DecodedValues:
    return replace(
        values,
        currents=_negated(values.currents),
        powers=_negated(values.powers),
        power_w=None if values.power_w is None else -values.power_w,
        energy_import_wh=values.energy_export_wh,
        energy_export_wh=values.energy_import_wh,
    )


def _negated(values: PhaseValues) -> PhaseValues:
    return PhaseValues(*(None if value is None else -value for value in values))
