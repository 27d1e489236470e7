"""Who gives way to whom, on one conductor and by hand."""

import pytest

from load_balancer.allocation import Share
from load_balancer.circuits import CircuitTree
from load_balancer.departures import Plan
from load_balancer.evse_memory import EvseMemory
from load_balancer.steering import LIVE, Room, Steering
from tests.load_balancer.plant import one_circuit

NOW = 1000.0
FULL = Room([0] * 3, [0] * 3)
PLAN = Plan(NOW + 3600, 5000)


def charging(limit_da, share_da, plan=None, **evse):
    """An EVSE that was told a limit long ago and deserves another."""
    node = CircuitTree(one_circuit(1, phases=["L1"], **evse)).evses[0]
    memory = EvseMemory(node, 10)
    memory.limit_da = memory.next_da = memory.counted_da = limit_da
    memory.maximum_da = 320
    memory.share, memory.plan = Share(share_da, 0), plan
    return memory


def after_rise(*memories, room=FULL):
    steering = Steering(CircuitTree(one_circuit(1)))
    steering.rise(memories, [0] * 3, room, NOW)
    return [memory.next_da for memory in memories]


@pytest.mark.parametrize(
    ("low", "high", "expected_da"),
    [
        pytest.param((100, 150), (200, 150), [100, 150], id="who has more gives way"),
        pytest.param((100, 150), (90, 80), [100, 90], id="who has less does not"),
        pytest.param((60, 120), (80, 0), [60, 60], id="nobody is paused for a rise"),
        pytest.param((0, 60), (80, 0), [0, 0], id="but for a start, when it is his turn"),
        pytest.param((100, 105), (200, 195), [100, 200], id="not for a trifle"),
    ],
)
def test_where_nothing_is_free(low, high, expected_da):
    assert after_rise(charging(*low), charging(*high)) == expected_da


@pytest.mark.parametrize(
    ("low", "high", "expected_da"),
    [
        pytest.param((100, 60), (150, 200), [60, 150], id="who has less gives way as well"),
        pytest.param((60, 0), (150, 200), [0, 150], id="even all of it"),
        pytest.param((100, 60), (150, 150), [100, 150], id="not before somebody wants to rise"),
        pytest.param((100, 60), (150, 155), [100, 150], id="not for a trifle"),
    ],
)
def test_who_goes_by_his_departure_gives_way_to_anybody(low, high, expected_da):
    assert after_rise(charging(*low, PLAN), charging(*high)) == expected_da


def test_what_is_free_is_taken_in_small_steps():
    assert after_rise(charging(100, 300), room=Room([900] * 3, [900] * 3)) == [150]
    assert after_rise(charging(100, 300), room=Room([900] * 3, [20] * 3)) == [120]


def test_nobody_rises_on_a_held_conductor_until_its_time():
    steering = Steering(CircuitTree(one_circuit(1)))
    memory = charging(100, 150)
    steering.hold([0], NOW)

    assert steering.is_held(memory, NOW + LIVE.hold_off_s - 1)
    assert not steering.is_held(memory, NOW + LIVE.hold_off_s)
    steering.rise([memory], [0] * 3, Room([900] * 3, [900] * 3), NOW + 1)
    assert memory.next_da == 100


def test_another_conductor_is_not_held():
    steering = Steering(CircuitTree(one_circuit(1)))
    steering.hold([1, 2], NOW)

    assert not steering.is_held(charging(100, 150), NOW + 1)
