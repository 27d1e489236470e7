"""A fuse may bear an overload for a while; then cars are cut, and nothing rises into it."""

from math import ceil, floor

import pytest

from load_balancer.fuse_curves import FuseCurve, ThermalBudget
from load_balancer.limiters.fuse_allowance import BUDGET_SHARE, FuseAllowance
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule
from site_config.circuits import Allowance
from tests.load_balancer.plant import World, one_circuit

RATING = (60.0, 60.0, 60.0)
B_FIFTH = Allowance(curve="B", excess=0.2)


COOL_S = 1000
"""From the start on, as long as nothing is above its rating."""
COLD_S = 7200
REST = PhaseCurrents(0, 0, 0)
NONE = PhaseCurrents(0, 0, 0)


def extra_after(seconds, currents, config=B_FIFTH, rest_s=COLD_S):
    allowance = FuseAllowance(RATING, config)
    for second in range(rest_s):
        allowance.extra_a(REST, float(second))
    for second in range(seconds + 1):
        extra = allowance.extra_a(currents, float(rest_s - 1 + second))
    return extra


def test_at_a_start_nobody_knows_how_warm_a_fuse_is():
    assert extra_after(0, PhaseCurrents(72, 0, 0), rest_s=0) == NONE
    assert extra_after(0, REST, rest_s=COOL_S // 2) == NONE
    assert extra_after(0, REST, rest_s=COOL_S) == PhaseCurrents(12, 12, 12)


def test_below_its_rating_a_fuse_offers_the_whole_allowance():
    assert extra_after(3600, PhaseCurrents(59, 59, 59), B_FIFTH) == PhaseCurrents(12, 12, 12)


@pytest.mark.parametrize(
    ("config", "curve", "current_a"),
    [
        pytest.param(B_FIFTH, FuseCurve.mcb_b, 72, id="MCB"),
        pytest.param(Allowance(curve="gG", excess=0.45), FuseCurve.gg, 80, id="gG"),
    ],
)
def test_the_allowance_of_a_phase_ends_when_its_part_of_the_budget_is_used(
    config, curve, current_a
):
    borne_s = BUDGET_SHARE * curve(60).at_earliest().trips_after_s(current_a)

    before = extra_after(floor(borne_s), PhaseCurrents(current_a, 0, 0), config)
    after = extra_after(ceil(borne_s), PhaseCurrents(current_a, 0, 0), config)

    extra_a = 60 * config.excess
    assert before == pytest.approx((extra_a, extra_a, extra_a))
    assert after == pytest.approx((0, extra_a, extra_a))


def test_a_silent_meter_leaves_no_allowance():
    assert FuseAllowance(RATING, B_FIFTH).extra_a(None, 0.0) == PhaseCurrents(0, 0, 0)


def world_of(allowance):
    config = one_circuit(2)
    grid = config.circuits["grid"].model_copy(update={"fuse_allowance": allowance})
    world = World(config.model_copy(update={"circuits": {"grid": grid}}), base_a=(10, 10, 10))
    world.run(COOL_S + 50)
    return world


def test_a_machine_that_starts_is_borne_with_the_allowance_and_cut_for_without():
    tolerant, strict = world_of(B_FIFTH), world_of(None)
    before_a = tolerant.limits_a()
    for world in (tolerant, strict):
        world.base["grid"] = (18, 18, 18)
        world.run(20)

    assert tolerant.limits_a() == before_a
    assert sum(strict.limits_a().values()) < sum(before_a.values())


def test_an_overload_that_stays_is_cut_before_the_fuse_could_blow():
    world = world_of(B_FIFTH)
    budget = ThermalBudget(FuseCurve.mcb_b(63))
    world.base["grid"] = (20, 20, 20)

    world.run(1800)

    for _, flowing, _ in world.log:
        budget.step(max(flowing["grid"]), 1.0)
        assert budget.used < 0.5
    assert max(world.currents()["grid"]) <= 63


def test_nothing_rises_into_the_allowance():
    world = world_of(B_FIFTH)

    assert max(world.currents()["grid"]) <= 63


def test_a_contract_knows_no_allowance():
    world = world_of(B_FIFTH)
    world.limit(50, Rule.CONTRACT)

    world.run(30)

    assert max(world.currents()["grid"]) <= 50
