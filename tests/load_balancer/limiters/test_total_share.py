"""A total is never exceeded, is used up, and goes round where it is short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.inputs import EvseKey
from load_balancer.limiters.total_share import MARGIN_W, SETTLE_S, SLICE_S, Sharer, TotalShare

MINIMUM_W, MAXIMUM_W = 4140, 11_040


def car(number, held_w=0.0, **more):
    return Sharer(EvseKey(f"S{number}", 1), MINIMUM_W, MAXIMUM_W, held_w, **more)


def settled(share, total_w, cars, *, at=0.0, **changes):
    """Shares once every station has taken over its own; the cars draw all they may."""
    shares = {}
    for _ in range(3):
        cars = [
            Sharer(c.key, c.minimum_w, c.maximum_w, shares.get(c.key, c.held_w), **changes)
            for c in cars
        ]
        shares = share.shares_w(total_w, cars, at, at)
    return [shares[c.key] for c in cars]


@pytest.mark.parametrize(
    ("total_w", "count", "shares_w"),
    [
        pytest.param(21_210, 1, [11_040], id="who is alone has it all"),
        pytest.param(16_800, 3, [5600, 5600, 5600], id="fair"),
        pytest.param(10_500, 3, [5250, 5250, 0], id="the minimum or nothing"),
        pytest.param(4000, 2, [0, 0], id="not enough for anybody"),
        pytest.param(50_000, 2, [11_040, 11_040], id="more than they can use"),
    ],
)
def test_what_each_gets(total_w, count, shares_w):
    assert settled(TotalShare(), total_w, [car(n) for n in range(count)]) == shares_w


def test_priority_counts():
    cars = [car(0, weight=1.0), car(1, weight=2.0)]

    shares = TotalShare().shares_w(15_000, cars, 0.0, 0.0)

    assert [shares[c.key] for c in cars] == [5000, 10_000]


def test_where_the_total_is_short_everybody_has_his_turn_and_about_the_same_energy():
    share, energies_wh, held_w = TotalShare(), [0.0] * 5, [0.0] * 5
    runs = [0] * 5
    for second in range(0, 5 * int(SLICE_S), 30):
        cars = [
            car(n, held, energy_wh=energy, drawn_w=held)
            for n, (held, energy) in enumerate(zip(held_w, energies_wh, strict=True))
        ]
        shares = share.shares_w(10_500, cars, second, second)
        before_w, held_w = held_w, [float(shares[c.key]) for c in cars]
        runs = [
            run + (now_w > 0 and was_w == 0)
            for run, now_w, was_w in zip(runs, held_w, before_w, strict=True)
        ]
        energies_wh = [e + w / 120 for e, w in zip(energies_wh, held_w, strict=True)]

    assert min(energies_wh) > 0.9 * max(energies_wh)
    assert sum(energies_wh) > 0.95 * 10_500 * 5 / 4
    assert max(runs) <= 3


def test_who_comes_in_the_middle_of_a_turn_takes_nobodys_place():
    share = TotalShare()
    first = settled(share, 8400, [car(0), car(1)], at=1.0)

    assert first == [4200, 4200]
    assert settled(share, 8400, [car(2), car(0), car(1)], at=2.0) == [0, 4200, 4200]


def test_a_share_grows_only_when_the_others_have_let_go():
    share = TotalShare()
    cars = [car(0, 11_040), car(1)]
    asked = share.shares_w(15_000, cars, 0.0, 0.0)
    in_between = share.shares_w(15_000, [car(0, 11_040), car(1)], 1.0, 1.0)
    confirmed = share.shares_w(15_000, [car(0, 7500), car(1)], 2.0, 2.0)

    assert list(asked.values()) == list(in_between.values()) == [7500, 0]
    assert list(confirmed.values()) == [7500, 7500]


def test_what_a_lost_station_may_draw_is_nobody_elses():
    cars = [car(0, 9000, is_reachable=False), car(1)]

    assert TotalShare().shares_w(15_000, cars, 0.0, 0.0) == {cars[1].key: 6000}


def test_what_a_car_leaves_unused_goes_to_the_others_and_comes_back_when_it_wants_it():
    share = TotalShare()
    small, large = car(0), car(1)
    settled(share, 15_000, [small, large])

    def step(now, drawn_w):
        held = [share._given[c.key] for c in (small, large)]
        cars = [car(0, held[0], drawn_w=drawn_w), car(1, held[1], drawn_w=held[1])]
        return list(share.shares_w(15_000, cars, now, now).values())

    at_first = step(10.0, 5000)
    step(11.0 + SETTLE_S, 5000)
    given_away = step(12.0 + SETTLE_S, 5000)
    step(13.0 + SETTLE_S, 5000 + MARGIN_W)
    given_back = step(14.0 + SETTLE_S, 5000 + MARGIN_W)

    assert at_first == [7500, 7500]
    assert given_away == [5700, 9300]
    assert given_back == [7500, 7500]


@pytest.mark.parametrize("drawn_w", [0.0, 200.0])
@pytest.mark.parametrize("says_so", [True, False])
def test_a_full_car_does_not_keep_a_waiting_one_from_charging(drawn_w, says_so):
    share, held_w = TotalShare(), [0.0, 0.0, 0.0]
    for now in range(0, 200, 10):
        full = car(0, held_w[0], wants=not says_so, drawn_w=min(drawn_w, held_w[0]))
        others = [car(n, held_w[n], energy_wh=n, drawn_w=held_w[n]) for n in (1, 2)]
        shares = share.shares_w(8400, [full, *others], now, now)
        held_w = [float(shares[c.key]) for c in (full, *others)]

    assert held_w == [0, 4200, 4200]


sharers = st.builds(
    Sharer,
    key=st.builds(EvseKey, st.sampled_from("ABCDEF"), st.just(1)),
    minimum_w=st.sampled_from([1380, 4140]),
    maximum_w=st.sampled_from([4600, 11_040, 22_080]),
    held_w=st.floats(0, 22_080),
    is_reachable=st.booleans(),
    wants=st.booleans(),
    drawn_w=st.none() | st.floats(0, 22_080),
    energy_wh=st.floats(0, 50_000),
    weight=st.sampled_from([0.5, 1, 2]),
)
sites = st.lists(sharers, max_size=6, unique_by=lambda sharer: sharer.key)


@given(st.lists(st.tuples(st.floats(0, 60_000), sites), max_size=8))
def test_nobody_is_between_nothing_and_his_minimum_and_the_sum_never_exceeds_the_total(history):
    share = TotalShare()
    for second, (total_w, present) in enumerate(history):
        shares = share.shares_w(total_w, present, second * 300, second * 300)

        lost_w = sum(s.held_w for s in present if not s.is_reachable)
        limits = {s.key: s for s in present if s.is_reachable}
        assert shares.keys() == limits.keys()
        for key, share_w in shares.items():
            assert share_w == 0 or limits[key].minimum_w <= share_w <= limits[key].maximum_w
        assert sum(shares.values()) <= max(0.0, total_w - lost_w)


@given(st.floats(0, 60_000), sites)
def test_what_may_flow_on_the_way_is_no_more_than_the_total_or_what_flowed_before(total_w, cars):
    share = TotalShare()
    share.shares_w(total_w, cars, 0.0, 0.0)
    shares = share.shares_w(total_w, cars, 1.0, 1.0)

    may_flow_w = sum(max(s.held_w, shares.get(s.key, 0.0)) for s in cars)
    assert may_flow_w <= max(total_w, sum(s.held_w for s in cars)) + 1
