"""One energy register for one transaction, though the station's falls, jumps or changes its unit.

What is billed is last minus first, so within a transaction the register never falls:
1. It begins at 0 again after a restart: what was delivered before is added from then on.
2. It jumps back: what was delivered in that moment is not known, and nothing is billed for it.
3. It slips between Wh and kWh: seen by the factor of 1,000, and undone.
4. It is its old self again: nothing is added any more.
The station's own figure is what is told minus `offset_wh`. Signed values are never touched: they
go up as the meter signed them. Pure. Energy Wh, positive = into the vehicle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from gateway.events import ENERGY_REGISTER, MeterValue, SampledValue
from gateway.meter_registers import read_registers, sample_wh, unit_wh

HIGHEST_POWER_W = 1_000_000.0
"""More no EVSE delivers (MCS at megawatt scale)."""
USUAL_POWER_W = 100_000.0
"""A register that began anew has counted no more than this since the last word."""
SLACK_WH = 1000.0
"""Instants are rounded, and a first sample may be late."""
RESTART_SLACK_WH = 100.0
ROUNDING_WH = 1.0
"""kWh with few decimals beside meterStop in whole Wh."""
SLIP = 1000.0
FORGOTTEN_WH = 1000.0
"""A smaller offset may be made up for within one sample: the register is not taken for its old
self."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The register that goes on from the last one."""

    register_wh: float
    offset_wh: float = 0.0
    """What was added to the station's figure."""
    note: str | None = None
    """What happened to it: `fell`, `restarted`, `slipped`, `jumped`, `back`; None: nothing."""


def continued(
    last_wh: float, offset_wh: float, told_wh: float, elapsed_s: float | None
) -> Continued:
    """Return the register after `last_wh`, which `offset_wh` was added to.

    `elapsed_s` since the last word; None or negative: nobody knows.
    """
    if elapsed_s is None or elapsed_s < 0:
        highest_wh, usual_wh = float("inf"), 0.0
    else:
        highest_wh = last_wh + SLACK_WH + HIGHEST_POWER_W * elapsed_s / 3600
        usual_wh = USUAL_POWER_W * elapsed_s / 3600
    if offset_wh > FORGOTTEN_WH and last_wh <= told_wh <= highest_wh:
        return Continued(told_wh, 0.0, "back")
    register_wh = told_wh + offset_wh
    if last_wh - ROUNDING_WH <= register_wh <= highest_wh:
        return Continued(register_wh, offset_wh)
    could_be_wh = RESTART_SLACK_WH + usual_wh
    if not offset_wh and (slipped_wh := _slipped(last_wh, told_wh, could_be_wh)) is not None:
        return Continued(slipped_wh, 0.0, "slipped")
    if register_wh > last_wh:
        return Continued(register_wh, offset_wh, "jumped")
    began_anew = told_wh < (last_wh - offset_wh) / 2
    if began_anew and told_wh <= could_be_wh:
        return Continued(last_wh + told_wh, last_wh, "restarted")
    return Continued(last_wh, last_wh - told_wh, "fell")


def _slipped(last_wh: float, told_wh: float, could_be_wh: float) -> float | None:
    if told_wh > last_wh:
        slipped_wh = told_wh / SLIP  # as told it is impossible
    elif last_wh > SLACK_WH:
        slipped_wh = told_wh * SLIP
    else:
        return None  # a few Wh: more likely a restart
    is_near = last_wh - RESTART_SLACK_WH <= slipped_wh <= last_wh + could_be_wh
    return max(last_wh, slipped_wh) if is_near else None


@dataclass(slots=True)
class Thread:
    """The register of one transaction through the readings of one message, in time."""

    last_wh: float
    offset_wh: float
    last_at: datetime
    notes: list[tuple[str, float, float]] = field(default_factory=list)
    """What happened, from which register, to which figure of the station's."""

    def take(self, told_wh: float, at: datetime, *, is_end: bool = False) -> float:
        """Return the register that stands for a figure of the station's.

        One that is impossibly high is told and not built upon, unless it is the last.
        """
        elapsed_s = (at - self.last_at).total_seconds()
        found = continued(self.last_wh, self.offset_wh, told_wh, elapsed_s)
        if found.note is not None:
            self.notes.append((found.note, self.last_wh, told_wh))
        if found.note == "jumped" and not is_end:
            return found.register_wh
        self.last_wh, self.offset_wh = found.register_wh, found.offset_wh
        self.last_at = max(at, self.last_at)
        return found.register_wh

    def through(
        self, meter_values: Sequence[MeterValue], end_at: datetime | None = None
    ) -> tuple[MeterValue, ...]:
        """Return the values with the register that goes on, those of the past as they are.

        What was read at `end_at` is the last word, whatever the station's clock says.
        """
        mended = {}
        for value in sorted(meter_values, key=lambda value: value.at):
            told_wh = read_registers((value,)).last_wh
            if told_wh is None or (value.at < self.last_at and value.at != end_at):
                continue
            register_wh = self.take(told_wh, value.at, is_end=value.at == end_at)
            if register_wh != told_wh:
                mended[id(value)] = _raised(value, register_wh - told_wh)
        return tuple(mended.get(id(value), value) for value in meter_values)


def _raised(value: MeterValue, by_wh: float) -> MeterValue:
    return replace(value, samples=tuple(_sample_raised(s, by_wh) for s in value.samples))


def _sample_raised(sample: SampledValue, by_wh: float) -> SampledValue:
    """Return the sample with the register that goes on; phases and signed values stay."""
    is_register = sample.measurand == ENERGY_REGISTER and sample.phase is None
    if not is_register or sample.signed is not None or sample.location not in (None, "Outlet"):
        return sample
    told_wh, per_unit = sample_wh(sample), unit_wh(sample)
    if told_wh is None or per_unit is None:
        return sample
    text = f"{(told_wh + Decimal(str(by_wh))) / per_unit:f}"
    return sample._replace(value=text)
