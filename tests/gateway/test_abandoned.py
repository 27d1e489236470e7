"""When a running transaction is given up, and what keeps it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.abandoned import Abandoned, Patience
from gateway.closings import BOOTED, FREE, REMOVED, SILENT
from gateway.events import ChargingState, ConnectorStatus, StatusChanged
from gateway.records import Transaction

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
AVAILABLE, OCCUPIED = ConnectorStatus.AVAILABLE, ConnectorStatus.OCCUPIED


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def transaction(**fields) -> Transaction:
    told = {
        "number": 1,
        "uuid": "u",
        "station_id": "A",
        "evse_id": 1,
        "connector_id": 1,
        "cloud_evse": 1,
        "started_at": T0,
        "station_transaction_id": "1",
        "last_heard_at": at(100),
    }
    return Transaction(**{**told, **fields})


class Watch:
    """One station with one running transaction; `now` and the wall go together."""

    def __init__(self, **fields) -> None:
        self.running = [transaction(**fields)]
        self.is_here = self.is_in_site = True
        self.abandoned = Abandoned(
            Patience(600, 86_400),
            running=lambda: self.running,
            running_at=lambda station: [t for t in self.running if t.station_id == station],
            is_here=lambda _: self.is_here,
            is_in_site=lambda *_: self.is_in_site,
            now=0,
        )

    def boots(self, now: float) -> None:
        self.abandoned.booted("A", now, at(now))

    def says(self, status, now: float, *, told: float | None = None, state=None, evse: int = 1):
        said = StatusChanged(evse, 1, status, at(now if told is None else told), state)
        self.abandoned.status("A", said, now, at(now))

    def speaks_of_it(self, seconds: float) -> None:
        self.running = [replace(self.running[0], last_heard_at=at(seconds))]
        self.abandoned.heard(self.running[0])

    def due(self, now: float):
        return [why for _, why in self.abandoned.due(now, at(now))]


def test_evse_reported_free_is_given_time_for_its_stop():
    watch = Watch()

    watch.says(AVAILABLE, 200)

    assert watch.due(799) == []
    assert watch.due(800) == [FREE]


def test_finishing_of_1_6_is_the_end_of_its_transaction():
    watch = Watch()

    watch.says(OCCUPIED, 200, state=ChargingState.IDLE)

    assert watch.due(800) == [FREE]


def test_boot_without_a_word_of_the_transaction_ends_it():
    watch = Watch()

    watch.boots(200)

    assert watch.due(800) == [BOOTED]


@pytest.mark.parametrize(
    "goes_on",
    [
        pytest.param(lambda watch: watch.speaks_of_it(300), id="a younger word of it"),
        pytest.param(
            lambda watch: watch.says(OCCUPIED, 300, state=ChargingState.CHARGING), id="it charges"
        ),
        pytest.param(
            lambda watch: watch.says(OCCUPIED, 300, state=ChargingState.SUSPENDED_EV),
            id="its car is full",
        ),
        pytest.param(lambda watch: watch.running.clear(), id="its stop came"),
    ],
)
def test_doubt_ends_when_it_goes_on(goes_on):
    watch = Watch()
    watch.boots(200)

    goes_on(watch)

    assert watch.due(10_000) == []


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda watch: watch.speaks_of_it(150), id="what it had queued before"),
        pytest.param(
            lambda watch: watch.says(OCCUPIED, 300, state=ChargingState.EV_CONNECTED),
            id="a car is there",
        ),
        pytest.param(
            lambda watch: watch.says(OCCUPIED, 300, state=ChargingState.CHARGING, evse=2),
            id="another EVSE charges",
        ),
    ],
)
def test_doubt_stays_where_nothing_says_that_it_goes_on(said):
    watch = Watch()
    watch.boots(200)

    said(watch)

    assert watch.due(10_000) == [BOOTED]


def test_status_older_than_the_transaction_s_last_word_says_nothing():
    watch = Watch()

    watch.says(AVAILABLE, 200, told=50)

    assert watch.due(10_000) == []


@pytest.mark.parametrize(
    ("is_here", "now", "why"),
    [
        pytest.param(False, 86_400 + 100, [SILENT], id="away and silent for long"),
        pytest.param(False, 86_400 + 99, [], id="not long enough"),
        pytest.param(True, 10 * 86_400, [], id="connected: it may have nothing to say"),
    ],
)
def test_silence_ends_what_a_station_took_away(is_here, now, why):
    watch = Watch()
    watch.is_here = is_here

    assert watch.due(now) == why


def test_station_may_come_back_after_our_own_start_before_its_silence_counts():
    watch = Watch(last_heard_at=at(-90_000))
    watch.is_here = False

    assert watch.due(599) == []
    assert watch.due(600) == [SILENT]


def test_evse_that_left_the_site_file_ends_at_once():
    watch = Watch()
    watch.is_in_site = False

    assert watch.due(1) == [REMOVED]
