"""Who may charge, in the words of each version: idTag (1.6) <-> idToken (2.0.1). Pure.

An idTag has at most 20 characters and no type (1.6 §3.9), an idToken at most 36 and a type. The
type is derived from the form: a cloud may refuse an ISO14443 that is not a card number. A token
too long for a version goes under an alias that depends on nothing but the token, so whoever wants
to recognise one keeps `id_tag(token)` beside the token.
"""

import re
from hashlib import blake2b

from gateway.events import AuthorizationStatus, IdToken, IdTokenInfo
from gateway.ocpp.frames import Payload
from gateway.ocpp.times import format_time_for_station, parse_optional_time

CARD_NUMBER = re.compile(r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})")
"""UIDs of 4, 7 and 10 bytes (ISO/IEC 14443-3)."""

TOKEN_TYPES = frozenset(
    {
        "Central",
        "eMAID",
        "ISO14443",
        "ISO15693",
        "KeyCode",
        "Local",
        "MacAddress",
        "NoAuthorization",
    }
)
"""IdTokenEnumType."""

LONGEST_ID_TAG = 20
LONGEST_ID_TOKEN = 36
ALIAS_BYTES = 9
"""18 hexadecimal digits: no card number, and stations mangle tags of exactly 20 characters."""

TAG_WITHOUT_CARD = "NoAuthorization"
"""A start button has an empty idToken (C02.FR.01); a 1.6 start cannot be without idTag."""

STATUS_IN_1_6 = {
    AuthorizationStatus.ACCEPTED: "Accepted",
    AuthorizationStatus.BLOCKED: "Blocked",
    AuthorizationStatus.CONCURRENT_TX: "ConcurrentTx",
    AuthorizationStatus.EXPIRED: "Expired",
    AuthorizationStatus.INVALID: "Invalid",
    AuthorizationStatus.NO_CREDIT: "Blocked",
    AuthorizationStatus.NOT_ALLOWED_TYPE_EVSE: "Blocked",
    AuthorizationStatus.NOT_AT_THIS_LOCATION: "Blocked",
    AuthorizationStatus.NOT_AT_THIS_TIME: "Blocked",
    AuthorizationStatus.UNKNOWN: "Invalid",
}


def token_of_tag(tag: str) -> IdToken:
    return IdToken(tag, derived_type(tag))


def derived_type(value: str) -> str:
    return "ISO14443" if CARD_NUMBER.fullmatch(value) else "Central"


def id_tag(token: IdToken) -> str:
    """Return the token as 1.6 can say it: its own spelling up to 20 characters, else the alias."""
    if not token.value:
        return TAG_WITHOUT_CARD
    return token.value if len(token.value) <= LONGEST_ID_TAG else _alias(token)


def _alias(token: IdToken) -> str:
    key = token.key.encode(errors="replace")
    return blake2b(key, digest_size=ALIAS_BYTES).hexdigest()


def parse_token(payload: Payload) -> IdToken:
    return IdToken(payload["idToken"], payload["type"])


def serialize_token(token: IdToken) -> Payload:
    value = token.value if len(token.value) <= LONGEST_ID_TOKEN else _alias(token)
    return {"idToken": value, "type": _type_of(token)}


def _type_of(token: IdToken) -> str:
    is_misnamed = token.type == "ISO14443" and not CARD_NUMBER.fullmatch(token.value)
    if is_misnamed or token.type not in TOKEN_TYPES:
        return derived_type(token.value)
    return token.type


def parse_tag_info(payload: Payload) -> IdTokenInfo:
    """Read an idTagInfo of 1.6."""
    parent = payload.get("parentIdTag")
    return IdTokenInfo(
        AuthorizationStatus(payload["status"]),
        parse_optional_time(payload.get("expiryDate")),
        token_of_tag(parent) if parent else None,
    )


def serialize_tag_info(info: IdTokenInfo) -> Payload:
    """Write an idTagInfo of 1.6."""
    payload: Payload = {"status": STATUS_IN_1_6[info.status]}
    if info.expires_at is not None:
        payload["expiryDate"] = format_time_for_station(info.expires_at)
    if info.group is not None:
        payload["parentIdTag"] = id_tag(info.group)
    return payload


def parse_token_info(payload: Payload) -> IdTokenInfo:
    """Read an idTokenInfo of 2.0.1."""
    group = payload.get("groupIdToken")
    return IdTokenInfo(
        AuthorizationStatus(payload["status"]),
        parse_optional_time(payload.get("cacheExpiryDateTime")),
        parse_token(group) if group else None,
    )


def serialize_token_info(info: IdTokenInfo) -> Payload:
    """Write an idTokenInfo of 2.0.1."""
    payload: Payload = {"status": str(info.status)}
    if info.expires_at is not None:
        payload["cacheExpiryDateTime"] = format_time_for_station(info.expires_at)
    if info.group is not None:
        payload["groupIdToken"] = serialize_token(info.group)
    return payload
