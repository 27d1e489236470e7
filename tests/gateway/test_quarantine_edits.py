"""An edit as people ask for it, and as it is told afterwards."""

from datetime import UTC, datetime

import pytest

from gateway.events import (
    EventType,
    IdToken,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.exports import event_json
from gateway.quarantine import EditRefused
from gateway.quarantine_edits import Difference, differences, edit_json, mended
from gateway.records import OutboxRow, QuarantineEdit
from tests.gateway.adapters.demo_site import a_transaction

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SIGNED = {"signedMeterData": "A", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
ENDED = TransactionChanged(
    EventType.ENDED,
    NOON,
    None,
    "StopAuthorized",
    0,
    evse_id=3,
    connector_id=1,
    id_token=IdToken("04A2B3C4D5E6F7"),
    stopped_reason="Local",
    register_wh=1500.0,
    meter_values=(MeterValue(NOON, (SampledValue("1500"), SampledValue("1", signed=SIGNED))),),
)


class Books:
    def by_number(self, number):
        return a_transaction() if number == 7 else None


def mend(changes=None, event=None, told=ENDED, version=None):
    row = OutboxRow(17, "evse/3", told, 7, NOON)
    return mended(row, changes, event, books=Books(), version=version).event


@pytest.mark.parametrize("told", [ENDED, SecurityEventOccurred("StartupOfTheDevice", NOON)])
def test_what_was_shown_and_comes_back_unchanged_changes_nothing(told):
    assert mend(event=event_json(told), told=told, version="ocpp2.0.1") == told


def test_a_whole_event_changes_what_differs_and_keeps_the_token_that_was_shown_shortened():
    event = event_json(ENDED)
    event["register_wh"], event["id_token"]["type"] = 1600, "ISO14443"
    event["meter_values"][0]["samples"][0]["value"] = "1600"

    after = mend(event=event)

    assert after.id_token == IdToken("04A2B3C4D5E6F7", "ISO14443")
    assert (after.register_wh, after.meter_values[0].samples[0].value) == (1600, "1600")


@pytest.mark.parametrize("event", [[], "x", None, {"register": 5}, {"at": None}])
def test_what_is_no_event_is_refused_in_words(event):
    with pytest.raises(EditRefused, match=r"\w"):
        mend(event=event)


@pytest.mark.parametrize("version", [None, "ocpp1.6", "ocpp2.0.1"])
def test_an_edit_is_proved_for_what_the_cloud_speaks_or_where_nobody_knows_for_either(version):
    assert mend({"register_wh": 7.0}, version=version).register_wh == 7.0
    with pytest.raises(EditRefused, match="no number"):
        mend({"meter_values.0.samples.0.value": "NaN"}, version=version)


def test_differences_are_told_in_their_smallest_parts():
    old = {"a": [1, {"b": 2}], "c": [1], "d": None}
    new = {"a": [1, {"b": 3}], "c": [1, 2], "d": None}

    assert list(differences(old, new)) == [
        Difference("a.1.b", 2, 3),
        Difference("c", [1], [1, 2]),
    ]


def test_the_audit_tells_who_changed_what_without_whole_tokens():
    after = mend({"register_wh": 1.0, "id_token.value": "0123456789"})

    told = edit_json(QuarantineEdit(17, NOON, "tablet", "typing error", ENDED, after))

    assert (told["edited_by"], told["note"]) == ("tablet", "typing error")
    assert told["changes"] == [
        {"path": "id_token.value", "old": "***E6F7", "new": "***6789"},
        {"path": "register_wh", "old": 1500.0, "new": 1.0},
    ]
