"""Which status of which connector the cloud has yet to hear."""

from datetime import UTC, datetime

from gateway.events import ChargingState, ConnectorStatus, StatusChanged
from gateway.status_board import NOBODY, STATION_LOST, STATION_LOST_AFTER_S, StatusBoard

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def status(number: int, word: str, state: str | None = None) -> StatusChanged:
    charging_state = ChargingState(state) if state else None
    return StatusChanged(number, 1, ConnectorStatus(word), NOON, charging_state)


def tell_all(board: StatusBoard, version: str = "ocpp1.6") -> list[StatusChanged]:
    said = []
    while (waiting := board.next_status(version)) is not None:
        said.append(waiting)
        board.told(waiting, version)
    return said


def test_everything_is_told_once_from_zero_on_and_gaps_are_unavailable():
    board = StatusBoard(connected=[1, 3], count=3, at=NOON)
    board.changed(status(1, "Available"))
    board.changed(status(3, "Faulted"))

    said = tell_all(board)

    assert [line.evse_id for line in said] == [0, 1, 2, 3]
    assert said[2].status is ConnectorStatus.UNAVAILABLE
    assert said[2].info == NOBODY
    assert tell_all(board) == []


def test_a_2_0_1_cloud_has_no_status_of_the_whole_station():
    board = StatusBoard(connected=[1], count=1, at=NOON)

    assert [line.evse_id for line in tell_all(board, "ocpp2.0.1")] == [1]


def test_only_the_current_status_is_told_never_the_history():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    tell_all(board)

    for word in ("Available", "Occupied", "Faulted"):
        board.changed(status(1, word))

    assert [line.status for line in tell_all(board)] == ["Faulted"]


def test_a_change_only_1_6_can_say_is_not_told_to_2_0_1():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    board.changed(status(1, "Occupied", "EVConnected"))
    tell_all(board, "ocpp2.0.1")

    board.changed(status(1, "Occupied", "Charging"))

    assert tell_all(board, "ocpp2.0.1") == []
    assert board.next_status("ocpp1.6") is not None


def test_a_station_is_unavailable_only_after_it_was_gone_for_long():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    board.changed(status(1, "Available"))
    tell_all(board)
    board.station_lost([1], now=100.0)

    board.handle_timer(100.0 + STATION_LOST_AFTER_S - 1, NOON)
    assert tell_all(board) == []

    assert board.next_timer() == 100.0 + STATION_LOST_AFTER_S
    board.handle_timer(100.0 + STATION_LOST_AFTER_S, NOON)
    (said,) = tell_all(board)
    assert (said.status, said.info) == (ConnectorStatus.UNAVAILABLE, STATION_LOST)


def test_a_station_that_returns_is_believed_until_it_says_something_new():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    board.changed(status(1, "Occupied", "Charging"))
    tell_all(board)
    board.station_lost([1], now=0.0)
    board.handle_timer(STATION_LOST_AFTER_S, NOON)
    tell_all(board)

    board.station_back([1])

    assert [line.charging_state for line in tell_all(board)] == [ChargingState.CHARGING]


def test_a_long_outage_repeats_everything_a_short_one_only_what_changed():
    board = StatusBoard(connected=[1, 2], count=2, at=NOON)
    tell_all(board, "ocpp2.0.1")
    board.cloud_lost(0.0)
    board.changed(status(2, "Available"))

    board.cloud_back(30.0)
    assert [line.evse_id for line in tell_all(board, "ocpp2.0.1")] == [2]

    board.cloud_lost(100.0)
    board.cloud_back(200.0)
    assert [line.evse_id for line in tell_all(board, "ocpp2.0.1")] == [1, 2]


def test_the_cloud_may_set_how_long_an_outage_is_short():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    board.offline_threshold_s = 10.0
    tell_all(board)
    board.cloud_lost(0.0)

    board.cloud_back(11.0)

    assert [line.evse_id for line in tell_all(board)] == [0, 1]


def test_the_charging_state_of_a_2_0_1_station_reaches_a_1_6_cloud():
    board = StatusBoard(connected=[1], count=1, at=NOON)
    board.changed(status(1, "Occupied"))
    tell_all(board)

    board.charging_state_changed(1, ChargingState.CHARGING)

    assert [line.charging_state for line in tell_all(board)] == [ChargingState.CHARGING]
