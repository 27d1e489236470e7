"""What a CSMS answers to events, in OCPP 2.0.1: payloads <-> answers. Pure, no state."""

from gateway.events import (
    Acknowledged,
    Answer,
    AuthorizationStatus,
    AuthorizeAsked,
    ChargingNeedsTold,
    DataAnswered,
    Event,
    IdTokenInfo,
    Judged,
    NeedsNoted,
    OtherSent,
    Registered,
    RegistrationStatus,
    TimeTold,
)
from gateway.ocpp.frames import Payload
from gateway.ocpp.times import format_time_for_station, parse_time
from gateway.ocpp.tokens import parse_token_info, serialize_token_info
from gateway.ocpp.v201_words import DATA_STATUSES

NOT_JUDGED = IdTokenInfo(AuthorizationStatus.INVALID)
"""Where 2.0.1 requires a verdict and nobody gave one."""

WITHOUT_US: dict[str, Payload] = {
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},  # heard; approves nothing
    "SignCertificate": {"status": "Rejected"},
}
"""Answers to events that ask for what this gateway does not do."""


def serialize_answer(event: Event, answer: Answer) -> Payload:
    """Write the answer to a station's event."""
    match answer:
        case Registered(status, at, interval_s):
            time = format_time_for_station(at)
            return {"status": str(status), "currentTime": time, "interval": interval_s}
        case TimeTold(at):
            return {"currentTime": format_time_for_station(at)}
        case NeedsNoted():  # K15.FR.03: a schedule follows, as for every transaction
            return {"status": "Accepted"}
        case DataAnswered():
            return serialize_data_answer(answer)
        case Judged(info):
            is_required = isinstance(event, AuthorizeAsked)
            verdict = info or (NOT_JUDGED if is_required else None)
            return {} if verdict is None else {"idTokenInfo": serialize_token_info(verdict)}
        case Acknowledged():
            if isinstance(event, AuthorizeAsked):
                return serialize_answer(event, Judged())
            if isinstance(event, ChargingNeedsTold):
                return {"status": "Rejected"}  # K15.FR.04: of no EVSE of this site
            return dict(WITHOUT_US.get(event.action, {})) if isinstance(event, OtherSent) else {}


def serialize_data_answer(answer: DataAnswered) -> Payload:
    payload: Payload = {"status": answer.status if answer.status in DATA_STATUSES else "Rejected"}
    if answer.data is not None:
        payload["data"] = answer.data
    return payload


def parse_answer(action: str, payload: Payload) -> Answer:
    """Read the CSMS's answer to what `serialize_event` wrote."""
    match action:
        case "BootNotification":
            at = parse_time(payload["currentTime"])
            return Registered(RegistrationStatus(payload["status"]), at, payload["interval"])
        case "Heartbeat":
            return TimeTold(parse_time(payload["currentTime"]))
        case "Authorize" | "TransactionEvent":
            info = payload.get("idTokenInfo")
            return Judged(None if info is None else parse_token_info(info))
        case "DataTransfer":
            return DataAnswered(payload["status"], payload.get("data"))
        case "NotifyEVChargingNeeds" if payload["status"] == "Accepted":
            return NeedsNoted()
        case _:
            return Acknowledged()
