"""When something happened at a station, whose clock may be wrong. Pure.

1. A clock is measured by live messages only: two in a row, told as far apart as they arrived. What
   waited in the station's queue arrives faster than it was told. The median of the last few counts.
2. What is told within a minute of its arrival is believed. A clock that is wrong by more is
   corrected by its measured error; before `EARLIEST`, or in the future for no known reason, a
   message is of its arrival. What is merely old may have waited: it is believed, and not checked.
3. A transaction keeps the clock it began with, so that its length stays true: its later messages
   are shifted as its start was, as long as that fits; where that could not be checked, not at all.
4. The station's own time is never lost: `clock_shift_s` of the event says what was added.

`at` and `now_utc` are aware UTC; errors s, positive: the station is ahead.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median

from gateway.events import (
    Event,
    MetersSampled,
    MeterValue,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.records import Transaction

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""Clocks without a battery begin in 1970 or 2000."""
TOLERANCE_S = 60.0
APART_S = 3.0
"""Two messages that arrive closer say nothing about the clock."""
UNSTEADY_S = 2.0
DRIFT = 0.01
ERRORS_KEPT = 5
ERRORS_NEEDED = 2


@dataclass(slots=True)
class _Clock:
    last: tuple[datetime, datetime] | None = None
    """(told, arrived) of the last message."""
    errors_s: deque[float] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))
    error_s: float | None = None
    """How far it is ahead; None: not known yet."""
    is_wrong: bool = False


class StationClocks:
    """The clocks of all stations.

    Args:
        meant: the running transaction an event of a station belongs to; None: none, or its start.
        is_own_sound: whether our own clock is believed; while it is not, stations are.
    """

    def __init__(
        self,
        meant: Callable[[str, Event], Transaction | None],
        is_own_sound: Callable[[], bool] = lambda: True,
    ) -> None:
        self._meant = meant
        self._is_own_sound = is_own_sound
        self._clocks: dict[str, _Clock] = {}

    def forget(self, station_id: str | None = None) -> None:
        """Measure anew: the station booted, or (None) our own clock was set."""
        if station_id is None:
            self._clocks.clear()
        else:
            self._clocks.pop(station_id, None)

    def error_s(self, station_id: str) -> float | None:
        """Return how far the station's clock is ahead; None: not known yet."""
        clock = self._clocks.get(station_id)
        return None if clock is None else clock.error_s

    def placed(
        self, station_id: str, event: Event, now_utc: datetime
    ) -> tuple[Event, tuple[str, ...]]:
        """Return the event with its instants as they were, and log lines about the clock."""
        told_at = _told_at(event)
        if told_at is None or not self._is_own_sound():
            return event, ()
        clock = self._clocks.get(station_id)
        if clock is None:
            clock = self._clocks[station_id] = _Clock()
        if not (isinstance(event, TransactionChanged) and event.is_offline):
            _measure(clock, told_at, now_utc)
        error_s = clock.error_s
        transaction = self._meant(station_id, event)
        if transaction is None:
            shift_s = _shift_alone(told_at, now_utc, error_s)
        else:
            shift_s = _shift_within(transaction, told_at, now_utc, error_s)
        return _shifted(event, shift_s), _news(clock, station_id, error_s)


def _measure(clock: _Clock, told_at: datetime, now_utc: datetime) -> None:
    before, clock.last = clock.last, (told_at, now_utc)
    if before is None:
        return
    told_s = (told_at - before[0]).total_seconds()
    arrived_s = (now_utc - before[1]).total_seconds()
    if arrived_s >= APART_S and abs(told_s - arrived_s) <= UNSTEADY_S + DRIFT * arrived_s:
        clock.errors_s.append((told_at - now_utc).total_seconds())
        if len(clock.errors_s) >= ERRORS_NEEDED:
            clock.error_s = median(clock.errors_s)


def _shift_alone(told_at: datetime, now_utc: datetime, error_s: float | None) -> float:
    ahead_s = (told_at - now_utc).total_seconds()
    if abs(ahead_s) <= TOLERANCE_S:
        return 0.0
    if error_s is not None and abs(error_s) > TOLERANCE_S and ahead_s - error_s <= TOLERANCE_S:
        return -round(error_s)
    if ahead_s > 0 or told_at < EARLIEST:
        return -round(ahead_s)
    return 0.0


def _shift_within(
    transaction: Transaction, told_at: datetime, now_utc: datetime, error_s: float | None
) -> float:
    ahead_s = (told_at - now_utc).total_seconds()
    if abs(ahead_s + transaction.clock_shift_s) <= TOLERANCE_S:
        return transaction.clock_shift_s
    began_s = (transaction.started_at - now_utc).total_seconds()
    shifts = [transaction.clock_shift_s]
    if transaction.started_told_at != transaction.started_at:  # it was checked
        shifts += [0.0] if error_s is None else [0.0, -round(error_s)]
    live = (shift_s for shift_s in shifts if abs(ahead_s + shift_s) <= TOLERANCE_S)
    late = (s for s in shifts if began_s - TOLERANCE_S <= ahead_s + s <= TOLERANCE_S)
    for found in (live, late):
        if (shift_s := next(found, None)) is not None:
            return shift_s
    return _shift_alone(told_at, now_utc, error_s)


def _news(clock: _Clock, station_id: str, error_s: float | None) -> tuple[str, ...]:
    if error_s is None or clock.is_wrong == (abs(error_s) > TOLERANCE_S):
        return ()
    clock.is_wrong = not clock.is_wrong
    if clock.is_wrong:
        return (f"clock.wrong station={station_id} ahead_s={error_s:.0f} action=corrected",)
    return (f"clock.right station={station_id} ahead_s={error_s:.0f}",)


def _told_at(event: Event) -> datetime | None:
    match event:
        case TransactionChanged(at=at) | SecurityEventOccurred(at=at) | StatusChanged(at=at):
            return at
        case MetersSampled(meter_values=values) if values:
            return max(value.at for value in values)
    return None


def _shifted(event: Event, shift_s: float) -> Event:
    if not shift_s:
        return event
    by = timedelta(seconds=shift_s)
    match event:
        case TransactionChanged():
            values = _values(event.meter_values, by)
            return replace(event, at=event.at + by, meter_values=values, clock_shift_s=shift_s)
        case MetersSampled():
            values = _values(event.meter_values, by)
            return replace(event, meter_values=values, clock_shift_s=shift_s)
        case StatusChanged(at=at) | SecurityEventOccurred(at=at) if at is not None:
            return replace(event, at=at + by)
    return event


def _values(values: Iterable[MeterValue], by: timedelta) -> tuple[MeterValue, ...]:
    return tuple(replace(value, at=value.at + by) for value in values)
