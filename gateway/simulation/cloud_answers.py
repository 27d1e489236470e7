"""What a simulated cloud answers to each action, in OCPP 1.6 and 2.0.1. Pure.

Every function takes the books of the station, the cloud's instructions and the payload, notes
what there is to note and returns the payload of the answer.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gateway.errors import PeerError
from gateway.ocpp.frames import Payload
from gateway.simulation.cloud_books import StationBooks


@dataclass
class CloudBehaviour:
    """How a simulated cloud answers. May be changed while it runs."""

    registrations: list[tuple[str, int]] = field(default_factory=lambda: [("Accepted", 300)])
    """(status, interval s) for one BootNotification after the other; the last one stays."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """Token -> authorization status in the words of the version spoken."""
    default_verdict: str = "Accepted"
    latency_s: float = 0.0
    """Every answer waits so long; what was asked is booked at once."""
    errors: dict[str, list[str]] = field(default_factory=dict)
    """Action -> CALLERROR codes for its next calls; what they carry is not booked."""
    silences: dict[str, int] = field(default_factory=dict)
    """Action -> how many of its next calls are booked but never answered."""
    is_concurrent_on_repetition: bool = False
    """Answer ConcurrentTx to a repeated StartTransaction, as some clouds do."""
    data_transfer: Payload = field(default_factory=lambda: {"status": "UnknownVendorId"})
    transaction_ids: Callable[[], Iterator[int]] = lambda: itertools.count(1)
    """Makes the 1.6 transaction ids of one station: `lambda: itertools.repeat(7)` gives one."""
    evse_count: int | None = None
    """How many EVSEs a station may have; None: any number."""

    def verdict(self, token: str) -> Payload:
        return {"status": self.verdicts.get(token, self.default_verdict)}


Answer = Callable[[StationBooks, CloudBehaviour, Payload], Payload]


def _authorize_16(_: StationBooks, behaviour: CloudBehaviour, payload: Payload) -> Payload:
    return {"idTagInfo": behaviour.verdict(payload["idTag"])}


def _start_16(books: StationBooks, behaviour: CloudBehaviour, payload: Payload) -> Payload:
    number, is_repetition = books.start_16(payload)
    info = behaviour.verdict(payload["idTag"])
    if is_repetition and behaviour.is_concurrent_on_repetition:
        info = {"status": "ConcurrentTx"}
    return {"transactionId": number, "idTagInfo": info}


def _stop_16(books: StationBooks, behaviour: CloudBehaviour, payload: Payload) -> Payload:
    books.stop_16(payload)
    return {"idTagInfo": behaviour.verdict(payload["idTag"])} if "idTag" in payload else {}


def _authorize_201(_: StationBooks, behaviour: CloudBehaviour, payload: Payload) -> Payload:
    return {"idTokenInfo": behaviour.verdict(payload["idToken"]["idToken"])}


def _transaction_event(books: StationBooks, behaviour: CloudBehaviour, payload: Payload) -> Payload:
    books.transaction_event(payload)
    if "idToken" not in payload:
        return {}
    return {"idTokenInfo": behaviour.verdict(payload["idToken"]["idToken"])}


def _data_transfer(_: StationBooks, behaviour: CloudBehaviour, __: Payload) -> Payload:
    return behaviour.data_transfer


def _noted(note: Callable[[StationBooks, Payload], None]) -> Answer:
    def answer(books: StationBooks, _: CloudBehaviour, payload: Payload) -> Payload:
        note(books, payload)
        return {}

    return answer


def _acknowledged(_: StationBooks, __: CloudBehaviour, ___: Payload) -> Payload:
    return {}


ANSWERS: dict[str, dict[str, Answer]] = {
    "ocpp1.6": {
        "Authorize": _authorize_16,
        "StartTransaction": _start_16,
        "StopTransaction": _stop_16,
        "MeterValues": _noted(StationBooks.meter_values_16),
        "StatusNotification": _noted(StationBooks.status_16),
        "DataTransfer": _data_transfer,
        "DiagnosticsStatusNotification": _acknowledged,
        "FirmwareStatusNotification": _acknowledged,
        "LogStatusNotification": _acknowledged,
        "SecurityEventNotification": _acknowledged,
        "SignedFirmwareStatusNotification": _acknowledged,
    },
    "ocpp2.0.1": {
        "Authorize": _authorize_201,
        "TransactionEvent": _transaction_event,
        "MeterValues": _noted(StationBooks.meter_values_201),
        "StatusNotification": _noted(StationBooks.status_201),
        "DataTransfer": _data_transfer,
        "FirmwareStatusNotification": _acknowledged,
        "LogStatusNotification": _acknowledged,
        "NotifyChargingLimit": _acknowledged,
        "ClearedChargingLimit": _acknowledged,
        "NotifyEvent": _acknowledged,
        "NotifyMonitoringReport": _acknowledged,
        "NotifyReport": _acknowledged,
        "ReportChargingProfiles": _acknowledged,
        "ReservationStatusUpdate": _acknowledged,
        "SecurityEventNotification": _acknowledged,
    },
}


def answer_to(
    version: str, action: str, payload: Payload, books: StationBooks, behaviour: CloudBehaviour
) -> Payload:
    """Note a call and return its answer; `PeerError` for an action this cloud does not do."""
    answer = ANSWERS[version].get(action)
    if answer is None:
        raise PeerError("NotSupported", f"this cloud does not do {action}")
    return answer(books, behaviour, payload)
