"""How a limit reaches one EVSE, and what the EVSE may be acting upon meanwhile. Pure.

Rule 1 (dead man): a live limit ends in the safe current by itself. It is a profile, Absolute,
started a few seconds in the past, whose second period is the safe current; it is replaced long
before that. A gateway that dies, or a cable that breaks, lowers the current on the station's own
clock. Under it lies a TxDefaultProfile of the safe current, installed once per boot: without any
profile a station charges without limit (1.6 §3.13.6, K06.FR.02).
Rule 2: what is believed differs from what was sent. Until the station has confirmed a limit, the
higher of the old and the new one counts; a refusal or silence leaves the old one in force.
Rule 3: a cut leaves at once; rises and refreshes are few, stations wear out their flash.
Rule 4: watts are a promise about the sum, the fuse is about each phase. Until it is known on how
many phases a car draws, watts are counted as if all of them flowed on one.
Rule 5: what a station refuses is said in another form, see `station_forms`.

Currents A RMS per phase. `now` is monotonic seconds, `at` the same instant as aware UTC.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.commands import GetComposite, SetProfile
from gateway.profile_writes import WORN_REFRESHES, WORN_RISE_INTERVAL_S, ProfileWrites
from gateway.station_forms import LITTLE_A, StationForms
from load_balancer.evse_memory import SETTLE_S
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    CompositeSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    SchedulePeriod,
)
from site_config.stations import Evse

SAFE_PROFILE_ID = 1
LIVE_PROFILE_ID = 100
"""Plus the EVSE id. The cloud's profiles never reach a station, so no id of its can collide."""
LIVE_STACK_LEVEL = 1
START_IN_PAST_S = 5
"""A station whose clock is a little behind would otherwise begin the limit late."""
RISE_INTERVAL_S = 5.0
"""Rises of one EVSE are sent no closer than this."""
RISE_UNWRITTEN_A = 6.0
"""By so much it may have been raised just before a restart, or started with its minimum, with
nothing on disk yet."""
RETRY_S = 5.0
RETRY_MAXIMUM_S = 60.0
EXPIRES_AFTER_REFRESHES = 3
READ_BACK_MORE_S = 60
"""Beyond the end of a live limit a station is asked what it will allow."""
INACCURATE_A = 1.0
"""Up to this, more than allowed is the station's meter."""
PAUSE_SETTLES_S = 30.0
"""So long after a pause was sent a car that still draws is not about to stop."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A limit as it left: what the station does with it needs no further word from us."""

    limit_a: float
    falls_at: float
    """When it steps down to the safe current by itself, monotonic seconds."""
    then_a: float

    @property
    def limits_a(self) -> tuple[float, ...]:
        """Period by period, each once."""
        return tuple(dict.fromkeys((self.limit_a, self.then_a)))

    def at(self, now: float) -> float:
        return self.limit_a if now < self.falls_at else self.then_a


@dataclass(slots=True)
class LimitDelivery:
    """One EVSE's limits on their way; fed by the app, drained with `due`."""

    evse_id: int
    evse: Evse
    safe_current_a: float
    voltage_v: float
    """What one ampere on one phase is in watts at the outlet."""
    forms: StationForms
    refresh_s: float
    writes: ProfileWrites = field(default_factory=ProfileWrites)
    """What the station has been sent; shared by its EVSEs."""
    wanted_a: float = 0.0
    is_connected: bool = False
    transaction_id: str | None = None
    """As the station knows it; a TxProfile names it. None: no transaction runs."""
    is_plugged: bool = False
    """A car is there and may start a transaction, at the safe current, at any moment."""
    phases_used: int | None = None
    """Conductors the car was seen to draw on in this transaction; None: not known yet."""
    has_safe_default: bool = False
    """Whether the station confirmed the safe TxDefaultProfile since it booted."""
    _confirmed: _Sent | None = None
    _in_flight: _Sent | None = None
    _was_in_doubt: list[_Sent] = field(default_factory=list)
    """Sent and never answered: each may or may not be in force, so the highest counts."""
    _next_try_at: float = 0.0
    _failures: int = 0
    _is_read_back: bool = False
    """Whether it was asked, since it booted, what it makes of a limit."""
    _refused_since: float | None = None
    """Since when it takes no limit at all in this transaction; None: it has taken one."""
    _sent_at: float = -math.inf
    _must_tell: bool = False
    """The same limit is now another number of watts, or is asked for."""

    # Feed.

    def want(self, limit_a: float) -> None:
        self.wanted_a = limit_a

    def tell_again(self) -> None:
        """Send the limit although it is the same: the car has just asked for one (K15.FR.07)."""
        self._must_tell = True

    def drawn_on(self, phases: int) -> None:
        """Note on how many phases the car draws; limits in watts change with it."""
        if phases != self.phases_used:
            self.phases_used = phases
            if self.speaks_watts:
                self._must_tell = True

    def drew(self, current_a: float, at: float) -> bool:
        """Take what the car drew at an instant; return whether it goes on where it should pause.

        Some stations take a limit of 0 for none at all: then a little is said instead of nothing.
        """
        paused = self._confirmed
        is_pause = paused is not None and paused.limit_a < LITTLE_A
        is_settled = at - self._sent_at >= PAUSE_SETTLES_S
        if not is_pause or not is_settled or current_a <= LITTLE_A:
            return False
        self._must_tell = self._must_tell or self.forms.does_not_pause()
        return self._must_tell

    def drew_above_safe(self, current_a: float, at: float) -> bool:
        """Return whether it drew more than the safe current when that alone was in force."""
        if not self.has_safe_default or self.transaction_id is None:
            return False
        ends = [sent.falls_at for sent in self._all_sent()]
        if not ends and self._refused_since is not None:
            # What was sent before a restart has ended by then, too.
            ends = [self._refused_since + self._expires_s]
        is_alone = bool(ends) and at >= max(ends) + SETTLE_S
        return is_alone and current_a > self.safe_current_a + INACCURATE_A

    def connected(self) -> None:
        self.is_connected = True
        self._next_try_at = 0.0
        self._failures = 0

    def booted(self) -> None:
        """Forget what was installed: proved again or installed again (profiles SHALL survive a
        reboot, K01.FR.27; not all do)."""
        self.has_safe_default = self._is_read_back = False
        self._confirmed = None

    def lost(self) -> None:
        self.is_connected = False
        if self._in_flight is not None:
            self._was_in_doubt.append(self._in_flight)
            self._in_flight = None

    def transaction_began(self, transaction_id: str) -> None:
        """A transaction that goes on keeps its limits; a new one begins under the default."""
        if transaction_id != self.transaction_id:
            self.transaction_id = transaction_id
            self._forget_sent()

    def went_on_without_us(self, now: float, told_a: float | None) -> None:
        """Believe what the station may have been told in this transaction before a restart, until
        it takes another limit or that one has ended by itself.

        Args:
            told_a: the highest that was written down in so long; None: nothing was.
        """
        most_a = self.evse.max_current_a
        if told_a is not None:
            most_a = min(most_a, max(told_a + RISE_UNWRITTEN_A, self.minimum_a))
        falls_at = now + self._expires_s
        self._was_in_doubt.append(_Sent(most_a, falls_at, self.safe_current_a))

    def transaction_ended(self) -> None:
        """Its TxProfile is gone with it (1.6 §3.13.3, K01)."""
        self.transaction_id = None
        self._forget_sent()

    def accepted(self, now: float) -> None:
        if self._in_flight is not None:
            self.forms.accepted(self._in_flight.limits_a)
        self._confirmed, self._in_flight = self._in_flight, None
        self._was_in_doubt.clear()
        self._failures = 0
        self._refused_since = None
        self._next_try_at = now

    def refused(self, now: float) -> None:
        """The station said no: nothing changed there."""
        refused, self._in_flight = self._in_flight, None
        if self._confirmed is None and self._refused_since is None:
            self._refused_since = now
        if refused is not None and self.forms.refused(refused.limits_a):
            self._next_try_at = now
        else:
            self._failed(now)

    def unanswered(self, now: float) -> None:
        """Silence: the station may have taken it."""
        if self._in_flight is not None:
            self._was_in_doubt.append(self._in_flight)
            self._in_flight = None
        self._failed(now)

    # Drain.

    def due(self, now: float, at: datetime) -> SetProfile | None:
        """Return the profile that must leave now, taken as in flight; None: nothing to say."""
        if not self._is_due(now):
            return None
        expires_s = self._expires_s
        then_a = min(self.safe_current_a, self.wanted_a)
        self._in_flight = _Sent(self.wanted_a, now + expires_s, then_a)
        self._sent_at, self._must_tell = now, False
        self.writes.note(now)
        return SetProfile(self.evse_id, self._profile(at, round(expires_s), then_a))

    def read_back(self) -> GetComposite | None:
        """Return what asks the station what it makes of its limits, once in every boot.

        Asked in a transaction: without one many tell what they could, not what they would allow.
        """
        if self._is_read_back or self._confirmed is None or not self.has_safe_default:
            return None
        self._is_read_back = True
        return GetComposite(
            self.evse_id, round(self._expires_s) + READ_BACK_MORE_S, self.forms.current.unit
        )

    def doubt(self, schedule: CompositeSchedule) -> str | None:
        """Return why a composite schedule does not end in the safe current; None: it does.

        An answer is no proof, the measured current is. One that ends too early says nothing.
        """
        if schedule.duration_s < self._expires_s + READ_BACK_MORE_S / 2 or not schedule.periods:
            return None
        per_a = self.voltage_v * self._watt_phases if schedule.unit is RateUnit.W else 1.0
        allowed_a = schedule.periods[-1].limit / per_a
        # Less than this no car can charge with: a pause, in whatever words.
        if allowed_a <= max(self.safe_current_a, LITTLE_A) + INACCURATE_A:
            return None
        return (
            f"accepted the safe current of {self.safe_current_a:g} A, but says that EVSE "
            f"{self.evse_id} would be allowed {allowed_a:.0f} A without us"
        )

    def next_timer(self) -> float | None:
        """Return when `due` may have something without being fed, monotonic seconds."""
        if not self.is_connected or self.transaction_id is None or self._in_flight is not None:
            return None
        return max(self._next_try_at, self._refresh_at() if self._is_told() else self._rise_at())

    @property
    def speaks_watts(self) -> bool:
        return self.forms.current.unit is RateUnit.W

    @property
    def step_a(self) -> float:
        """The station takes multiples of this."""
        return self.forms.current.step_a

    @property
    def minimum_a(self) -> float:
        """Return the least limit with which any car can charge, A per phase.

        In watts a car of unknown phases needs enough for all of them, and may take it on one.
        """
        if not self.speaks_watts:
            return self.evse.min_current_a
        return self.evse.min_current_a * len(self.evse.phases) / self._watt_phases

    def believed_a(self, now: float) -> float | None:
        """Return the highest limit the station may be acting upon; None: it is not known.

        Without a car it is 0; a plugged car may start at the safe current, or, before that was
        confirmed, at anything.
        """
        if self.transaction_id is None:
            if not self.is_plugged:
                return 0.0
            return self.safe_current_a if self.has_safe_default else None
        possible = [sent.at(now) for sent in self._all_sent()]
        if self._confirmed is None:
            if not self.has_safe_default:
                return None
            possible.append(self.safe_current_a)
        return max(possible)

    # Decide.

    def _all_sent(self) -> list[_Sent]:
        known = (self._confirmed, self._in_flight)
        return [sent for sent in known if sent is not None] + self._was_in_doubt

    def _is_told(self) -> bool:
        is_same = self._confirmed is not None and self._confirmed.limit_a == self.wanted_a
        return is_same and not self._must_tell

    def _rise_at(self) -> float:
        is_rise = self._confirmed is not None and self.wanted_a > self._confirmed.limit_a
        if not is_rise:
            return 0.0
        is_worn = self.writes.is_worn(self._sent_at)
        return self._sent_at + (WORN_RISE_INTERVAL_S if is_worn else RISE_INTERVAL_S)

    def _refresh_at(self) -> float:
        periods = WORN_REFRESHES if self.writes.is_worn(self._sent_at) else 1
        return self._sent_at + periods * self.refresh_s

    def _is_due(self, now: float) -> bool:
        if not self.is_connected or self.transaction_id is None or self._in_flight is not None:
            return False
        if now < self._next_try_at:
            return False
        if self._is_told():
            return now >= self._refresh_at()
        return now >= self._rise_at()

    def _failed(self, now: float) -> None:
        wait_s = min(RETRY_S * 2**self._failures, RETRY_MAXIMUM_S)
        self._failures += 1
        # The first failure is tried again at once: it may be a cut that the fuse waits for.
        self._next_try_at = now if self._failures == 1 else now + wait_s

    @property
    def _expires_s(self) -> float:
        """How long a live limit holds."""
        return EXPIRES_AFTER_REFRESHES * self.refresh_s

    @property
    def _watt_phases(self) -> int:
        """Phases that watts are spread over: all of a rectifier's; else those seen, or one."""
        return len(self.evse.phases) if self.evse.is_dc else self.phases_used or 1

    def _forget_sent(self) -> None:
        self.phases_used = None
        self._confirmed = self._in_flight = None
        self._was_in_doubt.clear()
        self._sent_at = -math.inf
        self._failures = 0
        self._refused_since = None
        self._next_try_at = 0.0

    def _profile(self, at: datetime, expires_s: int, then_a: float) -> ChargingProfile:
        form = self.forms.current
        start_at = at.replace(microsecond=0) - timedelta(seconds=START_IN_PAST_S)
        falls_s = START_IN_PAST_S + expires_s
        periods = [self._period(0, self.wanted_a)]
        must_fall = then_a != self.wanted_a
        if must_fall and not form.ends_by_duration:
            periods.append(self._period(falls_s, then_a))
        # After its duration the safe default underneath is in force: the same current.
        duration_s = falls_s if must_fall and form.ends_by_duration else None
        return ChargingProfile(
            id=LIVE_PROFILE_ID + self.evse_id,
            purpose=form.purpose,
            kind=ProfileKind.ABSOLUTE,
            stack_level=LIVE_STACK_LEVEL,
            schedule=ChargingSchedule(form.unit, tuple(periods), start_at, duration_s),
            transaction=self.transaction_id if form.purpose is ProfilePurpose.TX else None,
        )

    def _period(self, start_s: int, limit_a: float) -> SchedulePeriod:
        form = self.forms.current
        return limit_period(
            start_s,
            form.said_a(limit_a),
            form.unit,
            phases=len(self.evse.phases),
            spread_over=self._watt_phases,
            voltage_v=self.voltage_v,
        )


def limit_period(
    start_s: int,
    limit_a: float,
    unit: RateUnit,
    *,
    phases: int,
    spread_over: int,
    voltage_v: float,
) -> SchedulePeriod:
    """Return a period of `limit_a` per phase, rounded down to what the wire can say.

    Args:
        phases: of the EVSE; stations that follow K01.FR.50 divide watts by it.
        spread_over: on how many of them the car is sure to spread watts.

    >>> limit_period(0, 10.07, RateUnit.A, phases=3, spread_over=1, voltage_v=230).limit
    10.0
    >>> limit_period(0, 10.0, RateUnit.W, phases=3, spread_over=3, voltage_v=230).limit
    6900.0
    """
    if unit is RateUnit.W:
        watts = math.floor(round(limit_a * voltage_v * spread_over, 6))
        return SchedulePeriod(start_s, float(watts), phases)
    return SchedulePeriod(start_s, math.floor(round(limit_a * 10, 6)) / 10, phases)


def safe_default(
    safe_current_a: float, unit: RateUnit, phases: int, voltage_v: float, *, spread_over: int = 1
) -> SetProfile:
    """Return the TxDefaultProfile that lies under every transaction of a station (evse 0).

    In watts it is what one phase may carry: a car that draws it all on one stays within what was
    proved, a car on three draws a third or pauses.
    """
    period = limit_period(
        0, safe_current_a, unit, phases=phases, spread_over=spread_over, voltage_v=voltage_v
    )
    return SetProfile(
        0,
        ChargingProfile(
            id=SAFE_PROFILE_ID,
            purpose=ProfilePurpose.TX_DEFAULT,
            kind=ProfileKind.RELATIVE,
            stack_level=0,
            schedule=ChargingSchedule(unit, (period,)),
        ),
    )
