"""What becomes of the link to the cloud, as people and the read model are told of it. Pure.

An outage is told once when it begins and once when it ends; while it lasts, only a new reason for
it is (a wrong password behind a network that has come back).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.configuration import Configuration
from gateway.events import Registered, RegistrationStatus
from gateway.outbox import Depth
from gateway.registration import Registration
from gateway.site_state import CloudState
from site_config.links import OcppVersion

CLOCKS_APART_S = 60.0
"""More is no slow line."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """Told whenever the link comes, goes, or cannot be had."""

    is_connected: bool
    version: OcppVersion | None = None
    reason: str = ""
    """Why not."""


class CloudNews:
    def __init__(
        self,
        state: CloudState,
        registration: Registration,
        configuration: Configuration,
        *,
        depth: Callable[[], Depth],
        problem: Callable[[str, str], None] = lambda *_: None,
        clock_utc: Callable[[], datetime],
        log: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._state = state
        self._registration = registration
        self._configuration = configuration
        self._depth = depth
        self._problem = problem
        self._clock_utc = clock_utc
        self._log, self._warn = log, warn
        self._reason: str | None = None
        """Why the cloud is away, as told last."""

    def link_changed(self, link: LinkState) -> None:
        state = self._state
        if link.is_connected:
            self._log(f"cloud.connected version={link.version}")
        elif state.is_connected or link.reason != self._reason:
            self._warn(f'cloud.lost reason="{link.reason}"')
        self._reason = None if link.is_connected else link.reason
        if state.is_connected != link.is_connected or state.changed_at is None:
            state.changed_at = self._clock_utc()
        state.is_connected, state.protocol = link.is_connected, link.version
        state.is_registered = self._registration.is_registered

    def registered(self, answer: Registered) -> None:
        """Take the answer to our BootNotification."""
        self._state.is_registered = answer.status is RegistrationStatus.ACCEPTED
        if answer.status is RegistrationStatus.ACCEPTED:
            # The interval it has just given is the one it will read.
            interval_s = round(self._registration.heartbeat_interval_s)
            self._configuration.know("HeartbeatInterval", str(interval_s))
        self._log(f"cloud.registered status={answer.status} pending={self._depth().pending}")

    def time_told(self, at: datetime) -> None:
        """Compare the cloud's clock with ours; people decide whose is wrong, nothing is set."""
        ahead_s = (self._clock_utc() - at).total_seconds()
        way = "ahead of" if ahead_s > 0 else "behind"
        self._problem(
            "clock.cloud",
            f"our clock is {abs(ahead_s):.0f} s {way} the cloud's: check this machine's time server"
            if abs(ahead_s) > CLOCKS_APART_S
            else "",
        )
