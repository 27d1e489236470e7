"""Who asks over HTTP: a program by its bearer token, a browser by the cookie it got for one.

A cookie names a token and is signed with that token's secret: it holds no secret itself, needs
no storage, survives a restart, and is worth nothing once the token leaves the site file.
Nothing here logs or repeats a token. Instants are aware UTC.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request

from gateway.adapters.web.guesses import Guesses
from gateway.operations import Caller
from site_config.links import Role, Token

COOKIE = "site_gateway"
COOKIE_LIFE = timedelta(days=90)
"""A wall display is not asked for its token every morning."""

RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.INSTALLER: 2}
"""Each role may do what those below it may."""


def may(caller: Caller, role: Role) -> bool:
    """Whether the caller's role includes `role`."""
    return RANK[caller.role] >= RANK[role]


class Access:
    """The tokens of the site file."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)
        self.guesses = Guesses()
        """Of tokens, by address."""

    def by_token(self, presented: str) -> Caller | None:
        """Return whose token this is; takes equally long whichever it is, or none."""
        found = None
        digest = hashlib.sha256(presented.encode()).digest()
        for token in self._tokens:
            if hmac.compare_digest(digest, hashlib.sha256(token.token.encode()).digest()):
                found = Caller(token.name, token.role)
        return found

    def by_header(self, authorization: str | None) -> Caller | None:
        """Return who sent this `Authorization` header (RFC 6750 §2.1)."""
        scheme, _, credentials = (authorization or "").partition(" ")
        return self.by_token(credentials.strip()) if scheme.lower() == "bearer" else None

    def cookie_for(self, presented: str, now_utc: datetime) -> str | None:
        """Return the cookie's value for a browser that presented this token; None: unknown."""
        if (caller := self.by_token(presented)) is None:
            return None
        name = base64.urlsafe_b64encode(caller.name.encode()).decode()
        expires = str(int((now_utc + COOKIE_LIFE).timestamp()))
        return f"{name}.{expires}.{_signature(presented, name, expires)}"

    def by_cookie(self, cookie: str | None, now_utc: datetime) -> Caller | None:
        """Return who was given this cookie, unless it ran out or its token has changed."""
        name, _, rest = (cookie or "").partition(".")
        expires, _, signature = rest.partition(".")
        if not expires.isdecimal() or now_utc.timestamp() >= int(expires):
            return None
        found = None
        for token in self._tokens:
            if hmac.compare_digest(
                signature.encode(), _signature(token.token, name, expires).encode()
            ):
                found = Caller(token.name, token.role)
        return found


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else "nowhere"


def _signature(secret: str, name: str, expires: str) -> str:
    return hmac.new(secret.encode(), f"{name}.{expires}".encode(), hashlib.sha256).hexdigest()
