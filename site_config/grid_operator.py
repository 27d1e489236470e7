"""How the grid operator may dim the site, as the site file has it. Powers W.

In Germany §14a EnWG and BK6-22-300 (Bundesnetzagentur, 27 November 2023) let the grid operator dim
controllable devices, among them charge points of more than 4.2 kW that are not public. How far,
Annex 1 says for either way of control; the customer chooses (4.4):

- directly (4.5.1): each device keeps 4.2 kW;
- through an energy management system (4.5.2): n devices keep 4.2 kW + (n - 1) x GZF x 4.2 kW
  together, divided as the system sees fit.

How sure: the clauses, the formula and all eight factors GZF are the same in four independent
implementations that cite Annex 1, of which two cite the VDE FNN's note on the formula (Tenorziffer
2f, April 2025) as well; a grid operator's worked example for two charge points gives 7.56 kW.
Annex 1 itself was not at hand. A grid operator may publish other factors later. Heat pumps and
storages behind the same system count as devices too, and change the sum: only charge points are
known here.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from site_config.base import Model
from site_config.fields import Seconds, bus_address, without_repetition


class InputKind(StrEnum):
    """A digital input as Modbus names it."""

    COIL = "coil"
    DISCRETE_INPUT = "discrete_input"


class DigitalInput(Model):
    """A contact of the grid operator, read over Modbus."""

    url: Annotated[str, AfterValidator(bus_address), Field(examples=["tcp://192.168.1.21:502"])]
    """Of the input module, or of a meter that has inputs; as that of a meter: tcp://, rtu://,
    rtutcp:// or tls://. Where it is the same, they share the line."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Modbus unit (device address)."""
    kind: InputKind = InputKind.DISCRETE_INPUT
    """discrete_input or coil."""
    address: Annotated[int, Field(ge=0, le=65535)] = 0
    """Its number, counted from 0."""
    active: bool = True
    """The state of the contact that means: draw less."""
    poll_s: Seconds = 1.0
    """Time between two readings, s."""
    max_age_s: Seconds = 10.0
    """Silent for longer, s: as if it said to draw less."""


class Minimum(StrEnum):
    """What the charge points keep while they are dimmed as far as it goes."""

    EACH = "each"
    """Every one of them the floor: controlled directly (BK6-22-300 Annex 1, 4.4.a)."""
    TOGETHER = "together"
    """All of them a total by the simultaneity of so many, divided by the gateway: controlled
    through an energy management system (4.4.b)."""


FACTORS = (1.0, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45)
"""Gleichzeitigkeitsfaktor (simultaneity) of 1 to 8 devices, and of 9 or more."""


def together_w(points: int, floor_w: float) -> float:
    """Return what so many charge points keep together (BK6-22-300 Annex 1, 4.5.2).

    >>> together_w(2, 4200.0), together_w(10, 4200.0)
    (7560.0, 21210.0)
    """
    if points == 0:
        return 0.0
    factor = FACTORS[min(points, len(FACTORS)) - 1]
    return floor_w + (points - 1) * factor * floor_w


class GridOperator(Model):
    """The grid operator may dim the charge points (in Germany §14a EnWG)."""

    floor_w: Annotated[float, Field(ge=1380, allow_inf_nan=False)] = 4200.0
    """What every charge point may always draw, W; with `minimum: together` what one would."""
    minimum: Minimum = Minimum.EACH
    """each: every charge point keeps the floor; together: all keep 4.2 kW + (n - 1) x factor x
    4.2 kW, shared by those that charge. As agreed with the grid operator."""
    exempt: Annotated[tuple[str, ...], AfterValidator(without_repetition)] = ()
    """Stations that the grid operator may not dim, such as public ones."""
    heartbeat_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """Without a heartbeat for so long, s, the charge points fall to the minimum; absent: none is
    due."""
    input: DigitalInput | None = None
    """A contact that dims to the minimum; absent: REST and MQTT only."""

    def minimum_w(self, points: int) -> float:
        """Return what so many charge points may always draw together."""
        if self.minimum is Minimum.TOGETHER:
            return together_w(points, self.floor_w)
        return points * self.floor_w
