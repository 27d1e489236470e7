"""In which words a charging station takes a limit: probed, proved, remembered by its model. Pure.

1. The site file's word comes first, then what a station of the same vendor, model and firmware has
   proved, then the station's own word on its unit, then the most common form.
2. A refusal is answered by the form that is nearest to the last one and says something else; a
   refusal of the same words is not asked for twice. When nothing is left it begins again.
3. What was accepted is proved. Later refusals are about the moment, unless the limit was of a kind
   that had never been taken: a fraction of an ampere, a pause, a second period.

Limits A per phase.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import NamedTuple

import orjson

from gateway.writes import SaveSetting
from load_balancer.profiles import ProfilePurpose, RateUnit
from site_config.stations import ChargingRateUnit, Station

PREFIX = "model."
"""Of the settings that keep what models have proved."""
WHOLE_A, FRACTION_A = 1.0, 0.1
LITTLE_A = 1.0
"""What is said instead of 0: no car charges with so little (IEC 61851-1: 6 A)."""


Limits = tuple[float, ...]
"""What a profile says, period by period, A."""


class Form(NamedTuple):
    """One way to say a limit. From left to right: what is changed last after a refusal."""

    unit: RateUnit
    purpose: ProfilePurpose
    ends_by_duration: bool = False
    """One period with a duration, for stations that take no second period: after it the safe
    default underneath is in force."""
    pause_a: float = 0.0
    """What is said for no current at all."""
    step_a: float = FRACTION_A
    """Multiples of this are said."""

    def said_a(self, limit_a: float) -> float:
        """Return the limit as it is said in amperes, never more than `limit_a` but for a pause.

        >>> Form(RateUnit.A, ProfilePurpose.TX, step_a=1.0).said_a(10.7)
        10.0
        """
        if limit_a < LITTLE_A:
            return self.pause_a
        return math.floor(round(limit_a / self.step_a, 6)) * 10 * self.step_a / 10

    def words(self, limits_a: Limits) -> tuple[object, ...]:
        """Return all in which it differs from other forms when it says these limits."""
        periods = limits_a[:1] if self.ends_by_duration else limits_a
        said = (round(self.said_a(limit_a), 1) for limit_a in periods)
        return self.unit, self.purpose, self.ends_by_duration, *said

    def distance(self, other: "Form") -> int:
        """Return how much would be changed, what matters most counting most."""
        return sum(
            2 ** (len(self) - place)
            for place, (own, others) in enumerate(zip(self, other, strict=True))
            if own != others
        )

    def changes(self, other: "Form") -> set[str]:
        """Return the fields in which it differs."""
        fields = zip(self._fields, self, other, strict=True)
        return {name for name, own, others in fields if own != others}


class ModelKey(NamedTuple):
    """What a station says of itself when it boots."""

    vendor: str
    model: str
    firmware: str

    @classmethod
    def of(cls, vendor: str | None, model: str | None, firmware: str | None) -> "ModelKey":
        return cls(vendor or "", model or "", firmware or "")

    @property
    def setting(self) -> str:
        return PREFIX + "/".join(self)


@cache
def _forms(
    units: tuple[ChargingRateUnit, ...],
    purposes: tuple[ProfilePurpose, ...],
    steps: tuple[float, ...],
) -> tuple[Form, ...]:
    """Return every form they make; thousands of stations share a few."""
    forms = product(map(RateUnit, units), purposes, (False, True), (0.0, LITTLE_A), steps)
    return tuple(Form(*form) for form in forms)


@dataclass(slots=True)
class StationForms:
    """What one station has accepted and refused so far; shared by its EVSEs."""

    candidates: tuple[Form, ...]
    """The most preferred first."""
    current: Form
    _basis: Form
    """What was taken last, or what was begun with."""
    is_proved: bool = False
    """One form was accepted."""
    _known: set[str] = field(default_factory=set)
    """Fields of a form that have mattered for a limit that was taken."""
    _refused: set[tuple[object, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, station: Station) -> "StationForms":
        """Start from what the site file says."""
        units = [station.charging_rate_unit] if station.charging_rate_unit else [*ChargingRateUnit]
        if any(evse.is_dc for evse in station.evses.values()):
            units = [ChargingRateUnit.W]  # amperes of direct current would be another thing
        purposes = [ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT]
        if station.limit_purpose is not None:
            purposes = [ProfilePurpose(station.limit_purpose)]
        steps = [FRACTION_A, WHOLE_A] if station.limit_step_a is None else [station.limit_step_a]
        candidates = _forms(tuple(units), tuple(purposes), tuple(steps))
        return cls(candidates, candidates[0], candidates[0])

    def suggested(self, unit: ChargingRateUnit | None) -> None:
        """Take the station's own word on its unit, unless a form has been proved."""
        if self.is_proved or unit is None or RateUnit(unit) is self.current.unit:
            return
        first = next((form for form in self.candidates if form.unit is RateUnit(unit)), None)
        if first is not None:
            self.current = self._basis = first

    def remembered(self, form: Form | None) -> None:
        """Begin with what the model has proved before, if the site file allows it."""
        if not self.is_proved and form in self.candidates:
            self.current = self._basis = form

    def accepted(self, limits_a: Limits) -> None:
        """The station took them, one after the other in time, in the current form."""
        self._known |= _kinds(limits_a)
        self._basis = self.current
        self.is_proved = True
        self._refused.clear()

    def refused(self, limits_a: Limits) -> bool:
        """Turn to the next form; return whether there is one that has not been tried yet."""
        self._refused.add(self.current.words(limits_a))
        options = self._options(limits_a)
        left = [form for form in options if form.words(limits_a) not in self._refused]
        if left:
            self.current = min(left, key=self._basis.distance)
            return True
        self._refused.clear()
        self.current = self._basis
        return False

    def does_not_pause(self) -> bool:
        """It took a pause and the car goes on: return whether there is another way to say it."""
        instead = self.current._replace(pause_a=LITTLE_A)
        if instead == self.current or instead not in self.candidates:
            return False
        self.current = self._basis = instead
        return True

    def _options(self, limits_a: Limits) -> Sequence[Form]:
        if not self.is_proved:
            return self.candidates
        # Only what had never been said before is in question.
        in_question = _kinds(limits_a) - self._known
        return [form for form in self.candidates if form.changes(self._basis) <= in_question]


def _kinds(limits_a: Limits) -> set[str]:
    """Return the fields of a form that matter for these limits."""
    kinds = {"ends_by_duration"} if len(limits_a) > 1 else set()
    for limit_a in limits_a:
        if limit_a < LITTLE_A:
            kinds.add("pause_a")
        elif limit_a != math.floor(limit_a):
            kinds.add("step_a")
    return kinds


class StationModels:
    """What each model and firmware has proved, over all stations and restarts."""

    def __init__(self, kept: Iterable[SaveSetting]) -> None:
        self._forms: dict[str, Form] = {}
        self.take(row for row in kept if row.key.startswith(PREFIX))

    def of(self, key: ModelKey) -> Form | None:
        return self._forms.get(key.setting)

    def learned(self, key: ModelKey, form: Form) -> list[SaveSetting]:
        """Return what to commit, then to `take`; nothing where it is known already."""
        if self._forms.get(key.setting) == form:
            return []
        return [SaveSetting(key.setting, orjson.dumps(list(form)).decode())]

    def take(self, rows: Iterable[SaveSetting]) -> None:
        for row in rows:
            unit, purpose, *rest = orjson.loads(row.value)
            self._forms[row.key] = Form(RateUnit(unit), ProfilePurpose(purpose), *rest)
