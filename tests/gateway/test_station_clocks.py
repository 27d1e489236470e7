"""When something happened at a station, whatever its clock says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import (
    ConnectorStatus,
    EventType,
    HeartbeatSent,
    MetersSampled,
    MeterValue,
    SampledValue,
    StatusChanged,
    TransactionChanged,
)
from gateway.records import Transaction
from gateway.station_clocks import StationClocks

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOUR = 3600.0
YEAR_1970 = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def meters(told: datetime) -> MetersSampled:
    return MetersSampled(1, 1, (MeterValue(told, (SampledValue("7"),)),))


def changed(event_type: EventType, told: datetime, **more) -> TransactionChanged:
    return TransactionChanged(event_type, told, "1", "Authorized", 0, evse_id=1, **more)


class Site:
    """One station whose clock is ahead by `ahead_s`; time passes by arrivals."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self.running: Transaction | None = None
        self.is_own_sound = True
        self.notes: list[str] = []
        self.clocks = StationClocks(self._meant, lambda: self.is_own_sound)

    def _meant(self, _, event):
        is_start = isinstance(event, TransactionChanged) and event.event_type is EventType.STARTED
        return None if is_start else self.running

    def told(self, seconds: float) -> datetime:
        return at(seconds + self.ahead_s)

    def hear(self, event, seconds: float):
        placed, notes = self.clocks.placed("A", event, at(seconds))
        self.notes += notes
        return placed

    def live(self, seconds: float) -> float:
        """Hear meter values told now; return how late they are booked, s."""
        placed = self.hear(meters(self.told(seconds)), seconds)
        return (placed.meter_values[0].at - at(seconds)).total_seconds()

    def start(self, told: datetime, arrived: float) -> TransactionChanged:
        """Hear a Started and keep it as the books would."""
        event = self.hear(changed(EventType.STARTED, told), arrived)
        is_checked = abs((event.at - at(arrived)).total_seconds()) <= 60
        is_believed = is_checked and not event.clock_shift_s
        self.running = Transaction(
            1,
            "u",
            "A",
            1,
            1,
            1,
            event.at,
            "1",
            started_told_at=None if is_believed else event.told_at,
            clock_shift_s=event.clock_shift_s,
        )
        return event

    def stop(self, told: datetime, arrived: float) -> float:
        """Return the length of the transaction as booked, s."""
        event = self.hear(changed(EventType.ENDED, told), arrived)
        return (event.at - self.running.started_at).total_seconds()


@pytest.mark.parametrize("ahead_s", [HOUR, -HOUR, 7200, -90 * 86_400])
def test_wrong_clock_is_corrected_once_it_is_measured_and_said_once(ahead_s):
    """Zone-less local time looks the same as a clock that is hours ahead."""
    site = Site(ahead_s)

    for seconds in range(0, 100, 10):
        late_s = site.live(seconds)

    assert abs(late_s) <= 1
    (note,) = site.notes
    assert note == f"clock.wrong station=A ahead_s={ahead_s:.0f} action=corrected"
    assert site.clocks.error_s("A") == pytest.approx(ahead_s)


def test_clock_within_a_minute_is_believed():
    site = Site(45)

    assert [site.live(seconds) for seconds in range(0, 100, 10)] == [45] * 10
    assert site.notes == []


def test_clock_that_was_set_right_is_not_corrected_any_more():
    site = Site(HOUR)
    for seconds in range(0, 100, 10):
        site.live(seconds)

    site.ahead_s = 0
    late = [site.live(seconds) for seconds in range(100, 200, 10)]

    assert late == [0] * 10
    assert [note.split()[0] for note in site.notes] == ["clock.wrong", "clock.right"]


def test_what_waited_in_a_queue_says_nothing_about_the_clock():
    site = Site()
    for seconds in range(0, 50, 10):
        site.live(seconds)

    placed = [site.hear(meters(at(50 + 60 * n)), 3600 + n / 10) for n in range(50)]

    assert [event.meter_values[0].at for event in placed] == [at(50 + 60 * n) for n in range(50)]
    assert site.clocks.error_s("A") == 0


@pytest.mark.parametrize(
    ("told", "booked_at"),
    [
        pytest.param(YEAR_1970, at(0), id="1970"),
        pytest.param(datetime(2000, 1, 1, tzinfo=UTC), at(0), id="2000"),
        pytest.param(datetime(2099, 1, 1, tzinfo=UTC), at(0), id="the far future"),
        pytest.param(at(61), at(0), id="the near future"),
        pytest.param(at(-86_400), at(-86_400), id="old: it may have waited"),
    ],
)
def test_instant_beyond_belief_is_that_of_its_arrival(told, booked_at):
    event = Site().hear(changed(EventType.STARTED, told), 0)

    assert abs((event.at - booked_at).total_seconds()) <= 1
    assert abs((event.told_at - told).total_seconds()) == 0


@pytest.mark.parametrize(
    ("ahead_s", "then_ahead_s"),
    [
        pytest.param(HOUR, HOUR, id="ahead all the time"),
        pytest.param(-HOUR, -HOUR, id="behind all the time"),
        pytest.param(HOUR, 0, id="ahead, then set"),
        pytest.param(0, -HOUR, id="right, then an hour lost"),
        pytest.param(0, -56 * 365 * 86_400, id="right, then 1970"),
    ],
)
def test_length_of_a_transaction_stays_true(ahead_s, then_ahead_s):
    site = Site(ahead_s)
    for seconds in range(0, 100, 10):
        site.live(seconds)
    site.start(site.told(100), 100)
    site.ahead_s = then_ahead_s
    for seconds in range(110, 700, 10):
        site.live(seconds)

    assert site.stop(site.told(700), 700) == pytest.approx(600, abs=1)


def test_transaction_that_began_unchecked_keeps_its_station_s_clock():
    """Nothing was measured at its start; what is learnt later must not stretch it."""
    site = Site(-HOUR)
    site.start(site.told(0), 0)
    for seconds in range(10, 600, 10):
        site.live(seconds)

    assert site.stop(site.told(600), 600) == 600


def test_start_in_1970_and_a_clock_set_by_our_answer():
    site = Site()

    site.start(YEAR_1970, 100)

    assert site.stop(at(700), 700) == pytest.approx(600, abs=1)


def test_transaction_from_a_queue_keeps_its_own_times():
    site = Site()
    for seconds in range(0, 50, 10):
        site.live(seconds)

    site.start(at(1000), 5000)

    assert site.stop(at(4600), 5001) == 3600


def test_boot_and_a_step_of_our_own_clock_begin_the_measurement_anew():
    for station_id in ("A", None):
        site = Site(HOUR)
        for seconds in range(0, 50, 10):
            site.live(seconds)

        site.clocks.forget(station_id)

        assert site.clocks.error_s("A") is None


def test_while_our_own_clock_is_not_believed_stations_are():
    site = Site(HOUR)
    site.is_own_sound = False

    assert site.live(0) == HOUR
    assert site.clocks.error_s("A") is None


def test_messages_without_a_time_pass():
    site = Site()
    status = StatusChanged(1, 1, ConnectorStatus.AVAILABLE, None)

    assert site.hear(HeartbeatSent(), 0) == HeartbeatSent()
    assert site.hear(status, 0) == status
    assert site.hear(MetersSampled(1, 1, ()), 0) == MetersSampled(1, 1, ())


def test_offline_events_of_2_0_1_do_not_measure():
    site = Site(HOUR)

    for seconds in range(0, 100, 10):
        site.hear(changed(EventType.UPDATED, site.told(seconds), is_offline=True), seconds)

    assert site.clocks.error_s("A") is None


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 7200)), min_size=1, max_size=20),
)
def test_no_live_or_late_word_is_ever_placed_in_the_future_and_the_told_time_is_kept(ahead, words):
    site = Site(round(ahead))
    seconds = 0
    for gap, late in words:
        seconds += gap
        told = meters(site.told(seconds - late))
        placed = site.hear(told, seconds)
        shift = timedelta(seconds=placed.clock_shift_s)
        values = tuple(replace(v, at=v.at - shift) for v in placed.meter_values)

        assert values == told.meter_values
        assert placed.meter_values[0].at <= at(seconds + 61)
