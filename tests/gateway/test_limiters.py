"""What tariffs and grid codes make of the read model, as the balancer is told of it."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.limiters import Limiters
from gateway.site_state import SiteState
from load_balancer.inputs import Ceiling, EvseKey, MeterReading
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule
from tests.load_balancer.plant import site

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def state_of(circuit, **evse):
    config = site(
        {"grid": {"rating_a": 100, "meter": "grid"} | circuit},
        {"S0": {"circuit": "grid", "evses": {1: evse}}},
        {"grid": {}},
    )
    return SiteState.of(config, {("S0", 1): 1})


def read(state, now, currents, power_w=None):
    state.meters["grid"].reading = MeterReading(now, PhaseCurrents(*currents), power_w)


def test_the_quarter_hour_is_told_as_a_limit_of_its_circuit():
    state = state_of({"demand_w": 69_000})
    limiters = Limiters(state.site)
    for second in range(451):
        read(state, second, (0, 0, 0), 103_500.0)
        limiters.observe(state, second, NOON + timedelta(seconds=second))

    (ceiling,) = limiters.on_circuit("grid")

    assert ceiling.rule is Rule.DEMAND
    assert ceiling.value_a == pytest.approx(50, abs=1)


def test_power_is_counted_from_currents_where_a_meter_tells_none():
    state = state_of({"demand_w": 69_000})
    limiters = Limiters(state.site)
    for second in range(11):
        read(state, second, (100, 100, 100))
        limiters.observe(state, second, NOON + timedelta(seconds=second))

    (kept,) = limiters.kept()

    assert kept.used_wh == pytest.approx(69_000 * 10 / 3600)


def test_a_restart_takes_the_quarter_up():
    state = state_of({"demand_w": 69_000})
    before = Limiters(state.site)
    for second in range(0, 300, 5):
        read(state, second, (0, 0, 0), 200_000.0)
        before.observe(state, second, NOON + timedelta(seconds=second))
    after = Limiters(state.site, before.kept())

    after.observe(state_of({"demand_w": 69_000}), 1.0, NOON + timedelta(seconds=300))

    assert after.on_circuit("grid")[0].value_a < 20


@pytest.mark.parametrize(
    ("measured", "phases", "expected"),
    [
        pytest.param((0, 16, 0), ["L1", "L2", "L3"], 20.0, id="single-phase car, three-phase EVSE"),
        pytest.param((16, 0, 0), ["L2"], 20.0, id="single-phase EVSE, rotated"),
        pytest.param((0, 16, 0), ["L2"], 20.0, id="a station that calls its conductor L2"),
        pytest.param((0, 0, 16), ["L1", "L2"], 20.0, id="a station that names one it has not"),
        pytest.param((16, 16, 16), ["L1", "L2", "L3"], None, id="three-phase car"),
    ],
)
def test_only_who_charges_on_fewer_than_three_phases_is_held_back(measured, phases, expected):
    state = state_of({"unbalance_a": 20}, phases=phases)
    evse = state.stations["S0"].evses[1]
    evse.transaction_id, evse.measured = "t", PhaseCurrents(*measured)
    read(state, 5.0, (10, 26, 10))
    limiters = Limiters(state.site)

    limiters.observe(state, 5.0, NOON)

    ceilings = limiters.on_evse(EvseKey("S0", 1))
    assert ceilings == (() if expected is None else (Ceiling(Rule.UNBALANCE, expected),))


def test_a_stale_reading_gives_nobody_more():
    state = state_of({"unbalance_a": 20}, phases=["L1"])
    evse = state.stations["S0"].evses[1]
    evse.transaction_id, evse.measured = "t", PhaseCurrents(16, 0, 0)
    limiters = Limiters(state.site)
    read(state, 5.0, (30, 10, 10))
    limiters.observe(state, 5.0, NOON)
    before = limiters.on_evse(EvseKey("S0", 1))
    read(state, 6.0, (10, 10, 10))

    limiters.observe(state, 60.0, NOON)

    assert limiters.on_evse(EvseKey("S0", 1)) == before


def test_tariff_and_unbalance_say_what_is_left_and_what_flows():
    state = state_of({"demand_w": 69_000, "unbalance_a": 20})
    limiters = Limiters(state.site)
    read(state, 0.0, (10, 26, 10))
    limiters.observe(state, 0.0, NOON)

    demand, unbalance = limiters.at_work("grid")

    assert demand.limit_a == limiters.on_circuit("grid")[0].value_a
    assert demand.text.startswith("demand tariff, 69 kW: 17.2 kWh left until 12:15, so ")
    assert unbalance.text == "unbalance: phases at most 20 A apart, 16 A now"
    assert unbalance.limit_a is None
