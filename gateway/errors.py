"""What may go wrong between the gateway and a peer, by who erred. Pure, imports nothing.

A refusal that the specification foresees (a status `Rejected`) is a value, not one of these.
"""

from typing import Any


class GatewayError(Exception):
    """Base of every error the gateway raises on purpose."""


class PeerError(GatewayError):
    """The peer erred; raised while one of its calls is handled it becomes a CALLERROR."""

    def __init__(
        self, code: str, description: str = "", details: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        """An `ErrorCode`, or the peer's own word; spelled for the other's version when sent."""
        self.description = description
        """One sentence that holds no token and no password."""
        self.details = details or {}
        super().__init__(f"{code}: {description}" if description else code)


class CallRefused(PeerError):
    """The peer answered our call with a CALLERROR."""


class BadAnswer(PeerError):
    """The peer answered our call with something its schema forbids and nobody can mend."""


class Unavailable(GatewayError):
    """Nobody erred: the peer is silent, busy or gone. May be tried again."""

    def __init__(self, reason: str, since: float | None = None) -> None:
        self.reason = reason
        self.since = since
        """When the peer was last heard, monotonic seconds; None: never."""
        super().__init__(reason)


class InvalidMessage(GatewayError):
    """We erred: a message of ours breaks the schema of the peer's version and was not sent."""


class StoreFailed(GatewayError):
    """The disk did not take it, or does not give it back: whoever cannot store must not answer."""
