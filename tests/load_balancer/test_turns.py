"""Whose turn it is: least energy first, nobody for ever last, nobody switched without need."""

from load_balancer.circuits import CircuitTree
from load_balancer.evse_memory import EvseMemory
from load_balancer.turns import LONGEST_WAIT_S, SLICE_S, Turns
from tests.load_balancer.plant import one_circuit

START = 10 * SLICE_S


def queue(count, **evse):
    memories = [EvseMemory(node, 10) for node in CircuitTree(one_circuit(count, **evse)).evses]
    for memory in memories:
        memory.changed_at = START
    return memories


def test_at_the_start_of_a_slice_least_energy_goes_first():
    first, second, third = memories = queue(3)
    first.energy_wh, second.energy_wh, third.energy_wh = 3000, 1000, 2000
    first.limit_da = 160

    assert Turns().in_order(memories, START) == [second, third, first]


def test_energy_counts_by_weight():
    first, second = queue(2)
    first.node = CircuitTree(one_circuit(1, priority=4)).evses[0]
    first.energy_wh, second.energy_wh = 3000, 1000

    assert Turns().in_order([first, second], START) == [first, second]


def test_within_a_slice_who_charges_goes_on():
    first, second = memories = queue(2)
    turns = Turns()
    turns.in_order(memories, START)
    second.energy_wh, second.limit_da = 5000, 160

    assert turns.in_order(memories, START + 1) == [second, first]
    assert turns.in_order(memories, START + SLICE_S) == [first, second]


def test_who_comes_within_a_slice_stands_last():
    first, second, late = queue(3)
    first.energy_wh, second.energy_wh = 2000, 1000
    turns = Turns()
    turns.in_order([first, second], START)

    assert turns.in_order([late, first, second], START + 10) == [second, first, late]


def test_who_waited_very_long_goes_first_whatever_he_has_had():
    hungry, patient = memories = queue(2)
    patient.energy_wh = 30_000
    patient.changed_at = START - LONGEST_WAIT_S

    assert Turns().in_order(memories, START) == [patient, hungry]


def test_who_comes_back_has_lost_his_place():
    first, second = memories = queue(2)
    turns = Turns()
    turns.in_order(memories, START)
    turns.in_order([second], START + 1)

    assert turns.in_order(memories, START + 2) == [second, first]
