"""What a message says of a transaction's energy register, and how it goes on from there. Pure.

Energy Wh, positive = into the vehicle.
"""

from dataclasses import replace
from datetime import datetime

from gateway.drafts import Draft
from gateway.events import EventType, TransactionChanged
from gateway.frozen import frozen
from gateway.meter_registers import Registers, read_registers
from gateway.records import Transaction
from gateway.register_continuity import Thread

NOT_WORTH_A_LOOK_WH = 1000.0
"""A register that rises by less between two messages is believed without a calculation."""


@frozen
class Told:
    registers: Registers
    """The station's own figures."""
    last_wh: float | None
    """The register from now on; None: nothing was told that is news."""
    offset_wh: float
    """What is added to the station's figures from now on."""


def continued_event(
    draft: Draft, before: Transaction, event: TransactionChanged
) -> tuple[TransactionChanged, Told]:
    """Return the event with a register that does not fall, and what it says of it."""
    told = registers_of(event, is_numbered=draft.is_numbered)
    is_end = event.event_type is EventType.ENDED
    end_wh = told.end_wh if is_end and told.end_wh is not None else told.last_wh
    last_wh, offset_wh = before.register_last_wh, before.register_offset_wh
    if before.ended_at is not None or last_wh is None or end_wh is None:
        return event, Told(told, end_wh, offset_wh)
    heard_at = before.last_heard_at or before.started_at
    if not is_end and last_instant(event) < heard_at:
        return event, Told(told, None, offset_wh)  # kept by the station, told after younger words
    goes_on = not offset_wh and told.first_wh is not None and last_wh <= told.first_wh <= end_wh
    if goes_on and end_wh - last_wh <= NOT_WORTH_A_LOOK_WH:
        return event, Told(told, end_wh, offset_wh)
    thread = Thread(last_wh, offset_wh, heard_at)
    end_at = event.at if is_end else None
    event = replace(event, meter_values=thread.through(event.meter_values, end_at))
    if is_end:
        thread.take(end_wh, event.at, is_end=True)
    for happened, from_wh, to_wh in dict.fromkeys(thread.notes):
        draft.note(
            f"register.{happened}",
            transaction=before.number,
            from_wh=from_wh,
            to_wh=to_wh,
            added_wh=thread.offset_wh,
        )
    return event, Told(told, thread.last_wh, thread.offset_wh)


def registers_of(event: TransactionChanged, *, is_numbered: bool) -> Registers:
    """Return the station's own figures; `is_numbered`: it speaks 1.6."""
    told = read_registers(event.meter_values)
    own = event.register_wh
    if own is None or (told.last_wh is not None and not is_numbered):
        return told
    # meterStart and meterStop of 1.6: the station's own word, in Wh, above its samples.
    first_wh = own if told.first_wh is None else told.first_wh
    if event.event_type is EventType.ENDED:
        return Registers(told.begin_wh, own, first_wh, own)
    return Registers(own, told.end_wh, own, own if told.last_wh is None else told.last_wh)


def last_instant(event: TransactionChanged) -> datetime:
    """Return the newest instant the event tells of."""
    return max([event.at, *(value.at for value in event.meter_values)])
