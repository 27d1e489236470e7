"""What the cloud wants the station and each of its EVSEs to be: operative or not. Pure.

Rule 1: it survives a restart, and a station that was away is told when it returns (1.6 §5.2,
G03.FR.08, G04.FR.09).
Rule 2: in 2.0.1 the whole station and each EVSE have a word of their own, and an EVSE is operative
when both say so (G04.FR.07, G04.FR.08). In 1.6 the word on 0 is a word on every connector.

Numbers are upstream's, 0 is the whole station.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.commands import ChangeAvailability
from gateway.writes import SaveAvailability

WHOLE = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a ChangeAvailability amounts to; nothing of it is kept before `Availability.take`."""

    writes: tuple[SaveAvailability, ...]
    is_operational: dict[int, bool]
    """By EVSE upstream, of those the command is about."""


class Availability:
    """What the cloud has said, as far as it has said anything.

    Args:
        numbers: the EVSEs upstream that have a connector behind them.
    """

    def __init__(self, kept: Iterable[SaveAvailability], numbers: Sequence[int]) -> None:
        self._said = {row.cloud_evse: row.is_operational for row in kept}
        self._numbers = tuple(numbers)

    @property
    def is_station_operational(self) -> bool:
        return self._said.get(WHOLE, True)

    def wanted(self, cloud_evse: int) -> bool | None:
        """Return what an EVSE is to be; None: the cloud never said."""
        return _wanted(self._said, cloud_evse)

    def wish(self, command: ChangeAvailability, version: str) -> Wish:
        """Say what a command of a cloud of this version changes."""
        evse, is_operational = command.evse_id or WHOLE, command.operational
        changes = {evse: is_operational}
        if version == "ocpp1.6" and evse == WHOLE:
            changes |= dict.fromkeys(self._numbers, is_operational)
        elif version == "ocpp1.6" and is_operational:
            changes[WHOLE] = True  # the others keep the words of their own
        said = self._said | changes
        targets = self._numbers if evse == WHOLE else (evse,)
        return Wish(
            tuple(SaveAvailability(*change) for change in changes.items()),
            {number: _wanted(said, number) is not False for number in targets},
        )

    def take(self, writes: Iterable[SaveAvailability]) -> None:
        """Make it true: it is on disk."""
        self._said |= {write.cloud_evse: write.is_operational for write in writes}


def _wanted(said: dict[int, bool], cloud_evse: int) -> bool | None:
    words = [said[number] for number in (WHOLE, cloud_evse) if number in said]
    return all(words) if words else None
