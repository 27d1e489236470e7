"""The official schemas, compiled: which rule a payload breaks and what OCPP calls it."""

import subprocess
import sys

import pytest

from gateway.ocpp.error_codes import ErrorCode, spelled
from gateway.ocpp.schemas import (
    SUFFIXES,
    actions,
    schema_at,
    validate_request,
    validate_response,
)

START = {
    "connectorId": 1,
    "idTag": "A1B2C3D4",
    "meterStart": 0,
    "timestamp": "2026-01-01T00:00:00Z",
}
BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
VALUE = {"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": "1"}]}

VALID = {
    "1.6 start": ("ocpp1.6", "StartTransaction", START),
    "1.6 offset": (
        "ocpp1.6",
        "StartTransaction",
        {**START, "timestamp": "2026-01-01T02:00:00+02:00"},
    ),
    "1.6 microseconds": (
        "ocpp1.6",
        "StartTransaction",
        {**START, "timestamp": "2026-01-01T00:00:00.123456Z"},
    ),
    "1.6 stop without reason": (
        "ocpp1.6",
        "StopTransaction",
        {"transactionId": 1, "timestamp": "2026-01-01T00:00:00Z", "meterStop": 1},
    ),
    "2.0.1 boot": ("ocpp2.0.1", "BootNotification", BOOT),
}

BROKEN = {
    "type": ("ocpp1.6", {**START, "connectorId": "1"}, "TypeConstraintViolation", "/connectorId"),
    "type, fraction": (
        "ocpp1.6",
        {**START, "meterStart": 0.5},
        "TypeConstraintViolation",
        "/meterStart",
    ),
    "value, length": (
        "ocpp1.6",
        {**START, "idTag": "x" * 21},
        "PropertyConstraintViolation",
        "/idTag",
    ),
    "value, time without zone": (
        "ocpp1.6",
        {**START, "timestamp": "2026-01-01T00:00:00"},
        "PropertyConstraintViolation",
        "/timestamp",
    ),
    "occurrence": (
        "ocpp1.6",
        {key: START[key] for key in START if key != "idTag"},
        "OccurrenceConstraintViolation",
        "",
    ),
    "form, an extra key": ("ocpp1.6", {**START, "extra": 1}, "FormatViolation", ""),
    "2.0.1 value, unknown reason": (
        "ocpp2.0.1",
        {**BOOT, "reason": "Boredom"},
        "PropertyConstraintViolation",
        "/reason",
    ),
    "2.0.1 form, an extra key inside": (
        "ocpp2.0.1",
        {**BOOT, "chargingStation": {**BOOT["chargingStation"], "x": 1}},
        "FormatViolation",
        "/chargingStation",
    ),
}


@pytest.mark.parametrize(("version", "action", "payload"), VALID.values(), ids=VALID)
def test_valid_payload_has_no_violation(version, action, payload):
    assert validate_request(version, action, payload) is None


@pytest.mark.parametrize(("version", "payload", "code", "path"), BROKEN.values(), ids=BROKEN)
def test_broken_rule_has_its_code_and_path(version, payload, code, path):
    action = "StartTransaction" if version == "ocpp1.6" else "BootNotification"

    violation = validate_request(version, action, payload)

    assert violation is not None
    assert (violation.code, violation.path) == (code, path)


def test_sentence_quotes_no_value_because_values_may_be_tokens():
    violation = validate_request("ocpp1.6", "Authorize", {"idTag": "SECRET-TOKEN-TOO-LONG"})

    assert violation is not None
    assert violation.sentence == "/idTag: value is longer than 20 characters"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_action_the_version_lacks_is_not_implemented(version):
    violation = validate_request(version, "Levitate", {})

    assert violation is not None
    assert violation.code is ErrorCode.NOT_IMPLEMENTED


def test_response_has_its_own_schema():
    assert validate_response("ocpp1.6", "Authorize", {"idTagInfo": {"status": "Accepted"}}) is None
    assert validate_response("ocpp1.6", "Authorize", {"idTag": "A"}) is not None


def test_every_tenth_of_an_ampere_is_a_multiple_of_a_tenth():
    def profile(limit):
        return {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
                },
            },
        }

    refused = [
        tenths
        for tenths in range(1001)
        if validate_request("ocpp1.6", "SetChargingProfile", profile(tenths / 10))
    ]

    assert refused == []
    assert validate_request("ocpp1.6", "SetChargingProfile", profile(16.15)) is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_is_not_finite_is_refused(value):
    payload = {
        "evseId": 1,
        "meterValue": [{**VALUE, "sampledValue": [{"value": value}]}],
    }

    assert validate_request("ocpp2.0.1", "MeterValues", payload) is not None


@pytest.mark.parametrize(("version", "count"), [("ocpp1.6", 39), ("ocpp2.0.1", 64)])
def test_all_actions_of_a_version_are_known(version, count):
    assert len(actions(version)) == count
    assert "Heartbeat" in actions(version)


@pytest.mark.parametrize(("version", "direction"), SUFFIXES, ids=str)
def test_every_schema_compiles(version, direction):
    check = validate_request if direction == "request" else validate_response

    verdicts = [check(version, action, {}) for action in actions(version)]

    assert any(verdict is None for verdict in verdicts)  # some may be empty
    assert all(verdict is None or "required" in verdict.sentence for verdict in verdicts)


def test_schema_is_found_through_references_and_arrays():
    path = ("meterValue", 0, "sampledValue", 3, "value")

    assert schema_at("ocpp2.0.1", "MeterValues", "request", path)["type"] == "number"
    assert schema_at("ocpp2.0.1", "MeterValues", "request", ("nowhere", "x")) == {}


def test_message_classes_of_the_ocpp_package_are_not_imported():
    program = (
        "import sys; from gateway.ocpp.schemas import validate_request as v;"
        "v('ocpp1.6', 'Heartbeat', {}); v('ocpp2.0.1', 'Heartbeat', {});"
        "sys.exit(any(name.startswith('ocpp.v') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


SPELLINGS = {
    "1.6 format": ("FormatViolation", "ocpp1.6", "FormationViolation"),
    "1.6 occurrence": (
        "OccurrenceConstraintViolation",
        "ocpp1.6",
        "OccurenceConstraintViolation",
    ),
    "1.6 frame": ("RpcFrameworkError", "ocpp1.6", "FormationViolation"),
    "2.0.1 format": ("FormationViolation", "ocpp2.0.1", "FormatViolation"),
    "2.0.1 occurrence": (
        "OccurenceConstraintViolation",
        "ocpp2.0.1",
        "OccurrenceConstraintViolation",
    ),
    "the same in both": ("NotImplemented", "ocpp1.6", "NotImplemented"),
    "a vendor's own": ("Overheated", "ocpp2.0.1", "GenericError"),
}


@pytest.mark.parametrize(("code", "version", "word"), SPELLINGS.values(), ids=SPELLINGS)
def test_code_is_spelled_as_the_version_does(code, version, word):
    assert spelled(code, version) == word
