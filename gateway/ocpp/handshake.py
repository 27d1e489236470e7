"""Who is at the door: identity from the path, subprotocol, HTTP Basic credentials. Pure.

Knows no socket and answers no request; `adapters/csms.py` turns the answers into HTTP.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from urllib.parse import unquote

from site_config.links import OcppVersion


def identity_of(target: str, prefix: str) -> str | None:
    """Return the identity that a request asks for, or None if it is not below `prefix`.

    The last segment of the path, percent-decoded (1.6J §3.1.1). Double and trailing slashes, which
    come of base addresses written with a slash at their end, and a query are overlooked.
    """
    path = target.partition("?")[0]
    segments = [segment for segment in path.split("/") if segment]
    below = [segment for segment in prefix.split("/") if segment]
    if len(segments) != len(below) + 1 or segments[:-1] != below:
        return None
    try:
        return unquote(segments[-1], errors="strict")
    except UnicodeDecodeError:
        return None


def chosen_protocol(
    offered: Sequence[str], configured: Sequence[OcppVersion]
) -> OcppVersion | None:
    """Return the first of the station's protocols that we speak too.

    A station names them in the order of its preference (1.6J §3.1.3, Part 4 §3.1.3; RFC 6455 §4.1).
    """
    for protocol in offered:
        for version in configured:
            if protocol == version:
                return version
    return None


def is_authorized(header: str | None, identity: str, password: str) -> bool:
    """Whether an `Authorization` header carries this identity and password, in constant time.

    A password configured as hexadecimal digits may also come as the bytes they stand for: that is
    how 1.6 stations send an AuthorizationKey (1.6J §6.2.2).
    """
    user, _, given = _credentials(header).partition(b":")
    candidates = [password.encode(), _unhexed(password)]
    is_user = hmac.compare_digest(user, identity.encode())
    matches = [hmac.compare_digest(given, candidate) for candidate in candidates]
    return is_user and any(matches)


def _credentials(header: str | None) -> bytes:
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unhexed(password: str) -> bytes:
    try:
        return bytes.fromhex(password) or password.encode()
    except ValueError:
        return password.encode()
