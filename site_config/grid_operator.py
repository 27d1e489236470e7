"""How the grid operator may dim the site, as the site file has it. Powers W."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from site_config.base import Model
from site_config.fields import Seconds, bus_address


class InputKind(StrEnum):
    """A digital input as Modbus names it."""

    COIL = "coil"
    DISCRETE_INPUT = "discrete_input"


class DigitalInput(Model):
    """A contact of the grid operator, read over Modbus TCP."""

    url: Annotated[str, AfterValidator(bus_address), Field(examples=["tcp://192.168.1.21:502"])]
    """tcp://host:port of the input module, or of a meter that has inputs."""
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


class GridOperator(Model):
    """The grid operator may dim the charge points (in Germany §14a EnWG)."""

    floor_w: Annotated[float, Field(ge=1380, allow_inf_nan=False)] = 4200.0
    """What every charge point may always draw, W."""
    heartbeat_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """Without a heartbeat for so long, s, every point falls to the floor; absent: none is due."""
    input: DigitalInput | None = None
    """A contact that dims to the floor; absent: REST and MQTT only."""
