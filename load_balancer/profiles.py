"""What the cloud's charging profiles allow: profiles -> composite schedule -> ceiling.

Pure. Says what is allowed, never what is drawn; which profiles may be installed, and where,
is the gateway's business. Instants are aware UTC datetimes; `limit` is in the schedule's own
unit (A per phase, or W over all phases), positive = towards the vehicle.

Clauses: OCPP 1.6 §3.13 with its errata, OCPP 2.0.1 K01 and K08. The words are those of 2.0.1.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

DEFAULT_NUMBER_PHASES = 3
"""Where a period names none (1.6 §7.14, K01.FR.49)."""

MAXIMUM_PERIODS = 1024
"""Longest list a schedule may have (2.0.1 §2.12); a composite schedule ends early rather."""


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


CYCLE_S = {Recurrency.DAILY: 86_400, Recurrency.WEEKLY: 604_800}


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
    """In order, the first at 0, no two neighbours alike."""


@dataclass(frozen=True, slots=True)
class _Conversion:
    """From a period's own unit to the wanted one, for an EVSE with so many phases."""

    unit: RateUnit
    voltage_v: float
    phases: int

    def limit(self, period: SchedulePeriod, unit: RateUnit) -> float:
        if unit is self.unit:
            return period.limit
        # K01.FR.50, with the nominal voltage. A profile for more phases than the EVSE has
        # keeps its limit for those it has (1.6 errata 3.34).
        phases = min(period.number_phases or DEFAULT_NUMBER_PHASES, self.phases)
        per_ampere_w = self.voltage_v * phases
        if self.unit is RateUnit.A:
            return period.limit / per_ampere_w
        return period.limit * per_ampere_w


class _Said(NamedTuple):
    """What one or several profiles say at an instant, and until when they say it."""

    limit: float | None
    """In the wanted unit; None: nothing."""
    number_phases: int | None
    until_s: float
    """Seconds from the origin; inf: for ever."""


def ceiling_a(
    profiles: Iterable[ChargingProfile],
    at: datetime,
    transaction_started_at: datetime | None,
    voltage_v: float,
    phases: int,
) -> float | None:
    """Return what the profiles allow at `at`, A per phase; None: they say nothing.

    Args:
        profiles: those of one EVSE: its own, the TxProfiles of its running transaction and
            whatever is installed for the whole station.
        transaction_started_at: None: no transaction; TxProfiles are silent then, and what is
            relative to a transaction counts from `at` (K08.FR.06).
        voltage_v: phase to neutral, nominal.
        phases: conductors of the EVSE, 1..3.
    """
    installed = tuple(profiles)
    if not installed:  # the usual case, and a balancing round asks for every EVSE
        return None
    conversion = _Conversion(RateUnit.A, voltage_v, phases)
    return _merged(installed, at, 0.0, transaction_started_at, conversion).limit


def composite(
    profiles: Iterable[ChargingProfile],
    at: datetime,
    transaction_started_at: datetime | None,
    horizon_s: int,
    unit: RateUnit,
    *,
    voltage_v: float,
    phases: int,
    maximum_a: float,
) -> CompositeSchedule:
    """Merge the profiles of one EVSE into the schedule they amount to (1.6 §3.13.3, K08).

    Args as in `ceiling_a`, and:
        horizon_s: how far to look ahead; the schedule is shorter if it would need more than
            `MAXIMUM_PERIODS`.
        maximum_a: what the EVSE can give; holds wherever no profile says less, since a
            schedule has no word for "unlimited".
    """
    conversion = _Conversion(unit, voltage_v, phases)
    at = at.replace(microsecond=0)
    own = conversion.limit(SchedulePeriod(0, maximum_a), RateUnit.A)
    installed = tuple(profiles)
    periods: list[SchedulePeriod] = []
    start_s = 0.0
    while start_s < horizon_s:
        said = _merged(installed, at, start_s, transaction_started_at, conversion)
        limit, number_phases = own, None
        if said.limit is not None and said.limit < own:
            limit, number_phases = said.limit, said.number_phases
        _append(periods, SchedulePeriod(int(start_s), limit, number_phases))
        if len(periods) > MAXIMUM_PERIODS:
            horizon_s = periods.pop().start_s
            break
        start_s = max(said.until_s, int(start_s) + 1)  # A schedule counts in whole seconds.
    return CompositeSchedule(at, horizon_s, unit, tuple(periods))


def _append(periods: list[SchedulePeriod], period: SchedulePeriod) -> None:
    if not periods or replace(periods[-1], start_s=period.start_s) != period:
        periods.append(period)


def _merged(
    profiles: tuple[ChargingProfile, ...],
    origin: datetime,
    at_s: float,
    transaction_started_at: datetime | None,
    conversion: _Conversion,
) -> _Said:
    """The lowest over the purposes (1.6 §3.13.3); a TxProfile overrules the default."""
    relative_s = 0.0
    if transaction_started_at is not None:
        relative_s = (transaction_started_at - origin).total_seconds()
    by_purpose = {
        purpose: _prevailing(
            [profile for profile in profiles if profile.purpose is purpose],
            origin,
            at_s,
            relative_s,
            conversion,
        )
        for purpose in ProfilePurpose
        if purpose is not ProfilePurpose.TX or transaction_started_at is not None
    }
    until_s = min(said.until_s for said in by_purpose.values())
    transaction = by_purpose.get(ProfilePurpose.TX)
    if transaction is not None and transaction.limit is not None:
        del by_purpose[ProfilePurpose.TX_DEFAULT]
    lowest = min(by_purpose.values(), key=_strictness)
    return _Said(lowest.limit, lowest.number_phases, until_s)


def _prevailing(
    profiles: list[ChargingProfile],
    origin: datetime,
    at_s: float,
    relative_s: float,
    conversion: _Conversion,
) -> _Said:
    """The highest stack level that says anything now (1.6 §3.13.2, errata 3.43).

    Two of one level cannot be installed properly (K01.FR.06); the lower limit wins then.
    """
    level, best, until_s = -1, _Said(None, None, math.inf), math.inf
    for profile in profiles:
        period, period_until_s = _period_at(profile, origin, at_s, relative_s)
        until_s = min(until_s, period_until_s)
        if period is None or profile.stack_level < level:
            continue
        limit = conversion.limit(period, profile.schedule.unit)
        said = _Said(limit, period.number_phases, math.inf)
        best = min(best, said, key=_strictness) if profile.stack_level == level else said
        level = profile.stack_level
    return best._replace(until_s=until_s)


def _strictness(said: _Said) -> float:
    return math.inf if said.limit is None else said.limit


def _period_at(
    profile: ChargingProfile, origin: datetime, at_s: float, relative_s: float
) -> tuple[SchedulePeriod | None, float]:
    """Return the period a profile is in, and when that answer changes; seconds from origin."""
    valid_from_s = _offset_s(profile.valid_from, origin, -math.inf)
    valid_to_s = _offset_s(profile.valid_to, origin, math.inf)
    if at_s < valid_from_s:  # K01.FR.36
        return None, valid_from_s
    if at_s >= valid_to_s:  # K01.FR.37
        return None, math.inf

    schedule = profile.schedule
    start_at = None if profile.kind is ProfileKind.RELATIVE else schedule.start_at
    start_s = _offset_s(start_at, origin, relative_s)
    if at_s < start_s:  # K01.FR.30
        return None, min(start_s, valid_to_s)

    end_s = math.inf if schedule.duration_s is None else schedule.duration_s
    again_s = math.inf
    if profile.kind is ProfileKind.RECURRING and profile.recurrency is not None:
        again_s = CYCLE_S[profile.recurrency]
        start_s += (at_s - start_s) // again_s * again_s
        end_s = min(end_s, again_s)  # 1.6 errata 3.43: what is longer is not executed
    period, until_s = _period_in(schedule.periods, at_s - start_s, end_s, again_s)
    return period, min(start_s + until_s, valid_to_s)


def _period_in(
    periods: tuple[SchedulePeriod, ...], elapsed_s: float, end_s: float, again_s: float
) -> tuple[SchedulePeriod | None, float]:
    """The same within one run of a schedule; seconds from the start of that run."""
    if elapsed_s >= end_s:  # K01.FR.12, K01.FR.13: a lower level, or no limit
        return None, again_s
    current: SchedulePeriod | None = None
    for period in periods:
        if period.start_s > elapsed_s:
            return current, min(period.start_s, end_s)  # K01.FR.11
        current = period
    return current, end_s


def _offset_s(instant: datetime | None, origin: datetime, otherwise_s: float) -> float:
    return otherwise_s if instant is None else (instant - origin).total_seconds()
