"""A transaction's energy never falls, whatever its station's register does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.events import MeterValue, SampledValue
from gateway.register_continuity import ROUNDING_WH, Continued, Thread, continued

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last_wh", "offset_wh", "told_wh", "elapsed_s", "found"),
    [
        pytest.param(1000, 0, 1030, 10, Continued(1030, 0), id="rises"),
        pytest.param(1000, 0, 1000, 10, Continued(1000, 0), id="stands"),
        pytest.param(1000.4, 0, 1000, 10, Continued(1000, 0), id="is rounded"),
        pytest.param(45, 0, 6, 10, Continued(51, 45, "restarted"), id="begins at 0"),
        pytest.param(51, 45, 8, 10, Continued(53, 45), id="goes on after a restart"),
        pytest.param(53, 45, 1, 10, Continued(54, 53, "restarted"), id="restarts again"),
        pytest.param(5000, 0, 4800, 10, Continued(5000, 200, "fell"), id="jumps back"),
        pytest.param(5000, 0, 2000, 10, Continued(5000, 3000, "fell"), id="too far for a restart"),
        pytest.param(5000, 0, 2000, 600, Continued(7000, 5000, "restarted"), id="a long silence"),
        pytest.param(43_100, 43_000, 45_000, 3600, Continued(45_000, 0, "back"), id="its old self"),
        pytest.param(43_000, 0, 43.2, 60, Continued(43_200, 0, "slipped"), id="kWh for Wh"),
        pytest.param(43_000, 0, 43_200_000, 60, Continued(43_200, 0, "slipped"), id="Wh for kWh"),
        pytest.param(43_000, 0, 42.98, 60, Continued(43_000, 0, "slipped"), id="few decimals"),
        pytest.param(0, 0, 150_010, 15, Continued(150.01, 0, "slipped"), id="Wh called kWh"),
        pytest.param(1000, 0, 9_000_000, 10, Continued(9_000_000, 0, "jumped"), id="impossible"),
        pytest.param(1000, 0, 9_000, None, Continued(9_000, 0), id="nobody knows how long"),
        pytest.param(1000, 0, 5, None, Continued(1005, 1000, "restarted"), id="clock fell too"),
    ],
)
def test_register_goes_on(last_wh, offset_wh, told_wh, elapsed_s, found):
    assert continued(last_wh, offset_wh, told_wh, elapsed_s) == found


@given(st.lists(st.tuples(st.floats(0, 1e9), st.integers(-100, 86_400)), max_size=20))
def test_no_register_ever_falls_by_more_than_a_rounding(told):
    thread = Thread(1000.0, 0.0, T0)
    at, before_wh = T0, 1000.0

    for told_wh, elapsed_s in told:
        at += timedelta(seconds=elapsed_s)
        thread.take(told_wh, at)
        assert thread.last_wh >= before_wh - ROUNDING_WH
        before_wh = thread.last_wh


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=10), st.integers(0, 9))
def test_energy_over_a_restart_is_the_sum_of_both_sides(steps_wh, restart):
    """Three-phase car, a sample a minute: at most 22 kW, so 367 Wh a step; 2,000 is fast DC."""
    thread = Thread(50_000.0, 0.0, T0)
    station_wh, at = 50_000.0, T0

    for number, step_wh in enumerate(steps_wh):
        if number == restart:
            station_wh = 0.0
        station_wh += min(step_wh, 1600)
        # 50 after 50,000 may as well be the same register in kWh: nobody can tell.
        assume(abs(station_wh * 1000 - thread.last_wh) > 2500)
        at += timedelta(seconds=60)
        thread.take(station_wh, at)

    assert thread.last_wh == 50_000 + sum(min(step_wh, 1600) for step_wh in steps_wh)


def test_impossible_register_is_told_and_not_built_upon_unless_it_is_the_last():
    thread = Thread(1000.0, 0.0, T0)

    assert thread.take(9_000_000, T0 + timedelta(seconds=10)) == 9_000_000
    assert thread.take(1040, T0 + timedelta(seconds=20)) == 1040
    thread.take(9_000_000, T0 + timedelta(seconds=30), is_end=True)

    assert thread.last_wh == 9_000_000
    assert [note for note, *_ in thread.notes] == ["jumped", "jumped"]


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        pytest.param(SampledValue("6", unit="Wh"), "51", id="Wh"),
        pytest.param(SampledValue("0.006", unit="kWh"), "0.051", id="kWh"),
        pytest.param(SampledValue("6", multiplier=-3, unit="kWh"), "51", id="a multiplier"),
        pytest.param(SampledValue("0", unit="kWh"), "0.045", id="zero"),
        pytest.param(SampledValue("6", phase="L1"), "6", id="a phase is not the whole"),
        pytest.param(SampledValue("6", location="Inlet"), "6", id="not the outlet"),
    ],
)
def test_samples_are_told_in_their_own_unit(sample, text):
    (value,) = Thread(45.0, 0.0, T0).through([MeterValue(T0 + timedelta(seconds=10), (sample,))])

    assert value.samples[0].value.rstrip("0").rstrip(".") in (text, text.rstrip("0").rstrip("."))
