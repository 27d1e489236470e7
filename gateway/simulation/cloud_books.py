"""What a simulated cloud believes about one charging station, and what it finds wrong with it.

Decides whether a message keeps the rules that no schema can say: start before values, values in
order of time, sequence numbers without a gap, one transaction at a time on an EVSE, a repetition
that is word for word the first. Touches nothing. Energy is Wh, instants are aware UTC datetimes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import orjson

from gateway.ocpp.frames import Payload
from gateway.simulation.instants import read_instant

ENERGY = "Energy.Active.Import.Register"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A rule of the protocol that a peer broke with a message its schema allows."""

    identity: str
    rule: str
    """Short name of the rule, for tests that expect a complaint."""
    text: str


@dataclass(slots=True)
class BookedTransaction:
    """One transaction, as it would be billed."""

    identity: str
    transaction_id: str
    """2.0.1: the station's; 1.6: the number this cloud gave, as text."""
    started_at: datetime
    evse_id: int | None = None
    """1.6: the connector."""
    id_token: str | None = None
    start_wh: float | None = None
    ended_at: datetime | None = None
    stop_wh: float | None = None
    stop_reason: str | None = None
    remote_start_id: int | None = None
    readings: list[tuple[datetime, float]] = field(default_factory=list)
    """Energy register, in order of arrival."""
    last_at: datetime | None = None
    """Newest instant heard of; nothing older may follow."""
    next_seq_no: int = 0
    heard: dict[int | str, bytes] = field(default_factory=dict)
    """Fingerprints of what may be repeated: by seqNo, or `start` and `stop` in 1.6."""
    retransmissions: int = 0
    offline_messages: int = 0
    charging_states: list[str] = field(default_factory=list)
    trigger_reasons: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    @property
    def energy_wh(self) -> float | None:
        if self.start_wh is None or self.stop_wh is None:
            return None
        return self.stop_wh - self.start_wh


class StationBooks:
    """The books of one identity; one for its whole life, over all its connections.

    Args:
        complaints: shared list that grows.
        transaction_ids: what a 1.6 StartTransaction is answered with, one after the other.
        evse_count: the highest number the station may use; None: any.
    """

    def __init__(
        self,
        identity: str,
        complaints: list[Complaint],
        transaction_ids: Iterator[int],
        evse_count: int | None = None,
    ) -> None:
        self.identity = identity
        self.transactions: list[BookedTransaction] = []
        self.statuses: dict[tuple[int, int], str] = {}
        """(EVSE, connector) -> status; in 1.6 (connector, 1), and (0, 0) for the station."""
        self.error_codes: dict[tuple[int, int], str] = {}
        self.stray_values: list[Payload] = []
        """Meter values outside of any transaction."""
        self.repeated_values = 0
        """MeterValues that came word for word again: a repetition has no other mark (1.6 §6.31)."""
        self._values_heard: set[bytes] = set()
        self._complaints = complaints
        self._transaction_ids = transaction_ids
        self._evse_count = evse_count

    def complain(self, rule: str, text: str) -> None:
        self._complaints.append(Complaint(self.identity, rule, text))

    # OCPP 1.6.

    def start_16(self, payload: Payload) -> tuple[int, bool]:
        """Return the transaction's number, and whether the message is a repetition."""
        known = self._find_heard("start", payload)
        if known:
            known.retransmissions += 1
            return int(known.transaction_id), True
        connector, at = payload["connectorId"], read_instant(payload["timestamp"])
        self._check_evse(connector, "StartTransaction")
        self._check_free(connector)
        number = next(self._transaction_ids)
        booked = BookedTransaction(
            self.identity,
            str(number),
            started_at=at,
            evse_id=connector,
            id_token=payload["idTag"],
            start_wh=payload["meterStart"],
            heard={"start": _fingerprint(payload)},
        )
        self._note_time(booked, at, "StartTransaction")
        self.transactions.append(booked)
        return number, False

    def stop_16(self, payload: Payload) -> None:
        known = self._find_heard("stop", payload)
        if known:
            known.retransmissions += 1
            return
        booked = self._find_open(str(payload["transactionId"]), payload.get("idTag"))
        if booked is None:
            self.complain("unknown transaction", f"StopTransaction of {payload['transactionId']}")
            return
        at = read_instant(payload["timestamp"])
        for value in payload.get("transactionData", ()):
            self._note_reading(booked, value, is_in_order=False)
        self._note_time(booked, at, "StopTransaction")
        if payload["meterStop"] < (booked.start_wh or 0):
            self.complain("register", f"meterStop {payload['meterStop']} < {booked.start_wh}")
        booked.heard["stop"] = _fingerprint(payload)
        booked.ended_at, booked.stop_wh = at, payload["meterStop"]
        booked.stop_reason = payload.get("reason", "Local")

    def meter_values_16(self, payload: Payload) -> None:
        if self._are_repeated(payload):
            return
        connector, number = payload["connectorId"], payload.get("transactionId")
        if number is None:
            if connector and self.running_on(connector):
                self.complain("stray values", f"MeterValues of {connector} name no transaction")
            self.stray_values.append(payload)
            return
        booked = self._find_open(str(number), None, connector)
        if booked is None:
            self.complain("unknown transaction", f"MeterValues of {number}")
            return
        if booked.evse_id != connector:
            self.complain("evse", f"MeterValues of {connector}, begun on {booked.evse_id}")
        for value in payload["meterValue"]:
            self._note_reading(booked, value)

    def status_16(self, payload: Payload) -> None:
        connector = payload["connectorId"]
        if connector:
            self._check_evse(connector, "StatusNotification")
        elif payload["status"] not in ("Available", "Unavailable", "Faulted"):
            self.complain("status", f"connector 0 is {payload['status']}")  # 1.6 §4.9
        key = (connector, 1 if connector else 0)
        self.statuses[key] = payload["status"]
        self.error_codes[key] = payload["errorCode"]

    # OCPP 2.0.1.

    def transaction_event(self, payload: Payload) -> None:
        info, seq_no = payload["transactionInfo"], payload["seqNo"]
        booked = self.find(info["transactionId"])
        if booked and seq_no in booked.heard:
            self._note_repetition(booked, payload)
            return
        if booked is None:
            booked = self._open(payload)
        elif payload["eventType"] == "Started":
            self.complain("second start", f"{booked.transaction_id} seqNo {seq_no}")
        elif not booked.is_running:
            self.complain("after the end", f"{booked.transaction_id} seqNo {seq_no}")
        if seq_no != booked.next_seq_no:
            text = f"{booked.transaction_id}: seqNo {seq_no} after {booked.next_seq_no - 1}"
            self.complain("seqNo", text)
        booked.heard[seq_no] = _fingerprint(payload)
        booked.next_seq_no = seq_no + 1
        self._note_event(booked, payload)

    def status_201(self, payload: Payload) -> None:
        self._check_evse(payload["evseId"], "StatusNotification")
        self.statuses[payload["evseId"], payload["connectorId"]] = payload["connectorStatus"]

    def meter_values_201(self, payload: Payload) -> None:
        if self._are_repeated(payload):
            return
        if payload["evseId"] and self.running_on(payload["evseId"]):
            self.complain("stray values", f"MeterValues of {payload['evseId']} in a transaction")
        self.stray_values.append(payload)

    # Look up.

    def find(self, transaction_id: str) -> BookedTransaction | None:
        """Return the newest transaction of that id."""
        same = (t for t in reversed(self.transactions) if t.transaction_id == transaction_id)
        return next(same, None)

    def running_on(self, evse_id: int) -> BookedTransaction | None:
        running = (t for t in self.transactions if t.is_running and t.evse_id == evse_id)
        return next(running, None)

    # Decide.

    def _open(self, payload: Payload) -> BookedTransaction:
        transaction_id = payload["transactionInfo"]["transactionId"]
        if payload["eventType"] != "Started":
            text = f"{payload['eventType']} of {transaction_id}, which never started"
            self.complain("unknown transaction", text)
        if evse := payload.get("evse"):
            self._check_free(evse["id"])
        at = read_instant(payload["timestamp"])
        booked = BookedTransaction(self.identity, transaction_id, at)
        self.transactions.append(booked)
        return booked

    def _note_repetition(self, booked: BookedTransaction, payload: Payload) -> None:
        booked.retransmissions += 1
        if booked.heard[payload["seqNo"]] != _fingerprint(payload):
            text = f"{booked.transaction_id} seqNo {payload['seqNo']} came with other content"
            self.complain("repetition", text)

    def _note_event(self, booked: BookedTransaction, payload: Payload) -> None:
        info, at = payload["transactionInfo"], read_instant(payload["timestamp"])
        booked.offline_messages += bool(payload.get("offline"))
        booked.trigger_reasons.append(payload["triggerReason"])
        if "chargingState" in info:
            booked.charging_states.append(info["chargingState"])
        if "remoteStartId" in info:
            booked.remote_start_id = info["remoteStartId"]
        if "idToken" in payload and booked.id_token is None:
            booked.id_token = payload["idToken"]["idToken"]
        if evse := payload.get("evse"):
            self._check_evse(evse["id"], "TransactionEvent")
            if booked.evse_id not in (None, evse["id"]):
                self.complain("evse", f"{booked.transaction_id} moved to EVSE {evse['id']}")
            booked.evse_id = evse["id"]
        for value in payload.get("meterValue", ()):
            self._note_reading(booked, value, is_in_order=payload["eventType"] == "Updated")
        # After its values: several samples may travel in one event, which is as old as the last.
        self._note_time(booked, at, f"TransactionEvent {payload['seqNo']}")
        if payload["eventType"] == "Ended":
            booked.ended_at, booked.stop_reason = at, info.get("stoppedReason", "Local")
            if booked.evse_id is None:
                self.complain("evse", f"{booked.transaction_id} ended on an unknown EVSE")

    def _note_reading(
        self, booked: BookedTransaction, value: Payload, is_in_order: bool = True
    ) -> None:
        at = read_instant(value["timestamp"])
        if is_in_order:
            self._note_time(booked, at, "meter value")
        for sample in value["sampledValue"]:
            energy_wh = _energy_wh(sample)
            if energy_wh is None:
                continue
            context = sample.get("context", "Sample.Periodic")
            if "start" not in booked.heard:  # 1.6 tells both in messages of their own.
                if context == "Transaction.Begin" or booked.start_wh is None:
                    booked.start_wh = energy_wh
                if context != "Transaction.Begin":
                    booked.stop_wh = energy_wh
            if is_in_order and booked.readings and energy_wh < booked.readings[-1][1]:
                text = f"{booked.transaction_id}: {energy_wh} < {booked.readings[-1][1]} Wh"
                self.complain("register", text)
            booked.readings.append((at, energy_wh))

    def _note_time(self, booked: BookedTransaction, at: datetime, what: str) -> None:
        if booked.last_at and at < booked.last_at:
            text = f"{booked.transaction_id}: {what} of {at} after {booked.last_at}"
            self.complain("order of time", text)
        booked.last_at = max(at, booked.last_at or at)

    def _check_free(self, evse_id: int) -> None:
        if running := self.running_on(evse_id):
            text = f"EVSE {evse_id} still runs {running.transaction_id}"
            self.complain("second start", text)

    def _check_evse(self, evse_id: int, what: str) -> None:
        highest = self._evse_count or evse_id
        if not 1 <= evse_id <= highest:
            self.complain("evse", f"{what} names EVSE {evse_id} of 1..{self._evse_count}")

    def _are_repeated(self, values: Payload) -> bool:
        fingerprint = _fingerprint(values)
        if fingerprint in self._values_heard:
            self.repeated_values += 1
            return True
        self._values_heard.add(fingerprint)
        return False

    def _find_heard(self, kind: str, payload: Payload) -> BookedTransaction | None:
        fingerprint = _fingerprint(payload)
        same = (t for t in reversed(self.transactions) if t.heard.get(kind) == fingerprint)
        return next(same, None)

    def _find_open(
        self, transaction_id: str, id_tag: str | None, connector: int | None = None
    ) -> BookedTransaction | None:
        """Return the running transaction of that id; several have it only where this cloud was
        told to give one id twice, and then token or connector decide.
        """
        same = [t for t in self.transactions if t.is_running and t.transaction_id == transaction_id]
        same.sort(key=lambda t: (t.id_token != id_tag) + (t.evse_id != connector))
        return same[0] if same else None


def _fingerprint(payload: Payload) -> bytes:
    """Tell two messages apart; `offline` may differ in a repetition (E11.FR.07)."""
    said = {key: value for key, value in payload.items() if key != "offline"}
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


def _energy_wh(sample: Payload) -> float | None:
    """Return the total of the energy register, Wh; None for any other sample."""
    if sample.get("measurand", ENERGY) != ENERGY or "phase" in sample:
        return None
    if sample.get("format") == "SignedData":
        return None
    unit = sample.get("unitOfMeasure", {})
    word = sample.get("unit", unit.get("unit", "Wh"))
    factor: float = (1000.0 if word == "kWh" else 1.0) * 10.0 ** unit.get("multiplier", 0)
    return round(float(sample["value"]) * factor, 6)
