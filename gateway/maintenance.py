"""What the cloud orders that is no charging: availability, unlocking, resets, triggers.

One EVSE is its station's business; the whole is every station's, all asked at once, their answers
folded, and the gateway's own. Short orchestration, handed what it awaits; EVSE ids of commands are
upstream numbers.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gateway.availability import Availability
from gateway.commands import (
    ChangeAvailability,
    Reset,
    StatusAnswer,
    Trigger,
    UnlockConnector,
)
from gateway.configuration import Configuration
from gateway.drafts import UPSTREAM_CONNECTOR
from gateway.events import RegistrationStatus
from gateway.routes import (
    ACCEPTED,
    NO_ANSWER,
    REJECTED,
    UNKNOWN_EVSE,
    Place,
    Routes,
    Upward,
    folded,
)
from gateway.transactions import TransactionBooks
from gateway.writes import Write


class Maintenance:
    def __init__(
        self,
        *,
        routes: Routes,
        books: TransactionBooks,
        availability: Availability,
        configuration: Configuration,
        upward: Upward,
        commit: Callable[[Sequence[Write]], Awaitable[None]],
    ) -> None:
        self._routes = routes
        self._slots = routes.slots
        self._books = books
        self._availability = availability
        self._configuration = configuration
        self._upward = upward
        self._commit = commit
        self._resets_due: dict[str, bool] = {}
        """Stations to be reset once nothing runs there, and whether it is us who must do it."""
        self._is_boot_due = False
        """When the last of them is done the gateway registers anew."""

    async def change_availability(self, command: ChangeAvailability, version: str) -> StatusAnswer:
        if command.evse_id and self._slots.to_station(command.evse_id) is None:
            return UNKNOWN_EVSE
        if command.connector_id not in (None, UPSTREAM_CONNECTOR):
            return StatusAnswer("Rejected", "UnknownConnectorId")
        wish = self._availability.wish(command, version)
        answers = await self._routes.together(
            self._make(evse, is_operational) for evse, is_operational in wish.is_operational.items()
        )
        answer = folded(answers, ("Rejected", "Scheduled"))
        if answer.status == "Rejected":
            return answer
        await self._commit(wish.writes)
        self._availability.take(wish.writes)
        self._tell_of_station()
        return answer

    async def _make(self, cloud_evse: int, is_operational: bool) -> StatusAnswer:
        """Tell a station; one that is away or silent will be told when it returns."""
        station_id, evse_id = self._slots.to_station(cloud_evse) or ("", 0)
        answer = await self._routes.ask(station_id, ChangeAvailability(is_operational, evse_id))
        return StatusAnswer("Scheduled") if answer.reason_code == NO_ANSWER else answer

    def _tell_of_station(self) -> None:
        is_operational = self._availability.is_station_operational
        self._configuration.know(
            "ChargingStation.AvailabilityState", "Available" if is_operational else "Unavailable"
        )
        self._upward.set_station_status(is_operational)

    # Resets.

    async def reset(self, command: Reset, version: str) -> StatusAnswer:
        """One EVSE: its station. The whole: every station, and the gateway registers anew."""
        if command.evse_id:
            place = self._slots.to_station(command.evse_id)
            if place is None:
                return UNKNOWN_EVSE
            # 1.6 has no Reset of one EVSE (B11.FR.09), but one that is alone is its station.
            is_alone = len(self._slots.evses_of(place[0])) == 1
            asked = replace(command, evse_id=None if is_alone else place[1])
            return await self._reset_station(place[0], asked, version)
        stations = {station_id for station_id, _ in self._routes.places()}
        answers = await self._routes.together(
            self._reset_station(station_id, command, version)
            for station_id in sorted(stations)
            if self._routes.stations.is_connected(station_id)
        )
        if answers and all(answer.status == "Rejected" for answer in answers):
            return answers[0]
        if self._resets_due:
            self._is_boot_due = True
            return StatusAnswer("Scheduled")  # B12.FR.01
        self._upward.boot_again("RemoteReset" if command.is_immediate else "ScheduledReset")
        return ACCEPTED

    async def _reset_station(self, station_id: str, command: Reset, version: str) -> StatusAnswer:
        is_busy = any(running.station_id == station_id for running in self._books.running())
        # A Soft Reset of 1.6 ends what runs; OnIdle of 2.0.1 waits for it (B12.FR.01).
        must_wait = is_busy and not command.is_immediate and version != "ocpp1.6"
        if must_wait and not self._routes.stations.waits_until_idle(station_id):
            self._resets_due[station_id] = True
            return StatusAnswer("Scheduled")
        answer = await self._routes.ask(station_id, command)
        if must_wait and answer.status == "Scheduled":
            self._resets_due[station_id] = False
        return answer

    def has_idle_resets(self) -> bool:
        """Whether a station that was to be reset when idle is idle now."""
        return bool(self._idle_resets())

    async def reset_idle(self) -> None:
        """Do the resets that were Scheduled for when nothing runs any more."""
        idle = self._idle_resets()
        ours = [station_id for station_id in idle if self._resets_due[station_id]]
        for station_id in idle:
            del self._resets_due[station_id]
        await self._routes.together(
            self._routes.ask(station_id, Reset(is_immediate=False)) for station_id in ours
        )
        if self._is_boot_due and not self._resets_due:
            self._is_boot_due = False
            self._upward.boot_again("ScheduledReset")

    def _idle_resets(self) -> list[str]:
        if not self._resets_due:
            return []
        busy = {running.station_id for running in self._books.running()}
        return [station_id for station_id in self._resets_due if station_id not in busy]

    # Connectors.

    async def unlock(self, command: UnlockConnector, version: str) -> StatusAnswer:
        place = self._slots.to_station(command.evse_id)
        if place is None or command.connector_id != UPSTREAM_CONNECTOR:
            unknown = "NotSupported" if version == "ocpp1.6" else "UnknownConnector"
            return StatusAnswer(unknown)  # 1.6 errata 3.85, F05.FR.03
        running = self._books.open_on(*place)
        if version != "ocpp1.6" and running is not None and running.id_token is not None:
            return StatusAnswer("OngoingAuthorizedTransaction")  # F05.FR.02
        asked = UnlockConnector(place[1], self._routes.stations.connector(*place))
        return await self._routes.ask(place[0], asked, refusal="UnlockFailed")

    # Triggers.

    async def trigger(self, command: Trigger, version: str) -> StatusAnswer:
        place = self._slots.to_station(command.evse_id) if command.evse_id else None
        if command.evse_id and place is None:
            return UNKNOWN_EVSE
        is_accepted = self._upward.registration is RegistrationStatus.ACCEPTED
        match command.message:
            case "BootNotification":
                if version != "ocpp1.6" and is_accepted:
                    return REJECTED  # F06.FR.17
                self._upward.boot_again("Triggered")
                return ACCEPTED
            case "Heartbeat":
                self._upward.heartbeat_now()
                return ACCEPTED
            case "StatusNotification":
                self._upward.tell_status(command.evse_id)
                return ACCEPTED
            case "MeterValues" | "TransactionEvent" if not is_accepted:
                return REJECTED  # they wait in the outbox, which a Pending cloud does not get
            case "MeterValues":
                return await self._trigger_at(
                    [place] if place else self._routes.places(), ("MeterValues",)
                )
            case "TransactionEvent":
                running = [(found.station_id, found.evse_id) for found in self._books.running()]
                wanted = [there for there in running if place in (None, there)]
                # A 1.6 station has no TransactionEvent, but meter values.
                return await self._trigger_at(wanted, ("TransactionEvent", "MeterValues"))
        return StatusAnswer("NotImplemented")  # F06.FR.08

    async def _trigger_at(self, places: Sequence[Place], messages: Sequence[str]) -> StatusAnswer:
        answers = await self._routes.together(
            self._trigger_one(place, messages) for place in places
        )
        if any(answer.status == "Accepted" for answer in answers):
            return ACCEPTED
        return REJECTED  # F06.FR.10: what is accepted is sent

    async def _trigger_one(self, place: Place, messages: Sequence[str]) -> StatusAnswer:
        """Trigger the first of these messages that the station knows."""
        answer = REJECTED
        for message in messages:
            answer = await self._routes.ask(place[0], Trigger(message, place[1]))
            if answer.status == "Accepted" or answer.reason_code == NO_ANSWER:
                break
        return answer
