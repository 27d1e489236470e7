"""What fuses and breakers bear, and how the model of them forgets."""

from math import exp, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.fuse_curves import COOLING_S, FuseCurve, ThermalBudget

KINDS = {"gG": FuseCurve.gg, "B": FuseCurve.mcb_b, "C": FuseCurve.mcb_c}


@pytest.mark.parametrize(
    ("curve", "multiple", "after_s"),
    [
        pytest.param(FuseCurve.gg(63), 1.25, inf, id="gG bears 1.25 of its rating"),
        pytest.param(FuseCurve.gg(63), 2.0, 10.0, id="gG gate of 10 s"),
        pytest.param(FuseCurve.gg(63), 5.3, 0.1, id="gG gate of 0.1 s"),
        pytest.param(FuseCurve.gg(63), 20.0, 0.01, id="gG short circuit"),
        pytest.param(FuseCurve.mcb_b(16), 1.13, inf, id="MCB bears 1.13 of its rating"),
        pytest.param(FuseCurve.mcb_b(16), 2.55, 1.0, id="MCB hot wire"),
        pytest.param(FuseCurve.mcb_b(16), 3.0, 0.1, id="B trips at once from 3 on"),
        pytest.param(FuseCurve.mcb_c(16), 5.0, 0.1, id="C trips at once from 5 on"),
    ],
)
def test_a_curve_passes_through_the_points_of_its_norm(
    curve: FuseCurve, multiple: float, after_s: float
) -> None:
    assert curve.trips_after_s(multiple * curve.rating_a) == pytest.approx(after_s)


@pytest.mark.parametrize("curve", [FuseCurve.gg(63), FuseCurve.mcb_b(16).at_earliest()])
def test_no_body_that_passes_the_first_two_points_trips_earlier(curve: FuseCurve) -> None:
    """One that sheds some of its heat more slowly: two time constants, fitted to the same gate."""
    (holds, _), (gate, gate_s), *_ = curve.points

    def rise(multiple: float, after_s: float, constant_s: float) -> float:
        fast, slow = (1 - exp(-after_s / s) for s in (constant_s, 20 * constant_s))
        return multiple**2 * (0.7 * fast + 0.3 * slow) / holds**2

    constants_s = [n / 100 for n in range(1, 5000)]
    constant_s = min(constants_s, key=lambda s: abs(rise(gate, gate_s, s) - 1))
    for multiple in (1.3, 1.45, 1.6, 1.8):
        earliest_s = curve.trips_after_s(multiple * curve.rating_a)
        assert rise(multiple, earliest_s, constant_s) <= 1.001


@pytest.mark.parametrize(
    ("curve", "after_s"),
    [
        pytest.param(FuseCurve.gg(63), 27.4, id="gG"),
        pytest.param(FuseCurve.mcb_b(63).at_earliest(), 4.28, id="MCB at the earliest"),
        pytest.param(FuseCurve.mcb_b(63), 293, id="MCB along the line"),
    ],
)
def test_what_is_borne_at_1_45(curve: FuseCurve, after_s: float) -> None:
    assert curve.trips_after_s(1.45 * 63) == pytest.approx(after_s, rel=0.01)


@pytest.mark.parametrize("rating_a", [16, 63, 160])
def test_every_mcb_has_tripped_within_its_conventional_time_at_1_45(rating_a: float) -> None:
    assert FuseCurve.mcb_b(rating_a).trips_after_s(1.45 * rating_a) < 3600


@given(
    st.sampled_from(sorted(KINDS)),
    st.floats(1, 400),
    st.floats(0, 30),
    st.floats(0, 30),
)
def test_more_current_never_trips_later(
    kind: str, rating_a: float, one: float, other: float
) -> None:
    curve = KINDS[kind](rating_a)
    less, more = sorted((one * rating_a, other * rating_a))

    assert curve.trips_after_s(more) <= curve.trips_after_s(less)


def test_a_budget_is_used_up_at_the_time_to_trip() -> None:
    budget = ThermalBudget(FuseCurve.gg(63))

    for _ in range(99):
        budget.step(126, 0.1)

    assert budget.used == pytest.approx(0.99)
    assert not budget.has_tripped
    budget.step(126, 0.11)
    assert budget.has_tripped


def test_a_budget_neither_grows_nor_shrinks_between_the_rating_and_what_is_borne() -> None:
    budget = ThermalBudget(FuseCurve.gg(63), used=0.5)

    assert budget.step(70, 3600) == 0.5


def test_a_cooling_device_forgets_all_but_a_third_in_its_time() -> None:
    budget = ThermalBudget(FuseCurve.mcb_c(32), used=0.9)

    assert budget.step(20, COOLING_S) == pytest.approx(0.9 * 0.3679, abs=1e-4)


def test_exported_current_heats_as_imported_does() -> None:
    assert FuseCurve.gg(63).trips_after_s(-126) == 10.0
