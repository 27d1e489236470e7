"""A sample says the same in both versions, or is not said; its fellows are."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.events import MeterValue, SampledValue
from gateway.ocpp.meter_values import (
    parse_v16,
    parse_v201,
    serialize_v16,
    serialize_v201,
)

AT = datetime(2026, 11, 22, 18, 44, 33, tzinfo=UTC)
TIME = "2026-11-22T18:44:33Z"
SIGNED = {
    "signedMeterData": "T0NNRnx7fQ==",
    "signingMethod": "ECDSA-secp256k1-SHA256",
    "encodingMethod": "OCMF",
    "publicKey": "MzA1Ng==",
}


def of_v16(*samples: dict[str, Any]) -> tuple[MeterValue, ...]:
    return parse_v16([{"timestamp": TIME, "sampledValue": list(samples)}])


def of_v201(*samples: dict[str, Any]) -> tuple[MeterValue, ...]:
    return parse_v201([{"timestamp": TIME, "sampledValue": list(samples)}])


def said_in_v16(*samples: SampledValue) -> list[dict[str, Any]]:
    said = serialize_v16([MeterValue(AT, samples)])
    return said[0]["sampledValue"] if said else []


def said_in_v201(*samples: SampledValue, register: float | None = None) -> list[dict[str, Any]]:
    said = serialize_v201([MeterValue(AT, samples)], register)
    return said[0]["sampledValue"] if said else []


def test_what_1_6_leaves_out_has_the_default_of_the_specification() -> None:
    assert of_v16({"value": "6"}) == (
        MeterValue(
            AT,
            (SampledValue("6", "Energy.Active.Import.Register", None, None, "Sample.Periodic"),),
        ),
    )


PAIRS = {
    "energy in kWh": (
        {"value": "0.15003", "unit": "kWh", "measurand": "Energy.Active.Import.Register"},
        {
            "value": 0.15003,
            "unitOfMeasure": {"unit": "kWh"},
            "measurand": "Energy.Active.Import.Register",
        },
    ),
    "whole number": (
        {"value": "16", "unit": "A", "measurand": "Current.Import", "phase": "L1"},
        {
            "value": 16,
            "unitOfMeasure": {"unit": "A"},
            "measurand": "Current.Import",
            "phase": "L1",
        },
    ),
    "voltage to neutral": (
        {"value": "227.05", "unit": "V", "measurand": "Voltage", "phase": "L1-N"},
        {
            "value": 227.05,
            "unitOfMeasure": {"unit": "V"},
            "measurand": "Voltage",
            "phase": "L1-N",
        },
    ),
    "without unit": (
        {"value": "44.5", "measurand": "SoC", "location": "EV"},
        {"value": 44.5, "measurand": "SoC", "location": "EV"},
    ),
    "at the end": (
        {"value": "7", "measurand": "Power.Active.Import", "context": "Transaction.End"},
        {"value": 7, "measurand": "Power.Active.Import", "context": "Transaction.End"},
    ),
}


@pytest.mark.parametrize(("v16", "v201"), PAIRS.values(), ids=PAIRS)
def test_a_sample_is_the_same_in_both_versions(v16: dict[str, Any], v201: dict[str, Any]) -> None:
    context = {"context": "Sample.Periodic"}

    assert of_v16(v16) == of_v201(v201)
    assert said_in_v16(*of_v201(v201)[0].samples) == [context | v16]
    assert said_in_v201(*of_v16(v16)[0].samples) == [context | v201]


LOST_IN_2_0_1 = {
    "RPM": SampledValue("900", "RPM"),
    "temperature": SampledValue("40", "Temperature", unit="Celsius"),
    "not a number": SampledValue("NaN"),
    "a comma": SampledValue("1,5"),
    "a word": SampledValue("n/a"),
    "nothing": SampledValue(""),
    "Python's own digits": SampledValue("1_000"),
    "other digits": SampledValue("١٢"),
    "beyond any float": SampledValue("9e999"),
    "unknown phase": SampledValue("16", "Current.Import", phase="L4"),
    "long unit": SampledValue("1", unit="x" * 21),
    "absurd power of ten": SampledValue("1", multiplier=10**99),
}
LOST_IN_1_6 = {
    "net energy": SampledValue("5", "Energy.Active.Net"),
    "unit without a word": SampledValue("5", unit="MWh"),
    "a word": SampledValue("n/a"),
    "unknown phase": SampledValue("16", "Current.Import", phase="L4"),
    "absurd power of ten": SampledValue("1", multiplier=10**9),
}
KEPT = SampledValue("230", "Voltage", unit="V")


@pytest.mark.parametrize("lost", LOST_IN_2_0_1.values(), ids=LOST_IN_2_0_1)
def test_2_0_1_leaves_out_what_it_has_no_word_for_and_keeps_the_rest(lost: SampledValue) -> None:
    assert said_in_v201(lost, KEPT) == said_in_v201(KEPT)
    assert said_in_v201(lost) == []


@pytest.mark.parametrize("lost", LOST_IN_1_6.values(), ids=LOST_IN_1_6)
def test_1_6_leaves_out_what_it_has_no_word_for_and_keeps_the_rest(lost: SampledValue) -> None:
    assert said_in_v16(lost, KEPT) == said_in_v16(KEPT)
    assert said_in_v16(lost) == []


def test_celcius_is_celsius() -> None:
    read = of_v16({"value": "40", "measurand": "Temperature", "unit": "Celcius"})

    assert read[0].samples[0].unit == "Celsius"


def test_frequency_goes_without_unit_in_1_6() -> None:
    assert said_in_v16(SampledValue("50.02", "Frequency", unit="Hertz")) == [
        {"value": "50.02", "measurand": "Frequency", "context": "Sample.Periodic"}
    ]


def test_a_unit_is_known_in_whatever_case() -> None:
    assert said_in_v16(SampledValue("5", unit="kwh"))[0]["unit"] == "kWh"


SCALED = {
    "thousands": ("1.25", 3, "1250"),
    "tenths": ("2305", -1, "230.5"),
    "exact": ("0.1", -2, "0.001"),
}


@pytest.mark.parametrize(("value", "multiplier", "said"), SCALED.values(), ids=SCALED)
def test_a_power_of_ten_is_worked_out_exactly_for_1_6(
    value: str, multiplier: int, said: str
) -> None:
    assert said_in_v16(SampledValue(value, unit="W", multiplier=multiplier))[0]["value"] == said


def test_a_power_of_ten_stays_beside_the_number_in_2_0_1() -> None:
    unit = said_in_v201(SampledValue("1.25", unit="W", multiplier=3))[0]["unitOfMeasure"]

    assert unit == {"unit": "W", "multiplier": 3}


def test_a_small_number_is_written_out() -> None:
    assert of_v201({"value": 1e-07})[0].samples[0].value == "0.0000001"


def test_signed_data_of_2_0_1_is_never_touched() -> None:
    sample = {
        "value": 320.43,
        "measurand": "Energy.Active.Import.Register",
        "context": "Transaction.End",
        "signedMeterValue": SIGNED,
    }

    assert said_in_v201(*of_v201(sample)[0].samples) == [sample]


def test_signed_data_of_2_0_1_follows_its_number_in_1_6() -> None:
    number, signed = said_in_v16(SampledValue("320.43", unit="Wh", signed=SIGNED))

    assert number["value"] == "320.43"
    assert (signed["format"], json.loads(signed["value"])) == ("SignedData", SIGNED)


TEXTS = {"JSON of the parts": json.dumps(SIGNED), "OCMF": 'OCMF|{"FV":"1.0"}|{"SD":"30"}'}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_signed_data_of_1_6_is_never_touched(text: str) -> None:
    sample = {
        "value": text,
        "measurand": "Energy.Active.Import.Register",
        "context": "Transaction.End",
        "format": "SignedData",
    }

    assert said_in_v16(*of_v16(sample)[0].samples) == [sample]


def test_signed_data_of_1_6_gets_the_number_of_its_fellow() -> None:
    read = of_v16(
        {"value": json.dumps(SIGNED), "format": "SignedData"}, {"value": "0.32043", "unit": "kWh"}
    )

    signed = said_in_v201(*read[0].samples)[0]

    assert signed["value"] == 0.32043
    assert signed["unitOfMeasure"] == {"unit": "kWh"}
    assert signed["signedMeterValue"] == SIGNED


def test_signed_data_of_1_6_alone_gets_the_register_of_the_event() -> None:
    read = of_v16({"value": json.dumps(SIGNED), "format": "SignedData"})

    (signed,) = said_in_v201(*read[0].samples, register=22.0)

    assert (signed["value"], signed["unitOfMeasure"]) == (22.0, {"unit": "Wh"})
    assert signed["signedMeterValue"] == SIGNED


def test_signed_data_too_long_for_2_0_1_leaves_its_number() -> None:
    long = SIGNED | {"signedMeterData": "x" * 2501}

    assert "signedMeterValue" not in said_in_v201(SampledValue("5", signed=long))[0]


def test_an_entry_without_samples_is_no_meter_value() -> None:
    assert parse_v16([{"timestamp": TIME, "sampledValue": []}]) == ()
