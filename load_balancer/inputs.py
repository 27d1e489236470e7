"""What the balancer is told at each step.

Currents are A RMS per phase, positive = towards the vehicle; instants are monotonic seconds.
"""

from dataclasses import dataclass
from typing import NamedTuple

from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule


class EvseKey(NamedTuple):
    station_id: str
    evse_id: int


class Ceiling(NamedTuple):
    """A limit that somebody set; the lowest wins and is named."""

    rule: Rule
    value_a: float


class EvseInput(NamedTuple):
    """One EVSE at one instant: first what changes now and then, in the end what always does."""

    key: EvseKey
    is_reachable: bool
    wants_current: bool
    """A transaction is running and the station does not say that its vehicle wants nothing. Said
    of one that is offered nothing it proves nothing, see `appetite`."""
    believed_a: float | None
    """The highest limit the station may be acting upon; None: unknown."""
    measured: PhaseCurrents | None
    """What it draws, in the EVSE's own conductor order; None: never reported."""
    measured_at: float | None
    """When the station took it; required with `measured`."""
    ceilings: tuple[Ceiling, ...] = ()
    """Beyond the EVSE's own maximum."""
    waiting_since: float | None = None
    """Since when it wants current; None: as of the step that first sees it want."""
    minimum_a: float | None = None
    """The least with which any vehicle can charge there now; None: the site file's. More, where
    a station takes watts and nobody knows yet over how many phases they will flow."""
    has_transaction: bool = False
    """Whether one is running although the vehicle wants nothing; it may wake up again."""
    step_a: float = 0.1
    """The station takes limits in multiples of this: 1 where it knows whole amperes only."""
    energy_wh: float = 0.0
    """Delivered in this transaction; who has least goes first when not all can charge."""
    departs_at: float | None = None
    """When its vehicle will leave; None: unknown."""
    energy_wanted_wh: float | None = None
    """What its vehicle still wants until then; None: unknown."""


LASTING = EvseInput._fields.index("energy_wh")
"""Nothing new follows from an `EvseInput` unless one of the fields before this changes."""


@dataclass(frozen=True, slots=True)
class MeterReading:
    taken_at: float
    currents: PhaseCurrents
    """RMS; the fuse does not care for the direction, so the magnitude counts."""
    power_w: float | None = None


@dataclass(frozen=True, slots=True)
class CircuitInput:
    id: str
    reading: MeterReading | None = None
    """The newest one; None: never read. Ignored where the circuit has no meter."""
    limits: tuple[Ceiling, ...] = ()
    """May lower the rating; one above it changes nothing."""


@dataclass(frozen=True, slots=True)
class SiteInputs:
    """The site at one instant. An EVSE or circuit that is left out is unknown, not idle."""

    evses: tuple[EvseInput, ...]
    circuits: tuple[CircuitInput, ...] = ()
    clock_s: float | None = None
    """The time on the wall, seconds since 1970: turns change on its quarter hours. None: on those
    of the monotonic clock."""
