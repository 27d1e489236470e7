"""Meter values of stations: 1.6 and 2.0.1 payloads <-> `MeterValue`. Pure.

1.6 sends decimal text with a unit, 2.0.1 a number with unit and power of ten. A sample that the
other version has no word for (RPM, Energy.Apparent.Net, an unknown phase) is left out and the rest
kept; no value is ever bent to fit. Signed data travels untouched: 2.0.1 has a place for it beside
the number, 1.6 puts it where the number would be (`format` SignedData), as the JSON of its four
parts.
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from gateway.events import ENERGY_REGISTER, MeterValue, SampledValue
from gateway.ocpp.frames import Payload
from gateway.ocpp.measurands import (
    CONTEXTS,
    LOCATIONS,
    MEASURANDS_1_6,
    MEASURANDS_2_0_1,
    PHASES,
    UNITS_1_6,
)
from gateway.ocpp.times import format_time, parse_time

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
LARGEST_MULTIPLIER = 30
"""Beyond quetta a power of ten is an error, and would fill the memory with zeros."""
LARGEST_INTEGER = 2**53
"""Every JSON reader takes integers up to here."""

LONGEST_UNIT = 20
LONGEST_SIGNED_PARTS = {
    "signedMeterData": 2500,
    "signingMethod": 50,
    "encodingMethod": 50,
    "publicKey": 2500,
}
"""The required parts of 2.0.1 SignedMeterValueType."""


def parse_v16(entries: Iterable[Payload]) -> tuple[MeterValue, ...]:
    """Read `meterValue` or `transactionData` of 1.6; entries without samples are left out."""
    return tuple(
        [
            MeterValue(parse_time(entry["timestamp"]), tuple(map(_sample_of_v16, samples)))
            for entry in entries
            if (samples := entry["sampledValue"])
        ]
    )


def _sample_of_v16(sample: Payload) -> SampledValue:
    get = sample.get
    unit = get("unit")
    value = sample["value"]
    return SampledValue(
        value,
        get("measurand", ENERGY_REGISTER),
        get("phase"),
        get("location"),
        get("context", "Sample.Periodic"),
        "Celsius" if unit == "Celcius" else unit,  # §7.45; first schemas: Celcius
        0,
        _signed_of_text(value) if get("format") == "SignedData" else None,
    )


def _signed_of_text(value: str) -> dict[str, Any]:
    try:
        parts = json.loads(value)
    except ValueError:
        parts = None
    if not isinstance(parts, dict) or "signedMeterData" not in parts:
        parts = {"signedMeterData": value}
    return {name: parts.get(name, "") for name in LONGEST_SIGNED_PARTS}


def parse_v201(entries: Iterable[Payload]) -> tuple[MeterValue, ...]:
    """Read `meterValue` of 2.0.1."""
    return tuple(
        [
            MeterValue(
                parse_time(entry["timestamp"]), tuple(map(_sample_of_v201, entry["sampledValue"]))
            )
            for entry in entries
        ]
    )


def _sample_of_v201(sample: Payload) -> SampledValue:
    get = sample.get
    unit = get("unitOfMeasure") or {}
    return SampledValue(
        _text_of(sample["value"]),
        get("measurand", ENERGY_REGISTER),
        get("phase"),
        get("location"),
        get("context", "Sample.Periodic"),
        unit.get("unit"),
        unit.get("multiplier", 0),
        get("signedMeterValue"),
    )


def _text_of(number: float) -> str:
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text else text


def serialize_v16(meter_values: Iterable[MeterValue]) -> list[Payload]:
    """Write what 1.6 can say; empty when it can say nothing of it."""
    return [
        {"timestamp": format_time(meter_value.at), "sampledValue": samples}
        for meter_value in meter_values
        if (samples := [said for sample in meter_value.samples for said in _samples_in_v16(sample)])
    ]


def _samples_in_v16(sample: SampledValue) -> Iterator[Payload]:
    words = _words(sample, MEASURANDS_1_6)
    if words is None:
        return
    if sample.unit is not None and sample.measurand != "Frequency":  # Hertz is no word of 1.6
        unit = UNITS_1_6.get(sample.unit.casefold())
        if unit is None:
            return
        words["unit"] = unit
    signed = sample.signed
    if signed is not None and _is_opaque(sample):
        yield {"value": sample.value, **words, "format": "SignedData"}
        return
    value = _scaled_text(sample)
    if value is None:
        return
    yield {"value": value, **words}
    if signed is not None:
        yield {"value": json.dumps(signed), **words, "format": "SignedData"}


def _is_opaque(sample: SampledValue) -> bool:
    """Whether the value is 1.6 signed data rather than the number that was signed."""
    signed = sample.signed or {}
    return signed.get("signedMeterData") == sample.value or not NUMBER.fullmatch(sample.value)


def _scaled_text(sample: SampledValue) -> str | None:
    if not sample.multiplier:
        return sample.value if NUMBER.fullmatch(sample.value) else None
    value = decimal_of(sample)
    return None if value is None else f"{value:f}"


def serialize_v201(
    meter_values: Iterable[MeterValue], register: float | None = None
) -> list[Payload]:
    """Write what 2.0.1 can say; empty when it can say nothing of it.

    Signed data of 1.6 has no number beside it: one is taken from a sample of the same kind in the
    same meter value, or from `register`, the energy register in Wh at the event.
    """
    return [
        {"timestamp": format_time(meter_value.at), "sampledValue": samples}
        for meter_value in meter_values
        if (samples := _samples_in_v201(meter_value, register))
    ]


def _samples_in_v201(meter_value: MeterValue, register: float | None) -> list[Payload]:
    said: list[Payload] = []
    for sample in meter_value.samples:
        numbered = sample
        if sample.signed is not None and _is_opaque(sample):
            numbered = _with_number(sample, meter_value.samples, register)
        words = _words(numbered, MEASURANDS_2_0_1)
        value = _number(numbered.value)
        if words is None or value is None or not _has_unit_of_v201(numbered):
            continue
        words["value"] = value
        if unit := _unit_of_measure(numbered):
            words["unitOfMeasure"] = unit
        if sample.signed is not None:
            words |= _signed_in_v201(sample.signed)
        said.append(words)
    return said


def _with_number(
    signed: SampledValue, samples: Iterable[SampledValue], register: float | None
) -> SampledValue:
    kind = (signed.measurand, signed.phase, signed.context)
    for other in samples:
        if other.signed is None and (other.measurand, other.phase, other.context) == kind:
            return other
    if register is not None and signed.measurand == ENERGY_REGISTER and signed.phase is None:
        return signed._replace(value=_text_of(register), unit="Wh", multiplier=0)
    return signed


def _has_unit_of_v201(sample: SampledValue) -> bool:
    return abs(sample.multiplier) <= LARGEST_MULTIPLIER and len(sample.unit or "") <= LONGEST_UNIT


def _unit_of_measure(sample: SampledValue) -> Payload:
    unit: Payload = {}
    if sample.unit is not None:
        unit["unit"] = sample.unit
    if sample.multiplier:
        unit["multiplier"] = sample.multiplier
    return unit


def _signed_in_v201(signed: dict[str, Any]) -> Payload:
    parts = {name: signed.get(name, "") for name in LONGEST_SIGNED_PARTS}
    for name, longest in LONGEST_SIGNED_PARTS.items():
        if not isinstance(parts[name], str) or len(parts[name]) > longest:
            return {}
    return {"signedMeterValue": parts}


def _words(sample: SampledValue, measurands: frozenset[str]) -> Payload | None:
    """Return what both versions spell alike; None where a word that matters is missing."""
    if sample.measurand not in measurands or (sample.phase and sample.phase not in PHASES):
        return None
    words: Payload = {
        "measurand": sample.measurand,
        "context": sample.context if sample.context in CONTEXTS else "Other",
    }
    if sample.phase:
        words["phase"] = sample.phase
    if sample.location in LOCATIONS:
        words["location"] = sample.location
    return words


def _number(text: str) -> float | None:
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    if number.is_integer() and text.lstrip("+-").isdigit() and abs(number) < LARGEST_INTEGER:
        return int(text)
    return number if abs(number) != float("inf") else None


def decimal_of(sample: SampledValue) -> Decimal | None:
    """Return the exact value in the sample's unit, multiplier applied; None if it is no number."""
    if abs(sample.multiplier) > LARGEST_MULTIPLIER or not NUMBER.fullmatch(sample.value):
        return None
    return Decimal(sample.value).scaleb(sample.multiplier)
