"""What a station's meter values say about now."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.events import MeterValue, SampledValue
from gateway.station_samples import latest_draw

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def amperes(value: str, phase: str | None = None, **more: str) -> SampledValue:
    return SampledValue(value, "Current.Import", phase, unit="A", **more)


def watts(value: str, phase: str | None = None, unit: str = "W") -> SampledValue:
    return SampledValue(value, "Power.Active.Import", phase, unit=unit)


THREE = (amperes("10", "L1"), amperes("11", "L2"), amperes("12", "L3"))


@pytest.mark.parametrize(
    ("samples", "phases", "currents"),
    [
        pytest.param(THREE, 3, (10, 11, 12), id="per phase"),
        pytest.param((amperes("16"),), 3, (16, 16, 16), id="one for all"),
        pytest.param((amperes("16"),), 1, (16, 0, 0), id="one for one"),
        pytest.param((amperes("16", "L2"),), 3, (0, 16, 0), id="a one-phase car on L2"),
        pytest.param((watts("6900"),), 3, (10, 10, 10), id="power alone"),
        pytest.param((watts("6.9", unit="kW"),), 3, (10, 10, 10), id="kilowatts"),
        pytest.param((watts("2300", "L1"), watts("2300", "L2")), 1, (20, 0, 0), id="summed"),
        pytest.param((*THREE, amperes("99", location="Inlet")), 3, (10, 11, 12), id="outlet only"),
        pytest.param((*THREE, amperes("3", "N")), 3, (10, 11, 12), id="the neutral is no phase"),
        pytest.param((amperes("nan"),), 3, None, id="not a number"),
        pytest.param((amperes("many"),), 3, None, id="a word"),
        pytest.param((watts("1e308", unit="kW"),), 3, None, id="more than a float holds"),
        pytest.param((amperes("5", multiplier=400),), 3, None, id="a power beyond floats"),
        pytest.param((SampledValue("12", "Voltage"),), 3, None, id="nothing about currents"),
    ],
)
def test_currents(samples, phases, currents):
    draw = latest_draw([MeterValue(NOON, samples)], NOON, phases=phases, voltage_v=230)

    assert (draw and draw.currents) == (currents if currents else None)


def test_the_newest_sample_counts_whatever_their_order():
    values = [
        MeterValue(NOON, (amperes("5"),)),
        MeterValue(NOON - timedelta(seconds=20), (amperes("32"),)),
    ]

    draw = latest_draw(values, NOON + timedelta(seconds=2), phases=1, voltage_v=230)

    assert draw is not None
    assert (draw.currents, draw.age_s) == ((5, 0, 0), 2)


def test_values_from_a_queue_never_steer():
    old = MeterValue(NOON - timedelta(minutes=5), (amperes("5"),))

    assert latest_draw([old], NOON, phases=1, voltage_v=230) is None


def test_a_clock_that_was_never_set_or_runs_ahead_speaks_of_now():
    unset = MeterValue(datetime(1970, 1, 1, tzinfo=UTC), (amperes("5"),))
    ahead = MeterValue(NOON + timedelta(minutes=5), (amperes("6"),))

    for value, current_a in ((unset, 5), (ahead, 6)):
        draw = latest_draw([value], NOON, phases=1, voltage_v=230)
        assert draw is not None
        assert (draw.currents, draw.age_s) == ((current_a, 0, 0), 0)


def test_of_a_rectifier_only_the_power_says_what_its_input_draws():
    samples = (
        SampledValue("250", "Current.Import", unit="A"),
        SampledValue("65550", "Power.Active.Import", unit="W"),
    )

    draw = latest_draw(
        [MeterValue(NOON, samples)], NOON, phases=3, voltage_v=230 * 0.95, is_dc=True
    )

    assert draw.currents == pytest.approx((100.0, 100.0, 100.0))
