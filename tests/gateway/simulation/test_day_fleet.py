"""More cars or fewer are cars like those of the file, at EVSEs that share the phases."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulation.day_fleet import Fleet, attainable_share, with_rating
from gateway.simulation.day_sessions import Session
from load_balancer.inputs import EvseKey
from tests.load_balancer.plant import site

FIRST = datetime(2019, 3, 1, 8, tzinfo=UTC)
GARAGE = site(
    {"grid": {"rating_a": [63, 63, 50]}, "hall": {"rating_a": 32, "parent": "grid"}},
    {
        "A": {"circuit": "grid", "evses": {1: {"phases": ["L1"]}, 2: {"phases": ["L3"]}}},
        "B": {"circuit": "hall", "evses": {1: {}}},
    },
)
EVSES = [("A", 1, (0,)), ("A", 2, (0,)), ("B", 1, (0, 1, 2))]
DAYS = 4


def session(line, station, evse_id, conductors, *, day=0, energy_wh=5000):
    arrival = (FIRST + timedelta(days=day, hours=line % 8)).timestamp()
    key = EvseKey(station, evse_id)
    return Session(line, key, conductors, arrival, arrival + 3600, energy_wh, 16)


SESSIONS = [
    session(8 * (len(EVSES) * day + number) + hour, *evse, day=day)
    for day in range(DAYS)
    for number, evse in enumerate(EVSES)
    for hour in range(8)
]


def phases_of(site, session):
    """The phases of the circuit on which a session draws."""
    wired = site.stations[session.key.station_id].evses[session.key.evse_id].phases
    return tuple(wired[conductor] for conductor in session.conductors)


def test_as_many_as_in_the_file_are_those_of_the_file():
    config, cars = Fleet(GARAGE, SESSIONS, seed=1).of(len(SESSIONS))

    assert sorted(cars, key=lambda car: car.line) == SESSIONS
    assert config == GARAGE


@settings(deadline=None)
@given(seed=st.integers(0, 9), fewer=st.integers(1, 250), more=st.integers(0, 50))
def test_a_smaller_fleet_is_part_of_a_larger_one(seed, fewer, more):
    fleet = Fleet(GARAGE, SESSIONS, seed)

    small, large = set(fleet.of(fewer)[1]), set(fleet.of(fewer + more)[1])

    assert len(small) == fewer
    assert small <= large


@settings(deadline=None)
@given(st.integers(0, 9))
def test_who_is_left_out_is_left_out_evenly_on_days_and_phases(seed):
    _, cars = Fleet(GARAGE, SESSIONS, seed).of(len(SESSIONS) // 2)

    days = Counter((datetime.fromtimestamp(car.arrival, UTC).date(), car.key) for car in cars)
    assert len(days) == DAYS * len(EVSES)
    assert set(days.values()) <= {3, 4, 5}


def test_no_day_comes_first_in_every_lot():
    firsts = {Fleet(GARAGE, SESSIONS, seed).of(1)[1][0].arrival // 86_400 for seed in range(20)}

    assert len(firsts) == DAYS


def test_every_evse_feeds_one_car_at_a_time():
    config, cars = Fleet(GARAGE, SESSIONS, seed=1).of(int(2.5 * len(SESSIONS)))

    assert len({(car.key, car.arrival) for car in cars}) == len(cars)
    assert all(car.key.evse_id in config.stations[car.key.station_id].evses for car in cars)


def test_further_evses_hang_on_the_same_circuit_one_phase_on():
    config, cars = Fleet(GARAGE, SESSIONS, seed=1).of(3 * len(SESSIONS))

    assert [config.stations[f"A{copy}"].evses[1].phases for copy in ("", "+1", "+2")] == [
        ("L1",),
        ("L2",),
        ("L3",),
    ]
    assert config.stations["B+1"].evses[1].phases == ("L2", "L3", "L1")
    assert config.stations["B+1"].circuit == "hall"
    uses = Counter(phase for car in cars for phase in phases_of(config, car))
    assert len(set(uses.values())) == 1


def test_the_lot_depends_on_the_seed_alone():
    first, second, other = (Fleet(GARAGE, SESSIONS, seed).of(40)[1] for seed in (1, 1, 2))

    assert first == second
    assert first != other


def test_days_are_counted_from_the_first_arrival_to_the_last():
    fleet = Fleet(GARAGE, SESSIONS, seed=1)

    assert fleet.days == DAYS
    assert fleet.busiest_day([*SESSIONS, session(0, "A", 1, (0,), day=2)]) == 25


def test_ratings_change_in_proportion_and_at_the_grid_alone():
    config = with_rating(GARAGE, 126)

    assert config.circuits["grid"].ratings_a == (126, 126, 100)
    assert config.circuits["hall"] == GARAGE.circuits["hall"]


@pytest.mark.parametrize(("energy_wh", "share"), [(16 * 230 / 0.9, 1.0), (16 * 230 / 0.89, 0.5)])
def test_a_wish_may_be_too_much_for_the_time(energy_wh, share):
    cars = [session(1, "A", 1, (0,), energy_wh=energy_wh), session(2, "B", 1, (0, 1, 2))]

    assert attainable_share(GARAGE, cars, 0.9) == share
