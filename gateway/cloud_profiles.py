"""The cloud's charging profiles: which are accepted, which lie where, what they add up to. Pure.

They never reach a station: the balancer takes their ceiling as one limit among others, and only
the result is sent down (a site-wide profile copied to each station would be N times the limit).

EVSE ids are upstream numbers, 0 is the whole site. Currents A per phase, instants aware UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.commands import ClearProfile, CompositeAnswer, GetComposite, SetProfile, StatusAnswer
from gateway.events import IdToken
from gateway.records import StoredProfile, Transaction
from gateway.settings import (
    PROFILE_STACK_LEVEL_MAXIMUM,
    PROFILES_MAXIMUM,
    SCHEDULE_PERIODS_MAXIMUM,
)
from gateway.writes import DeleteProfile, SaveProfile
from load_balancer.profiles import (
    ChargingProfile,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    ceiling_a,
    composite,
)

Change = SaveProfile | DeleteProfile


@dataclass(frozen=True, slots=True)
class RunningTransaction:
    """What a TxProfile needs to know of the transaction on an EVSE."""

    uuid: str
    ids: frozenset[str]
    """Every id the cloud may call it by: our UUID, its own number as text."""
    started_at: datetime

    @classmethod
    def of(cls, transaction: Transaction) -> "RunningTransaction":
        ids = {transaction.uuid}
        if transaction.cloud_number is not None:
            ids.add(str(transaction.cloud_number))
        return cls(transaction.uuid, frozenset(ids), transaction.started_at)


@dataclass(frozen=True, slots=True)
class _Expected:
    """The TxProfile of a remote start whose transaction has not begun."""

    profile: ChargingProfile
    token_key: str
    until: datetime


@dataclass(frozen=True, slots=True)
class EvseSupply:
    """What an EVSE can take at most; turns W into A."""

    maximum_a: float
    phases: int


class CloudProfiles:
    """Profiles in force. Changes are returned as writes and taken over with `take`."""

    def __init__(
        self, kept: Iterable[StoredProfile], supplies: dict[int, EvseSupply], voltage_v: float
    ) -> None:
        self._stored: dict[int, StoredProfile] = {}
        self._by_evse: dict[int, dict[int, StoredProfile]] = {}
        """The same by the EVSE they lie on: a balancing round asks for every EVSE."""
        for stored in kept:
            self._put(stored)
        self._supplies = supplies
        self._voltage_v = voltage_v
        self._expected: dict[int, _Expected] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def remote_start_refusal(
        self, profile: ChargingProfile | None, version: str
    ) -> StatusAnswer | None:
        """Say why the profile of a remote start cannot be used (F01.FR.26, K05.FR.02)."""
        if profile is None:
            return None
        if profile.purpose is not ProfilePurpose.TX:
            return StatusAnswer("Rejected", "InvalidProfile", "it must be a TxProfile")
        reason = _flaw(profile, version)
        return StatusAnswer("Rejected", *reason) if reason else None

    def expect(
        self,
        cloud_evse: int,
        profile: ChargingProfile | None,
        id_token: IdToken,
        until: datetime,
    ) -> None:
        """Keep the TxProfile that came with a remote start until its transaction begins."""
        self._expected.pop(cloud_evse, None)
        if profile is not None:
            self._expected[cloud_evse] = _Expected(profile, id_token.key, until)

    def transaction_began(self, transaction: Transaction, at: datetime) -> tuple[SaveProfile, ...]:
        """Return the profile of the remote start that this transaction is, if it is one."""
        expected = self._expected.get(transaction.cloud_evse)
        if expected is None:
            return ()
        token = transaction.id_token
        if at > expected.until or (token is not None and token.key != expected.token_key):
            return ()
        del self._expected[transaction.cloud_evse]
        return (self.for_transaction(expected.profile, transaction),)

    def for_transaction(self, profile: ChargingProfile, transaction: Transaction) -> SaveProfile:
        bound = replace(profile, transaction=transaction.uuid)  # F01.FR.11: it names none itself
        return SaveProfile(StoredProfile(transaction.cloud_evse, bound))

    def set(
        self, command: SetProfile, running: RunningTransaction | None, *, version: str
    ) -> tuple[StatusAnswer, tuple[Change, ...]]:
        """Judge a SetChargingProfile; `running` is the transaction on its EVSE, if any."""
        refusal = self._refusal(command, running, version)
        if refusal is None and version != "ocpp1.6" and self._is_duplicate(command):
            refusal = StatusAnswer("Rejected", "DuplicateProfile")
        if refusal is not None:
            return refusal, ()
        profile = command.profile
        if profile.purpose is ProfilePurpose.TX and running is not None:
            # Whatever the cloud calls it, or not at all (1.6): it is for this one and no other.
            profile = replace(profile, transaction=running.uuid)
        new = StoredProfile(command.evse_id, profile)
        replaced = tuple(
            DeleteProfile(stored.profile.id)
            for stored in self._stored.values()
            if _is_replaced(stored, new)
        )
        return StatusAnswer("Accepted"), (*replaced, SaveProfile(new))

    def clear(self, command: ClearProfile) -> tuple[StatusAnswer, tuple[Change, ...]]:
        """Remove what matches: the id alone if given, else every criterion (K10.FR.03, FR.04)."""
        gone = tuple(
            DeleteProfile(stored.profile.id)
            for stored in self._stored.values()
            if _matches(stored, command)
        )
        return StatusAnswer("Accepted" if gone else "Unknown"), gone

    def transaction_ended(self, cloud_evse: int) -> tuple[DeleteProfile, ...]:
        """TxProfiles end with their transaction (1.6 §3.13.1)."""
        return tuple(
            DeleteProfile(stored.profile.id)
            for stored in self._stored.values()
            if stored.cloud_evse == cloud_evse and stored.profile.purpose is ProfilePurpose.TX
        )

    def take(self, changes: Iterable[Change]) -> None:
        """Put committed changes in force."""
        for change in changes:
            if isinstance(change, SaveProfile):
                self._put(change.stored)
            else:
                self._remove(change.profile_id)

    def may_limit(self, cloud_evse: int) -> bool:
        """Whether `ceiling_a` of the EVSE has a profile to look at."""
        return bool(self._by_evse.get(cloud_evse) or self._by_evse.get(0))

    def ceiling_a(
        self, cloud_evse: int, at: datetime, running: RunningTransaction | None
    ) -> float | None:
        """Return what the cloud allows an EVSE now, A per phase; None: it sets no limit."""
        supply = self._supplies[cloud_evse]
        return ceiling_a(
            self._of(cloud_evse, running),
            at,
            running.started_at if running else None,
            voltage_v=self._voltage_v,
            phases=supply.phases,
        )

    def site_ceiling_a(self, at: datetime) -> float | None:
        """Return what ChargingStationMaxProfiles allow the grid connection, A per phase."""
        return ceiling_a(self._site_profiles(), at, None, voltage_v=self._voltage_v, phases=3)

    def composite(
        self,
        command: GetComposite,
        at: datetime,
        *,
        running: RunningTransaction | None,
        local_limit_a: float | None,
    ) -> CompositeAnswer:
        """Answer GetCompositeSchedule from the profiles and what the site allows locally.

        Args:
            local_limit_a: the lowest limit that is not the cloud's, A per phase.
        """
        site_wide = command.evse_id == 0
        supply = None if site_wide else self._supplies.get(command.evse_id)
        if supply is None and not site_wide:
            return CompositeAnswer(None, command.evse_id)
        bounds_a = [local_limit_a] if local_limit_a is not None else []
        if supply is not None:
            bounds_a.append(supply.maximum_a)
        schedule = composite(
            # The site's maximum is every EVSE's too (K08.FR.04).
            self._site_profiles() + ([] if site_wide else self._of(command.evse_id, running)),
            at,
            running.started_at if running else None,
            horizon_s=command.duration_s,
            unit=RateUnit(command.unit or RateUnit.A),
            voltage_v=self._voltage_v,
            phases=supply.phases if supply else 3,
            maximum_a=min(bounds_a, default=0.0),
        )
        return CompositeAnswer(schedule, command.evse_id)

    # Decide.

    def _refusal(
        self, command: SetProfile, running: RunningTransaction | None, version: str
    ) -> StatusAnswer | None:
        profile, evse_id = command.profile, command.evse_id
        if evse_id != 0 and evse_id not in self._supplies:
            return StatusAnswer("Rejected", "UnknownEvse")  # K01.FR.28
        if reason := _flaw(profile, version):
            return StatusAnswer("Rejected", *reason)
        if profile.purpose is ProfilePurpose.CHARGING_STATION_MAX and evse_id != 0:
            return StatusAnswer("Rejected", "InvalidProfile", "the station's maximum is on EVSE 0")
        if profile.purpose is ProfilePurpose.TX:
            if evse_id == 0:
                return StatusAnswer("Rejected", "InvalidProfile", "a TxProfile needs its EVSE")
            if running is None:
                return StatusAnswer("Rejected", "TxNotFound")  # 1.6 §5.16.3, K01.FR.09
            if profile.transaction is not None and profile.transaction not in running.ids:
                return StatusAnswer("Rejected", "TxNotFound")  # K01.FR.33
        if len(self._stored) >= PROFILES_MAXIMUM and profile.id not in self._stored:
            return StatusAnswer("Rejected", "NoProfileLeft", "too many charging profiles")
        return None

    def _is_duplicate(self, command: SetProfile) -> bool:
        """A default for all and one for an EVSE on the same level (K01.FR.52, K01.FR.53)."""
        profile = command.profile
        return profile.purpose is ProfilePurpose.TX_DEFAULT and any(
            stored.profile.purpose is ProfilePurpose.TX_DEFAULT
            and stored.profile.stack_level == profile.stack_level
            and stored.profile.id != profile.id
            and (stored.cloud_evse == 0) != (command.evse_id == 0)
            for stored in self._stored.values()
        )

    def _of(self, cloud_evse: int, running: RunningTransaction | None) -> list[ChargingProfile]:
        """Profiles that limit one EVSE; its own TxDefault prevails over the site's."""
        own = [
            stored.profile
            for stored in self._lying_on(cloud_evse)
            if _applies(stored.profile, running)
        ]
        if any(profile.purpose is ProfilePurpose.TX_DEFAULT for profile in own):
            return own
        return own + [
            stored.profile
            for stored in self._lying_on(0)
            if stored.profile.purpose is ProfilePurpose.TX_DEFAULT
        ]

    def _lying_on(self, cloud_evse: int) -> Iterable[StoredProfile]:
        return self._by_evse.get(cloud_evse, {}).values()

    def _put(self, stored: StoredProfile) -> None:
        self._remove(stored.profile.id)
        self._stored[stored.profile.id] = stored
        self._by_evse.setdefault(stored.cloud_evse, {})[stored.profile.id] = stored

    def _remove(self, profile_id: int) -> None:
        stored = self._stored.pop(profile_id, None)
        if stored is not None:
            del self._by_evse[stored.cloud_evse][profile_id]

    def _site_profiles(self) -> list[ChargingProfile]:
        return [
            stored.profile
            for stored in self._stored.values()
            if stored.profile.purpose is ProfilePurpose.CHARGING_STATION_MAX
        ]


def _applies(profile: ChargingProfile, running: RunningTransaction | None) -> bool:
    """Whether it is not the TxProfile of a transaction that is over."""
    if profile.purpose is not ProfilePurpose.TX:
        return True
    return running is not None and profile.transaction in running.ids


def _flaw(profile: ChargingProfile, version: str) -> tuple[str, str] | None:
    """Return reason code and sentence if the profile contradicts itself."""
    schedule = profile.schedule
    is_anchored = profile.kind is ProfileKind.RELATIVE or schedule.start_at is not None
    if version != "ocpp1.6" and not is_anchored:
        return "InvalidSchedule", "startSchedule is missing"  # K01.FR.40; 1.6 §7.13 allows it
    if not schedule.periods or schedule.periods[0].start_s != 0:
        return "InvalidSchedule", "the first period must start at 0"  # K01.FR.31
    starts = [period.start_s for period in schedule.periods]
    if starts != sorted(set(starts)):
        return "InvalidSchedule", "periods must be in order"  # K01.FR.35
    if any(period.limit < 0 for period in schedule.periods):
        return "InvalidSchedule", "a limit must not be negative"
    if len(starts) > SCHEDULE_PERIODS_MAXIMUM:
        return "InvalidSchedule", f"more than {SCHEDULE_PERIODS_MAXIMUM} periods"
    if not 0 <= profile.stack_level <= PROFILE_STACK_LEVEL_MAXIMUM:
        return "InvalidStackLevel", f"stack level above {PROFILE_STACK_LEVEL_MAXIMUM}"
    is_max = profile.purpose is ProfilePurpose.CHARGING_STATION_MAX
    if is_max and profile.kind is ProfileKind.RELATIVE:
        return "InvalidProfile", "the station's maximum cannot be Relative"  # K01.FR.38
    return None


def _is_replaced(old: StoredProfile, new: StoredProfile) -> bool:
    """Same id, or same stack level and purpose on the same EVSE (1.6 §5.16.2, K01.FR.05/06)."""
    if old.profile.id == new.profile.id:
        return True
    return (old.cloud_evse, old.profile.purpose, old.profile.stack_level) == (
        new.cloud_evse,
        new.profile.purpose,
        new.profile.stack_level,
    )


def _matches(stored: StoredProfile, command: ClearProfile) -> bool:
    if command.profile_id is not None:
        return stored.profile.id == command.profile_id
    return (
        command.evse_id in (None, stored.cloud_evse)
        and command.purpose in (None, stored.profile.purpose)
        and command.stack_level in (None, stored.profile.stack_level)
    )
