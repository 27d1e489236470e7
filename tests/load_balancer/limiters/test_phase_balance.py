"""Phases differ by no more than the bound, and nobody on three phases pays for it."""

from load_balancer.inputs import EvseKey
from load_balancer.limiters.phase_balance import SETTLE_S, PhaseBalance
from load_balancer.phases import PhaseCurrents

ONE, TWO = EvseKey("S0", 1), EvseKey("S1", 1)


def balance(limit_a=20.0):
    return PhaseBalance(limit_a)


def test_a_single_phase_vehicle_may_draw_up_to_the_bound():
    ceilings = balance().observe(PhaseCurrents(6, 0, 0), {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert ceilings == {ONE: 20.0}


def test_the_building_counts_on_its_phase():
    measured = PhaseCurrents(22, 8, 10)

    ceilings = balance().observe(measured, {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert ceilings == {ONE: 12.0}


def test_too_much_is_cut_by_the_excess_shared_by_those_on_that_phase():
    singles = {ONE: PhaseCurrents(16, 0, 0), TWO: PhaseCurrents(14, 0, 0)}

    ceilings = balance().observe(PhaseCurrents(30, 0, 0), singles, {}, 0.0)

    assert ceilings == {ONE: 11.0, TWO: 9.0}


def test_balanced_single_phase_vehicles_do_not_hold_each_other_back():
    singles = {ONE: PhaseCurrents(20, 0, 0), TWO: PhaseCurrents(0, 20, 0)}

    ceilings = balance().observe(PhaseCurrents(20, 20, 20), singles, {}, 0.0)

    assert ceilings == {ONE: 40.0, TWO: 40.0}


def test_a_two_phase_vehicle_is_bound_by_its_fuller_phase():
    measured = PhaseCurrents(18, 10, 0)

    ceilings = balance().observe(measured, {ONE: PhaseCurrents(10, 10, 0)}, {}, 0.0)

    assert ceilings == {ONE: 12.0}


def test_who_has_not_begun_is_given_what_is_left():
    assert balance().observe(PhaseCurrents(9, 0, 0), {}, {ONE: (0,)}, 0.0) == {ONE: 11.0}


def test_a_cut_is_not_taken_back_before_it_can_have_worked():
    balanced = balance()
    stale = {ONE: PhaseCurrents(30, 0, 0)}
    balanced.observe(PhaseCurrents(30, 0, 0), stale, {}, 0.0)

    meter_already_shows_it = balanced.observe(PhaseCurrents(20, 0, 0), stale, {}, 5.0)
    later = balanced.observe(PhaseCurrents(10, 0, 0), {ONE: PhaseCurrents(10, 0, 0)}, {}, SETTLE_S)

    assert meter_already_shows_it == {ONE: 20.0}
    assert later == {ONE: 20.0}


def test_without_a_meter_nobody_gets_more():
    balanced = balance()
    balanced.observe(PhaseCurrents(22, 8, 10), {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert balanced.observe(None, {}, {}, 99.0) == {ONE: 12.0}


def test_who_left_is_forgotten():
    balanced = balance()
    balanced.observe(PhaseCurrents(22, 8, 10), {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert balanced.observe(PhaseCurrents(10, 8, 10), {}, {}, 1.0) == {}
