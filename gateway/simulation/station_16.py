"""A simulated charging station that speaks OCPP 1.6J. Pure; see `station`.

A connector is an EVSE here (2.0.1 Part 1 §7.2: one connector each). A visit: Preparing,
Authorize, StartTransaction, Charging, MeterValues, StopTransaction, Finishing, Available.
"""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from gateway.ocpp.frames import Payload
from gateway.simulation import commands_16
from gateway.simulation.books import StationTransaction
from gateway.simulation.instants import write_instant
from gateway.simulation.samples import meter_value_16, samples_of
from gateway.simulation.station import Station, StationSettings
from gateway.simulation.station_talk import Outgoing
from site_config.links import OcppVersion

REASONS = {"ImmediateReset": "HardReset", "OnIdleReset": "SoftReset"}
"""Reasons that 1.6 spells in its own way; all others are the same."""

UNKNOWN_TRANSACTION = -1
"""Where StartTransaction was never answered (errata 3.18)."""

IDLE_STATES = {"EVConnected": "Preparing", "Idle": "Preparing"}


class Station16(Station):
    """Charging station of OCPP 1.6; connector n is EVSE n."""

    version: ClassVar[OcppVersion] = "ocpp1.6"

    def __init__(self, settings: StationSettings, epoch: datetime) -> None:
        self.configuration = commands_16.Configuration(settings)
        super().__init__(settings, epoch)

    # Words.

    def _boot_payload(self) -> Payload:
        return {
            "chargePointVendor": self.settings.vendor,
            "chargePointModel": self.settings.model,
            "chargePointSerialNumber": self.settings.serial_number,
            "firmwareVersion": self.settings.firmware_version,
        }

    def _own_commands(self) -> dict[str, Callable[[Payload, float], Payload]]:
        return commands_16.commands_of(self)

    def status_of(self, evse_id: int) -> str:
        """ChargePointStatus of a connector."""
        evse, visit = self.evses[evse_id], self.visits[evse_id]
        if visit.transaction:
            return IDLE_STATES.get(visit.state, visit.state)
        if evse.car and visit.state == "Idle":
            return "Finishing"
        if evse.car or visit.token:
            return "Preparing"
        return "Available" if visit.is_operational else "Unavailable"

    def send_status(self, evse_id: int, now: float) -> None:
        """Send the status of a connector; 0 is the station itself."""
        if evse_id:
            status = self.status_of(evse_id)
            self.visits[evse_id].told_status = status
        else:
            is_open = any(visit.is_operational for visit in self.visits.values())
            status = "Available" if is_open else "Unavailable"
        payload: Payload = {"connectorId": evse_id, "errorCode": "NoError", "status": status}
        if not self.quirks.no_status_timestamp:
            payload["timestamp"] = self.instant(now)
        self.say("StatusNotification", payload, now)

    def send_statuses(self, now: float, *, only_changed: bool) -> None:
        if not only_changed:
            self.send_status(0, now)
        for evse_id in self.evses:
            self._tell_status(evse_id, now, is_forced=not only_changed)

    def _tell_status(self, evse_id: int, now: float, *, is_forced: bool = False) -> None:
        is_news = self.status_of(evse_id) != self.visits[evse_id].told_status
        if (is_news and self.talk.is_online) or is_forced:
            self.send_status(evse_id, now)

    # A visit.

    def _cable_plugged(self, evse_id: int, now: float) -> None:
        self.visits[evse_id].state = "EVConnected"
        if self.visits[evse_id].token:
            self._start(evse_id, now)
        self._tell_status(evse_id, now)

    def _cable_unplugged(self, evse_id: int, now: float) -> None:
        self.visits[evse_id].state = "EVConnected"
        self.visits[evse_id].token = None
        self._tell_status(evse_id, now)

    def _ask_authorize(self, evse_id: int, token: str, now: float) -> None:
        def judged(payload: Payload, at: float) -> None:
            if payload["idTagInfo"]["status"] == "Accepted":
                self._authorized(evse_id, token, at)

        self.say("Authorize", {"idTag": token}, now, judged)

    def _authorized(
        self, evse_id: int, token: str, now: float, remote_start_id: int | None = None
    ) -> None:
        visit = self.visits[evse_id]
        if visit.transaction or not visit.is_operational:
            return
        visit.token = token
        if self.evses[evse_id].car:
            self._start(evse_id, now)
        self._tell_status(evse_id, now)

    def _start(self, evse_id: int, now: float) -> None:
        transaction = self.begin(evse_id, now, self.visits[evse_id].token)
        payload = {
            "connectorId": evse_id,
            "idTag": transaction.id_token,
            "meterStart": transaction.start_wh,
            "timestamp": write_instant(transaction.started_at),
        }

        def answered(answer: Payload, at: float) -> None:
            transaction.transaction_id = str(answer["transactionId"])
            is_running = self.visits[evse_id].transaction is transaction
            if answer["idTagInfo"]["status"] != "Accepted" and is_running:
                self.stop(evse_id, "DeAuthorized", at)  # StopTransactionOnInvalidId

        self._keep("StartTransaction", lambda: payload, now, answered)
        self.close_contactor(evse_id, now)

    def stop(self, evse_id: int, reason: str, now: float) -> None:
        transaction = self.end(evse_id, reason, now)
        payload = {
            "meterStop": transaction.stop_wh,
            "timestamp": self.instant(now),
            "reason": REASONS.get(reason, reason),
        }
        if reason == "Local" and transaction.id_token:
            payload["idTag"] = transaction.id_token

        def answered(_: Payload, __: float) -> None:
            transaction.is_delivered = True

        self._keep("StopTransaction", lambda: payload | _number_of(transaction), now, answered)
        self._tell_status(evse_id, now)

    def _state_changed(self, evse_id: int, now: float) -> None:
        self._tell_status(evse_id, now)

    def _send_sample(self, evse_id: int, context: str, now: float) -> None:
        evse, transaction = self.evses[evse_id], self.visits[evse_id].transaction
        samples = samples_of(evse, self.measurands, self.quirks.energy_in_kwh)
        value = meter_value_16(samples, self.instant(now), context)
        payload: Payload = {"connectorId": evse_id, "meterValue": [value]}
        if transaction is None:
            self.say("MeterValues", payload, now)
            return
        transaction.meter_values_sent += 1
        self._keep("MeterValues", lambda: payload | _number_of(transaction), now)

    def send_sample(self, evse_id: int, now: float) -> None:
        """Answer to a trigger."""
        self._send_sample(evse_id, "Trigger", now)

    def remote_start(self, evse_id: int, token: str, now: float) -> None:
        self._authorized(evse_id, token, now)

    def _keep(
        self,
        action: str,
        build: Callable[[], Payload],
        now: float,
        on_answer: Callable[[Payload, float], None] | None = None,
    ) -> None:
        message = Outgoing(action, build, is_transactional=True, on_answer=on_answer)
        self.talk.say(message, now)


def _number_of(transaction: StationTransaction) -> Payload:
    known = transaction.transaction_id
    return {"transactionId": UNKNOWN_TRANSACTION if known is None else int(known)}
