"""A Modbus meter, as the site file has it. Currents A RMS per phase, positive = import."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from site_config.base import Model
from site_config.fields import Phase, Seconds, bus_address, without_repetition


class OnLoss(StrEnum):
    """What a lost meter does to the limits of its circuit."""

    SAFE = "safe"
    """Every EVSE falls to its station's safe current."""
    HOLD = "hold"
    """Limits stay and may only fall: for meters that supervise, not protect."""
    PANIC = "panic"
    """Every EVSE pauses."""


class Meter(Model):
    """A Modbus meter."""

    model: str
    """A name in the meter library, such as eastron-sdm630, or the path of a data file of your own,
    such as ./my-meter.yaml, that begins beside the site file."""
    url: Annotated[str, AfterValidator(bus_address), Field(examples=["tcp://192.168.1.20:502"])]
    """tcp://host:port, rtu:///dev/ttyUSB0?baudrate=9600&parity=N, rtutcp://converter:port (RTU over
    TCP) or tls://host:802?ca=/etc/site-gateway/meter-ca.pem."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Modbus unit (device address)."""
    poll_s: Seconds = 1.0
    """Time between two readings, s."""
    max_age_s: Seconds = 5.0
    """A reading older than this, s, is stale and `on_loss` holds."""
    on_loss: OnLoss = OnLoss.SAFE
    """safe: safe currents; hold: limits stay and may only fall; panic: every EVSE pauses."""
    phases: Annotated[
        tuple[Phase, ...], Field(min_length=3, max_length=3), AfterValidator(without_repetition)
    ] = ("L1", "L2", "L3")
    """The circuit's phases on the meter's L1, L2, L3."""
    invert: bool = False
    """Its current transformers sit the wrong way round: what it calls export is import."""
    frozen_s: Seconds | None = None
    """It is lost when it repeats itself to the last digit for so long, s, while current flows;
    absent: as the library says, mostly 120."""


def is_model_file(model: str) -> bool:
    """Tell whether a meter's model is a data file of the site's own, not a name in the library."""
    return "/" in model or model.endswith((".yaml", ".yml"))
