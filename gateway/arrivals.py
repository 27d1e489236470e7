"""What a station is told when it arrives: what it must hold, and what it missed while it was away.

Rule 1: a station that boots is set up anew; one that merely reconnects holds what it was given.
Rule 2: when many arrive at once all are answered before the first is set up: a station that is not
answered in time begins anew, and the site never comes to rest.
Rule 3: what was wanted of it in its absence is wanted still: the availability the cloud has set
(1.6 §5.2, G03.FR.08), the end of a transaction whose token the cloud did not accept, and settings.

Short orchestration, handed what it awaits; owns no socket and no clock.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from gateway.availability import Availability
from gateway.balancing import Deliveries
from gateway.commands import ChangeAvailability, Command, RequestStop, StatusAnswer
from gateway.configuration import Configuration
from gateway.errors import GatewayError
from gateway.routes import Stations
from gateway.settings import MEASURANDS
from gateway.site_state import SiteState
from gateway.station_setup import Ask, SetupReport, Wishes, set_up_station, tell_wishes
from gateway.transactions import TransactionBooks

ANSWER_FIRST_S = 0.05
"""What a call leads to is said after the call was answered (1.6 §5.17)."""
LAST_PAUSE_S = 1.6
"""Pauses double while others boot; after this one, three seconds in all, its turn has come."""
BOOT_GRACE_S = 5.0
"""A station that has not sent a BootNotification by then came back without one."""


class Cancellable(Protocol):
    def cancel(self) -> object: ...


class Arrivals:
    """Receives every station of the site, each by a task of its own."""

    def __init__(
        self,
        *,
        state: SiteState,
        stations: Stations,
        deliveries: Deliveries,
        books: TransactionBooks,
        availability: Availability,
        configuration: Configuration,
        pause: Callable[[float], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], Cancellable],
        is_ready: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self.boot_grace_s = BOOT_GRACE_S
        self._state = state
        self._stations = stations
        self._deliveries = deliveries
        self._books = books
        self._availability = availability
        self._configuration = configuration
        self._pause = pause
        self._spawn = spawn
        self._is_ready = is_ready
        self._log = log
        self._boots = 0
        self._under_way: dict[str, Cancellable] = {}
        self._told: dict[str, Wishes] = {}
        """What each station was asked for last."""

    def connected(self, name: str) -> None:
        self._begin(name, self._receive(name, is_boot=False))

    def booted(self, name: str) -> None:
        self._boots += 1
        self._told.pop(name, None)
        self._begin(name, self._receive(name, is_boot=True))

    def left(self, name: str) -> None:
        if (earlier := self._under_way.pop(name, None)) is not None:
            earlier.cancel()

    def wishes_changed(self) -> None:
        """The cloud has set something that stations act upon: pass it on."""
        for name, told in self._told.items():
            if told != self._wishes() and self._stations.is_connected(name):
                self._spawn(self._pass_on(name))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.left(name)
        self._under_way[name] = self._spawn(work)

    async def _receive(self, name: str, *, is_boot: bool) -> None:
        if is_boot:
            await self._answer_first()
        else:
            await self._pause(self.boot_grace_s)
        deliveries = tuple(self._deliveries.of(name))
        if is_boot or not all(delivery.has_safe_default for delivery in deliveries):
            await self._set_up(name)
        elif self._told.get(name) != self._wishes():
            await self._pass_on(name)
        await self._catch_up(name)
        del self._under_way[name]  # still ours: a newer one, or a loss, would have cancelled us

    async def _answer_first(self) -> None:
        """Pause until this boot has been answered, and those of others that come with it."""
        pause_s, boots = ANSWER_FIRST_S, None
        while boots != self._boots and pause_s <= LAST_PAUSE_S:
            boots = self._boots
            await self._pause(pause_s)
            pause_s *= 2

    async def _set_up(self, name: str) -> None:
        site, wishes = self._state.site, self._wishes()
        report = await set_up_station(
            site.stations[name],
            self._version(name),
            self._asker(name),
            wishes,
            voltage_v=site.site.voltage_v,
        )
        self._told[name] = wishes
        self._take(name, report)

    def _take(self, name: str, report: SetupReport) -> None:
        for delivery in self._deliveries.of(name):
            delivery.has_safe_default = report.has_safe_default
        self._state.stations[name].safe_default_doubt = None
        self._deliveries.forms[name].suggested(report.unit)
        self._note(name, report.notes)
        self._log(
            f"station.ready station={name} unit={report.unit or 'unknown'} "
            f"safe_default={report.has_safe_default}"
        )
        self._is_ready()

    async def _pass_on(self, name: str) -> None:
        wishes = self._wishes()
        self._told[name] = wishes
        notes = await tell_wishes(self._version(name), self._asker(name), wishes)
        self._note(name, notes)
        if not self._stations.is_connected(name):
            self._told.pop(name, None)  # it left meanwhile: it is asked again when it returns

    async def _catch_up(self, name: str) -> None:
        for evse_id, evse in self._state.stations[name].evses.items():
            wanted = self._availability.wanted(evse.cloud_evse)
            if wanted is not None:
                await self._ask(name, ChangeAvailability(wanted, evse_id))
        for transaction in self._books.refused(name):
            self._books.remote.stop_asked(transaction.number)
            await self._ask(name, RequestStop(transaction.station_transaction_id))

    async def _ask(self, name: str, command: Command) -> None:
        try:
            answer = await self._stations.ask(name, command)
        except GatewayError as error:
            why = str(error)
        else:
            why = answer.status if isinstance(answer, StatusAnswer) else "nonsense"
        if why not in {"Accepted", "Scheduled"}:
            asked = type(command).__name__
            self._log(f'station.refused station={name} asked={asked} reason="{why}"')

    def _wishes(self) -> Wishes:
        """Return what every station is to do: the balancer's wishes before the cloud's."""
        interval_s = self._state.site.csms.meter_interval_s
        told_s = self._configuration.number("MeterValueSampleInterval")
        cloud = self._configuration.text("MeterValuesSampledData").split(",")
        return Wishes(
            min(interval_s, told_s) if told_s else interval_s,
            tuple(dict.fromkeys([*MEASURANDS, *filter(None, cloud)])),
            self._configuration.for_stations(),
        )

    def _asker(self, name: str) -> Ask:
        return lambda command: self._stations.ask(name, command)

    def _version(self, name: str) -> str:
        return self._state.stations[name].protocol or ""

    def _note(self, name: str, notes: list[str]) -> None:
        for note in notes:
            self._state.stations[name].note(note)
            self._log(f'station.note station={name} note="{note}"')
