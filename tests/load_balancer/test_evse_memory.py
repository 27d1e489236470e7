"""What an EVSE draws is never quite known; each answer errs on the harmless side."""

import pytest

from load_balancer.circuits import CircuitTree
from load_balancer.evse_memory import (
    CONFIRM_WITHIN_S,
    NOTHING,
    RETURNS_WITHIN_S,
    SETTLE_S,
    EvseMemory,
    deci_amps_below,
)
from load_balancer.inputs import EvseInput
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Reason, Rule
from tests.load_balancer.plant import one_circuit

START = 1000.0
REPORT_S = 10.0
REASON = Reason(Rule.FUSE, "grid", "L1", 1, 2, START)


class Moments:
    """One EVSE that was told 20 A long ago and draws them."""

    def __init__(self):
        node = CircuitTree(one_circuit(1)).evses[0]
        self.memory = EvseMemory(node, REPORT_S)
        self.tell(200, START - 100)
        self.see(START - 80)

    def tell(self, limit_da, now):
        self.memory.next_da = limit_da
        self.memory.tell(REASON, now)

    def see(self, now, *, drawn_a=20, age_s=0.0, believed_a=None, **changes):
        self.memory.observe(
            EvseInput(
                key=self.memory.node.key,
                is_reachable=changes.pop("is_reachable", True),
                wants_current=changes.pop("wants_current", True),
                believed_a=self.memory.limit_da / 10 if believed_a is None else believed_a,
                measured=PhaseCurrents(drawn_a, drawn_a, drawn_a),
                measured_at=now - age_s,
                **changes,
            ),
            now,
        )
        memory = self.memory
        return memory.low_da[0], memory.drawn_da[0], memory.counted_da


def test_settled_and_reported_all_three_agree():
    assert Moments().see(START) == (200, 200, 200)


def test_while_a_cut_is_on_its_way_the_likely_draw_is_the_old_one_and_the_least_the_new():
    moments = Moments()
    moments.tell(120, START)

    assert moments.see(START + 1, age_s=5, believed_a=20) == (120, 200, 200)


def test_a_confirmed_cut_is_taken_as_followed_when_it_has_settled_without_a_report():
    moments = Moments()
    moments.tell(120, START)
    moments.see(START + 1, age_s=5)

    assert moments.see(START + 1 + SETTLE_S, age_s=15)[:2] == (120, 120)


def test_an_unconfirmed_cut_is_waited_for_only_so_long():
    moments = Moments()
    moments.tell(120, START)
    moments.see(START + CONFIRM_WITHIN_S - 0.1, age_s=13, believed_a=20)
    patient = moments.memory.floor_da

    moments.see(START + CONFIRM_WITHIN_S, age_s=14, believed_a=20)

    assert (patient, moments.memory.floor_da) == (0, 200)


def test_a_report_from_before_a_cut_is_no_disobedience():
    moments = Moments()
    moments.tell(120, START)
    moments.see(START + 1, age_s=5)
    moments.see(START + 1 + SETTLE_S, age_s=15)

    assert moments.memory.floor_da == 0


def test_more_than_it_was_ever_allowed_is_disobedience_at_once():
    moments = Moments()
    moments.tell(120, START)

    moments.see(START + 1, drawn_a=32)

    assert moments.memory.floor_da == 320


@pytest.mark.parametrize(
    ("drawn_a", "fixed_da", "floor_da"),
    [
        pytest.param(20.0, (0, 0, 0), 0, id="as told"),
        pytest.param(20.7, (7, 7, 7), 0, id="a little more: kept beside its limit"),
        pytest.param(21.1, (0, 0, 0), 211, id="more: does not obey"),
    ],
)
def test_more_than_allowed_is_counted(drawn_a, fixed_da, floor_da):
    moments = Moments()

    moments.see(START, drawn_a=drawn_a)

    assert (moments.memory.fixed_da, moments.memory.floor_da) == (fixed_da, floor_da)


def test_an_old_report_says_nothing():
    assert Moments().see(START, age_s=2 * REPORT_S + 1) == (0, 0, 200)


def test_a_lost_station_is_counted_at_what_is_believed_and_shown_at_what_it_last_drew():
    assert Moments().see(START, age_s=500, is_reachable=False, believed_a=16) == (160, 160, 160)


def test_of_a_lost_station_with_unknown_limit_what_was_counted_stays():
    moments = Moments()
    moments.memory.observe(None, START)

    assert moments.memory.counted_da == 200
    assert moments.memory.fixed_da == (200, 200, 200)


def test_who_no_longer_wants_current_is_kept_what_he_draws():
    moments = Moments()
    moments.see(START, wants_current=False, drawn_a=2)

    assert moments.memory.fixed_da == (20, 20, 20)
    assert not moments.memory.is_demanding


def test_a_transaction_that_follows_at_once_begins_with_an_appetite_of_its_own():
    moments = Moments()
    full = {"wants_current": False, "has_transaction": True, "drawn_a": 0}
    moments.see(START, energy_wh=9000.0, **full)
    moments.tell(0, START + 1)
    moments.see(START + 2, energy_wh=9000.0, drawn_a=0)
    was_demanding = moments.memory.is_demanding

    moments.see(START + 3, energy_wh=0.0, drawn_a=0)

    assert not was_demanding
    assert moments.memory.is_demanding


def test_phases_learnt_are_forgotten_with_the_transaction():
    moments = Moments()
    for second in (0, 30):
        moments.memory.observe(
            EvseInput(
                key=moments.memory.node.key,
                is_reachable=True,
                wants_current=True,
                believed_a=20.0,
                measured=PhaseCurrents(16, 0, 0),
                measured_at=START + second,
            ),
            START + second,
        )
    learnt = moments.memory.nodes

    moments.see(START + 40, wants_current=False, drawn_a=0)

    assert learnt == (0,)
    assert moments.memory.nodes == (0, 1, 2)
    assert moments.memory.fixed_da == NOTHING


@pytest.mark.parametrize(
    ("current_a", "current_da"), [(0.1, 1), (12.1, 121), (16.19, 161), (0.0, 0), (0.3, 3)]
)
def test_limits_are_rounded_down_to_tenths(current_a, current_da):
    assert deci_amps_below(current_a) == current_da


def charging(*, is_reachable=True, energy_wh=5000.0):
    """A vehicle that charges, and has not told what it draws since we began."""
    key = CircuitTree(one_circuit(1)).evses[0].key
    return EvseInput(key, is_reachable, True, 16.0, None, None, energy_wh=energy_wh)


def waited_for_s(*inputs):
    """For how long a memory that is shown these in turn, one a second, waits for its word."""
    memory = EvseMemory(CircuitTree(one_circuit(1)).evses[0], REPORT_S)
    for second in range(400):
        memory.observe(inputs[second % len(inputs)], START + second)
        if not memory.is_unheard:
            return second
    return None


WORD_IN_S = SETTLE_S + REPORT_S


def test_who_charged_before_we_began_is_waited_for_but_not_for_ever():
    away = charging(is_reachable=False)

    assert waited_for_s(charging()) == WORD_IN_S
    assert waited_for_s(away) == RETURNS_WITHIN_S
    assert waited_for_s(*[away] * 20, *[charging()] * 380) == 20 + WORD_IN_S
    assert waited_for_s(*[away] * 20, charging()) == 20 + WORD_IN_S


def test_who_comes_with_energy_after_we_began_was_not_charging_then():
    """A station tells afterwards of a transaction that began while it was away."""
    memory = EvseMemory(CircuitTree(one_circuit(1)).evses[0], REPORT_S)
    memory.observe(charging(energy_wh=0.0)._replace(wants_current=False), START)

    memory.observe(charging(), START + 60)

    assert not memory.is_unheard
