"""Whose turn it is: least energy first, nobody for ever last, nobody switched without need."""

from load_balancer.allocation import Share
from load_balancer.circuits import CircuitTree
from load_balancer.evse_memory import SHORTEST_RUN_S, EvseMemory
from load_balancer.reasons import Reason, Rule
from load_balancer.turns import LONGEST_WAIT_S, SLICE_S, Turns, queue
from tests.load_balancer.plant import one_circuit

START = 10 * SLICE_S
REASON = Reason(Rule.FUSE, "grid", "L1", 1, 2, START)


def wanting(count, **evse):
    memories = [EvseMemory(node, 10) for node in CircuitTree(one_circuit(count, **evse)).evses]
    for memory in memories:
        memory.changed_at = START
        memory.has_charged = True
    return memories


def test_at_the_start_of_a_slice_least_energy_goes_first():
    first, second, third = memories = wanting(3)
    first.energy_wh, second.energy_wh, third.energy_wh = 3000, 1000, 2000
    first.limit_da = 160

    assert Turns().in_order(memories, START, START) == [second, third, first]


def test_energy_counts_by_weight():
    first, second = wanting(2)
    first.node = CircuitTree(one_circuit(1, priority=4)).evses[0]
    first.energy_wh, second.energy_wh = 3000, 1000

    assert Turns().in_order([first, second], START, START) == [first, second]


def test_within_a_slice_who_charges_goes_on():
    first, second = memories = wanting(2)
    turns = Turns()
    turns.in_order(memories, START, START)
    second.energy_wh, second.limit_da = 5000, 160

    assert turns.in_order(memories, START + 1, START + 1) == [second, first]
    assert turns.in_order(memories, START + SLICE_S, START + SLICE_S) == [first, second]


def test_who_comes_within_a_slice_stands_last():
    first, second, late = wanting(3)
    first.energy_wh, second.energy_wh = 2000, 1000
    turns = Turns()
    turns.in_order([first, second], START, START)

    assert turns.in_order([late, first, second], START + 10, START + 10) == [second, first, late]


def test_who_waited_very_long_goes_first_whatever_he_has_had():
    hungry, patient = memories = wanting(2)
    patient.energy_wh = 30_000
    patient.changed_at = START - LONGEST_WAIT_S

    assert Turns().in_order(memories, START, START) == [patient, hungry]


def test_who_comes_back_has_lost_his_place():
    first, second = memories = wanting(2)
    turns = Turns()
    turns.in_order(memories, START, START)
    turns.in_order([second], START + 1, START + 1)

    assert turns.in_order(memories, START + 2, START + 2) == [second, first]


def test_who_comes_within_a_slice_is_made_welcome_before_those_who_charge():
    first, second, fresh = wanting(3)
    fresh.has_charged = False
    turns = Turns()
    turns.in_order([first, second], START, START)
    first.limit_da = second.limit_da = 60

    assert turns.in_order([first, second, fresh], START + 10, START + 10)[0] is fresh


def test_who_has_just_begun_is_left_alone():
    """Neither a newcomer nor a new slice takes from him what he has."""
    first, second, fresh = memories = wanting(3)
    second.next_da, second.energy_wh = 60, 9000
    second.tell(REASON, START + SLICE_S - 100)
    first.limit_da = 60
    fresh.has_charged = False
    turns = Turns()
    turns.in_order([first, second], START, START)

    for at in (START + SLICE_S - 50, START + SLICE_S):
        assert turns.in_order(memories, at, at)[0] is second
    late = START + 2 * SLICE_S
    assert late - START > SHORTEST_RUN_S
    assert turns.in_order(memories, late, late)[-1] is second


def test_slices_begin_on_the_clock_on_the_wall():
    first, second = memories = wanting(2)
    turns = Turns()
    turns.in_order(memories, 900.0, START + 7)
    second.energy_wh, second.limit_da = 5000, 160

    before = turns.in_order(memories, 1799.0, START + 906)
    after = turns.in_order(memories, 1800.0, START + 907)

    assert (before, after) == ([second, first], [first, second])


PATHS = ((0,), (1,), (2,))


def waiting_behind(charging, energies_wh):
    """So many charge on L1; the others wait for it."""
    memories = wanting(charging + len(energies_wh), phases=["L1"])
    for memory in memories[:charging]:
        memory.next_da, memory.share = 60, Share(60, 0)
    for memory, energy_wh in zip(memories[charging:], energies_wh, strict=True):
        memory.energy_wh, memory.share = energy_wh, Share(0, 0)
    return memories


def test_who_waits_sees_his_place_and_when_his_turn_should_come():
    memories = waiting_behind(2, [3000, 1000, 2000])

    turns = queue(memories, PATHS, START + 600, START + 600)

    next_at = START + SLICE_S
    assert [turns[memory] for memory in memories[2:]] == [
        (3, next_at + SLICE_S),
        (1, next_at),
        (2, next_at),
    ]
    assert set(turns) == set(memories[2:])


def test_where_nobody_waits_for_current_there_is_no_queue():
    [paused] = memories = waiting_behind(0, [0])
    paused.share = Share(0, None)  # its own ceiling is below its minimum

    assert queue(memories, PATHS, START, START) == {}
