"""Named after what owners of other products complained about in public; none trips a fuse here.

Each runs in the closed loop of `plant`: late stations, a meter, cars. Every second of it is also
put through the earliest tripping curves of a gG fuse and of breakers B and C of that rating.
"""

from itertools import pairwise

import pytest

from load_balancer.fuse_curves import FuseCurve, ThermalBudget
from load_balancer.reasons import Rule
from load_balancer.turns import SLICE_S
from tests.load_balancer.plant import ALL, Vehicle, World, one_circuit, site

CURVES = [FuseCurve.gg, FuseCurve.mcb_b, FuseCurve.mcb_c]
MOST_USED = 0.5
"""Of the time to trip, in any of these stories."""


def fuse_share(world):
    """Return the largest part of any device's patience that was used on any conductor."""
    worst = 0.0
    for circuit in world.tree.circuits:
        for phase in range(3):
            for curve in CURVES:
                budget = ThermalBudget(curve(circuit.rating[phase]))
                for _, flowing, _ in world.log:
                    worst = max(worst, budget.step(flowing[circuit.id][phase], 1.0))
    return worst


@pytest.fixture
def story():
    """Worlds made with this are put through the fuses when their story is told."""
    worlds = []

    def begin(*args, **kwargs):
        worlds.append(World(*args, **kwargs))
        return worlds[-1]

    yield begin
    assert [round(fuse_share(world), 3) for world in worlds if fuse_share(world) > MOST_USED] == []


def test_a_car_starting_at_full_current_into_an_almost_full_circuit(story):
    """lbbrhzn/ocpp #492: the main breaker opened."""
    world = story(one_circuit(3), base_a=(30, 30, 30))
    newcomer = world.outlet("S2")
    newcomer.vehicle.is_plugged = False
    world.run(200)
    newcomer.vehicle = Vehicle(takes_a=32.0)
    newcomer.followed_a = newcomer.last_told_a = 32.0
    started_at = world.now

    world.run(60)

    assert world.most_a(started_at) > 63
    assert world.most_a(started_at + 15) <= 63


def test_an_overload_on_l3_does_not_stop_a_car_on_l1(story):
    """evcc #26037: a single-phase car is throttled by the other phases."""
    config = site(
        {"grid": {"rating_a": 40, "meter": "grid"}},
        {f"S{n}": {"circuit": "grid", "evses": {1: {"phases": [ALL[n]]}}} for n in range(3)},
        {"grid": {}},
    )
    world = story(config, base_a=(5, 5, 5))
    world.run(200)
    world.outlet("S0").changes = 0
    world.base["grid"] = (5, 5, 45)

    world.run(90)

    assert world.limits_a()["S0"] == 32
    assert world.outlet("S0").changes == 0
    assert world.limits_a()["S2"] == 0


def test_throttling_instead_of_stopping(story):
    """evcc #13750, #18263: charging stops where less current would have done."""
    world = story(one_circuit(1), base_a=(10, 10, 10))
    world.run(100)
    world.base["grid"] = (50, 50, 50)

    world.run(60)

    assert min(d.limits[k].limit_a for _, _, d in world.log[-60:] for k in d.limits) >= 6
    assert world.limits_a()["S0"] == 13


def test_eight_cars_on_a_small_circuit(story):
    """evcc #13207: the eighth load point starts and stops for ever."""
    world = story(one_circuit(8, rating_a=32, meter=False))

    world.run(int(8 * SLICE_S))

    energies_wh = [outlet.energy_wh for outlet in world.outlets.values()]
    assert min(energies_wh) > 0
    assert max(outlet.changes for outlet in world.outlets.values()) <= 60
    assert world.most_a(0) <= 32


def test_a_charger_lost_at_full_draw(story):
    """lbbrhzn/ocpp #492: the lost one goes on, and the others must leave room for it."""
    world = story(one_circuit(3), base_a=(20, 20, 20))
    world.run(200)
    lost = world.outlet("S0")
    lost.is_reachable = False
    lost_at = world.now

    world.run(120)

    assert lost.draws()[0] > 6
    assert world.most_a(lost_at) <= 63
    assert world.log[-1][2].limits[lost.key].reason.rule is Rule.STATION_SAFE


def test_the_meter_frozen_at_night(story):
    """evcc #22839, #14248: the meter is lost and everything goes on at full current."""
    world = story(one_circuit(2), base_a=(2, 2, 2))
    world.run(200)
    world.meter_works = False
    world.base["grid"] = (45, 45, 45)

    world.run(300)

    assert world.limits_a() == {"S0": 6, "S1": 6}
    assert world.currents()["grid"].l1 <= 63


def test_phase_switching_from_three_to_one_and_back(story):
    """EVerest #1038, #1060: over-current on one phase while a car changes its phases."""
    world = story(one_circuit(2, rating_a=32), base_a=(5, 5, 5))
    world.run(200)
    switching = world.outlet("S0").vehicle
    switched_at = world.now
    for conductors in ((0,), (0, 1, 2), (0,), (0, 1, 2)):
        switching.conductors = conductors
        world.run(90)

    assert world.most_a(switched_at) <= 32 * 1.45
    assert world.most_a(world.now - 30) <= 32


def test_the_second_car_shares_and_does_not_wait_for_ever(story):
    """evcc #30340, #20113: first come first served; the second car is disabled."""
    world = story(one_circuit(2, rating_a=35, meter=False))
    world.outlet("S1").vehicle.is_plugged = False
    world.run(120)
    world.outlet("S1").vehicle.is_plugged = True

    world.run(90)

    assert abs(world.limits_a()["S0"] - world.limits_a()["S1"]) <= 1
    assert world.limits_a()["S1"] >= 17


@pytest.mark.parametrize("meter", [True, False], ids=["metered", "without a meter"])
def test_no_deadlock_after_recovery(story, meter):
    """evcc #21293, #33463, #7314: after an outage nothing ever starts again."""
    world = story(one_circuit(3, meter=meter), base_a=(10, 10, 10) if meter else (0, 0, 0))
    world.run(120)
    before_a = sum(world.limits_a().values())
    world.meter_works = False
    for outlet in world.outlets.values():
        outlet.is_reachable = False
    world.run(300)
    world.meter_works = True
    for outlet in world.outlets.values():
        outlet.is_reachable = True

    world.run(300)

    assert sum(world.limits_a().values()) >= before_a - 2


def test_limits_are_not_exceeded_at_the_first_set(story):
    """dirkgroenen/hass-evse-load-balancer #39: more than the charger's maximum at the first set."""
    world = story(one_circuit(2, max_current_a=16))
    told_a = []
    for _ in range(120):
        world.run(1)
        told_a.append(world.limits_a()["S0"])

    assert told_a[0] == 6
    assert max(told_a) == 16
    assert max(after - before for before, after in pairwise(told_a)) <= 5


def test_a_limit_that_is_a_tariff_knows_no_tolerance(story):
    """dirkgroenen/hass-evse-load-balancer #34, #62: an overload is borne where a tariff counts."""
    config = one_circuit(2)
    tolerant = {"fuse_allowance": {"curve": "C", "excess": 0.3}, "contract_a": 50}
    grid = config.circuits["grid"].model_validate({"rating_a": 63, "meter": "grid"} | tolerant)
    world = story(config.model_copy(update={"circuits": {"grid": grid}}), base_a=(10, 10, 10))
    world.limit(50, Rule.CONTRACT)
    world.run(1050)  # the fuse would bear it by now
    world.base["grid"] = (20, 20, 20)
    rose_at = world.now

    world.run(60)

    assert world.most_a(rose_at + 5) <= 50
