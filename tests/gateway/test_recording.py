"""The message trace leaves as a recording that our own reader plays."""

import json
from datetime import UTC, datetime, timedelta

from gateway.operations import TraceEntry
from gateway.recording import as_recording
from tests.interop.transcripts import Transcript

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
START = {"connectorId": 1, "idTag": "T", "meterStart": 10, "timestamp": "2026-06-01T12:00:00Z"}
STOP = {"transactionId": 5, "meterStop": 90, "timestamp": "2026-06-01T13:00:00Z"}


def entry(seconds, station, direction, frame):
    text = frame if isinstance(frame, str) else json.dumps(frame)
    return TraceEntry(NOON + timedelta(seconds=seconds), station, direction, text)


def recorded(*entries):
    protocols = {"CP-01": "ocpp1.6", "cloud": "ocpp2.0.1"}
    return list(as_recording(entries, protocols, "DEPOT"))


def test_a_station_can_be_played_from_its_frames(tmp_path):
    accepted = {"idTagInfo": {"status": "Accepted"}}
    lines = recorded(
        entry(0, "CP-01", "in", [2, "a", "StartTransaction", START]),
        entry(1, "CP-01", "out", [3, "a", {"transactionId": 5} | accepted]),
        entry(2, "CP-01", "out", [2, "g", "Reset", {"type": "Soft"}]),
        entry(3, "CP-01", "in", [3, "g", {"status": "Accepted"}]),
        entry(4, "CP-01", "in", [2, "b", "StopTransaction", STOP]),
    )
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    transcript = Transcript.load(path)

    assert transcript.version == "ocpp1.6"
    assert transcript.openings["CP-01"]["offered"] == "ocpp1.6"
    told = transcript.transactions[5]
    assert (told.station, told.start_wh, told.stop_wh) == ("CP-01", 10, 90)
    assert transcript.answers["CP-01"]["Reset"] == [3, "g", {"status": "Accepted"}]


def test_towards_the_cloud_the_gateway_is_the_station():
    opened, said, answered = recorded(
        entry(0, "cloud", "out", [2, "a", "Heartbeat", {}]), entry(1, "cloud", "in", [3, "a", {}])
    )

    assert (opened["ev"], opened["cp"], opened["subprotocol"]) == ("open", "DEPOT", "ocpp2.0.1")
    assert (said["ev"], said["cp"], said["frame"]) == ("in", "DEPOT", [2, "a", "Heartbeat", {}])
    assert answered["ev"] == "out"


def test_what_is_no_frame_is_kept_as_it_came():
    assert recorded(entry(0, "CP-01", "in", "hello"))[1]["frame"] == "hello"
