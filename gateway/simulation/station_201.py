"""A simulated charging station that speaks OCPP 2.0.1. Pure; see `station`.

One connector per EVSE. When a transaction starts and stops is configured as the specification has
it (TxCtrlr.TxStartPoint and TxStopPoint, Part 2 table 95); the EVSE is named in the first event
only, the token once (E01, E03).
"""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from gateway.ocpp.frames import Payload
from gateway.simulation import commands_201
from gateway.simulation.books import StationTransaction
from gateway.simulation.samples import meter_value_201, samples_of
from gateway.simulation.station import Station, StationSettings
from gateway.simulation.station_talk import Outgoing
from site_config.links import OcppVersion

STOP_TRIGGERS = {
    "Local": "StopAuthorized",
    "EVDisconnected": "EVCommunicationLost",
    "Remote": "RemoteStop",
    "DeAuthorized": "Deauthorized",
    "ImmediateReset": "ResetCommand",
    "OnIdleReset": "ResetCommand",
    "UnlockCommand": "UnlockCommand",
    "Timeout": "EVConnectTimeout",
}
"""Reason -> triggerReason; any other is AbnormalCondition."""

REASONS = {"OnIdleReset": "Other", "UnlockCommand": "Other"}
"""Reasons of the other version, in the words of this one."""


@dataclass
class Telling:
    """How far a transaction has been told."""

    transaction: StationTransaction
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    is_token_told: bool = False
    is_evse_told: bool = False


class Station201(Station):
    """Charging station of OCPP 2.0.1."""

    version: ClassVar[OcppVersion] = "ocpp2.0.1"

    def __init__(self, settings: StationSettings, epoch: datetime) -> None:
        self.variables = commands_201.Variables(settings)
        self.tellings: dict[int, Telling] = {}
        """EVSE -> its running transaction."""
        super().__init__(settings, epoch)

    # Words.

    def _boot_payload(self) -> Payload:
        return {
            "reason": self.boot_reason,
            "chargingStation": {
                "vendorName": self.settings.vendor,
                "model": self.settings.model,
                "serialNumber": self.settings.serial_number,
                "firmwareVersion": self.settings.firmware_version,
            },
        }

    def _own_commands(self) -> dict[str, Callable[[Payload, float], Payload]]:
        return commands_201.commands_of(self)

    def status_of(self, evse_id: int) -> str:
        """ConnectorStatusEnumType of the EVSE's connector."""
        if self.evses[evse_id].car:
            return "Occupied"
        return "Available" if self.visits[evse_id].is_operational else "Unavailable"

    def send_status(self, evse_id: int, now: float) -> None:
        status = self.status_of(evse_id)
        self.visits[evse_id].told_status = status
        payload = {
            "timestamp": self.instant(now),
            "connectorStatus": status,
            "evseId": evse_id,
            "connectorId": 1,
        }
        self.say("StatusNotification", payload, now)

    def send_statuses(self, now: float, *, only_changed: bool) -> None:
        for evse_id in self.evses:
            if not only_changed or self.status_of(evse_id) != self.visits[evse_id].told_status:
                self.send_status(evse_id, now)

    def _tell_status(self, evse_id: int, now: float) -> None:
        is_news = self.status_of(evse_id) != self.visits[evse_id].told_status
        if is_news and self.talk.is_online:
            self.send_status(evse_id, now)

    def _id_token(self, token: str) -> Payload:
        return {"idToken": token, "type": self.token_type(token)}

    @staticmethod
    def token_type(token: str) -> str:
        """8, 14 or 20 hexadecimal digits are the UID of a card (ISO 14443), others are Central."""
        is_card = len(token) in (8, 14, 20) and all(c in "0123456789abcdefABCDEF" for c in token)
        return "ISO14443" if is_card else "Central"

    # A visit.

    def _cable_plugged(self, evse_id: int, now: float) -> None:
        visit = self.visits[evse_id]
        visit.state = "EVConnected"
        self._tell_status(evse_id, now)
        if visit.transaction:
            self._event(evse_id, "Updated", "CablePluggedIn", now)
            self.close_contactor(evse_id, now)
        elif self._starts_at("EVConnected") or (visit.token and self._starts_at("PowerPathClosed")):
            self._start(evse_id, "CablePluggedIn", now)

    def _cable_unplugged(self, evse_id: int, now: float) -> None:
        visit = self.visits[evse_id]
        visit.state, visit.token = "Idle", None
        self._tell_status(evse_id, now)

    def _ask_authorize(self, evse_id: int, token: str, now: float) -> None:
        def judged(payload: Payload, at: float) -> None:
            if payload["idTokenInfo"]["status"] == "Accepted":
                self._authorized(evse_id, token, at)

        self.say("Authorize", {"idToken": self._id_token(token)}, now, judged)

    def _authorized(
        self, evse_id: int, token: str, now: float, remote_start_id: int | None = None
    ) -> None:
        visit, car = self.visits[evse_id], self.evses[evse_id].car
        if visit.token or not visit.is_operational:
            return
        visit.token, visit.remote_start_id = token, remote_start_id
        trigger = "Authorized" if remote_start_id is None else "RemoteStart"
        if visit.transaction:
            visit.transaction.id_token = token
            self._event(evse_id, "Updated", trigger, now)
            self.close_contactor(evse_id, now)
        elif self._starts_at("Authorized") or (car and self._starts_at("PowerPathClosed")):
            self._start(evse_id, trigger, now)

    def _starts_at(self, point: str) -> bool:
        return point in self.variables.get("TxCtrlr.TxStartPoint").split(",")

    def _start(self, evse_id: int, trigger: str, now: float) -> None:
        transaction = self.begin(evse_id, now, self.visits[evse_id].token)
        transaction.transaction_id = str(uuid.uuid4())
        self.tellings[evse_id] = Telling(transaction)
        self._event(evse_id, "Started", trigger, now, context="Transaction.Begin")
        self.close_contactor(evse_id, now)

    def stop(self, evse_id: int, reason: str, now: float) -> None:
        remote_start_id = self.visits[evse_id].remote_start_id
        transaction = self.end(evse_id, reason, now)
        payload = self._event_payload(
            evse_id, "Ended", STOP_TRIGGERS.get(reason, "AbnormalCondition"), now
        )
        info = payload["transactionInfo"]
        info["stoppedReason"] = REASONS.get(reason, reason)
        info["chargingState"] = "EVConnected" if self.evses[evse_id].car else "Idle"
        if remote_start_id is not None:
            info["remoteStartId"] = remote_start_id
        payload["meterValue"] = [self._meter_value(evse_id, "Transaction.End", now)]

        def answered(_: Payload, __: float) -> None:
            transaction.is_delivered = True

        self._keep(payload, now, answered)
        del self.tellings[evse_id]

    def _state_changed(self, evse_id: int, now: float) -> None:
        self._event(evse_id, "Updated", "ChargingStateChanged", now)

    def _send_sample(self, evse_id: int, context: str, now: float) -> None:
        visit = self.visits[evse_id]
        if visit.transaction is None:
            value = self._meter_value(evse_id, context, now)
            self.say("MeterValues", {"evseId": evse_id, "meterValue": [value]}, now)
            return
        visit.transaction.meter_values_sent += 1
        triggers = {"Sample.Clock": "MeterValueClock", "Trigger": "Trigger"}
        trigger = triggers.get(context, "MeterValuePeriodic")
        self._event(evse_id, "Updated", trigger, now, context=context)

    def trigger_event(self, evse_id: int, now: float) -> None:
        """Answer to a trigger: a sample of the transaction, or of the idle EVSE."""
        self._send_sample(evse_id, "Trigger", now)

    def remote_start(self, evse_id: int, token: str, remote_start_id: int, now: float) -> None:
        self._authorized(evse_id, token, now, remote_start_id)

    # Events.

    def _event(
        self, evse_id: int, kind: str, trigger: str, now: float, *, context: str | None = None
    ) -> None:
        payload = self._event_payload(evse_id, kind, trigger, now)
        visit = self.visits[evse_id]
        payload["transactionInfo"]["chargingState"] = (
            visit.state if self.evses[evse_id].car else "Idle"
        )
        if trigger == "RemoteStart" and visit.remote_start_id is not None:
            payload["transactionInfo"]["remoteStartId"] = visit.remote_start_id
        if context:
            payload["meterValue"] = [self._meter_value(evse_id, context, now)]
        transaction = visit.transaction
        assert transaction is not None

        def answered(answer: Payload, at: float) -> None:
            status = answer.get("idTokenInfo", {}).get("status", "Accepted")
            is_running = self.visits[evse_id].transaction is transaction
            if status != "Accepted" and is_running:  # StopTxOnInvalidId, E05.FR.09
                self.stop(evse_id, "DeAuthorized", at)

        self._keep(payload, now, answered)

    def _event_payload(self, evse_id: int, kind: str, trigger: str, now: float) -> Payload:
        telling = self.tellings[evse_id]
        number = next(telling.numbers)
        payload: Payload = {
            "eventType": kind,
            "timestamp": self.instant(now),
            "triggerReason": trigger,
            "seqNo": 0 if self.quirks.seq_no_always_0 else number,
            "transactionInfo": {"transactionId": telling.transaction.transaction_id},
        }
        if not telling.is_evse_told:
            payload["evse"] = {"id": evse_id, "connectorId": 1}
            telling.is_evse_told = True
        if telling.transaction.id_token and not telling.is_token_told:
            payload["idToken"] = self._id_token(telling.transaction.id_token)
            telling.is_token_told = True
        return payload

    def _meter_value(self, evse_id: int, context: str, now: float) -> Payload:
        samples = samples_of(self.evses[evse_id], self.measurands, self.quirks.energy_in_kwh)
        return meter_value_201(samples, self.instant(now), context)

    def _keep(
        self,
        payload: Payload,
        now: float,
        on_answer: Callable[[Payload, float], None],
    ) -> None:
        def build() -> Payload:
            is_told = message.is_offline and not self.quirks.no_offline_flag
            return payload | {"offline": True} if is_told else payload

        message = Outgoing("TransactionEvent", build, is_transactional=True, on_answer=on_answer)
        self.talk.say(message, now)
