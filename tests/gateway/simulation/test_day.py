"""A simulated day adds up: nobody gets more than he wants, no conductor more than it bears."""

from collections import defaultdict
from itertools import pairwise

import pytest

from gateway.simulation.day import Day, Weather
from gateway.simulation.day_optimum import optimum_wh
from gateway.simulation.day_record import figures_of
from gateway.simulation.day_sessions import read_sessions
from tests.load_balancer.plant import site

HEADING = "evse,phases,arrival,departure,energy_wh,max_current_a"
VOLTAGE_V = 230
POLICIES = ["fair", "departure"]


def garage(count, rating_a, *, meter=False, demand_w=None, unbalance_a=None, **evse):
    limits = {"rating_a": rating_a, "demand_w": demand_w, "unbalance_a": unbalance_a}
    return site(
        {"grid": limits | ({"meter": "grid"} if meter else {})},
        {
            f"S{n}": {"circuit": "grid", "safe_current_a": 0, "evses": {1: evse}}
            for n in range(count)
        },
        {"grid": {}} if meter else {},
    )


def row(station, begin, end, energy_wh, *, max_a=16, phases="L1"):
    times = [f"2019-03-01T{time}:00+00:00" for time in (begin, end)]
    return ",".join([station, phases, *times, str(energy_wh), str(max_a)])


def live(config, *rows, **weather):
    sessions = read_sessions("\n".join([HEADING, *rows]), config)
    record = Day(config, sessions, Weather(**weather)).run()
    by_line = sorted(record.visits, key=lambda visit: visit.session.line)
    return record, [round(visit.delivered_wh) for visit in by_line]


def test_a_car_alone_gets_what_the_time_allows():
    config = garage(1, 32)

    _, delivered_wh = live(config, row("S0", "09:00", "10:00", 99_999))

    assert delivered_wh == pytest.approx([16 * VOLTAGE_V], rel=0.001)


def test_a_car_stops_when_it_has_what_it_wanted():
    record, delivered_wh = live(garage(1, 32), row("S0", "09:00", "12:00", 5000))

    assert delivered_wh == [5000]
    assert record.moments[-1].flows_a[0] == 0


@pytest.mark.parametrize("phases", ["L1", "L1 L2", "L1 L2 L3"])
def test_a_car_takes_on_every_phase_it_uses(phases):
    record, delivered_wh = live(garage(1, 32), row("S0", "09:00", "10:00", 99_999, phases=phases))

    count = len(phases.split())
    assert delivered_wh == pytest.approx([16 * VOLTAGE_V * count], rel=0.001)
    assert max(record.moments, key=lambda m: sum(m.flows_a)).flows_a == [16] * count + [0] * (
        3 - count
    )


def test_two_cars_share_a_full_fuse_evenly():
    rows = [row(f"S{n}", "09:00", "10:00", 99_999, max_a=32) for n in range(2)]

    record, delivered_wh = live(garage(2, 20), *rows)

    assert delivered_wh == pytest.approx([10 * VOLTAGE_V] * 2, rel=0.01)
    assert record.worst_overload_a == 0


def test_limits_are_whole_amperes():
    rows = [row(f"S{n}", "09:00", "10:00", 99_999, max_a=32) for n in range(3)]

    record, _ = live(garage(3, 25), *rows)

    assert record.moments[-2].flows_a[0] == 25
    assert {moment.flows_a[0] % 1 for moment in record.moments} == {0}


@pytest.mark.parametrize("policy", POLICIES)
def test_more_cars_than_minimums_take_turns(policy):
    rows = [row(f"S{n}", "09:00", "13:00", 3000, max_a=32) for n in range(4)]

    record, delivered_wh = live(garage(4, 13), *rows, policy=policy)

    assert sum(delivered_wh) == pytest.approx(4 * 13 * VOLTAGE_V, rel=0.01)
    assert min(delivered_wh) > 2000
    assert record.most_waiting == 2


def test_a_schedule_window_lowers_the_limit_and_the_optimum():
    config = site(
        {
            "grid": {
                "rating_a": 32,
                "limit_windows": [{"from": "09:30", "to": "24:00", "limit_a": 8}],
            }
        },
        {"S0": {"circuit": "grid", "safe_current_a": 0, "evses": {1: {}}}},
    )
    car = row("S0", "09:00", "10:00", 99_999)

    _, delivered_wh = live(config, car)

    assert delivered_wh == pytest.approx([(16 + 8) / 2 * VOLTAGE_V], rel=0.01)
    best_wh = optimum_wh(config, read_sessions(f"{HEADING}\n{car}", config))
    assert best_wh == pytest.approx((16 + 8) / 2 * VOLTAGE_V)


def test_a_contract_binds_the_balancer_and_the_optimum():
    config = site(
        {"grid": {"rating_a": 32, "contract_a": 10}},
        {"S0": {"circuit": "grid", "safe_current_a": 0, "evses": {1: {}}}},
    )
    car = row("S0", "09:00", "10:00", 99_999)

    _, delivered_wh = live(config, car)

    assert delivered_wh == pytest.approx([10 * VOLTAGE_V], rel=0.001)
    best_wh = optimum_wh(config, read_sessions(f"{HEADING}\n{car}", config))
    assert best_wh == pytest.approx(10 * VOLTAGE_V)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("is_realistic", [False, True])
def test_nobody_beats_the_clairvoyant(policy, is_realistic):
    config = garage(3, 20, meter=True)
    rows = [
        row("S0", "09:00", "11:00", 9000, max_a=32),
        row("S1", "09:20", "10:10", 3000, max_a=16, phases="L1 L2 L3"),
        row("S2", "09:40", "12:00", 9000, max_a=20, phases="L2"),
    ]
    sessions = read_sessions("\n".join([HEADING, *rows]), config)

    weather = Weather(policy, is_realistic=is_realistic, step_s=5.0 if is_realistic else 60.0)
    record = Day(config, sessions, weather).run()

    best_wh = optimum_wh(config, sessions)
    figures = figures_of(record, policy, best_wh, 0.0)
    assert 0.8 * best_wh < figures.delivered_wh <= best_wh + 1
    assert figures.fuse_share < 0.1


def test_the_same_seed_makes_the_same_day():
    config = garage(2, 20, meter=True)
    rows = [row(f"S{n}", "09:00", "11:00", 9000, max_a=32) for n in range(2)]

    first, second, other = (
        [
            visit.delivered_wh
            for visit in live(config, *rows, is_realistic=True, step_s=5.0, seed=seed)[0].visits
        ]
        for seed in (1, 1, 2)
    )

    assert first == second
    assert first != other


def by_quarters(record, energy_of):
    """The energy of each quarter of an hour, Wh."""
    quarters = defaultdict(float)
    for moment, following in pairwise(record.moments):
        at = moment.at
        while at < following.at:
            end = min((at // 900 + 1) * 900, following.at)
            quarters[at // 900] += energy_of(moment.flows_a) * (end - at) / 3600
            at = end
    return list(quarters.values())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_tariff_by_the_quarter_hour_binds_the_balancer_and_the_optimum(policy):
    config = garage(3, 32, meter=True, demand_w=6000)
    rows = [row(f"S{n}", "09:00", "11:00", 99_999, max_a=32, phases="L1 L2 L3") for n in range(3)]

    record, delivered_wh = live(config, *rows, policy=policy)

    most_wh = max(by_quarters(record, lambda flows_a: sum(flows_a) * VOLTAGE_V))
    assert 0.9 * 1500 < most_wh <= 1500
    best_wh = optimum_wh(config, read_sessions("\n".join([HEADING, *rows]), config))
    assert best_wh == pytest.approx(2 * 6000)
    assert 0.85 * best_wh < sum(delivered_wh) <= best_wh


def test_what_a_quarter_hour_has_not_used_may_be_used_before_it_ends():
    config = garage(1, 32, meter=True, demand_w=3000)
    rows = [
        row("S0", "08:00", "08:30", 1, phases="L1 L2 L3"),
        row("S0", "09:09", "09:15", 9000, max_a=32, phases="L1 L2 L3"),
    ]

    _, delivered_wh = live(config, *rows)

    assert delivered_wh[1] == pytest.approx(750, rel=0.1)


def test_above_a_tariffs_limit_of_the_moment_nothing_is_overloaded():
    config = garage(3, 63, meter=True, demand_w=12_000)
    rows = [
        row("S0", "09:00", "12:00", 99_999, max_a=32, phases="L1 L2 L3"),
        row("S1", "09:20", "12:00", 4000, max_a=32, phases="L1 L2 L3"),
        row("S2", "10:05", "12:00", 4000, max_a=32, phases="L1 L2 L3"),
    ]

    record, _ = live(config, *rows, is_realistic=True, step_s=5.0)

    limits = [moment.limits_a[0] for moment in record.moments]
    assert any(m.flows_a[0] > m.limits_a[0] for m in record.moments)
    assert min(limits) < 63
    assert record.worst_overload_a == 0
    assert 0.8 < record.fullest_quarter <= 1


@pytest.mark.parametrize("unbalance_a", [None, 12])
def test_phases_are_held_together(unbalance_a):
    config = garage(2, 63, meter=True, unbalance_a=unbalance_a, phases=["L1"])
    rows = [row(f"S{n}", "09:00", "10:00", 99_999, max_a=32) for n in range(2)]

    record, _ = live(config, *rows)

    assert max(moment.flows_a[0] for moment in record.moments) == (unbalance_a or 63)
