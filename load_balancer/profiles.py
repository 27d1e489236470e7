"""What the cloud's charging profiles allow: profiles -> composite schedule -> ceiling at an instant.

Pure. Says what is allowed, never what is drawn; which profiles may be installed, and where,
is the gateway's business. Instants are aware UTC datetimes; `limit` is in the schedule's own
unit (A per phase, or W over all phases), positive = towards the vehicle.

Clauses: OCPP 1.6 §3.13, OCPP 2.0.1 K01 and K08. The words are those of 2.0.1.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ProfilePurpose(StrEnum):
    """What a profile limits; at one instant the lowest over the purposes holds."""

    CHARGING_STATION_MAX = "ChargingStationMaxProfile"
    """The station as a whole. Called ChargePointMaxProfile in 1.6."""
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"
    """One transaction; replaces the default while it says anything."""


class ProfileKind(StrEnum):
    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    """Counts from the start of the transaction."""


class Recurrency(StrEnum):
    DAILY = "Daily"
    WEEKLY = "Weekly"


class RateUnit(StrEnum):
    A = "A"
    """RMS per phase (K01.FR.51)."""
    W = "W"
    """Sum over the phases (K01.FR.50)."""


@dataclass(frozen=True, slots=True)
class SchedulePeriod:
    """A limit that holds until the next period starts or the schedule's duration is over."""

    start_s: int
    """Seconds from the start of the schedule."""
    limit: float
    """In the schedule's unit."""
    number_phases: int | None = None
    """None: three (1.6 §7.14, K01.FR.49)."""


@dataclass(frozen=True, slots=True)
class ChargingSchedule:
    unit: RateUnit
    periods: tuple[SchedulePeriod, ...]
    """At least one, in order, the first at 0 (K01.FR.31, K01.FR.35)."""
    start_at: datetime | None = None
    """None: Relative, or an Absolute one that counts from the start of the transaction."""
    duration_s: int | None = None
    """None: the last period never ends."""
    min_rate: float | None = None
    """Below it the vehicle charges badly, in the schedule's unit; carried, not decided on here."""


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    id: int
    purpose: ProfilePurpose
    kind: ProfileKind
    stack_level: int
    """The highest valid one of a purpose prevails (1.6 §3.13.2, K01.FR.17)."""
    schedule: ChargingSchedule
    valid_from: datetime | None = None
    """None: at once."""
    valid_to: datetime | None = None
    """First instant at which it no longer holds (K01.FR.37); None: until replaced."""
    recurrency: Recurrency | None = None
    """Given if and only if the kind is Recurring."""
    transaction: str | None = None
    """The transaction a TxProfile is meant for; None: whichever runs (1.6 allows that)."""


@dataclass(frozen=True, slots=True)
class CompositeSchedule:
    """The answer to GetCompositeSchedule: what the profiles allow from `start_at` on."""

    start_at: datetime
    duration_s: int
    unit: RateUnit
    periods: tuple[SchedulePeriod, ...]
    """In order; empty when no profile limits the first instant, see `composite`."""
