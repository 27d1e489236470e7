"""What leaves in files: complete, readable elsewhere, harmless, and without whole tokens."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.events import (
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    TransactionChanged,
)
from gateway.exports import as_csv, event_json, exported_json, journey_json, transaction_json
from gateway.journey import Journey, flags_of, kind_of
from gateway.records import AuthorizationStatus, OutboxRow, QuarantinedRow
from tests.gateway.adapters.demo_site import NOON, a_transaction, a_way

SIGNED = {"signedMeterData": "T0NNRnx7IkZWIjoiMS4wIn18e30=", "encodingMethod": "OCMF"}


def test_a_journey_tells_every_hop_with_its_time_and_how_long_it_took():
    first, *_, quarantined, waiting = journey_json(Journey(a_transaction(), a_way()))["steps"]

    assert (first["station_message_id"], first["cloud_message_id"]) == ("s-3", "c-3")
    assert first["received_at"] == "2026-06-01T11:00:00.040+00:00"
    assert (first["waited_s"], first["answered_in_s"]) == (0.17, 0.15)
    assert quarantined["note"] == "FormationViolation timestamp malformed"
    assert (waiting["state"], waiting["waited_s"], waiting["sent_at"]) == ("waiting", None, None)


def test_signed_values_leave_as_the_station_signed_them():
    sample = SampledValue("0012.50", signed=SIGNED)
    row = OutboxRow(1, "evse/1", MetersSampled(1, 1, (MeterValue(NOON, (sample,)),)))

    (told,) = exported_json(row)["event"]["meter_values"][0]["samples"]

    assert (told["value"], told["signed"]) == ("0012.50", SIGNED)


def test_no_whole_token_leaves():
    token = IdToken("04A2B3C4D5E6F7")
    event = TransactionChanged(EventType.STARTED, NOON, None, "Authorized", 0, id_token=token)
    row = OutboxRow(1, "evse/1", event)

    exported = str([event_json(event), exported_json(row), transaction_json(a_transaction())])

    assert "04A2B3C4D5E6F7" not in exported
    assert "E6F7" in exported


def test_a_quarantined_row_leaves_with_the_clouds_answer():
    row = OutboxRow(1, "evse/1", MetersSampled(1, 1, ()))

    told = exported_json(row, QuarantinedRow(row, NOON, "FormatViolation", "no"))

    assert (told["state"], told["code"], told["description"]) == (
        "quarantined",
        "FormatViolation",
        "no",
    )


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_a_cell_is_never_a_formula(evil):
    table = as_csv([{"a": evil, "b": -1.5, "c": None, "d": ["x", "y"], "e": True}], "abcde")

    ((*_, first), *_) = list(csv.reader(io.StringIO(table)))[1:], None
    assert first == [f"'{evil}", "-1.5", "", "x; y", "True"]


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"verdict": AuthorizationStatus.BLOCKED}, "token Blocked"),
        ({"is_start_queued": False}, "start not told yet"),
        ({"is_estimated": True}, "estimated"),
        ({"register_offset_wh": 900.0}, "register was reset"),
        ({"started_told_at": datetime(1970, 1, 1, tzinfo=UTC)}, "clock not believed"),
        ({"ended_at": NOON, "register_last_wh": None}, "energy unknown"),
        ({"register_last_wh": 1.0}, "register ran backwards"),
        ({"ended_at": datetime(1970, 1, 1, tzinfo=UTC)}, "ended before it began"),
    ],
)
def test_what_is_odd_about_a_transaction_is_flagged(changes, flag):
    sound = replace(a_transaction(), is_start_queued=True)

    assert flags_of(replace(sound, **changes)) == (flag,)
    assert flags_of(replace(sound, started_told_at=sound.started_at)) == (), "old, but believed"
    assert flags_of(replace(sound, ended_at=NOON + timedelta(1))) == ()


@pytest.mark.parametrize(
    ("event_type", "trigger", "kind"),
    [
        (EventType.STARTED, "Authorized", "Started"),
        (EventType.ENDED, "EVDeparted", "Ended"),
        (EventType.UPDATED, "MeterValuePeriodic", "MeterValues"),
        (EventType.UPDATED, "MeterValueClock", "MeterValues"),
        (EventType.UPDATED, "ChargingStateChanged", "ChargingStateChanged"),
    ],
)
def test_a_row_tells_in_a_word_what_it_is(event_type, trigger, kind):
    assert kind_of(TransactionChanged(event_type, NOON, None, trigger, 0)) == kind
