"""A simulated car takes what it is offered, when it has noticed, and what its battery takes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulation.cars import Car

AWAKE = {"reaction_s": 0.0}


@pytest.mark.parametrize(
    ("car", "limit_a", "currents_a"),
    [
        pytest.param(Car(**AWAKE), 32.0, (16.0, 16.0, 16.0), id="its own maximum"),
        pytest.param(Car(**AWAKE), 10.0, (10.0, 10.0, 10.0), id="the limit"),
        pytest.param(Car(**AWAKE), 5.9, (0.0, 0.0, 0.0), id="below 6 A: nothing"),
        pytest.param(Car(**AWAKE), 0.0, (0.0, 0.0, 0.0), id="paused"),
        pytest.param(Car(phases=1, **AWAKE), 10.0, (10.0, 0.0, 0.0), id="single-phase"),
        pytest.param(Car(phases=2, **AWAKE), 10.0, (10.0, 10.0, 0.0), id="two-phase"),
        pytest.param(Car(obeys=False, **AWAKE), 6.0, (16.0, 16.0, 16.0), id="ignores limits"),
        pytest.param(Car(energy_wh=60_000, **AWAKE), 16.0, (0.0, 0.0, 0.0), id="full"),
        pytest.param(Car(target_wh=10_000, **AWAKE), 16.0, (0.0, 0.0, 0.0), id="has what it wants"),
        pytest.param(
            Car(energy_wh=54_000, **AWAKE), 16.0, (10.0, 10.0, 10.0), id="tapers above 80 %"
        ),
    ],
)
def test_current(car, limit_a, currents_a):
    assert car.step(0.0, limit_a, 230.0) == pytest.approx(currents_a)


def test_a_new_limit_shows_after_the_reaction_time():
    car = Car(reaction_s=2.0)
    for now in range(5):
        car.step(now, 16.0, 230.0)

    before = car.step(5.0, 8.0, 230.0)
    still = car.step(6.9, 8.0, 230.0)
    after = car.step(7.0, 8.0, 230.0)

    assert before == still == (16.0, 16.0, 16.0)
    assert after == (8.0, 8.0, 8.0)


def test_a_car_that_fell_asleep_does_not_wake_by_itself():
    car = Car(sleeps_after_s=60.0, **AWAKE)
    for now in range(62):
        car.step(now, 0.0, 230.0)

    asleep = car.step(62.0, 16.0, 230.0)
    car.wake()
    awake = car.step(63.0, 16.0, 230.0)

    assert asleep == (0.0, 0.0, 0.0)
    assert awake == (16.0, 16.0, 16.0)


def test_battery_time_runs_faster_when_told():
    car = Car(energy_wh=0, time_scale=30.0, **AWAKE)
    car.step(0.0, 10.0, 230.0)

    car.step(60.0, 10.0, 230.0)

    assert car.energy_wh == pytest.approx(0.9 * 3 * 10 * 230 * 0.5)


@settings(max_examples=60)
@given(
    limits=st.lists(st.floats(0, 40), min_size=1, max_size=20),
    phases=st.integers(1, 3),
    energy_wh=st.floats(0, 60_000),
)
def test_an_obedient_car_never_exceeds_the_largest_offer_nor_its_battery(limits, phases, energy_wh):
    car = Car(phases=phases, energy_wh=energy_wh, reaction_s=1.0)

    drawn = [car.step(float(now), limit_a, 230.0) for now, limit_a in enumerate(limits)]

    assert max(max(currents) for currents in drawn) <= min(16.0, max(limits))
    assert car.energy_wh <= 60_000
