"""What fuses and breakers bear, and how the model of them forgets."""

from math import inf

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


@pytest.mark.parametrize(
    ("rating_a", "conventional_s"), [(16, 3600), (63, 3600), (100, 7200), (250, 10800)]
)
def test_a_larger_gg_fuse_has_a_longer_conventional_time(
    rating_a: float, conventional_s: float
) -> None:
    just_above = FuseCurve.gg(rating_a).trips_after_s(1.2501 * rating_a)

    assert just_above == pytest.approx(conventional_s, rel=0.01)


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
