"""What the program starts from: what the store has kept, read once. Pure."""

from dataclasses import dataclass

from gateway.records import CircuitLimit, FoundPhases, KnownToken, Slot, StoredProfile, Transaction
from gateway.writes import SaveAvailability, SaveSetting
from load_balancer.limiters.dimming import DimmingCommand
from load_balancer.limiters.quarter_hour import QuarterEnergy


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything the program starts from, read once; the outbox is read lane by lane."""

    slots: tuple[Slot, ...] = ()
    running: tuple[Transaction, ...] = ()
    """Transactions not ended, ended ones that still have rows in the outbox, and the `REMEMBERED`
    last ones: their stations may have missed our answer."""
    next_transaction_number: int = 1
    next_row_id: int = 1
    tokens: tuple[KnownToken, ...] = ()
    local_list: tuple[KnownToken, ...] = ()
    local_list_version: int = 0
    profiles: tuple[StoredProfile, ...] = ()
    circuit_limits: tuple[CircuitLimit, ...] = ()
    availability: tuple[SaveAvailability, ...] = ()
    settings: tuple[SaveSetting, ...] = ()
    quarters: tuple[QuarterEnergy, ...] = ()
    dimming: tuple[DimmingCommand, ...] = ()
    found_phases: tuple[FoundPhases, ...] = ()
