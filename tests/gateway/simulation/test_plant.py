"""The simulated site's electricity adds up, phase by phase, fuse by fuse."""

import pytest

from gateway.simulation.plant import Building, Plant, ScriptedLoad, Wiring, daily_part

TREE = {"grid": None, "garage": "grid", "yard": "grid"}


def plant(**more):
    wirings = {
        ("A", 1): Wiring("garage", (0, 1, 2)),
        ("B", 1): Wiring("garage", (1, 2, 0)),
        ("C", 1): Wiring("yard", (2,)),
    }
    return Plant(TREE, wirings, source_ohm=0.0, **more)


@pytest.mark.parametrize(
    ("drawn", "circuit", "currents_a"),
    [
        pytest.param({("A", 1): (10, 10, 10)}, "garage", (10, 10, 10), id="straight"),
        pytest.param({("A", 1): (10, 0, 0)}, "grid", (10, 0, 0), id="reaches the root"),
        pytest.param({("B", 1): (10, 0, 0)}, "garage", (0, 10, 0), id="rotated"),
        pytest.param({("C", 1): (9, 0, 0)}, "yard", (0, 0, 9), id="one conductor on L3"),
        pytest.param({("C", 1): (9, 0, 0)}, "garage", (0, 0, 0), id="not the neighbour's"),
        pytest.param(
            {("A", 1): (6, 6, 6), ("B", 1): (10, 0, 0)}, "grid", (6, 16, 6), id="added up"
        ),
    ],
)
def test_currents(drawn, circuit, currents_a):
    site = plant()

    site.step(0.0, drawn)

    assert site.circuits[circuit].currents_a == currents_a


def test_a_building_loads_its_circuit_and_those_above():
    load = ScriptedLoad((20.0, 10.0, 0.0))
    site = plant(loads={"garage": load})
    site.step(0.0, {("A", 1): (5, 5, 5)})

    load.currents_a = (30.0, 10.0, 0.0)
    site.step(1.0, {("A", 1): (5, 5, 5)})

    assert site.circuits["garage"].currents_a == (35.0, 15.0, 5.0)
    assert site.circuits["grid"].currents_a == (35.0, 15.0, 5.0)


def test_energy_is_what_flowed_in_plant_time():
    site = plant(time_scale=30.0)
    site.step(0.0, {("A", 1): (10, 0, 0)})

    site.step(60.0, {})
    site.step(120.0, {})

    assert site.circuits["grid"].energy_import_wh == pytest.approx(10 * 230 * 0.5)
    assert site.hours(120.0) == pytest.approx(1.0)


def test_voltage_drops_under_load():
    site = Plant(TREE, {("A", 1): Wiring("garage", (0,))}, source_ohm=0.05)

    site.step(0.0, {("A", 1): (100, 0, 0)})

    assert site.circuits["grid"].voltages_v == (225.0, 230.0, 230.0)
    assert site.voltage_at(("A", 1)) == 225.0


@pytest.mark.parametrize("hour", [0.0, 3.3, 8.5, 12.0, 23.99, 24.0, 41.0])
def test_a_building_stays_within_its_peak_and_repeats_itself(hour):
    building = Building((60.0, 50.0, 40.0), noise=0.1)

    currents_a = building(hour)

    assert currents_a == building(hour)
    assert all(0 < a <= 1.1 * p for a, p in zip(currents_a, (60, 50, 40), strict=True))
    assert 0 < daily_part(hour) <= 1


def test_the_evening_is_the_worst():
    assert max(range(24), key=daily_part) == 18
