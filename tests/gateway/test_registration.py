"""When the gateway may speak to the cloud."""

from datetime import UTC, datetime

from gateway.events import Booted, HeartbeatSent, Registered, RegistrationStatus
from gateway.registration import BOOT_RETRY_S, STABLE_S, BackOff, Registration

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GATEWAY = Booted("site-gateway", "site-gateway")


def registration(dice: float = 0.0) -> Registration:
    return Registration(GATEWAY, lambda: dice, BackOff(wait_minimum_s=2, random_range_s=3))


def answered(status: str, interval_s: int = 300) -> Registered:
    return Registered(RegistrationStatus(status), NOON, interval_s)


def accepted(now: float = 0.0, interval_s: int = 300) -> Registration:
    machine = registration()
    machine.connected(now)
    machine.boot_answered(answered("Accepted", interval_s), now)
    return machine


def test_nothing_is_said_without_a_connection():
    assert registration().next_event(0.0) is None


def test_a_connection_begins_with_a_boot_notification():
    machine = registration()

    machine.connected(0.0)

    assert machine.next_event(0.0) == GATEWAY
    assert not machine.is_registered


def test_accepted_is_registered_and_beats_at_the_interval_given():
    machine = accepted(now=10.0, interval_s=60)

    assert machine.is_registered
    assert machine.next_event(69.9) is None
    assert machine.next_event(70.0) == HeartbeatSent()
    assert machine.next_timer() == 70.0


def test_a_reconnect_is_not_a_reboot():
    machine = accepted()

    machine.lost(99.0)
    machine.connected(100.0)

    assert machine.next_event(100.0) == HeartbeatSent()
    assert machine.is_registered


def test_pending_and_rejected_ask_again_after_their_interval_and_never_before():
    for status in ("Pending", "Rejected"):
        machine = registration()
        machine.connected(0.0)
        machine.boot_answered(answered(status, 30), 0.0)

        assert not machine.is_registered
        assert machine.next_event(29.9) is None
        assert machine.next_event(30.0) == GATEWAY


def test_a_pending_interval_of_zero_does_not_hammer():
    machine = registration()
    machine.connected(0.0)

    machine.boot_answered(answered("Pending", 0), 0.0)

    assert machine.next_timer() == BOOT_RETRY_S


def test_a_rejection_outlives_a_reconnect():
    machine = registration()
    machine.connected(0.0)
    machine.boot_answered(answered("Rejected", 600), 0.0)

    machine.lost(9.0)
    machine.connected(10.0)

    assert machine.next_event(10.0) is None
    assert machine.next_event(600.0) == GATEWAY


def test_waits_double_up_to_the_repeat_times_and_begin_anew_after_a_good_connection():
    machine = registration(dice=0.5)

    waits = [machine.lost(0.0) for _ in range(8)]
    machine.connected(0.0)

    assert waits == [3.5, 5.5, 9.5, 17.5, 33.5, 65.5, 65.5, 65.5]
    assert machine.lost(STABLE_S) == 3.5


def test_a_cloud_that_hangs_up_at_once_is_called_ever_more_rarely():
    machine = registration(dice=0.5)
    waits = []

    for now in range(3):
        machine.connected(now)
        waits.append(machine.lost(now + 0.5))

    assert waits == [3.5, 5.5, 9.5]


def test_a_boot_that_was_not_answered_is_the_first_thing_said_on_the_next_connection():
    machine = registration()
    machine.connected(0.0)
    assert machine.next_event(0.0) == GATEWAY

    machine.lost(30.0)
    machine.connected(33.0)

    assert machine.next_event(33.0) == GATEWAY


def test_triggers_are_answered_while_pending_and_not_before_nor_after_a_rejection():
    machine = registration()
    machine.connected(0.0)
    may_answer = [machine.may_answer_triggers]

    for status in ("Pending", "Rejected", "Accepted"):
        machine.boot_answered(answered(status), 0.0)
        may_answer.append(machine.may_answer_triggers)

    assert may_answer == [False, True, False, True]


def test_the_interval_the_cloud_sets_holds_at_once():
    machine = accepted(now=0.0, interval_s=300)

    machine.set_heartbeat_interval(20, 100.0)

    assert machine.next_event(119.9) is None
    assert machine.next_event(120.0) == HeartbeatSent()


def test_a_triggered_boot_says_so_and_speaks_on_meanwhile():
    machine = accepted()

    machine.boot_again("Triggered", 5.0)

    assert machine.next_event(5.0) == Booted("site-gateway", "site-gateway", reason="Triggered")
    assert machine.is_registered
