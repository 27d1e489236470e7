"""Which status of which connector the cloud has yet to hear. Pure.

Rule 1: the cloud is told the current status, never the history (1.6 §4.9).
Rule 2: after our boot was accepted, everything; after an outage longer than the offline
threshold, everything; after a shorter one, only what changed (B04.FR.01, B04.FR.02).
Rule 3: a station that is gone for longer than a moment is Unavailable upstream, since a closed
socket cannot be seen there; its transaction goes on.
Rule 4: a number upstream without a connector behind it (removed, never built) is Unavailable.

Evse ids here are upstream numbers; `now` is monotonic seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.events import ChargingState, ConnectorStatus, StatusChanged

OFFLINE_THRESHOLD_S = 60.0
"""2.0.1 OCPPCommCtrlr.OfflineThreshold, until the cloud changes it."""
STATION_LOST_AFTER_S = 60.0
"""A station that is back sooner was never reported away: no storms of statuses."""

STATION_LOST = "charging station offline"
NOBODY = "no connector behind this number"


@dataclass(slots=True)
class _Line:
    current: StatusChanged
    """What is true, as told or synthesised."""
    reported: StatusChanged | None = None
    """What the station itself said last, whatever we made of it."""
    told: tuple[object, ...] | None = None
    """What the cloud confirmed; None: must be told."""


class StatusBoard:
    """The statuses upstream: every EVSE 1..N, and 0 for the gateway itself.

    Args:
        connected: upstream numbers with a connector behind them.
        count: N; numbers of 1..N not in `connected` are Unavailable for ever.
    """

    def __init__(self, connected: Iterable[int], count: int, at: datetime) -> None:
        there = set(connected)
        self._lines = {0: _Line(StatusChanged(0, 0, ConnectorStatus.AVAILABLE, at))}
        for number in range(1, count + 1):
            info = STATION_LOST if number in there else NOBODY
            status = StatusChanged(number, 1, ConnectorStatus.UNAVAILABLE, at, info=info)
            self._lines[number] = _Line(status)
        self._doubtful = set(self._lines)
        """All that may be untold: looked at before each CALL, so not every line of the site."""
        self._version = ""
        """Whose words decided which lines are not doubtful."""
        self._away_since: dict[int, float] = {}
        """The numbers whose stations went away not long ago, and when."""
        self._lost_at: float | None = None
        """When the cloud went away; None: it is there."""
        self.offline_threshold_s = OFFLINE_THRESHOLD_S

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number upstream, 0 first."""
        return tuple(self._lines)

    def current(self, number: int) -> StatusChanged:
        return self._lines[number].current

    # Feed: stations.

    def changed(self, status: StatusChanged) -> None:
        """Take a station's word on one connector; its `evse_id` is the number upstream."""
        line = self._touch(status.evse_id)
        line.reported = line.current = status
        self._away_since.pop(status.evse_id, None)

    def charging_state_changed(self, number: int, state: ChargingState | None) -> None:
        """Take a 2.0.1 station's TransactionEvent: a 1.6 cloud sees it in the status."""
        line = self._lines[number]
        if line.reported is None or line.reported.charging_state is state:
            return
        line.reported = replace(line.reported, charging_state=state)
        if line.current.status is line.reported.status:
            self._touch(number).current = line.reported

    def station_lost(self, numbers: Iterable[int], now: float) -> None:
        for number in numbers:
            self._away_since.setdefault(number, now)

    def station_back(self, numbers: Iterable[int]) -> None:
        """Believe what it said last, until it says something new."""
        for number in numbers:
            line = self._touch(number)
            self._away_since.pop(number, None)
            if line.reported is not None:
                line.current = line.reported

    def handle_timer(self, now: float, at: datetime) -> None:
        """Report stations away that have been for too long."""
        for number, since in tuple(self._away_since.items()):
            if now - since >= STATION_LOST_AFTER_S:
                del self._away_since[number]
                line = self._touch(number)
                line.current = StatusChanged(
                    number,
                    line.current.connector_id,
                    ConnectorStatus.UNAVAILABLE,
                    at,
                    info=STATION_LOST,
                )

    def next_timer(self) -> float | None:
        since = min(self._away_since.values(), default=None)
        return None if since is None else since + STATION_LOST_AFTER_S

    # Feed: the cloud.

    def tell_everything(self) -> None:
        """After our boot was accepted (1.6 errata 3.22, B01.FR.05)."""
        for number in self._lines:
            self._touch(number).told = None

    def tell_again(self, number: int) -> None:
        """The cloud triggered it."""
        self._touch(number).told = None

    def cloud_lost(self, now: float) -> None:
        self._lost_at = now

    def cloud_back(self, now: float) -> None:
        if self._lost_at is not None and now - self._lost_at > self.offline_threshold_s:
            self.tell_everything()
        self._lost_at = None

    def told(self, status: StatusChanged, version: str) -> None:
        """The cloud confirmed, or refused for good: either way it is not told again."""
        self._touch(status.evse_id).told = _meaning(status, version)

    # Drain.

    def next_status(self, version: str) -> StatusChanged | None:
        """Return the first status the cloud has not heard, 0 first; None: it knows all."""
        if version != self._version:  # what one version calls the same another tells apart
            self._version, self._doubtful = version, set(self._lines)
        while self._doubtful:
            number = min(self._doubtful)
            line = self._lines[number]
            is_untold = line.told != _meaning(line.current, version)
            if is_untold and (number > 0 or version == "ocpp1.6"):
                return line.current
            self._doubtful.discard(number)  # 2.0.1 has no status of the whole station
        return None

    def _touch(self, number: int) -> _Line:
        self._doubtful.add(number)
        return self._lines[number]


def _meaning(status: StatusChanged, version: str) -> tuple[object, ...]:
    """What a cloud of this version would see of it; equal meanings are told once."""
    if version == "ocpp1.6":
        return (status.status, status.charging_state, status.error_code, status.info)
    return (status.status, status.connector_id)
