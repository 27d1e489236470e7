"""Charging stations and their EVSEs, as the site file has them. Currents A RMS per phase."""

from enum import StrEnum
from functools import cached_property
from itertools import permutations
from typing import Annotated

from pydantic import Field

from site_config.base import Model, OptionalSecret
from site_config.fields import UNKNOWN, Conductors, Current, LimitStep, Phase, PositiveCurrent

PHASES: tuple[Phase, Phase, Phase] = ("L1", "L2", "L3")

MINIMUM_CURRENT_A = 6.0
"""Smallest current a vehicle may be offered (IEC 61851-1, 10 % duty cycle)."""

MAX_EVSES = 10_000
"""EVSE numbers stay far below this; a larger one is a slip of the finger."""


class PowerType(StrEnum):
    """What leaves the outlet."""

    AC = "AC"
    DC = "DC"


class Evse(Model):
    """The part of a station that feeds one vehicle at a time."""

    conductors: Annotated[
        Conductors, Field(validation_alias="phases", examples=[["L1", "L2", "L3"]])
    ] = PHASES
    """The circuit's phases on the EVSE's L1, L2, L3; unknown: it counts on every phase it could be
    on, until the meter has shown where it is."""
    max_current_a: PositiveCurrent = 32.0
    """What cable and EVSE can carry, A."""
    min_current_a: PositiveCurrent = MINIMUM_CURRENT_A
    """Smallest current its vehicles accept, A; below it they pause."""
    priority: PositiveCurrent = 1.0
    """Weight in the fair share; 2 = twice the share."""
    cloud_evse: Annotated[int, Field(ge=1, le=MAX_EVSES)] | None = None
    """Its number upstream, never renumbered; absent: the next free one, then kept on disk."""
    power_type: PowerType = PowerType.AC
    """DC: currents here are those of its input; its limits are told, and its draw is read, in W."""
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    """Of a DC EVSE: what leaves the outlet of each W at its input."""

    @property
    def is_dc(self) -> bool:
        return self.power_type is PowerType.DC

    @property
    def outlet_part(self) -> float:
        """Watts at the outlet for each W at the input."""
        return self.efficiency if self.is_dc else 1.0

    @cached_property
    def wirings(self) -> tuple[tuple[Phase, ...], ...]:
        """The circuit's phases on its conductors in every way that is possible: one, if known."""
        return tuple(
            wiring
            for wiring in permutations(PHASES, len(self.conductors))
            if all(
                named in (UNKNOWN, phase)
                for named, phase in zip(self.conductors, wiring, strict=True)
            )
        )

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The circuit's phases on its conductors; where unknown, the first that could be."""
        known = tuple(phase for phase in self.conductors if phase != UNKNOWN)
        return next(iter(self.wirings), known)


class ChargingRateUnit(StrEnum):
    """Unit of a charging profile."""

    A = "A"
    W = "W"


class LimitPurpose(StrEnum):
    """The charging profile that carries a live limit."""

    TX = "TxProfile"
    TX_DEFAULT = "TxDefaultProfile"


class Station(Model):
    """A charging station; its key is its OCPP identity."""

    circuit: str
    """Circuit that feeds the station."""
    password: OptionalSecret = None
    """HTTP Basic; absent: no password asked."""
    safe_current_a: Current
    """What each of its EVSEs may draw when it has lost the gateway, A; 0: pause."""
    charging_rate_unit: ChargingRateUnit | None = None
    """Unit of its charging profiles; absent: asked from the station."""
    limit_step_a: LimitStep | None = None
    """Its limits are multiples of this, A: 1 where it refuses fractions; absent: found out."""
    limit_purpose: LimitPurpose | None = None
    """How it takes limits in a transaction; absent: found out."""
    evses: Annotated[dict[Annotated[int, Field(ge=1, le=MAX_EVSES)], Evse], Field(min_length=1)]
    """Its EVSEs, numbered from 1 as the station numbers them (connectors in OCPP 1.6)."""
