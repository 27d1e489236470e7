"""What the cloud's profiles amount to, clause by clause."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.profiles import (
    MAXIMUM_PERIODS,
    ChargingProfile,
    ChargingSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    SchedulePeriod,
    ceiling_a,
    composite,
)

NOW = datetime(2025, 3, 5, 12, 0, tzinfo=UTC)  # A Wednesday.
MAX, DEFAULT, TX = ProfilePurpose


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def profile(*periods, purpose=DEFAULT, level=0, kind=ProfileKind.ABSOLUTE, **rest):
    """A profile of (start_s, limit) pairs; what is not named is the plainest there is."""
    recurrency = rest.pop("recurrency", None)
    validity = {key: rest.pop(key) for key in ("valid_from", "valid_to") if key in rest}
    schedule = ChargingSchedule(
        unit=rest.pop("unit", RateUnit.A),
        periods=tuple(SchedulePeriod(*period) for period in periods),
        **rest,
    )
    return ChargingProfile(1, purpose, kind, level, schedule, recurrency=recurrency, **validity)


def ceiling(*profiles, at=NOW, started_at=NOW, phases=3):
    return ceiling_a(profiles, at, started_at, voltage_v=230, phases=phases)


def periods(*profiles, horizon_s=400, unit=RateUnit.A, started_at=NOW, phases=3, maximum_a=32.0):
    schedule = composite(
        profiles,
        NOW,
        started_at,
        horizon_s,
        unit,
        voltage_v=230,
        phases=phases,
        maximum_a=maximum_a,
    )
    return [(period.start_s, period.limit) for period in schedule.periods]


def test_no_profile_is_no_ceiling():
    assert ceiling() is None


@pytest.mark.parametrize(
    ("profiles", "expected_a"),
    [
        pytest.param([profile((0, 10))], 10, id="absolute without a start: from transaction start"),
        pytest.param([profile((0, 10), start_at=after(1))], None, id="K01.FR.30 not started yet"),
        pytest.param([profile((0, 10), start_at=after(-5))], 10, id="started"),
        pytest.param(
            [profile((0, 10), start_at=after(-5), duration_s=5)], None, id="K01.FR.12 duration over"
        ),
        pytest.param(
            [profile((0, 10), (3, 8), start_at=after(-5), duration_s=9)], 8, id="second period"
        ),
        pytest.param([profile((0, 10), valid_from=after(1))], None, id="K01.FR.36 not valid yet"),
        pytest.param([profile((0, 10), valid_from=NOW)], 10, id="K01.FR.36 valid from now"),
        pytest.param([profile((0, 10), valid_to=NOW)], None, id="K01.FR.37 valid no longer"),
        pytest.param([profile((0, 10), valid_to=after(1))], 10, id="K01.FR.37 still valid"),
        pytest.param(
            [profile((0, 10), level=1), profile((0, 20), level=3), profile((0, 6), level=2)],
            20,
            id="K01.FR.17 highest stack level",
        ),
        pytest.param(
            [profile((0, 10)), profile((0, 20), level=3, start_at=after(9))],
            10,
            id="errata 3.43: a silent level leaves the word to the one below",
        ),
        pytest.param(
            [profile((0, 10)), profile((0, 20), purpose=TX)], 20, id="TxProfile overrules default"
        ),
        pytest.param(
            [profile((0, 10)), profile((0, 20), purpose=TX, start_at=after(-9), duration_s=9)],
            10,
            id="TxProfile over: the default again",
        ),
        pytest.param(
            [profile((0, 10), purpose=MAX), profile((0, 20), purpose=TX)], 10, id="maximum caps"
        ),
        pytest.param(
            [profile((0, 30), purpose=MAX), profile((0, 20), purpose=TX)], 20, id="below maximum"
        ),
        pytest.param([profile((0, 10)), profile((0, 8))], 8, id="same level twice: the lower"),
    ],
)
def test_ceiling(profiles, expected_a):
    assert ceiling(*profiles) == expected_a
    assert ceiling(*reversed(profiles)) == expected_a


def test_tx_profile_is_silent_without_a_transaction():
    assert ceiling(profile((0, 20), purpose=TX), started_at=None) is None


def test_relative_counts_from_the_start_of_the_transaction():
    relative = profile((0, 16), (60, 8), kind=ProfileKind.RELATIVE)

    assert ceiling(relative, started_at=after(-59)) == 16
    assert ceiling(relative, started_at=after(-60)) == 8


def test_K08_FR_06_without_a_transaction_relative_counts_from_now():
    assert ceiling(profile((0, 16), (60, 8), kind=ProfileKind.RELATIVE), started_at=None) == 16


@pytest.mark.parametrize(
    ("unit_limit", "number_phases", "evse_phases", "expected_a"),
    [
        pytest.param(11_040, None, 3, 16, id="K01.FR.49 three unless said"),
        pytest.param(3_680, 1, 3, 16, id="K01.FR.50 as many as said"),
        pytest.param(3_680, 3, 1, 16, id="errata 3.34: not more than there are"),
    ],
)
def test_watts_become_amperes_per_phase(unit_limit, number_phases, evse_phases, expected_a):
    watts = profile((0, unit_limit, number_phases), unit=RateUnit.W)

    assert ceiling(watts, phases=evse_phases) == pytest.approx(expected_a)


DAILY = {"kind": ProfileKind.RECURRING, "recurrency": Recurrency.DAILY}
WEEKLY = {"kind": ProfileKind.RECURRING, "recurrency": Recurrency.WEEKLY}


def test_daily_profile_of_1_6_section_3_13_7():
    """6 kW from 8 to 20 o'clock, 11 kW at other times, for ever from 2013 on."""
    daily = profile(
        (0, 11_000),
        (28_800, 6_000),
        (72_000, 11_000),
        unit=RateUnit.W,
        start_at=datetime(2013, 1, 1, tzinfo=UTC),
        duration_s=86_400,
        **DAILY,
    )

    assert periods(daily, horizon_s=86_400, unit=RateUnit.W) == [
        (0, 6_000),
        (8 * 3600, 11_000),
        (20 * 3600, 6_000),
    ]


@pytest.mark.parametrize(
    ("hours", "expected_a"),
    [
        pytest.param(-1, 20, id="Wednesday 11:00"),
        pytest.param(6, 10, id="Wednesday 18:00, the peak"),
        pytest.param(9, None, id="after the peak"),
        pytest.param(4 * 24 + 6, 32, id="Sunday 18:00, the exception above"),
    ],
)
def test_stacked_recurring_profiles(hours, expected_a):
    morning = profile((0, 20), start_at=after(-7200), duration_s=3600 * 3, **DAILY)
    peak = profile((0, 10), level=1, start_at=after(5 * 3600), duration_s=3 * 3600, **DAILY)
    sunday = profile(
        (0, 32),
        level=2,
        start_at=datetime(2025, 1, 5, tzinfo=UTC),
        duration_s=86_400,
        **WEEKLY,
    )

    assert ceiling(morning, peak, sunday, at=after(hours * 3600)) == expected_a


def test_what_is_longer_than_the_recurrence_is_not_executed():
    """1.6 errata 3.43."""
    daily = profile((0, 16), (90_000, 8), start_at=after(-86_400), duration_s=200_000, **DAILY)

    assert periods(daily, horizon_s=200_000) == [(0, 16)]


def test_TC_K_40_stacked_profiles_become_one_schedule():
    low = profile((0, 6), (150, 8), (200, 10), start_at=NOW, duration_s=350)
    high = profile((0, 7), (100, 9), level=1, start_at=NOW, duration_s=150)

    assert periods(low, high, horizon_s=350) == [(0, 7), (100, 9), (150, 8), (200, 10)]


def test_TC_K_41_purposes_become_one_schedule():
    station = profile((0, 10), purpose=MAX, start_at=NOW, duration_s=86_400)
    default = profile((0, 6), (50, 8), start_at=NOW, duration_s=300)
    transaction = profile(
        (0, 8), (50, 11), (200, 6), (240, 12), purpose=TX, start_at=NOW, duration_s=260
    )

    assert periods(station, default, transaction) == [
        (0, 8),
        (50, 10),
        (200, 6),
        (240, 10),
        (260, 8),
        (300, 10),
    ]


def test_where_nothing_is_said_the_evse_itself_is_the_limit():
    later = profile((0, 10), start_at=after(100), duration_s=100)

    assert periods(later) == [(0, 32), (100, 10), (200, 32)]
    assert periods(later, unit=RateUnit.W, phases=1) == [(0, 7360), (100, 2300), (200, 7360)]


def test_boundary_within_a_second_is_told_at_a_whole_second():
    assert periods(profile((0, 10), start_at=after(2.5))) == [(0, 32), (2, 10)]


def test_composite_ends_early_rather_than_growing_without_bound():
    busy = profile(*((second, second % 2 + 6.0) for second in range(0, 3000)), start_at=NOW)

    schedule = composite(
        [busy], NOW, None, 10_000_000, RateUnit.A, voltage_v=230, phases=3, maximum_a=32
    )

    assert len(schedule.periods) == MAXIMUM_PERIODS
    assert schedule.duration_s == MAXIMUM_PERIODS


instants = st.integers(-200_000, 200_000).map(after)
schedules = st.builds(
    ChargingSchedule,
    unit=st.sampled_from(RateUnit),
    periods=st.lists(
        st.tuples(st.integers(0, 90_000), st.integers(0, 320)), max_size=4, unique_by=lambda p: p[0]
    ).map(
        lambda pairs: tuple(SchedulePeriod(s, float(v)) for s, v in [(0, 16), *sorted(pairs)[1:]])
    ),
    start_at=st.none() | instants,
    duration_s=st.none() | st.integers(1, 100_000),
)
profiles = st.lists(
    st.builds(
        ChargingProfile,
        id=st.just(1),
        purpose=st.sampled_from(ProfilePurpose),
        kind=st.sampled_from(ProfileKind),
        stack_level=st.integers(0, 3),
        schedule=schedules,
        valid_from=st.none() | instants,
        valid_to=st.none() | instants,
        recurrency=st.sampled_from(Recurrency),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(profiles, instants, st.integers(0, 99_999))
def test_composite_says_at_every_instant_what_the_ceiling_says(installed, started_at, offset_s):
    schedule = composite(
        installed, NOW, started_at, 100_000, RateUnit.A, voltage_v=230, phases=3, maximum_a=32
    )
    said_a = next(p.limit for p in reversed(schedule.periods) if p.start_s <= offset_s)

    ceiling_now_a = ceiling_a(installed, after(offset_s), started_at, voltage_v=230, phases=3)

    assert said_a == min(32, 32 if ceiling_now_a is None else ceiling_now_a)
