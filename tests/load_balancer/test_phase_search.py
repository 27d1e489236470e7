"""EVSEs whose phases the site file does not know: safe meanwhile, and found beside the meter."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.balancer import Balancer
from load_balancer.inputs import EvseKey, MeterReading
from load_balancer.phase_search import CalmLevels, PhaseSearch
from load_balancer.phases import PhaseCurrents
from tests.load_balancer.plant import ALL, Vehicle, World, one_circuit, site

ROTATIONS = tuple(permutations(range(3)))
REACTION_S = 6
"""Station, vehicle and one step, with the delays used here."""


def shown(search, reports):
    """Let it see (reported, shown by the meter) for ten seconds each, in A."""
    levels = CalmLevels()
    for number, (drawn_a, seen_a) in enumerate(reports):
        began = 100.0 + 10 * number
        drawn_da = tuple(round(current_a * 10) for current_a in drawn_a)
        for second in range(10):
            levels.take(MeterReading(began + second, PhaseCurrents(*seen_a)))
            search.observe(drawn_da, began + 5, levels)
    return search.possible


def steps(*seen):
    """The vehicle takes 0, 6, 0, 6, … A on its first conductor; the meter shows these."""
    return [((6.0 * (n % 2), 0, 0), currents) for n, currents in enumerate(seen)]


def test_two_agreeing_changes_tell_where_the_first_conductor_is():
    possible = shown(PhaseSearch(ROTATIONS), steps((9, 8, 7), (9, 14, 7), (9, 8, 7)))

    assert set(possible) == {(1, 0, 2), (1, 2, 0)}


NO_EVIDENCE = {
    "one change": steps((9, 8, 7), (9, 14, 7)),
    "the building changed as well": steps((9, 8, 7), (13, 14, 7), (9, 8, 7), (9, 14, 11)),
    "no phase showed it": steps((9, 8, 7), (9, 8, 7), (9, 8, 7)),
    "all phases showed it": steps((9, 8, 7), (15, 14, 13), (9, 8, 7)),
    "all conductors drew": [((0, 0, 0), (9, 8, 7)), ((6, 6, 6), (15, 14, 13))] * 3,
    "too small to tell": [((n % 2 / 2, 0, 0), (9, 8 + n % 2 / 2, 7)) for n in range(20)],
    "small and few": [((n % 2 * 2, 0, 0), (9, 8 + n % 2 * 2, 7)) for n in range(4)],
}


@pytest.mark.parametrize("reports", NO_EVIDENCE.values(), ids=NO_EVIDENCE)
def test_what_is_no_evidence_excludes_nothing(reports):
    assert shown(PhaseSearch(ROTATIONS), reports) == ROTATIONS


def test_a_reading_that_is_no_number_is_none():
    levels = CalmLevels()

    levels.take(MeterReading(100.0, PhaseCurrents(9.0, float("nan"), float("inf"))))

    assert levels.at(100.0) is None


def test_a_meter_that_is_never_calm_tells_nothing():
    levels, search = CalmLevels(), PhaseSearch(ROTATIONS)

    for second in range(200):
        drawn_a = 6 * (second // 10 % 2)
        noise_a = second % 2 * 2
        levels.take(MeterReading(100.0 + second, PhaseCurrents(9 + noise_a, 8 + drawn_a, 7)))
        search.observe((drawn_a * 10, 0, 0), 100.0 + second // 10 * 10 + 5, levels)

    assert search.possible == ROTATIONS


def test_a_contradiction_brings_back_what_was_excluded():
    """Somebody has rewired it: what fits is possible at once, what does not goes after two."""
    on_l2 = [(9, 8, 7), (9, 14, 7), (9, 8, 7)]
    on_l3 = [(9, 8, 13), (9, 8, 7), (9, 8, 13)]

    widened = shown(PhaseSearch(ROTATIONS), steps(*on_l2, on_l3[0]))
    found = shown(PhaseSearch(ROTATIONS), steps(*on_l2, *on_l3))

    assert {wiring[0] for wiring in widened} == {1, 2}
    assert {wiring[0] for wiring in found} == {2}


@pytest.mark.parametrize("drawn_a", [(6, 6, 6), (0, 6, 0)], ids=["all three", "another one"])
def test_what_was_found_outlives_vehicles_that_tell_nothing_of_it(drawn_a):
    """All three phases change alike whatever the wiring; the second conductor is on L1 in some."""
    seen_a = (9 + drawn_a[1], 8 + drawn_a[0], 7 + drawn_a[2])
    others = [((0, 0, 0), (9, 8, 7)), (drawn_a, seen_a), ((0, 0, 0), (9, 8, 7))]

    possible = shown(PhaseSearch(ROTATIONS), steps((9, 8, 7), (9, 14, 7), (9, 8, 7)) + others)

    assert {wiring[0] for wiring in possible} == {1}


def test_a_two_phase_vehicle_tells_all_of_it():
    drawn = [((6.0 * (n % 2),) * 2 + (0,), (9 + 6 * (n % 2), 8, 7 + 6 * (n % 2))) for n in range(4)]

    assert set(shown(PhaseSearch(ROTATIONS), drawn)) == {(0, 2, 1), (2, 0, 1)}


@given(st.lists(st.integers(0, 320), min_size=3, max_size=3), st.sets(st.sampled_from(ROTATIONS)))
def test_what_surely_flows_is_never_more_than_what_may(drawn_da, some):
    search = PhaseSearch(sorted(some) or ROTATIONS)

    least_da, most_da = search.at_least(drawn_da), search.at_most(drawn_da)

    for wiring in search.possible:
        flows = dict(zip(wiring, drawn_da, strict=True))
        by_node = [flows[node] for node in search.nodes]
        assert all(a <= b <= c for a, b, c in zip(least_da, by_node, most_da, strict=True))


@pytest.mark.parametrize("others_a", [0, 5, 10, 14, 18])
@pytest.mark.parametrize("phase", range(3))
def test_one_on_a_small_fuse_gets_its_current_after_a_few_steps(phase, others_a):
    config = one_circuit(1, rating_a=25, phases="unknown", max_current_a=16)
    world = World(config, base_a=(others_a,) * 3)
    world.wire("S0", (phase, (phase + 1) % 3, (phase + 2) % 3))
    world.outlet("S0").vehicle = Vehicle(conductors=(0,), takes_a=16)

    world.run(300)

    assert world.most_a(0) <= 25
    assert world.limits_a()["S0"] >= min(16, 25 - others_a) - 0.5
    assert world.log[-1][2].phases[EvseKey("S0", 1)][0] == ALL[phase]


def test_without_a_meter_it_stays_unknown_and_counts_on_all():
    config = site(
        {"grid": {"rating_a": 20}},
        {
            "S0": {"circuit": "grid", "evses": {1: {"phases": "unknown"}}},
            "S1": {"circuit": "grid", "evses": {1: {"phases": ["L2"]}}},
        },
    )
    world = World(config)
    world.outlet("S0").vehicle = Vehicle(conductors=(0,))

    decision = world.run(300)

    assert decision.phases == {EvseKey("S0", 1): (None, None, None)}
    assert world.limits_a()["S0"] + world.limits_a()["S1"] <= 20
    assert max(decision.circuits["grid"].allocated) <= 20


cars = st.sampled_from([(0,), (0, 1), (0, 1, 2)])
plugs = st.lists(st.tuples(cars, st.sampled_from(ROTATIONS)), min_size=1, max_size=3)
bases = st.lists(st.integers(0, 14), min_size=3, max_size=3)


@settings(max_examples=25, deadline=None)
@given(plugs, bases, st.integers(25, 40), st.integers(0, 3))
def test_no_conductor_is_above_its_limit_whatever_the_wiring(plugged, base_a, rating_a, delay_s):
    """Neither while nobody knows it nor when it is found, whoever comes and goes."""
    world = World(
        one_circuit(len(plugged), rating_a=rating_a, phases="unknown"),
        base_a=base_a,
        station_delay_s=delay_s,
    )
    for outlet, (conductors, nodes) in zip(world.outlets.values(), plugged, strict=True):
        outlet.vehicle = Vehicle(conductors=conductors)
        outlet.nodes = nodes

    world.run(150)
    world.outlet("S0").vehicle.is_plugged = False
    world.run(60)
    world.outlet("S0").vehicle.is_plugged = True
    world.run(90)

    assert world.most_a(0) <= rating_a
    for (_, nodes), phases in zip(plugged, world.log[-1][2].phases.values(), strict=True):
        for node, phase in zip(nodes, phases, strict=True):
            assert phase in (None, ALL[node])


@settings(max_examples=15, deadline=None)
@given(plugs, st.integers(0, 2), st.integers(4, 24))
def test_a_jump_of_the_base_load_is_cut_whatever_the_wiring(plugged, phase, jump_a):
    world = World(one_circuit(len(plugged), rating_a=32, phases="unknown"), base_a=(5, 6, 7))
    for outlet, (conductors, nodes) in zip(world.outlets.values(), plugged, strict=True):
        outlet.vehicle = Vehicle(conductors=conductors)
        outlet.nodes = nodes
    world.run(150)
    world.base["grid"] = tuple(base_a + jump_a * (n == phase) for n, base_a in enumerate((5, 6, 7)))
    jumped_at = world.now

    world.run(90)

    assert world.most_a(jumped_at + REACTION_S) <= 32


# What was found, over a restart.


def restarted(world, config, away_s):
    """A new balancer; returns what it was handed."""
    found = world.log[-1][2].found
    world.now += away_s
    world.readings.clear()
    world.balancer = Balancer(config, found=found)
    return found


def begin_low(world):
    """Stations that have lost us, or their supply, are at their safe current."""
    for outlet in world.outlets.values():
        outlet.told.clear()
        outlet.offered.clear()
        outlet.followed_a = outlet.accepted_a = outlet.last_told_a = 6.0


def two_on_one_fuse():
    return site(
        {"grid": {"rating_a": 25, "meter": "grid"}},
        {f"S{n}": {"circuit": "grid", "evses": {1: {"phases": "unknown"}}} for n in range(2)},
        {"grid": {}},
    )


def charging_on(world, *phases):
    for station, phase in zip(world.outlets, phases, strict=True):
        world.wire(station.station_id, ring(phase))
        world.outlet(station.station_id).vehicle = Vehicle(conductors=(0,), takes_a=16)
    world.run(150)
    for is_plugged in (False, True):
        for outlet in world.outlets.values():
            outlet.vehicle.is_plugged = is_plugged
            world.run(75)
    keys = list(world.outlets)
    assert [world.log[-1][2].phases[key][0] for key in keys] == [ALL[phase] for phase in phases]


def ring(phase):
    return tuple((phase + n) % 3 for n in range(3))


def test_a_short_restart_keeps_what_was_found():
    """9 A of others on each phase leave each of them 16 A: without it, both would share them."""
    config = two_on_one_fuse()
    world = World(config, base_a=(9, 9, 9), station_delay_s=4)
    charging_on(world, 1, 2)
    before = world.log[-1][2]

    restarted(world, config, away_s=10)
    world.run(1)
    first = world.log[-1][2]
    world.run(200)

    assert first.phases == before.phases
    assert min(world.limits_a().values()) >= 15.5
    assert world.most_a(0) <= 25


def test_after_a_long_absence_it_counts_on_every_phase_until_one_change_fits():
    config = two_on_one_fuse()
    world = World(config, base_a=(9, 9, 9), station_delay_s=4)
    charging_on(world, 1, 2)

    found = restarted(world, config, away_s=3600)
    begin_low(world)
    world.run(1)
    first = world.log[-1][2]
    world.run(60)
    world.outlet("S1").vehicle.is_plugged = False
    world.run(60)

    assert first.phases == dict.fromkeys(first.phases, (None, None, None))
    assert {k: f.wirings for k, f in first.found.items()} == {
        k: f.wirings for k, f in found.items()
    }
    phases = world.log[-1][2].phases
    assert [phases[EvseKey(name, 1)][0] for name in ("S0", "S1")] == ["L2", "L3"]


def test_what_was_found_is_forgotten_at_the_first_change_that_contradicts_it():
    config = one_circuit(1, rating_a=40, phases="unknown")
    world = World(config, base_a=(5, 6, 7), station_delay_s=4)
    charging_on(world, 1)

    restarted(world, config, away_s=3600)
    begin_low(world)
    world.wire("S0", ring(2))
    widths = []
    for _ in range(120):
        world.run(1)
        widths.append(world.log[-1][2].found.get(EvseKey("S0", 1)))
    world.outlet("S0").vehicle.is_plugged = False
    world.run(60)

    assert None in widths
    assert world.log[-1][2].phases[EvseKey("S0", 1)][0] == "L3"


def behind_a_fuse_without_a_meter(station_delay_s):
    config = site(
        {"grid": {"rating_a": 40, "meter": "grid"}, "garage": {"rating_a": 20, "parent": "grid"}},
        {f"S{n}": {"circuit": "garage", "evses": {1: {"phases": "unknown"}}} for n in range(2)},
        {"grid": {}},
    )
    world = World(config, base_a=(5, 6, 7), station_delay_s=station_delay_s)
    for phase, outlet in enumerate(world.outlets.values()):
        outlet.nodes = tuple(3 + node for node in ring(phase))
        outlet.vehicle = Vehicle(conductors=(0,), takes_a=16)
    return config, world


def found_in(world):
    return {key.station_id: phases[0] for key, phases in world.log[-1][2].phases.items()}


@pytest.mark.parametrize("is_ours", [True, False], ids=["we were away", "the stations were away"])
def test_conductors_moved_while_nobody_looked_put_no_fuse_above_its_limit(is_ours):
    """Both onto one phase, behind a fuse without a meter, and what the meter above shows is never
    calm again: there is no evidence, ever."""
    config, world = behind_a_fuse_without_a_meter(station_delay_s=4)
    for is_plugged in (True, False, True):
        for outlet in world.outlets.values():
            outlet.vehicle.is_plugged = is_plugged
            world.run(75)
    assert found_in(world) == {"S0": "L1", "S1": "L2"}
    if is_ours:
        restarted(world, config, away_s=300)
    else:
        for outlet in world.outlets.values():
            outlet.is_reachable = outlet.vehicle.is_plugged = False
        world.run(300)
    begin_low(world)
    for outlet in world.outlets.values():
        outlet.nodes = tuple(3 + node for node in ring(2))
        outlet.is_reachable = outlet.vehicle.is_plugged = True
    moved_at = world.now

    for second in range(400):
        world.base["grid"] = (5 + 2 * (second % 2), 6, 7)
        world.run(1)

    assert world.most_a(moved_at, "garage") <= 20
    assert found_in(world) == {"S0": None, "S1": None}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(ROTATIONS), min_size=2, max_size=2),
    st.lists(st.sampled_from(ROTATIONS), min_size=2, max_size=2),
    bases,
    st.booleans(),
    st.sampled_from([200, 3600]),
)
def test_no_fuse_is_above_its_limit_wherever_conductors_were_moved(
    before, after, base_a, is_away, away_s
):
    """Neither the one with the meter nor the one without; whether we were away or the station."""
    config = site(
        {"grid": {"rating_a": 35, "meter": "grid"}, "garage": {"rating_a": 20, "parent": "grid"}},
        {f"S{n}": {"circuit": "garage", "evses": {1: {"phases": "unknown"}}} for n in range(2)},
        {"grid": {}},
    )
    world = World(config, base_a=base_a)
    for outlet, nodes in zip(world.outlets.values(), before, strict=True):
        outlet.vehicle = Vehicle(conductors=(0,))
        outlet.nodes = tuple(3 + node for node in nodes)
    world.run(200)
    if is_away:
        restarted(world, config, away_s)
    else:
        for outlet in world.outlets.values():
            outlet.is_reachable, outlet.vehicle.is_plugged = False, False
        world.run(away_s)
    begin_low(world)
    for outlet, nodes in zip(world.outlets.values(), after, strict=True):
        outlet.nodes = tuple(3 + node for node in nodes)
        outlet.is_reachable = outlet.vehicle.is_plugged = True
    moved_at = world.now
    world.base["grid"] = tuple(reversed(base_a))
    world.run(200)

    assert world.most_a(moved_at, "grid") <= 35
    assert world.most_a(moved_at, "garage") <= 20
