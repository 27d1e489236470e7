"""A quarantined row is changed only where it may be, and only into what the cloud can be told."""

from datetime import UTC, datetime

import pytest

from gateway.events import (
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.ocpp.codec import codec_for
from gateway.quarantine import EditRefused, document, edited
from gateway.records import OutboxRow, Transaction, Unreadable
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from site_config.model import Site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {"A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}},
    }
)
SIGNED = {"signedMeterData": "AAFF", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
TRANSACTION = Transaction(
    1, "6d3b1f9c-0000-4000-8000-000000000001", "A", 1, 1, 1, NOON, "1", IdToken("CARD-1")
)
VALUES = (
    MeterValue(NOON, (SampledValue("100"), SampledValue("16", "Current.Import", "L1"))),
    MeterValue(NOON, (SampledValue("120", signed=SIGNED),)),
)
ENDED = TransactionChanged(
    EventType.ENDED,
    NOON,
    None,
    "StopAuthorized",
    0,
    evse_id=1,
    connector_id=1,
    stopped_reason="Local",
    register_wh=120.0,
    meter_values=VALUES,
)


def edit(event=ENDED, version="ocpp2.0.1", **changes):
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    kept = Kept(running=(TRANSACTION,))
    books = TransactionBooks(SlotTable(SITE), kept, lambda: "u")
    row = OutboxRow(7, "evse/1", event, 1, NOON, attempts=3)
    return edited(row, paths, books=books, codec=codec_for(version))


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_only_what_was_named_changes(version):
    row = edit(version=version, register_wh=130.5, stopped_reason="Remote")

    assert document(row.event) == document(ENDED) | {
        "register_wh": 130.5,
        "stopped_reason": "Remote",
    }
    assert (row.id, row.lane, row.transaction, row.attempts) == (7, "evse/1", 1, 3)


def test_a_value_deep_inside_is_reached_by_its_path():
    row = edit(meter_values__0__samples__1__value="15.5", at="2026-06-01T14:00:00+02:00")

    assert row.event.meter_values[0].samples[1].value == "15.5"
    assert row.event.meter_values[1] == VALUES[1]
    assert row.event.at == NOON


def test_a_token_may_be_given_whole():
    row = edit(id_token={"value": "CARD-2", "type": "ISO14443"})

    assert row.event.id_token == IdToken("CARD-2", "ISO14443")


def test_nothing_changed_is_the_same_row():
    assert edit().event == ENDED


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"evse_id": 2}, "evse_id: cannot be changed", id="whose it is"),
        pytest.param({"event_type": "Started"}, "cannot be changed", id="what it is"),
        pytest.param({"nonsense": 1}, "nonsense: cannot be changed", id="unknown"),
        pytest.param({"register_wh": "much"}, "register_wh: ", id="no number"),
        pytest.param({"at": "2026-06-01T12:00:00"}, "time zone", id="no time zone"),
        pytest.param({"id_token.value": "X"}, "there is no value", id="nothing there"),
        pytest.param({"meter_values.9.at": "X"}, "there is no 9", id="beyond the end"),
        pytest.param({"meter_values.1.samples.0.signed": None}, "signed", id="signed removed"),
        pytest.param({"meter_values": []}, "signed", id="signed dropped"),
        pytest.param({"id_token": {"value": "X", "tpye": "Central"}}, "tpye", id="misspelt"),
        pytest.param({"stopped_reason": "Because"}, "one of", id="a word the cloud does not know"),
        pytest.param({"meter_values.0.samples.0.value": "x"}, "no number", id="no figure"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(changes, sentence):
    with pytest.raises(EditRefused, match=sentence):
        edit(**changes)


def test_a_transaction_that_is_forgotten_is_refused_with_a_sentence():
    books = TransactionBooks(SlotTable(SITE), Kept(), lambda: "u")
    row = OutboxRow(7, "evse/1", ENDED, 99)

    with pytest.raises(EditRefused, match="not in the books"):
        edited(row, {"register_wh": 1}, books=books, codec=codec_for("ocpp1.6"))


def test_what_nobody_can_read_is_not_edited():
    with pytest.raises(EditRefused, match="nobody can read it"):
        edit(Unreadable(b"\xff", "damaged"), register_wh=1)


def test_values_and_security_events_are_edited_alike():
    values = edit(MetersSampled(1, 1, VALUES[:1]), meter_values__0__samples__0__value="99")
    event = edit(SecurityEventOccurred("ResetOrReboot", NOON), tech_info="by hand")

    assert values.event.meter_values[0].samples[0].value == "99"
    assert event.event.tech_info == "by hand"
