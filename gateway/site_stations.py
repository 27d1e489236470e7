"""The site's charging stations as the gateway asks them: a command in, its answer out.

Knows which connection is whose and which version it speaks; the wire is handed in. Decides how long
a station may take: less than the cloud waits for us.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.commands import Command, CommandAnswer, SetProfile
from gateway.errors import PeerError, Unavailable
from gateway.events import ConnectorStatus
from gateway.ocpp.codec import codec_for
from gateway.ocpp.frames import Payload
from gateway.site_state import SiteState
from site_config.links import OcppVersion

ANSWER_TIMEOUT_S = 10.0
"""Clouds wait 20 s and more for our answer; a station that takes longer counts as silent."""


@dataclass(frozen=True, slots=True)
class Line:
    """A connected station."""

    version: OcppVersion
    call: Callable[[str, Payload, float, bool], Awaitable[Payload]]
    """Action, payload, time-out in s, whether it overtakes waiting calls."""


class SiteStations:
    """Every station of the site, connected or not."""

    def __init__(self, state: SiteState) -> None:
        self.answer_timeout_s = ANSWER_TIMEOUT_S
        self._state = state
        self._lines: dict[str, Line] = {}

    def connected(self, station_id: str, line: Line) -> None:
        self._lines[station_id] = line

    def disconnected(self, station_id: str) -> None:
        self._lines.pop(station_id, None)

    def is_connected(self, station_id: str) -> bool:
        return station_id in self._lines

    def status(self, station_id: str, evse_id: int) -> ConnectorStatus | None:
        evse = self._state.stations[station_id].evses.get(evse_id)
        return evse.status if evse else None

    def connector(self, station_id: str, evse_id: int) -> int:
        return self._state.stations[station_id].evses[evse_id].connector_id

    def waits_until_idle(self, station_id: str) -> bool:
        line = self._lines.get(station_id)
        return line is None or line.version != "ocpp1.6"

    async def ask(self, station_id: str, command: Command) -> CommandAnswer:
        """Ask in the station's own numbers and version.

        Raises:
            Unavailable: it is away, or silent for `answer_timeout_s`.
            PeerError: it refused with a CALLERROR, or its version has no word for the command.
        """
        line = self._lines.get(station_id)
        if line is None:
            raise Unavailable(f"{station_id} is not connected")
        codec = codec_for(line.version)
        message = codec.serialize_command(command)
        if message is None:
            raise PeerError("NotSupported", f"{line.version} has no {type(command).__name__}")
        action, payload = message
        is_urgent = isinstance(command, SetProfile)
        answer = await line.call(action, payload, self.answer_timeout_s, is_urgent)
        return codec.parse_command_answer(command, answer)
