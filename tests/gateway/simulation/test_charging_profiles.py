"""A simulated station's own reading of charging profiles, as tables."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.simulation.charging_profiles import ChargingProfiles, Supply, read_profile

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGAN = NOON - timedelta(seconds=100)
SUPPLY = Supply(phases=3, voltage_v=230.0)
SINGLE = Supply(phases=1, voltage_v=230.0)


def profile(
    periods,
    *,
    number=1,
    connector=1,
    purpose="TxProfile",
    kind="Absolute",
    stack=0,
    unit="A",
    **more,
):
    schedule = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": limit} for s, limit in periods],
    }
    if kind != "Relative":
        schedule["startSchedule"] = "2026-06-01T12:00:00Z"
    if "duration" in more:
        schedule["duration"] = more.pop("duration")
    return read_profile(
        {
            "connectorId": connector,
            "csChargingProfiles": {
                "chargingProfileId": number,
                "stackLevel": stack,
                "chargingProfilePurpose": purpose,
                "chargingProfileKind": kind,
                "chargingSchedule": schedule,
                **more,
            },
        }
    )


DEFAULT = profile([(0, 6.0)], number=90, connector=0, purpose="TxDefaultProfile", kind="Relative")


@pytest.mark.parametrize(
    ("profiles", "after_s", "limit_a"),
    [
        pytest.param([], 0, None, id="nothing installed"),
        pytest.param([profile([(0, 16.0)])], 0, 16.0, id="first period"),
        pytest.param([profile([(0, 16.0), (60, 6.0)])], 59.9, 16.0, id="before the step"),
        pytest.param([profile([(0, 16.0), (60, 6.0)])], 60, 6.0, id="steps down by itself"),
        pytest.param([profile([(0, 16.0)])], -5, None, id="begins later"),
        pytest.param([profile([(0, 16.0)], duration=60), DEFAULT], 60, 6.0, id="duration over"),
        pytest.param(
            [profile([(0, 16.0)], validTo="2026-06-01T12:01:00Z"), DEFAULT], 60, 6.0, id="validTo"
        ),
        pytest.param([profile([(0, 16.0)]), DEFAULT], 0, 16.0, id="the transaction's own wins"),
        pytest.param(
            [profile([(0, 16.0)]), profile([(0, 10.0)], number=2, stack=3)], 0, 10.0, id="stack"
        ),
        pytest.param(
            [
                profile([(0, 16.0)]),
                profile([(0, 8.0)], number=2, connector=0, purpose="ChargePointMaxProfile"),
            ],
            0,
            8.0,
            id="the station's maximum caps",
        ),
        pytest.param(
            [profile([(0, 16.0), (130, 6.0)], kind="Relative")], 31, 6.0, id="since the start"
        ),
        pytest.param([profile([(0, 11_040)], unit="W")], 0, 16.0, id="W over three phases"),
        pytest.param(
            [profile([(0, 9.0)], kind="Recurring", recurrencyKind="Daily")],
            86_400 + 5,
            9.0,
            id="every day",
        ),
    ],
)
def test_limit(profiles, after_s, limit_a):
    installed = ChargingProfiles()
    for one in profiles:
        installed.install(one)

    assert limit_a == pytest.approx(
        installed.limit_a(1, NOON + timedelta(seconds=after_s), BEGAN, SUPPLY)
    )


def test_watts_are_spread_over_the_phases_in_use():
    installed = ChargingProfiles()
    installed.install(profile([(0, 2_300)], unit="W"))

    assert installed.limit_a(1, NOON, BEGAN, SINGLE) == pytest.approx(10.0)


def test_a_transaction_profile_dies_with_its_transaction():
    installed = ChargingProfiles()
    installed.install(profile([(0, 16.0)]))
    installed.install(DEFAULT)

    installed.end_transaction(1)

    assert [p.id for p in installed.installed] == [90]


def test_the_same_stack_level_is_replaced():
    installed = ChargingProfiles()
    installed.install(profile([(0, 16.0)]))
    installed.install(profile([(0, 9.0)], number=2))

    assert [p.id for p in installed.installed] == [2]


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        pytest.param({}, [], id="all"),
        pytest.param({"profile_id": 1}, [90], id="by id"),
        pytest.param({"purpose": "TxDefaultProfile"}, [1], id="by purpose"),
        pytest.param({"evse_id": 1, "stack_level": 5}, [1, 90], id="every criterion must hold"),
    ],
)
def test_clear(criteria, left):
    installed = ChargingProfiles()
    installed.install(profile([(0, 16.0)]))
    installed.install(DEFAULT)

    cleared = installed.clear(**criteria)

    assert [p.id for p in installed.installed] == left
    assert cleared == 2 - len(left)


def test_the_composite_schedule_has_every_step_down():
    installed = ChargingProfiles()
    installed.install(profile([(0, 16.0), (60, 8.0)], duration=90))
    installed.install(DEFAULT)

    steps = installed.composite(1, NOON, 120, started_at=BEGAN, supply=SUPPLY, unlimited_a=32.0)

    assert steps == [(0, 16.0), (60, 8.0), (90, 6.0)]
