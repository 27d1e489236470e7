"""Who leaves soon goes first, within the frame of the fair shares."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.allocation import Demand, allocate
from load_balancer.departures import Claimant, Departures, Plan

NOW = 10_000.0
HOUR_S = 3600.0
VOLTAGE_V = 230.0
ONE_NODE = ((0,),)


def plan(hours, ampere_hours):
    """Leaves in so many hours and wants so many Ah until then."""
    return Plan(NOW + hours * HOUR_S, ampere_hours * VOLTAGE_V)


def divided(room_da, plans, *, fresh=(), step_da=1, minimum_da=60, maximum_da=320, weights=None):
    demands = [
        Demand((0,), minimum_da, maximum_da, weight, step_da)
        for weight in weights or [1.0] * len(plans)
    ]
    fair = allocate([room_da], [-1], demands)
    claimants = [
        Claimant(*asked, n in fresh)
        for n, asked in enumerate(zip(demands, plans, fair, strict=True))
    ]
    shares = Departures(ONE_NODE, VOLTAGE_V).divide([room_da], claimants, NOW)
    return [share.limit_da for share in shares]


@pytest.mark.parametrize(
    ("room_da", "plans", "expected_da"),
    [
        pytest.param(320, [plan(8, 40), plan(2, 40)], [60, 260], id="the rest to the urgent"),
        pytest.param(320, [plan(2, 80), plan(9, 80)], [320, 0], id="who has time waits"),
        pytest.param(320, [plan(1, 1), plan(1, 1)], [260, 60], id="nobody below his minimum"),
        pytest.param(
            320, [plan(3, 60), plan(3, 15)], [200, 120], id="of two that leave together the small"
        ),
        pytest.param(640, [plan(3, 60), plan(2, 15)], [320, 320], id="enough for both"),
        pytest.param(320, [plan(-1, 20), plan(1, 20)], [320, 0], id="who should have left"),
        pytest.param(320, [None, plan(1, 99)], [160, 160], id="haste takes nothing from others"),
        pytest.param(
            320, [None, plan(2, 20), plan(1, 20)], [107, 0, 213], id="only those with a plan pool"
        ),
        pytest.param(100, [None, plan(1, 99)], [100, 0], id="a fair turn is kept"),
        pytest.param(50, [plan(1, 99)], [0], id="not even a minimum"),
        pytest.param(-10, [plan(1, 99)], [0], id="overloaded"),
    ],
)
def test_one_conductor(room_da, plans, expected_da):
    assert divided(room_da, plans) == expected_da


def test_shares_are_what_the_station_takes():
    assert divided(325, [plan(8, 41), plan(2, 41)], step_da=10) == [60, 260]


def test_who_just_came_gets_his_minimum_however_much_time_he_has():
    assert divided(320, [plan(2, 80), plan(9, 80)], fresh=(1,)) == [260, 60]


def test_a_weight_brings_a_large_wish_forward():
    assert divided(320, [plan(3, 90), plan(3.1, 60)], weights=[1, 1]) == [120, 200]
    assert divided(320, [plan(3, 90), plan(3.1, 60)], weights=[2, 1]) == [320, 0]


def test_an_evse_for_more_than_vehicles_take_makes_no_wish_shorter():
    wishes = [plan(3, 96), plan(3.2, 30)]

    assert divided(320, wishes, maximum_da=320) == divided(320, wishes, maximum_da=800)


PARENTS = (-1, 0, 0, 1)
PATHS = ((0,), (0, 1), (0, 2), (0, 1, 3))
wishes = st.lists(
    st.tuples(
        st.sampled_from([(0,), (1,), (2,), (3,)]),
        st.sampled_from([0, 60, 80]),
        st.integers(0, 320),
        st.sampled_from([1, 10]),
        st.one_of(
            st.none(),
            st.tuples(st.floats(-2, 12), st.floats(0, 100)).map(lambda p: plan(*p)),
        ),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-50, 900), min_size=4, max_size=4), wishes)
def test_every_promise_of_fair_shares_holds(room_da, asked):
    demands = [
        Demand(nodes, least, most - most % step, 1.0, step) for nodes, least, most, step, _ in asked
    ]
    plans = [plan for *_, plan in asked]
    fair = allocate(room_da, PARENTS, demands)

    claimants = [
        Claimant(*asked, n % 3 == 0)
        for n, asked in enumerate(zip(demands, plans, fair, strict=True))
    ]
    shares = Departures(PATHS, VOLTAGE_V).divide(room_da, claimants, NOW)

    left_da = list(room_da)
    for demand, share in zip(demands, shares, strict=True):
        assert share.limit_da == 0 or demand.minimum_da <= share.limit_da <= demand.maximum_da
        for node in PATHS[demand.nodes[0]]:
            left_da[node] -= share.limit_da
    assert all(left >= 0 or room < 0 for left, room in zip(left_da, room_da, strict=True))
    for demand, known, before, share in zip(demands, plans, fair, shares, strict=True):
        free_da = min(left_da[node] for node in PATHS[demand.nodes[0]])
        if known is None:
            assert share.limit_da >= before.limit_da
        elif share.limit_da == 0 and demand.maximum_da >= max(1, demand.minimum_da):
            assert free_da < max(demand.step_da, demand.minimum_da)
        if 0 < share.limit_da <= demand.maximum_da - demand.step_da:
            assert free_da < demand.step_da
            assert share.bound is not None
