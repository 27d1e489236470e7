"""Phases differ by no more than the bound, and nobody on three phases pays for it."""

from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_a_rise_that_the_meter_shows_before_the_station_takes_nothing_back():
    balanced, reported = balance(12.0), {ONE: PhaseCurrents(6, 0, 0)}
    before = balanced.observe(PhaseCurrents(6, 0, 0), reported, {}, 0.0)

    risen = balanced.observe(PhaseCurrents(11, 0, 0), reported, {}, 5.0)
    above = balanced.observe(PhaseCurrents(13, 0, 0), reported, {}, 6.0)

    assert before == risen == {ONE: 12.0}
    assert above == {ONE: 5.0}


def test_without_a_meter_nobody_gets_more():
    balanced = balance()
    balanced.observe(PhaseCurrents(22, 8, 10), {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert balanced.observe(None, {}, {}, 99.0) == {ONE: 12.0}


def test_who_left_is_forgotten():
    balanced = balance()
    balanced.observe(PhaseCurrents(22, 8, 10), {ONE: PhaseCurrents(6, 0, 0)}, {}, 0.0)

    assert balanced.observe(PhaseCurrents(10, 8, 10), {}, {}, 1.0) == {}


def live(bound_a, appetites_a, seconds, *, asleep=()):
    """Let vehicles on L1 follow their ceilings, whole seconds late; returns what each drew, As."""
    balanced = PhaseBalance(bound_a)
    keys = [EvseKey(f"S{n}", 1) for n in range(len(appetites_a))]
    drawn_a, sums_as, worst_a = [0.0] * len(keys), [0.0] * len(keys), 0.0
    for second in range(seconds):
        singles = {
            key: PhaseCurrents(a, 0, 0) for key, a in zip(keys, drawn_a, strict=True) if a > 0
        }
        resting = {keys[n]: (0,) for n in asleep}
        idle = {key: (0,) for key in keys if key not in singles and key not in resting}
        measured = PhaseCurrents(sum(drawn_a), 0, 0)
        ceilings = balanced.observe(measured, singles, idle, float(second), resting)
        if second % 5 == 0:
            for n, key in enumerate(keys):
                ceiling_a = ceilings[key] if n not in asleep else 0.0
                drawn_a[n] = min(appetites_a[n], ceiling_a) if ceiling_a >= 6 else 0.0
        sums_as = [a + b for a, b in zip(sums_as, drawn_a, strict=True)]
        worst_a = max(worst_a, sum(drawn_a) if second > 60 else 0.0)
    return sums_as, drawn_a, worst_a


def test_the_second_on_a_phase_shares_and_does_not_wait_for_ever():
    _, drawn_a, worst_a = live(20.0, [32.0, 32.0], 300)

    assert drawn_a == [10.0, 10.0]
    assert worst_a <= 20.0


def test_who_takes_less_than_his_share_leaves_the_rest_to_others():
    _, drawn_a, _ = live(24.0, [6.0, 32.0], 300)

    assert drawn_a[0] == 6.0
    assert drawn_a[1] > 15.0


def test_more_than_have_room_take_turns():
    sums_as, drawn_a, worst_a = live(20.0, [32.0] * 4, 4 * 4 * 900)

    assert sum(a > 0 for a in drawn_a) == 3
    assert min(sums_as) > 0.9 * max(sums_as)
    assert worst_a <= 20.0


def test_who_sleeps_has_no_share():
    _, drawn_a, _ = live(20.0, [32.0, 32.0, 32.0], 300, asleep=(2,))

    assert drawn_a == [10.0, 10.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(
    st.floats(8, 40),
    st.lists(st.sampled_from([6.0, 10.0, 16.0, 32.0]), min_size=1, max_size=5),
)
def test_the_bound_is_kept_and_used(bound_a, appetites_a):
    _, drawn_a, worst_a = live(bound_a, appetites_a, 950)

    assert worst_a <= bound_a + 0.001
    assert sum(drawn_a) >= 6.0
