"""What stations send and mean: mended, told, or refused; and recorded stations replayed."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ocpp.frames import Call, CallResult, parse, serialize
from gateway.ocpp.schemas import validate, validate_request
from gateway.ocpp.sloppiness import Change, normalise

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW_TEXT = "2026-03-01T12:00:00.000Z"
AT = "2026-01-01T00:00:00Z"

STATUS_16 = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
START_16 = {"connectorId": 1, "idTag": "A1B2", "meterStart": 5, "timestamp": AT}
STOP_16 = {"transactionId": 1, "meterStop": 9, "timestamp": AT}
BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M"}
SAMPLE = {"value": "230.1", "measurand": "Voltage", "unit": "V"}
METER_16 = {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [SAMPLE]}]}
STATUS_201 = {"timestamp": AT, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
METER_201 = {
    "evseId": 1,
    "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 1.5}, {"value": 2.5}]}],
}
EVENT_201 = {
    "eventType": "Updated",
    "timestamp": AT,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 3,
    "transactionInfo": {"transactionId": "T1"},
}
BOOT_201 = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}


def without(payload, *names):
    return {name: value for name, value in payload.items() if name not in names}


def meter(*samples, at=AT):
    return {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": list(samples)}]}


# action, what came, what it becomes, the kinds of the changes
MENDED_16 = {
    "extra key": (
        "StatusNotification",
        {**STATUS_16, "colour": "red"},
        STATUS_16,
        ["additionalProperties /colour"],
    ),
    "extra key inside": (
        "MeterValues",
        meter({**SAMPLE, "x": 1}),
        METER_16,
        ["additionalProperties /meterValue/*/sampledValue/*/x"],
    ),
    "string for a number": (
        "StartTransaction",
        {**START_16, "connectorId": "1", "meterStart": " 5"},
        START_16,
        ["type /connectorId", "type /meterStart"],
    ),
    "fraction of a watt-hour": (
        "StartTransaction",
        {**START_16, "meterStart": 5.4},
        START_16,
        ["type /meterStart"],
    ),
    "number for a string": (
        "MeterValues",
        meter({**SAMPLE, "value": 230.1}),
        METER_16,
        ["type /meterValue/*/sampledValue/*/value"],
    ),
    "null for an absent field": (
        "StatusNotification",
        {**STATUS_16, "info": None, "vendorId": None},
        STATUS_16,
        ["type /info", "type /vendorId"],
    ),
    "null for an absent word": (
        "StopTransaction",
        {**STOP_16, "reason": None},
        STOP_16,
        ["type /reason"],
    ),
    "object for a list of one": (
        "MeterValues",
        {"connectorId": 1, "meterValue": METER_16["meterValue"][0]},
        METER_16,
        ["type /meterValue"],
    ),
    "time without zone": (
        "StartTransaction",
        {**START_16, "timestamp": "2026-01-01T00:00:00"},
        {**START_16, "timestamp": "2026-01-01T00:00:00.000Z"},
        ["format /timestamp"],
    ),
    "time with a space and a short offset": (
        "StartTransaction",
        {**START_16, "timestamp": "2026-01-01 01:00:00+0100"},
        {**START_16, "timestamp": "2026-01-01T00:00:00.000Z"},
        ["format /timestamp"],
    ),
    "time that is none, where it is required": (
        "StartTransaction",
        {**START_16, "timestamp": "soon"},
        {**START_16, "timestamp": NOW_TEXT},
        ["format /timestamp"],
    ),
    "missing time": (
        "StartTransaction",
        without(START_16, "timestamp"),
        {**START_16, "timestamp": NOW_TEXT},
        ["required /timestamp"],
    ),
    "serial number over 25 characters": (
        "BootNotification",
        {**BOOT_16, "chargePointSerialNumber": "S" * 30},
        {**BOOT_16, "chargePointSerialNumber": "S" * 25},
        ["maxLength /chargePointSerialNumber"],
    ),
    "info over 50 characters": (
        "StatusNotification",
        {**STATUS_16, "info": "i" * 60},
        {**STATUS_16, "info": "i" * 50},
        ["maxLength /info"],
    ),
    "word in other letters": (
        "StatusNotification",
        {**STATUS_16, "status": "charging "},
        STATUS_16,
        ["enum /status"],
    ),
    "unknown error code": (
        "StatusNotification",
        {**STATUS_16, "errorCode": "FanStuck"},
        {**STATUS_16, "errorCode": "OtherError"},
        ["enum /errorCode"],
    ),
    "missing error code": (
        "StatusNotification",
        without(STATUS_16, "errorCode"),
        STATUS_16,
        ["required /errorCode"],
    ),
    "unknown stop reason is not Local": (
        "StopTransaction",
        {**STOP_16, "reason": "Boredom"},
        {**STOP_16, "reason": "Other"},
        ["enum /reason"],
    ),
    "unknown context": (
        "MeterValues",
        meter({**SAMPLE, "context": "Sample.Odd"}),
        METER_16,
        ["enum /meterValue/*/sampledValue/*/context"],
    ),
    "samples with an unknown measurand or unit": (
        "MeterValues",
        meter({"value": "1", "measurand": "Mood"}, SAMPLE, {"value": "1", "unit": "furlong"}),
        METER_16,
        ["enum /meterValue/*/sampledValue/*", "enum /meterValue/*/sampledValue/*"],
    ),
    "sample without a value": (
        "MeterValues",
        meter({"measurand": "Voltage"}, SAMPLE),
        METER_16,
        ["required /meterValue/*/sampledValue/*"],
    ),
}

MENDED_201 = {
    "status without timestamp": (
        "StatusNotification",
        without(STATUS_201, "timestamp"),
        {**STATUS_201, "timestamp": NOW_TEXT},
        ["required /timestamp"],
    ),
    "status without connector": (
        "StatusNotification",
        without(STATUS_201, "connectorId"),
        STATUS_201,
        ["required /connectorId"],
    ),
    "status of the whole station": (
        "StatusNotification",
        {**without(STATUS_201, "connectorId"), "evseId": 0},
        {**STATUS_201, "evseId": 0, "connectorId": 0},
        ["required /connectorId"],
    ),
    "numbers as strings": (
        "MeterValues",
        {
            "evseId": 1,
            "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "1.5"}, {"value": 2.5}]}],
        },
        METER_201,
        ["type /meterValue/*/sampledValue/*/value"],
    ),
    "not a number": (
        "MeterValues",
        {
            "evseId": 1,
            "meterValue": [
                {
                    "timestamp": AT,
                    "sampledValue": [{"value": 1.5}, {"value": "NaN"}, {"value": 2.5}],
                }
            ],
        },
        METER_201,
        ["type /meterValue/*/sampledValue/*"],
    ),
    "boolean as a string": (
        "TransactionEvent",
        {**EVENT_201, "offline": "True"},
        {**EVENT_201, "offline": True},
        ["type /offline"],
    ),
    "nothing left to report": (
        "TransactionEvent",
        {
            **EVENT_201,
            "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 1, "measurand": "Mood"}]}],
        },
        EVENT_201,
        [
            "enum /meterValue/*/sampledValue/*",
            "minItems /meterValue/*",
            "minItems /meterValue",
        ],
    ),
    "empty list": (
        "TransactionEvent",
        {**EVENT_201, "meterValue": []},
        EVENT_201,
        ["minItems /meterValue"],
    ),
    "unknown trigger": (
        "TransactionEvent",
        {**EVENT_201, "triggerReason": "Whim"},
        {**EVENT_201, "triggerReason": "Trigger"},
        ["enum /triggerReason"],
    ),
    "unknown boot reason": (
        "BootNotification",
        {**BOOT_201, "reason": "Boredom"},
        {**BOOT_201, "reason": "Unknown"},
        ["enum /reason"],
    ),
}

MENDED = {
    **{f"1.6 {name}": ("ocpp1.6", *case) for name, case in MENDED_16.items()},
    **{f"2.0.1 {name}": ("ocpp2.0.1", *case) for name, case in MENDED_201.items()},
}

REFUSED = {
    "long token": (
        "ocpp1.6",
        "Authorize",
        {"idTag": "x" * 21},
        "PropertyConstraintViolation",
    ),
    "missing token": ("ocpp1.6", "Authorize", {}, "OccurrenceConstraintViolation"),
    "unknown status": (
        "ocpp1.6",
        "StatusNotification",
        {**STATUS_16, "status": "Dreaming"},
        "PropertyConstraintViolation",
    ),
    "missing meter start": (
        "ocpp1.6",
        "StartTransaction",
        without(START_16, "meterStart"),
        "OccurrenceConstraintViolation",
    ),
    "word for a number": (
        "ocpp1.6",
        "StartTransaction",
        {**START_16, "meterStart": "many"},
        "TypeConstraintViolation",
    ),
    "unknown action": ("ocpp1.6", "Levitate", {}, "NotImplemented"),
    "long transaction id": (
        "ocpp2.0.1",
        "TransactionEvent",
        {**EVENT_201, "transactionInfo": {"transactionId": "x" * 37}},
        "PropertyConstraintViolation",
    ),
    "missing EVSE": (
        "ocpp2.0.1",
        "StatusNotification",
        without(STATUS_201, "evseId"),
        "OccurrenceConstraintViolation",
    ),
}


@pytest.mark.parametrize(
    ("version", "action", "came", "becomes", "kinds"), MENDED.values(), ids=MENDED
)
def test_sloppy_payload_is_mended_and_every_change_is_told(version, action, came, becomes, kinds):
    before = deepcopy(came)

    mended = normalise(version, action, came, NOW)

    assert mended.payload == becomes
    assert sorted(change.kind for change in mended.changes) == sorted(kinds)
    assert mended.violation is None
    assert validate_request(version, action, mended.payload) is None
    assert came == before


@pytest.mark.parametrize(("version", "action", "came", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_mended_is_refused_with_its_code(version, action, came, code):
    mended = normalise(version, action, came, NOW)

    assert mended.violation is not None
    assert mended.violation.code == code
    assert mended.payload == came


def test_change_tells_what_was_and_what_became():
    mended = normalise("ocpp1.6", "StartTransaction", {**START_16, "meterStart": "5"}, NOW)

    assert mended.changes == (Change("type", "/meterStart", "5", 5),)


def test_change_of_a_token_does_not_tell_it():
    mended = normalise("ocpp1.6", "Authorize", {"idTag": 12345678}, NOW)

    assert mended.payload == {"idTag": "12345678"}
    assert mended.changes == (Change("type", "/idTag", "***", "***"),)


@pytest.mark.parametrize("unit", ["Celcius", "Celsius"])
def test_both_spellings_of_celsius_are_words_of_1_6(unit):
    came = meter({"value": "20", "measurand": "Temperature", "unit": unit})

    assert normalise("ocpp1.6", "MeterValues", came, NOW).changes == ()


def test_answer_is_mended_by_the_schema_of_answers():
    mended = normalise("ocpp1.6", "Reset", {"status": "accepted"}, NOW, direction="response")

    assert mended.payload == {"status": "Accepted"}
    assert mended.violation is None


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=60) | st.just([]) | st.just({})
EXAMPLES = [
    ("ocpp1.6", "StatusNotification", STATUS_16),
    ("ocpp1.6", "StartTransaction", START_16),
    ("ocpp1.6", "MeterValues", METER_16),
    ("ocpp2.0.1", "StatusNotification", STATUS_201),
    ("ocpp2.0.1", "MeterValues", METER_201),
    ("ocpp2.0.1", "TransactionEvent", {**EVENT_201, "meterValue": METER_201["meterValue"]}),
    ("ocpp2.0.1", "BootNotification", BOOT_201),
]


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in inner:
            yield from places(item, (*path, name))


def spoil(payload, path, junk):
    for part in path[:-1]:
        payload = payload[part]
    if junk is places:
        del payload[path[-1]]
    else:
        payload[path[-1]] = junk


@given(st.sampled_from(EXAMPLES), st.data())
@settings(max_examples=200, deadline=None)
def test_spoilt_payload_is_valid_afterwards_or_refused(example, data):
    version, action, payload = example
    payload = deepcopy(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(payload) if path] or [("x",)]))
        spoil(payload, path, data.draw(JUNK) if path != ("x",) else 1)

    mended = normalise(version, action, payload, NOW)

    if mended.violation is None:
        assert validate_request(version, action, mended.payload) is None
    else:
        assert mended.payload == payload
        assert validate_request(version, action, payload) is not None


# Recorded stations.

TRANSCRIPTS = Path(__file__).parents[4] / "shared" / "data" / "transcripts"
VERSIONS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}


def recorded(name):
    file = TRANSCRIPTS / f"{name}.jsonl"
    if not file.exists():
        pytest.skip(f"no recording {file.name}: the shared material is not beside the checkout")
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("station", ["microocpp", "sap", "vcp"])
def test_recorded_station_is_understood(station, version):
    asked, refused = {}, []
    for entry in recorded(f"{station}-{version}"):
        if entry["ev"] == "out" and entry["frame"][0] == 2:
            asked[entry["frame"][1]] = entry["frame"][2]
        if entry["ev"] != "in":
            continue
        frame = parse(json.dumps(entry["frame"]))
        match frame:
            case Call():
                message = (VERSIONS[version], frame.action, frame.payload, NOW)
            case CallResult():
                action = asked[frame.unique_id]
                message = (VERSIONS[version], action, frame.payload, NOW, "response")
            case _:
                continue
        mended = normalise(*message)
        if mended.violation:
            refused.append((message[1], mended.violation))
        assert parse(serialize(frame)) == frame

    assert refused == []


def test_validate_agrees_with_normalise_on_a_clean_payload():
    assert validate("ocpp1.6", "StopTransaction", "request", STOP_16) is None
    assert normalise("ocpp1.6", "StopTransaction", STOP_16, NOW).changes == ()
