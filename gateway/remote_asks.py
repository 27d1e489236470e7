"""What the cloud has asked of the stations' transactions and they have not done yet.

Memory only: after a restart a station that does as it was asked is taken for acting by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.events import IdToken

CONNECTION_TIMEOUT_S = 60.0
"""A remote start without a transaction is forgotten after it (1.6 ConnectionTimeOut)."""


@dataclass(frozen=True, slots=True)
class RemoteStart:
    """A remote start the station accepted, and no transaction yet."""

    station_id: str
    evse_id: int | None
    """None: the station chooses."""
    remote_start_id: int | None
    """None: the cloud speaks 1.6."""
    token_key: str
    until: datetime


class RemoteAsks:
    """Remote starts that are expected, the last one asked for at the end, and remote stops."""

    def __init__(self) -> None:
        self._starts: list[RemoteStart] = []
        self._stops: set[int] = set()

    @property
    def starts(self) -> tuple[RemoteStart, ...]:
        return tuple(self._starts)

    def start_asked(
        self,
        station_id: str,
        evse_id: int | None,
        remote_start_id: int | None,
        id_token: IdToken,
        *,
        now_utc: datetime,
        timeout_s: float = CONNECTION_TIMEOUT_S,
    ) -> None:
        """Expect a Started: it will carry the id, and RemoteStart as its trigger, upward.

        To be told before the station is asked: its Started may overtake its answer. What was
        expected there before stays: the station may refuse this one and keep to the other.
        """
        until = now_utc + timedelta(seconds=timeout_s)
        expected = RemoteStart(station_id, evse_id, remote_start_id or None, id_token.key, until)
        self._starts = [other for other in self._starts if now_utc <= other.until]
        self._starts.append(expected)

    def start_refused(self, station_id: str, evse_id: int | None) -> None:
        """Expect the last one no more: the station said no, or nothing."""
        place = (station_id, evse_id)
        for index in reversed(range(len(self._starts))):
            other = self._starts[index]
            if (other.station_id, other.evse_id) == place:
                del self._starts[index]
                return

    @property
    def stops(self) -> frozenset[int]:
        """The numbers of the transactions that their stations are asked to stop."""
        return frozenset(self._stops)

    def stop_asked(self, number: int) -> None:
        """Expect an Ended that may not say why it came: to be told before the station is asked."""
        self._stops.add(number)

    def stop_settled(self, number: int) -> None:
        """Expect it no more: it has ended, or the station said no, or nothing."""
        self._stops.discard(number)

    def started(self, expected: RemoteStart) -> None:
        """Expect it no more: it has come."""
        if expected in self._starts:
            self._starts.remove(expected)

    def is_token_expected(self, station_id: str, id_token: IdToken, now_utc: datetime) -> bool:
        """Whether the cloud itself asked for this token at this station a moment ago."""
        return any(
            expected.station_id == station_id
            and expected.token_key == id_token.key
            and now_utc <= expected.until
            for expected in self._starts
        )

    def is_start_expected(self, station_id: str, evse_id: int, now_utc: datetime) -> bool:
        """Whether the EVSE waits for a remote start already."""
        return any(
            (expected.station_id, expected.evse_id) == (station_id, evse_id)
            and now_utc <= expected.until
            for expected in self._starts
        )
