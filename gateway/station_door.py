"""A station comes, asks, and goes: who in the gateway is told. Owns no socket and no clock."""

from typing import Protocol

from gateway.arrivals import Arrivals
from gateway.errors import StoreFailed, Unavailable
from gateway.metrics import Counters
from gateway.ocpp.frames import Call, Payload
from gateway.site_stations import Line, SiteStations
from gateway.station_desk import StationDesk
from site_config.links import OcppVersion


class Connection(Protocol):
    """One station's WebSocket, from its handshake until it is closed."""

    identity: str
    version: OcppVersion

    async def call(
        self, action: str, payload: Payload, *, timeout_s: float, urgent: bool
    ) -> Payload: ...


class StationDoor:
    """What the CSMS server calls."""

    def __init__(
        self, stations: SiteStations, desk: StationDesk, arrivals: Arrivals, counters: Counters
    ) -> None:
        self._stations = stations
        self._desk = desk
        self._arrivals = arrivals
        self._counters = counters

    async def connected(self, connection: Connection) -> None:
        async def call(action: str, payload: Payload, timeout_s: float, is_urgent: bool) -> Payload:
            return await connection.call(action, payload, timeout_s=timeout_s, urgent=is_urgent)

        name = connection.identity
        self._stations.connected(name, Line(connection.version, call))
        self._desk.connected(name, connection.version)
        self._arrivals.connected(name)

    async def disconnected(self, connection: Connection) -> None:
        name = connection.identity
        self._stations.disconnected(name)
        self._desk.disconnected(name)
        self._arrivals.left(name)

    async def answer(self, connection: Connection, call: Call) -> Payload:
        """Answer a station's CALL; raises Unavailable for what could not be stored."""
        name, version = connection.identity, connection.version
        self._counters.count_message("station", "in", call.action)
        try:
            answer = await self._desk.answer(
                name, version, call.action, call.payload, call.unique_id
            )
        except StoreFailed as error:
            raise Unavailable(f"not stored: {error}") from error
        if call.action == "BootNotification":
            self._arrivals.booted(name)
        return answer
