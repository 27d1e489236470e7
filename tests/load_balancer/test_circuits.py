"""The tree is read root first, and every EVSE finds the conductors that carry its current."""

import pytest

from load_balancer.circuits import NO_NODE, CircuitTree
from load_balancer.phases import PhaseCurrents
from load_balancer.tally import Tally
from tests.load_balancer.plant import one_circuit, site

TREE = site(
    {
        "corner": {"parent": "garage", "rating_a": 20},
        "garage": {"parent": "grid", "rating_a": 63},
        "grid": {"rating_a": 100, "meter": "grid"},
    },
    {"S0": {"circuit": "corner", "evses": {1: {"phases": ["L2", "L3", "L1"], "priority": 2}}}},
    {"grid": {}},
)


def test_parents_come_before_their_children_whatever_the_order_in_the_file():
    circuits = CircuitTree(TREE).circuits

    assert [circuit.id for circuit in circuits] == ["grid", "garage", "corner"]
    assert [circuit.parent for circuit in circuits] == [None, 0, 1]
    assert circuits[1].rating == PhaseCurrents(63, 63, 63)
    assert [circuit.meter is not None for circuit in circuits] == [True, False, False]


def test_an_evse_knows_its_conductors_after_rotation_and_all_above_them():
    tree = CircuitTree(TREE)
    evse = tree.evses[0]

    assert [tree.places[node] for node in evse.nodes] == [
        ("corner", "L2"),
        ("corner", "L3"),
        ("corner", "L1"),
    ]
    assert [tree.places[node] for node in tree.paths[evse.nodes[0]]] == [
        ("grid", "L2"),
        ("garage", "L2"),
        ("corner", "L2"),
    ]
    assert evse.circuits == (0, 1, 2)
    assert evse.weight == 2


def test_each_phase_of_a_circuit_may_have_a_rating_of_its_own():
    tree = CircuitTree(one_circuit(1, rating_a=[63, 63, 50]))

    assert tree.circuits[0].rating == PhaseCurrents(63, 63, 50)


def test_the_root_has_no_parent_nodes():
    assert CircuitTree(one_circuit(1)).parents == (NO_NODE,) * 3


@pytest.mark.parametrize(
    "circuits",
    [
        pytest.param({"a": {"rating_a": 9}, "b": {"rating_a": 9}}, id="two roots"),
        pytest.param(
            {"a": {"rating_a": 9, "parent": "b"}, "b": {"rating_a": 9, "parent": "a"}}, id="a ring"
        ),
        pytest.param({"a": {"rating_a": 9}, "b": {"rating_a": 9, "parent": "b"}}, id="its own"),
    ],
)
def test_what_is_no_tree_is_refused(circuits):
    with pytest.raises(ValueError, match="grid connection point"):
        CircuitTree(site(circuits, {}))


def test_a_tally_sums_up_the_tree_and_follows_changes():
    tally = Tally(CircuitTree(TREE))
    tally.put("one", (6, 7), (10, 20, 99))
    tally.put("other", (3,), (5,))
    before_da = tally.sums_da()
    tally.put("one", (6,), (1,))

    assert before_da == [15, 20, 0, 15, 20, 0, 10, 20, 0]
    assert tally.sums_da() == [6, 0, 0, 6, 0, 0, 1, 0, 0]
