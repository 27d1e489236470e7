"""Who is handed whom: everything of one site, built and connected. Nothing runs here.

The one place that knows every decision and every adapter that they speak through; `app` runs it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version as package_version
from typing import Any

from gateway.actions import CloudCommands, SiteAuthority
from gateway.adapters.beside import Beside
from gateway.adapters.csms import CsmsServer
from gateway.adapters.store import Store
from gateway.adapters.uplink import Uplink
from gateway.arrivals import ANSWER_FIRST_S, Arrivals
from gateway.balancing import SiteView
from gateway.cloud_door import CloudDoor
from gateway.cloud_news import CloudNews
from gateway.cloud_speech import CloudSpeech
from gateway.commands import StatusAnswer
from gateway.commissioning.procedure import Procedure
from gateway.dimming_desk import DimmingDesk
from gateway.errors import StoreFailed
from gateway.events import (
    AuthorizeAsked,
    IdToken,
    IdTokenInfo,
    Judged,
)
from gateway.journal_book import JournalBook
from gateway.kept import Kept
from gateway.limit_delivery import EXPIRES_AFTER_REFRESHES
from gateway.maintenance import Maintenance
from gateway.metrics import Counters
from gateway.parts import Parts
from gateway.restocking import Restocking
from gateway.rounds import Rounds
from gateway.routes import Routes
from gateway.site_clock import SiteClock
from gateway.site_operations import SiteOperations
from gateway.site_stations import SiteStations
from gateway.station_desk import Notify, StationDesk
from gateway.station_door import StationDoor
from gateway.station_events import Surroundings
from gateway.trace import MessageTrace
from gateway.upward import CloudUpward
from gateway.writes import EnqueueAgain, SaveSlot, SaveTransaction, Write
from load_balancer.balancer import Balancer
from load_balancer.inputs import EvseKey
from site_config.model import Site

VERDICT_DEADLINE_S = 5.0
"""A driver waits no longer for the cloud; then the site decides."""

log = logging.getLogger("gateway")


class Gateway:
    """Everything of one site, built and connected; nothing runs."""

    def __init__(
        self,
        site: Site,
        store: Store,
        kept: Kept,
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
        *,
        boot_id: str = "",
        commissioning: Procedure | None = None,
    ) -> None:
        self.site, self.store = site, store
        self.commissioning = commissioning
        self.site_clock = SiteClock(wall_clock, clock, kept.settings)
        self.clock, self.wall_clock = clock, self.site_clock.now_utc
        self.parts = Parts.of(
            site,
            kept,
            firmware=package_version("site-gateway"),
            at=self.wall_clock(),
            boot_id=boot_id,
        )
        self.state, self.outbox = self.parts.state, self.parts.outbox
        self.deliveries, self.cloud = self.parts.deliveries, self.parts.cloud
        self.counters = Counters()
        self.trace = MessageTrace(self.wall_clock)
        self._locks: dict[str, asyncio.Lock] = {}
        self.beside = Beside()
        self.unbalanced = asyncio.Event()
        self.around = Surroundings(
            slots=self.parts.slots,
            books=self.parts.books,
            authorization=self.parts.authorization,
            commit=self.commit,
            turn=self._turn,
            ask_cloud=self._ask_cloud,
            is_cloud_connected=lambda: self.cloud.registration.is_registered,
            clock_utc=self.wall_clock,
            heartbeat_interval_s=site.csms.heartbeat_interval_s,
            sampling=self.parts.sampling,
        )
        self._build_stations_side()
        self._build_cloud_side()
        self.journal_book = JournalBook(
            self.parts.journal, store, self.commit, self.parts.limiters.kept
        )
        self.grid_operator = self._grid_operator()
        self.operations = SiteOperations(
            state=self.state,
            limits=self.parts.limits,
            wishes=self.parts.wishes,
            trace=self.trace,
            outbox_queue=self.outbox,
            books=self.parts.books,
            shelves=store,
            journal_book=self.journal_book,
            grid_operator=self.grid_operator,
            commit=self.commit,
            clock_utc=self.wall_clock,
            limits_changed=self.unbalanced.set,
            wake_cloud=self.wake_cloud,
            log=log.info,
        )

    def _grid_operator(self) -> DimmingDesk | None:
        if self.parts.dimming is None:
            return None
        return DimmingDesk(
            dimming=self.parts.dimming,
            state=self.state,
            shelf=self.store,
            commit=self.commit,
            clock=self.clock,
            clock_utc=self.wall_clock,
            limits_changed=self.unbalanced.set,
            log=log.warning,
        )

    def _build_stations_side(self) -> None:
        self.stations = SiteStations(self.state)
        self.desk = StationDesk(
            csms=self.site.csms,
            around=self.around,
            state=self.state,
            statuses=self.cloud.statuses,
            deliveries=self.deliveries,
            profiles=self.parts.profiles,
            wishes=self.parts.wishes,
            models=self.parts.models,
            stations=self.stations,
            notify=Notify(self.wake_cloud, self.unbalanced.set, log.info, self.beside.spawn),
            clock=self.clock,
            is_clock_sound=lambda: self.site_clock.is_sound,
        )
        self.rounds = Rounds(
            balancer=Balancer(self.site, found=self.parts.phase_findings.at_start()),
            view=SiteView(
                self.state,
                self.deliveries,
                self.parts.authorities,
                self.parts.wishes,
                self.commissioning,
            ),
            state=self.state,
            deliveries=self.deliveries,
            stations=self.stations,
            phase_findings=self.parts.phase_findings,
            journal=self.parts.journal,
            clock=self.clock,
            clock_utc=self.wall_clock,
            spawn=self.beside.spawn,
            log=log.warning,
            tell=log.info,
        )
        self.arrivals = Arrivals(
            state=self.state,
            stations=self.stations,
            deliveries=self.deliveries,
            books=self.parts.books,
            availability=self.parts.availability,
            configuration=self.parts.configuration,
            pause=asyncio.sleep,
            spawn=self.beside.spawn,
            is_ready=self.unbalanced.set,
            log=log.info,
        )
        door = StationDoor(self.stations, self.desk, self.arrivals, self.counters)
        self.server = CsmsServer(
            self.site.csms,
            self.site.stations,
            on_connected=door.connected,
            on_call=door.answer,
            on_disconnected=door.disconnected,
            trace=self._passed,
            wall_clock=self.wall_clock,
        )

    def _build_cloud_side(self) -> None:
        news = CloudNews(
            self.state.cloud,
            self.cloud.registration,
            self.parts.configuration,
            depth=self.outbox.depth,
            problem=self.parts.problem,
            clock_utc=self.wall_clock,
            log=log.info,
            warn=log.warning,
        )
        self.speech = CloudSpeech(
            self.cloud,
            self.around,
            clock=self.clock,
            follow_up=self.desk.follow_up,
            registered=news.registered,
            time_told=news.time_told,
            log=log.warning,
        )
        self.restocking = Restocking(
            self.outbox, self.store, self.parts.problem, self.speech.settle_down
        )
        upward = CloudUpward(
            self.cloud,
            self.store.has_rows_of,
            self.clock,
            self.wall_clock,
            self._wake_cloud_later,
        )
        upward.set_station_status(self.parts.availability.is_station_operational)
        routes = Routes(self.parts.slots, self.stations, _together)
        self.maintenance = Maintenance(
            routes=routes,
            books=self.parts.books,
            availability=self.parts.availability,
            configuration=self.parts.configuration,
            upward=upward,
            commit=self.commit,
        )
        commands = CloudCommands(
            routes=routes,
            maintenance=self.maintenance,
            books=self.parts.books,
            authorization=self.parts.authorization,
            profiles=self.parts.profiles,
            configuration=self.parts.configuration,
            authority=SiteAuthority(self.parts.local_limit_a),
            upward=upward,
            commit=self.commit,
            clock_utc=self.wall_clock,
            configuration_changed=self._configuration_changed,
            limits_changed=self.unbalanced.set,
        )
        door = CloudDoor(commands, self.counters, log.info)
        self.uplink = Uplink(
            self.site.cloud,
            self.cloud,
            self.speech,
            answer=door.answer,
            link_changed=news.link_changed,
            refill=self.restocking.refill,
            recover=self.restocking.restore,
            clock=self.clock,
            ping_interval_s=lambda: self.parts.configuration.number("WebSocketPingInterval"),
            trace=self._passed,
        )

    async def restore(self, kept: Kept) -> None:
        """Take up what was under way before the restart."""
        await self.commit(self.parts.slots.writes)
        await self.restocking.restore(kept)
        self.store.committed, self.store.remade = self._committed, self._store_remade
        self._configuration_changed()
        self.deliveries.take_up(kept.settings, self.clock(), self.wall_clock())
        self.desk.restore(await self._told_before())
        log.info(
            "gateway.started site=%s stations=%d evses=%d running=%d pending=%d",
            self.site.site.id,
            len(self.site.stations),
            self.parts.slots.count,
            len(self.parts.books.running()),
            self.outbox.depth().pending,
        )

    async def _told_before(self) -> dict[EvseKey, float]:
        """Return the highest limits that a run before this one may have left in force."""
        at = self.wall_clock()
        since = at - timedelta(seconds=EXPIRES_AFTER_REFRESHES * self.site.csms.limit_refresh_s)
        try:
            # Also what was written down later than now: the machine's clock may have been lost.
            return await self.journal_book.highest_since(since, at + timedelta(days=1))
        except StoreFailed:
            return {}  # the store has said why; the highest there is counts

    # Handed to those who decide.

    async def _ask_cloud(self, id_token: IdToken) -> IdTokenInfo | None:
        answer = await self.uplink.ask(AuthorizeAsked(id_token), VERDICT_DEADLINE_S)
        return answer.info if isinstance(answer, Judged) else None

    def wake_cloud(self) -> None:
        self.uplink.wake()

    def _wake_cloud_later(self) -> None:
        asyncio.get_running_loop().call_later(ANSWER_FIRST_S, self.wake_cloud)

    def window_edge(self, line: str) -> None:
        log.info(line)
        self.unbalanced.set()

    def _configuration_changed(self) -> None:
        self.parts.put_settings_in_force(self.clock())
        self.arrivals.wishes_changed()
        self.wake_cloud()

    def _passed(self, name: str, direction: str, text: str) -> None:
        """Keep and count a frame that passed a socket."""
        self.trace.note(name, direction, text)
        self.counters.count_frame(name, direction, text)

    def _store_remade(self) -> None:
        """Write again what memory still knows of what a damaged file may have lost."""
        self.beside.spawn(self._write_again())

    async def _write_again(self) -> None:
        slots = [SaveSlot(slot) for slot in self.parts.slots]
        running = map(SaveTransaction, self.parts.books.running())
        # In line before anybody else can say that one of them is confirmed.
        await self.commit([*slots, *running, *map(EnqueueAgain, self.outbox.held())])
        self.restocking.restore_soon()
        self.wake_cloud()

    async def commit(self, writes: Sequence[Write]) -> None:
        """Commit; the one way to the disk."""
        if writes:
            await self.store.commit(writes)

    def _committed(self, writes: Sequence[Write]) -> None:
        """Tell books and outbox what is on disk, also when whoever wanted it there is gone."""
        self.parts.books.stored(writes)
        self.outbox.committed(writes)
        self.wake_cloud()

    def _turn(self, station_id: str) -> asyncio.Lock:
        lock = self._locks.get(station_id)
        if lock is None:
            lock = self._locks[station_id] = asyncio.Lock()
        return lock


async def _together(works: Iterable[Coroutine[Any, Any, StatusAnswer]]) -> list[StatusAnswer]:
    return list(await asyncio.gather(*works))
