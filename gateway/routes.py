"""Where a command of the cloud goes: to the station behind an EVSE, or to all of them.

What `actions` and `maintenance` need of the rest of the gateway, as they need it. A station that is
away or silent is an answer too, with the reason `NO_ANSWER`: the cloud is never left waiting.
EVSE ids are the stations' own here, unless they are called `cloud_evse`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.commands import Command, CommandAnswer, StatusAnswer
from gateway.errors import GatewayError, Unavailable
from gateway.events import ConnectorStatus, RegistrationStatus
from gateway.records import Transaction
from gateway.slots import SlotTable

REJECTED = StatusAnswer("Rejected")
ACCEPTED = StatusAnswer("Accepted")
UNKNOWN_EVSE = StatusAnswer("Rejected", "UnknownEvse")
NO_ANSWER = "NoAnswer"
"""Reason code of a station that is away or silent: it did not refuse."""

LONGEST_INFO = 512

Place = tuple[str, int]
"""Station and its own EVSE."""
Together = Callable[[Iterable[Coroutine[Any, Any, StatusAnswer]]], Awaitable[list[StatusAnswer]]]
"""Awaits all of them at once: forty stations that are silent take as long as one."""


class Stations(Protocol):
    """The charging stations, as far as the cloud's commands need them."""

    def is_connected(self, station_id: str) -> bool: ...

    async def ask(self, station_id: str, command: Command) -> CommandAnswer:
        """Send a command in the station's own numbers; raises GatewayError within 10 s."""

    def status(self, station_id: str, evse_id: int) -> ConnectorStatus | None: ...

    def connector(self, station_id: str, evse_id: int) -> int:
        """Return the connector of an EVSE that was heard of last."""

    def waits_until_idle(self, station_id: str) -> bool:
        """Whether its Reset OnIdle waits for transactions by itself; a 1.6 Soft Reset does not."""


class Upward(Protocol):
    """What a command makes the gateway say to the cloud, after its answer."""

    @property
    def registration(self) -> RegistrationStatus | None:
        """The cloud's last word on us."""

    def boot_again(self, reason: str) -> None: ...

    def heartbeat_now(self) -> None: ...

    def tell_status(self, cloud_evse: int | None) -> None:
        """Report the status of one EVSE, or of all, once more."""

    def set_station_status(self, is_operational: bool) -> None:
        """Report what the gateway itself is, which is EVSE 0."""

    def report(self, request_id: int, rows: list[dict[str, object]]) -> None:
        """Send NotifyReport, in as many parts as needed."""

    async def has_rows(self, transaction: Transaction | None) -> bool:
        """Whether rows of a transaction, or any rows, still wait for the cloud."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The ways to the stations."""

    slots: SlotTable
    stations: Stations
    together: Together

    def places(self) -> list[Place]:
        """Return every EVSE of the site, in the order of its number upstream."""
        places = map(self.slots.to_station, self.slots.connected())
        return [place for place in places if place is not None]

    async def ask(
        self, station_id: str, command: Command, refusal: str = "Rejected"
    ) -> StatusAnswer:
        """Return what the station answers; `refusal` is the word where it does not or cannot."""
        try:
            answer = await self.stations.ask(station_id, command)
        except Unavailable as error:
            return StatusAnswer(refusal, NO_ANSWER, error.reason[:LONGEST_INFO])
        except GatewayError as error:
            return StatusAnswer(refusal, "StationRefused", str(error)[:LONGEST_INFO])
        return answer if isinstance(answer, StatusAnswer) else StatusAnswer(refusal)


def folded(answers: Iterable[StatusAnswer], worst_first: tuple[str, ...]) -> StatusAnswer:
    """Fold the stations' answers into one: the worst of them, else Accepted.

    >>> folded([StatusAnswer("Accepted"), StatusAnswer("Scheduled")], ("Scheduled",)).status
    'Scheduled'
    """
    answers = tuple(answers)
    for status in worst_first:
        for answer in answers:
            if answer.status == status:
                return answer
    return ACCEPTED
