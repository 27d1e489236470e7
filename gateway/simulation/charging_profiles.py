"""What a simulated station does with the charging profiles it is sent, by its own clock.

Pure, and written apart from `load_balancer.profiles`, so that each is a witness of the other.
Reads the JSON of both versions. Limits in A are RMS per phase, in W over all phases; instants are
aware UTC datetimes.

Clauses: 1.6 §3.13 and §5.16; 2.0.1 K01 and K08.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.ocpp.frames import Payload
from gateway.simulation.instants import read_instant

STATION_MAX = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
TX_DEFAULT = "TxDefaultProfile"
TX = "TxProfile"

RECURRENCE = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}

DEFAULT_PHASES = 3
"""1.6 §7.14, K01.FR.49."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What turns W into A: the conductors in use and their voltage."""

    phases: int = 3
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True)
class Profile:
    """One installed profile."""

    id: int
    evse_id: int
    """0: the whole station, or a default for all."""
    purpose: str
    stack_level: int
    kind: str
    unit: str
    periods: tuple[tuple[float, float, int], ...]
    """(start s, limit, number of phases), in order."""
    duration_s: float | None = None
    start_at: datetime | None = None
    recurrence: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None

    def limit_a(self, at: datetime, started_at: datetime | None, supply: Supply) -> float | None:
        """Return the limit at an instant, A; None where the profile says nothing.

        `started_at`: when the transaction began, which Relative profiles count from.
        """
        if (self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to):
            return None
        begin = self._begin(at, started_at)
        if begin is None or at < begin:
            return None
        elapsed_s = (at - begin).total_seconds()
        if self.duration_s is not None and elapsed_s >= self.duration_s:
            return None
        current = [period for period in self.periods if period[0] <= elapsed_s]
        if not current:
            return None
        _, limit, phases = current[-1]
        if self.unit == "A":
            return limit
        return limit / (supply.voltage_v * max(1, min(phases, supply.phases)))

    def turns(self, at: datetime, started_at: datetime | None) -> list[datetime]:
        """Return the instants near `at` where the limit may change."""
        begin = self._begin(at, started_at)
        if begin is None:
            return []
        offsets = [start_s for start_s, _, _ in self.periods]
        if self.duration_s is not None:
            offsets.append(self.duration_s)
        begins = [begin, begin + self.recurrence] if self.recurrence else [begin]
        turns = [day + timedelta(seconds=offset) for day in begins for offset in offsets]
        return turns + [edge for edge in (self.valid_from, self.valid_to) if edge]

    def _begin(self, at: datetime, started_at: datetime | None) -> datetime | None:
        if self.kind == "Relative":
            return started_at
        if self.start_at is None or self.recurrence is None:
            return self.start_at or started_at
        return self.start_at + (at - self.start_at) // self.recurrence * self.recurrence


def read_profile(payload: Payload) -> Profile:
    """Read a SetChargingProfile of 1.6 or 2.0.1 (its schema has been checked)."""
    if "csChargingProfiles" in payload:
        return profile_of(payload["connectorId"], payload["csChargingProfiles"])
    return profile_of(payload["evseId"], payload["chargingProfile"])


def profile_of(evse_id: int, body: dict[str, Any]) -> Profile:
    """Read the profile itself, as it also stands in a remote start."""
    schedule = body["chargingSchedule"]
    if isinstance(schedule, list):
        schedule = schedule[0]
    start, since, until = (
        read_instant(text) if text else None
        for text in (schedule.get("startSchedule"), body.get("validFrom"), body.get("validTo"))
    )
    periods = schedule["chargingSchedulePeriod"]
    transaction_id = body.get("transactionId")
    return Profile(
        id=body["chargingProfileId"] if "chargingProfileId" in body else body["id"],
        evse_id=evse_id,
        purpose=body["chargingProfilePurpose"],
        stack_level=body["stackLevel"],
        kind=body["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=tuple(
            (p["startPeriod"], p["limit"], p.get("numberPhases", DEFAULT_PHASES)) for p in periods
        ),
        duration_s=schedule.get("duration"),
        start_at=start,
        recurrence=RECURRENCE.get(body.get("recurrencyKind", "")),
        valid_from=since,
        valid_to=until,
        transaction_id=None if transaction_id is None else str(transaction_id),
    )


class ChargingProfiles:
    """The profiles of one station."""

    def __init__(self) -> None:
        self.installed: list[Profile] = []

    def install(self, profile: Profile) -> None:
        """Replace the one of the same id, or of the same purpose, stack level and EVSE."""
        key = (profile.evse_id, profile.purpose, profile.stack_level)
        self.installed = [
            p
            for p in self.installed
            if p.id != profile.id and (p.evse_id, p.purpose, p.stack_level) != key
        ]
        self.installed.append(profile)

    def clear(
        self,
        *,
        profile_id: int | None = None,
        evse_id: int | None = None,
        purpose: str | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove what matches; with an id only the id counts (K10.FR.03). Return how many."""
        before = len(self.installed)
        if profile_id is not None:
            self.installed = [p for p in self.installed if p.id != profile_id]
        else:
            wanted = {"evse_id": evse_id, "purpose": purpose, "stack_level": stack_level}
            given = {name: value for name, value in wanted.items() if value is not None}
            self.installed = [
                p for p in self.installed if any(getattr(p, n) != v for n, v in given.items())
            ]
        return before - len(self.installed)

    def end_transaction(self, evse_id: int) -> None:
        """A TxProfile dies with its transaction (1.6 §3.13.1)."""
        self.installed = [
            p for p in self.installed if not (p.purpose == TX and p.evse_id == evse_id)
        ]

    def limit_a(
        self,
        evse_id: int,
        at: datetime,
        started_at: datetime | None,
        supply: Supply,
        sharers: int = 1,
    ) -> float | None:
        """Return what the profiles allow one EVSE, A per phase; None: they say nothing.

        The lowest of the station's maximum and either the TxProfile or, where it is silent, the
        TxDefaultProfile; within a purpose the highest stack level that says anything (K01.FR.34).
        `started_at` None: no transaction, so TxProfiles are silent. The station's maximum is split
        evenly among `sharers` EVSEs.
        """
        own = None
        if started_at is not None:
            own = self._strongest((TX,), (evse_id,), at, started_at, supply)
        if own is None:
            own = self._strongest((TX_DEFAULT,), (evse_id, 0), at, started_at, supply)
        cap = self._strongest(STATION_MAX, (0,), at, started_at, supply)
        if cap is not None:
            cap /= max(1, sharers)
        limits = [limit for limit in (own, cap) if limit is not None]
        return min(limits) if limits else None

    def composite(
        self,
        evse_id: int,
        at: datetime,
        duration_s: int,
        *,
        started_at: datetime | None,
        supply: Supply,
        unlimited_a: float,
    ) -> list[tuple[int, float]]:
        """Return (start s, A per phase) of every step from `at` on, the first at 0."""
        end = at + timedelta(seconds=duration_s)
        turns = {at} | {
            turn for p in self.installed for turn in p.turns(at, started_at) if at < turn < end
        }
        steps: list[tuple[int, float]] = []
        for turn in sorted(turns):
            limit_a = self.limit_a(evse_id, turn, started_at, supply)
            limit_a = unlimited_a if limit_a is None else min(limit_a, unlimited_a)
            if not steps or steps[-1][1] != limit_a:
                steps.append((round((turn - at).total_seconds()), limit_a))
        return steps

    def _strongest(
        self,
        purposes: tuple[str, ...],
        evse_ids: tuple[int, ...],
        at: datetime,
        started_at: datetime | None,
        supply: Supply,
    ) -> float | None:
        speaking = [
            (p.stack_level, p.evse_id, limit)
            for p in self.installed
            if p.purpose in purposes and p.evse_id in evse_ids
            if (limit := p.limit_a(at, started_at, supply)) is not None
        ]
        return max(speaking)[2] if speaking else None
