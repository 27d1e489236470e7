"""What a CSMS answers to events, in OCPP 1.6: payloads <-> answers. Pure, no state."""

from gateway.errors import InvalidMessage
from gateway.events import (
    Acknowledged,
    Answer,
    AuthorizationStatus,
    AuthorizeAsked,
    DataAnswered,
    Event,
    EventType,
    IdTokenInfo,
    Judged,
    NeedsNoted,
    OtherSent,
    Registered,
    RegistrationStatus,
    TimeTold,
    TransactionChanged,
)
from gateway.ocpp.frames import Payload
from gateway.ocpp.times import format_time_for_station, parse_time
from gateway.ocpp.tokens import parse_tag_info, serialize_tag_info
from gateway.ocpp.v16_events import data_payload
from gateway.ocpp.v201_words import DATA_STATUSES

NOT_JUDGED = IdTokenInfo(AuthorizationStatus.INVALID)
"""Where 1.6 requires a verdict and nobody gave one."""


def serialize_answer(event: Event, answer: Answer) -> Payload:
    """Write the answer to a station's event. Raises `InvalidMessage` for a start without number."""
    match answer:
        case Registered(status, at, interval_s):
            time = format_time_for_station(at)
            return {"status": str(status), "currentTime": time, "interval": interval_s}
        case TimeTold(at):
            return {"currentTime": format_time_for_station(at)}
        case DataAnswered():
            return serialize_data_answer(answer)
        case Judged() | Acknowledged() | NeedsNoted():
            return _verdict(event, answer if isinstance(answer, Judged) else Judged())


def _verdict(event: Event, answer: Judged) -> Payload:
    info = {"idTagInfo": serialize_tag_info(answer.info or NOT_JUDGED)}
    match event:
        case AuthorizeAsked():
            return info
        case TransactionChanged(event_type=EventType.STARTED):
            if answer.transaction_number is None:
                raise InvalidMessage("StartTransaction answered without a transactionId")
            return {**info, "transactionId": answer.transaction_number}
        case TransactionChanged(event_type=EventType.ENDED):
            return info if answer.info is not None else {}
        case OtherSent(action="SignCertificate"):
            return {"status": "Rejected"}  # this gateway signs none
        case _:
            return {}


def serialize_data_answer(answer: DataAnswered) -> Payload:
    status = answer.status if answer.status in DATA_STATUSES else "Rejected"
    return {"status": status, **data_payload(answer.data)}


def parse_answer(action: str, payload: Payload) -> Answer:
    """Read the central system's answer to what `serialize_event` wrote."""
    match action:
        case "BootNotification":
            at = parse_time(payload["currentTime"])
            return Registered(RegistrationStatus(payload["status"]), at, payload["interval"])
        case "Heartbeat":
            return TimeTold(parse_time(payload["currentTime"]))
        case "Authorize" | "StartTransaction" | "StopTransaction":
            info = payload.get("idTagInfo")
            return Judged(parse_tag_info(info) if info else None, payload.get("transactionId"))
        case "DataTransfer":
            return DataAnswered(payload["status"], payload.get("data"))
        case _:
            return Acknowledged()
