"""What the one charging station says next."""

from datetime import UTC, datetime

import pytest

from gateway.cloud_station import QUESTIONS_MAXIMUM, CloudStation
from gateway.events import (
    AuthorizeAsked,
    Booted,
    ConnectorStatus,
    EventType,
    HeartbeatSent,
    IdToken,
    Registered,
    RegistrationStatus,
    ReportSent,
    StatusChanged,
    TransactionChanged,
)
from gateway.outbox import Outbox
from gateway.records import OutboxRow
from gateway.registration import BackOff, Registration
from gateway.status_board import StatusBoard

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GATEWAY = Booted("site-gateway", "site-gateway")
QUESTION = AuthorizeAsked(IdToken("A"))
REPORT = ReportSent(1, 0, NOON, False, ())
V16, V201 = "ocpp1.6", "ocpp2.0.1"


def station(status: str | None = "Accepted", version: str = V201, evses: int = 2) -> CloudStation:
    """A station whose boot was answered so (None: not yet), on an open connection."""
    registration = Registration(GATEWAY, lambda: 0.0, BackOff())
    machine = CloudStation(registration, StatusBoard(range(1, evses + 1), evses, NOON), Outbox())
    machine.connected(version, 0.0)
    if status is not None:
        registration.boot_answered(Registered(RegistrationStatus(status), NOON, 300), 0.0)
    return machine


def bill(machine: CloudStation, row_id: int) -> None:
    event = TransactionChanged(EventType.STARTED, NOON, None, "Authorized", 0)
    machine.outbox.enqueued(OutboxRow(row_id, "evse/1", event, row_id, NOON))


def said(machine: CloudStation, now: float = 0.0) -> object:
    """Let it say the next thing, and the cloud confirm it."""
    saying = machine.next_saying(now)
    if saying is None:
        return None
    if saying.batch is not None:
        machine.outbox.confirmed(saying.batch)
        return saying.batch.event
    if isinstance(saying.event, StatusChanged):
        machine.statuses.told(saying.event, machine.version)
    return saying.event


def everything(machine: CloudStation) -> list[str]:
    names = []
    while (event := said(machine)) is not None:
        names.append(type(event).__name__)
    return names


@pytest.mark.parametrize("status", [None, "Pending", "Rejected"])
def test_before_accepted_nothing_but_the_boot_is_said(status):
    machine = station(status)
    bill(machine, 1)
    answers = []

    machine.ask(QUESTION, answers.append)

    assert said(machine) == (GATEWAY if status is None else None)
    assert answers == [None]


def test_pending_says_what_it_is_asked_to_say_and_nothing_else():
    machine = station("Pending")
    bill(machine, 1)
    machine.triggered(HeartbeatSent())
    machine.triggered(REPORT)

    assert everything(machine) == ["HeartbeatSent", "ReportSent"]


@pytest.mark.parametrize("status", [None, "Rejected"])
def test_nobody_else_triggers_anything(status):
    machine = station(status)
    if status is None:
        machine.registration.status = None
    machine.triggered(HeartbeatSent())

    assert said(machine) in (GATEWAY, None)
    assert machine.next_saying(0.0) is None or status is None


def test_a_driver_overtakes_reports_statuses_and_billing():
    machine = station()
    bill(machine, 1)
    machine.triggered(REPORT)
    machine.ask(QUESTION, lambda _: None)

    assert everything(machine)[:2] == ["AuthorizeAsked", "ReportSent"]


def test_statuses_and_billing_take_turns():
    machine = station(evses=3)
    everything(machine)
    machine.statuses.tell_everything()
    for row_id in (1, 2, 3):
        bill(machine, row_id)

    told = everything(machine)

    assert told == ["StatusChanged", "TransactionChanged"] * 3


def test_whoever_waits_is_answered_when_the_cloud_is_lost():
    machine = station()
    answers = []
    machine.ask(QUESTION, answers.append)
    machine.triggered(REPORT)

    machine.lost(1.0)
    machine.connected(V201, 2.0)

    assert answers == [None]
    assert "ReportSent" not in everything(machine)


def test_too_many_questions_are_answered_by_the_site():
    machine = station()
    answers = []
    for _ in range(QUESTIONS_MAXIMUM + 1):
        machine.ask(QUESTION, answers.append)

    assert answers == [None]


def test_another_version_hears_every_status_anew():
    machine = station(version=V201)
    everything(machine)

    machine.lost(1.0)
    machine.connected(V16, 2.0)

    assert everything(machine).count("StatusChanged") == 3  # 0 as well


def test_a_reconnect_begins_with_a_heartbeat():
    machine = station()
    everything(machine)
    machine.lost(1.0)

    machine.connected(V201, 2.0)

    assert said(machine, 2.0) == HeartbeatSent()


def test_it_wakes_for_whatever_is_due_first():
    machine = station()
    machine.statuses.station_lost([1], now=10.0)
    assert machine.next_timer() == 70.0

    machine.registration.set_heartbeat_interval(5, 10.0)
    assert machine.next_timer() == 15.0


def test_the_status_of_the_station_itself_is_one_of_1_6():
    machine = station(version=V16, evses=1)
    everything(machine)

    machine.statuses.changed(StatusChanged(0, 0, ConnectorStatus.UNAVAILABLE, NOON))

    event = said(machine)
    assert (event.evse_id, event.status) == (0, "Unavailable")


def test_a_cloud_in_trouble_is_spared_billing_and_nothing_else():
    machine = station()
    everything(machine)
    bill(machine, 1)
    machine.pace.troubled(10.0)
    machine.statuses.tell_again(1)
    machine.ask(QUESTION, lambda _: None)

    assert said(machine, 10.0) == QUESTION
    assert isinstance(said(machine, 10.0), StatusChanged)
    assert said(machine, 10.0) is None
    assert machine.next_timer() == 11.0
    assert isinstance(said(machine, 11.0), TransactionChanged)


def test_after_an_outage_the_cloud_hears_what_is_before_what_was():
    machine = station()
    everything(machine)
    machine.lost(0.0)
    for row_id in (1, 2):
        bill(machine, row_id)
    for number in (1, 2):
        machine.statuses.tell_again(number)
    machine.connected(V201, 0.0)
    machine.registration.heartbeat_sent(0.0)

    assert everything(machine) == [
        *["StatusChanged"] * 2,
        *["TransactionChanged"] * 2,
    ]
