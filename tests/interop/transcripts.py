"""Recordings of public station simulators, read and played again as stations.

A recording is a JSON object a line: `t` when, `cp` which station, `ev` what (`open`, `close`, `in`
a frame of the station, `out` a frame of the CSMS it spoke with), `frame` the OCPP-J array. Played
again, a station says what it said, in its order; what it is asked it answers as it answered then.
Energies are Wh.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ENERGY = "Energy.Active.Import.Register"
CALL, CALLRESULT, CALLERROR = 2, 3, 4
PATIENCE_S = 20.0
REMOTE_STARTS = {"RemoteStartTransaction", "RequestStartTransaction"}
REMOTE_STOPS = {"RemoteStopTransaction", "RequestStopTransaction"}


def instant(text):
    return datetime.fromisoformat(text)


@dataclass
class Told:
    """A transaction as the messages of its station tell it. Registers in Wh, as they were told."""

    station: str
    evse_id: int
    token: str
    started_at: datetime
    start_wh: float | None = None
    stop_wh: float | None = None
    ended_at: datetime | None = None


@dataclass
class Transcript:
    """One recording, in order."""

    records: list[dict]
    version: str = ""
    openings: dict[str, dict] = field(default_factory=dict)
    """By station: its first handshake."""
    results: dict[str, dict] = field(default_factory=dict)
    """By message id: what a station's call was answered with."""
    answers: dict[str, dict[str, list]] = field(default_factory=dict)
    """By station and action: how the station answered the CSMS."""

    @classmethod
    def load(cls, path):
        transcript = cls([json.loads(line) for line in path.read_text().splitlines()])
        asked = {}
        for record in transcript.records:
            frame = record.get("frame")
            match record["ev"]:
                case "open":
                    transcript.openings.setdefault(record["cp"], record)
                    transcript.version = record["subprotocol"]
                case "out" if frame[0] == CALL:
                    asked[frame[1]] = frame[2]
                case "out" if frame[0] == CALLRESULT:
                    transcript.results[frame[1]] = frame[2]
                case "in" if frame[0] != CALL:
                    own = transcript.answers.setdefault(record["cp"], {})
                    own.setdefault(asked[frame[1]], frame)
        return transcript

    def calls(self, *actions):
        """Return (station, message id, payload) of the stations' calls."""
        return [
            (record["cp"], record["frame"][1], record["frame"][3])
            for record in self.records
            if record["ev"] == "in" and record["frame"][0] == CALL and record["frame"][2] in actions
        ]

    @property
    def transactions(self):
        """Return what should be billed, by the id it had in the recording."""
        return self._told_1_6() if self.version == "ocpp1.6" else self._told_2_0_1()

    def _told_1_6(self):
        told = {}
        for station, message_id, payload in self.calls("StartTransaction", "StopTransaction"):
            if "meterStart" in payload:
                told[self.results[message_id]["transactionId"]] = Told(
                    station,
                    payload["connectorId"],
                    payload["idTag"],
                    instant(payload["timestamp"]),
                    start_wh=payload["meterStart"],
                )
            else:
                own = told[payload["transactionId"]]
                own.stop_wh, own.ended_at = payload["meterStop"], instant(payload["timestamp"])
        return told

    def _told_2_0_1(self):
        told = {}
        for station, _, payload in self.calls("TransactionEvent"):
            transaction_id, at = payload["transactionInfo"]["transactionId"], payload["timestamp"]
            if payload["eventType"] == "Started":
                evse_id, token = payload["evse"]["id"], payload["idToken"]["idToken"]
                told[transaction_id] = Told(station, evse_id, token, instant(at))
            own = told[transaction_id]
            for register_wh in registers_wh(payload):
                if own.start_wh is None:
                    own.start_wh = register_wh
                own.stop_wh = register_wh
            if payload["eventType"] == "Ended":
                own.ended_at = instant(at)
        return told


def registers_wh(payload):
    """Return the energy registers of a 2.0.1 event, in order; Wh is the unit of who names none."""
    return [
        round(sample["value"] * (1000 if unit.get("unit") == "kWh" else 1), 3)
        for value in payload.get("meterValue", ())
        for sample in value["sampledValue"]
        if sample.get("measurand", ENERGY) == ENERGY
        for unit in [sample.get("unitOfMeasure", {})]
    ]


class RecordedStation:
    """A station that says again what it once said."""

    def __init__(self, transcript, identity, url):
        self._transcript, self._identity, self._url = transcript, identity, f"{url}/{identity}"
        self._socket = None
        self._reader = None
        self._waiting = {}
        self._numbers = {}
        self.asked = []
        """What the gateway asked of it: (action, payload)."""
        self.answered = []
        """How its calls were answered: (action, answering frame)."""
        self._remote_start_id = None

    # The connection.

    async def open(self, opening):
        headers = {}
        if opening["auth"]:
            headers["Authorization"] = opening["auth"]
        self._socket = await connect(
            self._url,
            subprotocols=opening["offered"].split(","),
            additional_headers=headers,
            compression="deflate" if opening["extensions"] else None,
            ping_interval=None,
        )
        self._reader = asyncio.create_task(self._read(self._socket))

    async def turned_away(self, opening):
        """Connect, expect to be closed at once, and return the closing handshake."""
        await self.open(opening)
        assert self._socket.subprotocol is None
        async with asyncio.timeout(PATIENCE_S):
            await self._reader
        return self._socket.protocol.close_rcvd

    async def close(self, code):
        if code == 1006:
            self._socket.transport.abort()
        await self._socket.close()
        await self._reader

    async def _read(self, socket):
        try:
            async for text in socket:
                kind, message_id, *rest = frame = json.loads(text)
                if kind == CALL:
                    self.asked.append((rest[0], rest[1]))
                    await socket.send(json.dumps(self._answer(message_id, *rest)))
                else:
                    self._waiting.pop(message_id).set_result(frame)
        except ConnectionClosed:
            pass  # it ends as the recording does

    # What it says.

    async def say(self, frame):
        """Send a recorded call and wait for the answer."""
        _, message_id, action, payload = frame
        payload = self._with_its_ids(payload)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = answer
        async with asyncio.timeout(PATIENCE_S):
            await self._socket.send(json.dumps([CALL, message_id, action, payload]))
            answered = await answer
        self.answered.append((action, answered))
        given = self._transcript.results.get(message_id, {}).get("transactionId")
        if given is not None and answered[0] == CALLRESULT:
            self._numbers[given] = answered[2]["transactionId"]

    def _with_its_ids(self, payload):
        """Return the payload with the ids that it was given this time."""
        if "transactionId" in payload:
            return payload | {"transactionId": self._numbers[payload["transactionId"]]}
        if "remoteStartId" in payload.get("transactionInfo", {}):
            info = payload["transactionInfo"] | {"remoteStartId": self._remote_start_id}
            return payload | {"transactionInfo": info}
        return payload

    # What it is asked.

    def _answer(self, message_id, action, payload):
        recorded = self._transcript.answers.get(self._identity, {}).get(action)
        if recorded is None or recorded[0] == CALLERROR:
            return [CALLERROR, message_id, "NotImplemented", "", {}]
        if action == "RequestStartTransaction":
            self._remote_start_id = payload["remoteStartId"]
        match action:
            case "GetConfiguration":
                return [CALLRESULT, message_id, _configuration(recorded[2], payload)]
            case "GetVariables":
                return [CALLRESULT, message_id, _variables(recorded[2], payload)]
            case "SetVariables":
                rows = [
                    {"attributeStatus": "Accepted"}
                    | {key: row[key] for key in ("component", "variable")}
                    for row in payload["setVariableData"]
                ]
                return [CALLRESULT, message_id, {"setVariableResult": rows}]
        return [CALLRESULT, message_id, recorded[2]]


def _configuration(recorded, payload):
    rows = {row["key"]: row for row in recorded["configurationKey"]}
    keys = payload.get("key") or list(rows)
    return {
        "configurationKey": [rows[key] for key in keys if key in rows],
        "unknownKey": [key for key in keys if key not in rows],
    }


def _variables(recorded, payload):
    rows = []
    for asked in payload["getVariableData"]:
        place = {key: asked[key] for key in ("component", "variable")}
        known = [row for row in recorded["getVariableResult"] if place.items() <= row.items()]
        rows.append(known[0] if known else {"attributeStatus": "UnknownVariable", **place})
    return {"getVariableResult": rows}
