"""The energy register as 1.6 tells it, `meterStart` and `meterStop` in whole Wh, and as 2.0.1
does, in samples of the context Transaction.Begin and Transaction.End. Pure.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from gateway.events import ENERGY_REGISTER, EventType, MeterValue, SampledValue, TransactionChanged
from gateway.meter_registers import read_registers
from gateway.ocpp.meter_values import LARGEST_INTEGER

CONTEXT_OF = {EventType.STARTED: "Transaction.Begin", EventType.ENDED: "Transaction.End"}


def register_at(event: TransactionChanged) -> int | None:
    """Return the register at the event in whole Wh, half to even; None: nobody knows it."""
    register_wh = event.register_wh
    if register_wh is None:
        told = read_registers(event.meter_values)
        if event.event_type is EventType.STARTED:
            register_wh = told.first_wh if told.begin_wh is None else told.begin_wh
        else:
            register_wh = told.last_wh if told.end_wh is None else told.end_wh
    if register_wh is None or not abs(register_wh) < LARGEST_INTEGER:
        return None
    return int(Decimal(str(register_wh)).quantize(Decimal(1), ROUND_HALF_EVEN))


def register_sample(event_type: EventType, at: datetime, register_wh: float) -> MeterValue:
    """Return meterStart or meterStop the way 2.0.1 says it (E02.FR.09, E06.FR.11)."""
    text = f"{Decimal(str(register_wh)):f}"
    sample = SampledValue(text, context=CONTEXT_OF[event_type], unit="Wh")
    return MeterValue(at, (sample,))


def has_register(meter_values: Iterable[MeterValue], context: str | None = None) -> bool:
    """Tell whether a sample, signed or not, is the register; in that context if one is given."""
    return any(
        sample.measurand == ENERGY_REGISTER
        and sample.phase is None
        and context in (None, sample.context)
        for meter_value in meter_values
        for sample in meter_value.samples
    )
