"""The billable sample among all that stations send."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import MeterValue, SampledValue
from gateway.meter_registers import Registers, read_registers

AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def at(seconds: int, *samples: SampledValue) -> MeterValue:
    return MeterValue(AT + timedelta(seconds=seconds), samples)


def one(*samples: SampledValue) -> float | None:
    return read_registers([at(0, *samples)]).last_wh


@pytest.mark.parametrize(
    ("samples", "energy_wh"),
    [
        pytest.param([SampledValue("1234")], 1234.0, id="defaults are the register in Wh"),
        pytest.param([SampledValue("0.15003", unit="kWh")], 150.03, id="kWh to the last digit"),
        pytest.param([SampledValue("1.5", unit="Wh", multiplier=3)], 1500.0, id="multiplier"),
        pytest.param(
            [SampledValue("320.43", signed={"signedMeterData": "…"})],
            320.43,
            id="a signed one without unit means Wh too",
        ),
        pytest.param([SampledValue("5", unit="varh")], None, id="another unit"),
        pytest.param([SampledValue("5", measurand="Power.Active.Import")], None, id="measurand"),
        pytest.param([SampledValue("OCMF|{}|{}")], None, id="opaque signed text"),
        pytest.param([SampledValue("NaN")], None, id="NaN"),
        pytest.param([SampledValue("-1")], None, id="negative"),
        pytest.param([SampledValue("1e400")], None, id="more than a float holds"),
        pytest.param([SampledValue("5", multiplier=20)], None, id="more than a country uses"),
        pytest.param([SampledValue("5", multiplier=10**7)], None, id="a power beyond decimals"),
        pytest.param([SampledValue("5", multiplier=-(10**7))], None, id="and below"),
        pytest.param(
            [SampledValue("1", phase="L1"), SampledValue("6"), SampledValue("2", phase="L2")],
            6.0,
            id="the sum the meter made goes before phases",
        ),
        pytest.param(
            [SampledValue("1.1", phase=f"L{phase}", unit="kWh") for phase in (1, 2, 3)],
            3300.0,
            id="phases are summed without binary dust",
        ),
        pytest.param(
            [SampledValue("9", location="Inlet"), SampledValue("7", location="Outlet")],
            7.0,
            id="the outlet is billed",
        ),
        pytest.param([SampledValue("9", location="Inlet")], 9.0, id="inlet if it is all there is"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_register_of_one_meter_value(samples, energy_wh):
    assert one(*samples) == energy_wh


def test_begin_and_end_of_a_transaction_are_told_apart_in_any_order():
    begin = at(0, SampledValue("10", context="Transaction.Begin"))
    end = at(90, SampledValue("35", context="Transaction.End"))
    between = at(40, SampledValue("20"))

    assert read_registers([end, begin, between]) == Registers(10.0, 35.0, 10.0, 35.0)


@given(st.decimals(0, 10**9, places=3))
def test_kwh_and_wh_of_one_energy_are_one_register(energy_kwh):
    in_wh = format(energy_kwh * 1000, "f")

    assert one(SampledValue(format(energy_kwh, "f"), unit="kWh")) == one(SampledValue(in_wh))
