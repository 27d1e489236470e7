"""What drivers want, from when it is told until they leave."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.charging_wishes import ChargingWish, ChargingWishes, Need
from load_balancer.inputs import EvseKey

KEY = EvseKey("CP-01", 1)
AT = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
NOW = 1000.0


def wishes_with(*told):
    wishes = ChargingWishes(())
    for wish in told:
        wishes.take(wishes.told(KEY, wish))
    return wishes


def test_nobody_who_said_nothing_has_a_need():
    assert wishes_with().need(KEY, 5000.0, NOW, AT) == Need(None, None)


def test_what_was_delivered_since_counts_against_the_wish():
    wishes = wishes_with(ChargingWish(10_000, AT + timedelta(hours=2), "vehicle", 3000.0))

    assert wishes.need(KEY, 7000.0, NOW, AT) == Need(NOW + 7200, 6000.0)


def test_a_wish_that_is_fulfilled_is_zero_not_negative():
    wishes = wishes_with(ChargingWish(1000, None, "vehicle"))

    assert wishes.need(KEY, 5000.0, NOW, AT) == Need(None, 0.0)


def test_a_late_driver_is_late_and_a_forgotten_one_unknown():
    late = wishes_with(ChargingWish(None, AT - timedelta(hours=1), "Ann"))
    forgotten = wishes_with(ChargingWish(None, AT - timedelta(hours=13), "Ann"))

    assert late.need(KEY, 0.0, NOW, AT).departs_at == NOW - 3600
    assert forgotten.need(KEY, 0.0, NOW, AT).departs_at is None


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [("vehicle", "Ann", "Ann"), ("Ann", "vehicle", "Ann"), ("Ann", "Ben", "Ben")],
)
def test_an_operator_outranks_the_car(first, second, wins):
    wishes = wishes_with(ChargingWish(1000, None, first), ChargingWish(2000, None, second))

    assert wishes.of(KEY).told_by == wins


def test_a_wish_survives_a_restart():
    wish = ChargingWish(12_345.5, AT, "Ann", 17.0)
    rows = ChargingWishes(()).told(KEY, wish)

    assert ChargingWishes(rows).of(KEY) == wish


def test_a_wish_ends_with_its_transaction_once():
    wishes = wishes_with(ChargingWish(1000, None, "vehicle"))

    wishes.take(wishes.ended(KEY))

    assert wishes.of(KEY) is None
    assert wishes.ended(KEY) == []
