"""idTag and idToken say the same about who may charge."""

from datetime import UTC, datetime

import pytest

from gateway.events import AuthorizationStatus, IdToken, IdTokenInfo
from gateway.ocpp.tokens import (
    id_tag,
    parse_tag_info,
    parse_token,
    parse_token_info,
    serialize_tag_info,
    serialize_token,
    serialize_token_info,
    token_of_tag,
)

FORMS = {
    "4 bytes": ("04A2B3C4", "ISO14443"),
    "7 bytes, small letters": ("04a2b3c4d5e6f7", "ISO14443"),
    "10 bytes": ("04A2B3C4D5E6F7A8B9C0", "ISO14443"),
    "9 bytes is no card": ("04A2B3C4D5E6F7A8B9", "Central"),
    "app": ("APP1", "Central"),
    "not hexadecimal": ("04A2B3CX", "Central"),
    "empty": ("", "Central"),
}


@pytest.mark.parametrize(("tag", "token_type"), FORMS.values(), ids=FORMS)
def test_the_type_of_a_tag_is_derived_from_its_form(tag: str, token_type: str) -> None:
    assert token_of_tag(tag) == IdToken(tag, token_type)


TOLD = {
    "as it is": (IdToken("04A2B3C4", "ISO14443"), ("04A2B3C4", "ISO14443")),
    "spelling is kept": (IdToken("aBc", "Local"), ("aBc", "Local")),
    # seen: CARD1 as ISO14443 from two stacks; a cloud refuses it
    "no card number": (IdToken("CARD1", "ISO14443"), ("CARD1", "Central")),
    "unknown type": (IdToken("04A2B3C4", "Barcode"), ("04A2B3C4", "ISO14443")),
    "start button": (IdToken("", "NoAuthorization"), ("", "NoAuthorization")),
}


@pytest.mark.parametrize(("token", "said"), TOLD.values(), ids=TOLD)
def test_a_token_is_told_with_a_type_its_form_bears_out(
    token: IdToken, said: tuple[str, str]
) -> None:
    payload = serialize_token(token)

    assert (payload["idToken"], payload["type"]) == said
    assert parse_token(payload).key == token.key


def test_a_token_too_long_for_1_6_has_one_alias_in_whatever_case() -> None:
    long = IdToken("e9f8838b-f626-4d5f-8a3b-cabc3a7ba08d")

    alias = id_tag(long)

    assert alias == id_tag(IdToken(long.value.upper()))
    assert len(alias) == 18
    assert alias != id_tag(IdToken("e9f8838b-f626-4d5f-8a3b-cabc3a7ba08e"))


def test_twenty_characters_are_no_reason_for_an_alias() -> None:
    assert id_tag(IdToken("A" * 20)) == "A" * 20


def test_a_token_too_long_for_2_0_1_goes_under_its_alias() -> None:
    assert serialize_token(IdToken("x" * 36))["idToken"] == "x" * 36
    assert serialize_token(IdToken("x" * 37))["idToken"] == id_tag(IdToken("x" * 37))


def test_a_start_without_a_card_has_a_tag_in_1_6() -> None:
    assert id_tag(IdToken("", "NoAuthorization")) == "NoAuthorization"


AT = datetime(2027, 1, 1, tzinfo=UTC)
VERDICTS = {
    "bare": IdTokenInfo(AuthorizationStatus.ACCEPTED),
    "with all": IdTokenInfo(AuthorizationStatus.BLOCKED, AT, IdToken("FLEET")),
}


@pytest.mark.parametrize("info", VERDICTS.values(), ids=VERDICTS)
def test_a_verdict_is_read_back_in_both_versions(info: IdTokenInfo) -> None:
    assert parse_tag_info(serialize_tag_info(info)) == info
    assert parse_token_info(serialize_token_info(info)) == info


LOST_IN_1_6 = {
    AuthorizationStatus.NO_CREDIT: "Blocked",
    AuthorizationStatus.NOT_ALLOWED_TYPE_EVSE: "Blocked",
    AuthorizationStatus.NOT_AT_THIS_LOCATION: "Blocked",
    AuthorizationStatus.NOT_AT_THIS_TIME: "Blocked",
    AuthorizationStatus.UNKNOWN: "Invalid",
}


@pytest.mark.parametrize("status", AuthorizationStatus)
def test_no_verdict_becomes_kinder_in_1_6(status: AuthorizationStatus) -> None:
    said = serialize_tag_info(IdTokenInfo(status))["status"]

    assert said == LOST_IN_1_6.get(status, str(status))
