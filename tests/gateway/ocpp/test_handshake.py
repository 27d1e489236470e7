"""Who may come in: paths, protocols and passwords as tables."""

from base64 import b64encode

import pytest

from gateway.ocpp.handshake import chosen_protocol, identity_of, is_authorized

PATHS = {
    "plain": ("/ocpp/CP-01", "/ocpp", "CP-01"),
    "percent-encoded": ("/ocpp/RDAM%20123", "/ocpp", "RDAM 123"),
    "encoded slash belongs to the identity": ("/ocpp/A%2FB", "/ocpp", "A/B"),
    "trailing slash": ("/ocpp/CP-01/", "/ocpp", "CP-01"),
    "base address with a slash at its end": ("/ocpp//CP-01", "/ocpp/", "CP-01"),
    "query": ("/ocpp/CP-01?token=1", "/ocpp", "CP-01"),
    "no prefix": ("/CP-01", "/", "CP-01"),
    "long prefix": ("/a/b/CP-01", "/a/b", "CP-01"),
    "other prefix": ("/other/CP-01", "/ocpp", None),
    "prefix in other letters": ("/OCPP/CP-01", "/ocpp", None),
    "too deep": ("/ocpp/x/CP-01", "/ocpp", None),
    "no identity": ("/ocpp", "/ocpp", None),
    "not UTF-8": ("/ocpp/%FF", "/ocpp", None),
    "nothing": ("", "/ocpp", None),
}


@pytest.mark.parametrize(("target", "prefix", "identity"), PATHS.values(), ids=PATHS)
def test_identity_is_the_last_segment_below_the_prefix(target, prefix, identity):
    assert identity_of(target, prefix) == identity


OFFERS = {
    "the stations order counts": (["ocpp1.6", "ocpp2.0.1"], ["ocpp2.0.1", "ocpp1.6"], "ocpp1.6"),
    "first that we speak": (["ocpp2.1", "ocpp2.0.1"], ["ocpp1.6", "ocpp2.0.1"], "ocpp2.0.1"),
    "none in common": (["ocpp1.5"], ["ocpp1.6"], None),
    "none offered": ([], ["ocpp1.6"], None),
    "not configured": (["ocpp2.0.1"], ["ocpp1.6"], None),
}


@pytest.mark.parametrize(("offered", "configured", "chosen"), OFFERS.values(), ids=OFFERS)
def test_protocol_is_the_stations_first_choice_among_ours(offered, configured, chosen):
    assert chosen_protocol(offered, configured) == chosen


HEX = "0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF"


def basic(user, password):
    return "Basic " + b64encode(user.encode() + b":" + password).decode()


HEADERS = {
    "right": (basic("CP-01", b"secret"), "secret", True),
    "scheme in other letters": (
        basic("CP-01", b"secret").replace("Basic", "bAsIc"),
        "secret",
        True,
    ),
    "colon in the password": (basic("CP-01", b"a:b"), "a:b", True),
    "umlaut": (basic("CP-01", "grün".encode()), "grün", True),
    "wrong password": (basic("CP-01", b"Secret"), "secret", False),
    "empty password": (basic("CP-01", b""), "secret", False),
    "user of another station": (basic("CP-02", b"secret"), "secret", False),
    "no header": (None, "secret", False),
    "another scheme": ("Bearer abc", "secret", False),
    "not base64": ("Basic %%%", "secret", False),
    "no colon": ("Basic " + b64encode(b"CP-01secret").decode(), "secret", False),
    "key as its digits": (basic("CP-01", HEX.encode()), HEX, True),
    "key as its bytes": (basic("CP-01", bytes.fromhex(HEX)), HEX, True),
    "another key": (basic("CP-01", bytes(20)), HEX, False),
}


@pytest.mark.parametrize(("header", "password", "verdict"), HEADERS.values(), ids=HEADERS)
def test_identity_and_password_must_both_be_right(header, password, verdict):
    assert is_authorized(header, "CP-01", password) is verdict


def test_authorization_key_of_the_specification_is_accepted():
    header = "Basic QUwxMDAwOgABAgMEBQYH////////////////"  # 1.6J §6.2.2

    assert is_authorized(header, "AL1000", HEX)
