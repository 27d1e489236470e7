"""A site, its disk and its cloud on paper, stopped and stepped at every await.

The program's parts are the real ones, and so is the store's SQL. Nothing runs by itself: each
coroutine goes on only when its commit, its CALL or its turn is given to it, so that a test can put
a power cut, a full disk or another station's word between any two of them.
"""

import sqlite3
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import orjson

from gateway.adapters import store_reads, store_schema
from gateway.adapters.store_writes import gathered, statements
from gateway.authorization import Authorization
from gateway.batches import Delivery
from gateway.cloud_dialogue import CloudDialogue, CloudLine
from gateway.cloud_speech import CloudSpeech
from gateway.cloud_station import CloudStation
from gateway.errors import CallRefused, StoreFailed, Unavailable
from gateway.events import AuthorizationStatus, Booted, IdToken, IdTokenInfo
from gateway.ocpp.codec import codec_for
from gateway.outbox import Outbox
from gateway.records import KnownToken
from gateway.registration import BackOff, Registration
from gateway.restocking import Restocking
from gateway.slots import SlotTable
from gateway.station_events import Surroundings, answer_station
from gateway.status_board import StatusBoard
from gateway.transactions import TransactionBooks
from gateway.writes import Enqueue
from site_config.model import Site

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
CARD = IdToken("CARD-1")
V16, V201 = "ocpp1.6", "ocpp2.0.1"
VERSIONS = {"A": V16, "B": V201}
"""The stations and what they speak; EVSE 1 of A is 1 upstream, 1 and 2 of B are 2 and 3."""
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {
            "A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {"cloud_evse": 1}}},
            "B": {
                "circuit": "grid",
                "safe_current_a": 6,
                "evses": {1: {"cloud_evse": 2}, 2: {"cloud_evse": 3}},
            },
        },
    }
)
DELIVERY = Delivery(
    attempts=2, retry_interval_s=10.0, merge_from=3, merge_meter_values=4, lane_rows=5, held_rows=9
)


class Paused:
    """One await of the program's."""

    def __init__(self, kind: str, what: Any = None) -> None:
        self.kind, self.what = kind, what

    def __await__(self):
        return (yield self)


class Running:
    """A coroutine, and where it waits."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.waits_for: Paused | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self.is_over = False
        self.go_on()

    def go_on(self, value: Any = None, error: Exception | None = None) -> None:
        self.waits_for = None
        try:
            self.waits_for = self._work.send(value) if error is None else self._work.throw(error)
        except StopIteration as stop:
            self.is_over, self.result = True, stop.value
        except (StoreFailed, Unavailable) as failure:
            self.is_over, self.error = True, failure

    def stop(self) -> None:
        self._work.close()
        self.is_over, self.waits_for = True, None


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    running = Running(work)
    assert running.is_over
    assert running.error is None
    return running.result


class Turn:
    """A lock that leaves to the world who goes on."""

    def __init__(self) -> None:
        self.is_taken = False

    async def __aenter__(self) -> None:
        while self.is_taken:
            await Paused("turn", self)
        self.is_taken = True

    async def __aexit__(self, *_: object) -> None:
        self.is_taken = False


class Disk:
    """The real schema, statements and queries, in memory: it survives the program, not the test."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        store_schema.migrate(self.connection)

    def write(self, groups: list[list[Any]]) -> None:
        self.connection.execute("BEGIN")
        for sql, parameters in gathered([statements(writes) for writes in groups]):
            self.connection.execute(sql, parameters)
        self.connection.execute("COMMIT")

    async def load(self):
        return store_reads.load(self.connection)

    async def lanes(self):
        return store_reads.lane_backlogs(self.connection)

    async def quarantined(self):
        return store_reads.quarantined_rows(self.connection)

    async def read_lane(self, lane, after_id, limit):
        return store_reads.lane_rows(self.connection, lane, after_id, limit)

    def waiting(self):
        lanes = [found.lane for found in store_reads.lane_backlogs(self.connection)]
        rows = [store_reads.lane_rows(self.connection, lane, 0, -1) for lane in lanes]
        return sorted(chain.from_iterable(rows), key=lambda row: row.id)

    def close(self) -> None:
        self.connection.close()


@dataclass
class Committing:
    writes: list[Any]
    running: Running | None = None


@dataclass
class Call:
    """A CALL of the program's that has reached the cloud and is not answered."""

    action: str
    payload: dict[str, Any]
    unique_id: str


@dataclass
class Program:
    """What a power cut ends. `commits` are asked for and not on disk; `noted` are, unannounced."""

    disk: Disk
    world: "World"
    is_strict: bool = False
    commits: list[list[Any]] = field(default_factory=list)
    told: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept = at_once(self.disk.load())
        slots = SlotTable(SITE, kept.slots)
        self.disk.write([list(slots.writes)])
        uuids = self.world.uuids
        self.books = TransactionBooks(
            slots, kept, lambda: f"uuid-{next(uuids)}", is_strict=self.is_strict
        )
        self.turns = {name: Turn() for name in VERSIONS}
        accepted = IdTokenInfo(AuthorizationStatus.ACCEPTED)
        self.around = Surroundings(
            slots=slots,
            books=self.books,
            authorization=Authorization((), (KnownToken(CARD, accepted, T0),), 1),
            commit=self._commit,
            turn=self.turns.__getitem__,
            ask_cloud=self._nobody,
            is_cloud_connected=lambda: self.station.registration.is_registered,
            clock_utc=self.world.wall,
        )
        self.outbox = Outbox(DELIVERY)
        registration = Registration(Booted("a", "b"), lambda: 0.0, BackOff())
        board = StatusBoard(slots.connected(), slots.count, T0)
        self.station = CloudStation(registration, board, self.outbox)
        clock = lambda: self.world.now  # noqa: E731 - handed twice
        self.speech = CloudSpeech(
            self.station,
            self.around,
            clock=clock,
            follow_up=self.world.follow_up,
            registered=lambda _: None,
            log=self.world.lines.append,
        )
        settle_down = self.speech.settle_down
        self.restocking = Restocking(self.outbox, self.disk, lambda *_: None, settle_down)
        at_once(self.restocking.restore(kept))
        self.dialogue = CloudDialogue(
            self.station,
            self.speech,
            refill=self._refill,
            wait=self._wait,
            clock=clock,
            log=self.world.lines.append,
        )

    async def _commit(self, writes) -> None:
        if writes:
            self.commits.append(list(writes))
            await Paused("commit", self.commits[-1])

    async def _refill(self) -> None:
        await self.restocking.refill()

    async def _wait(self, due_at: float | None) -> None:
        await Paused("news", due_at)

    async def _nobody(self, _: IdToken) -> None:
        return None

    def announce(self, writes) -> None:
        """What the store tells of a commit, before whoever asked for it goes on."""
        self.books.stored(writes)
        for write in writes:
            if isinstance(write, Enqueue):
                self.outbox.enqueued(write.row)

    def hear(self, station_id, event) -> Running:
        version = VERSIONS[station_id]
        running = Running(answer_station(event, station_id, version, self.around))
        self.told.append(running)
        return running

    def speak(self, version) -> Running:
        codec = codec_for(version)
        self.station.connected(version, self.world.now)

        async def call(action, payload, unique_id):
            return await Paused("call", Call(action, payload, unique_id))

        line = CloudLine(
            codec,
            call,
            is_open=lambda: self.world.is_socket_there,
            was_too_big=lambda: self.world.was_too_big,
        )
        return Running(self.dialogue.speak(line))


class World:
    """The program between its stations, its disk and its cloud; the steps a test may take."""

    def __init__(self) -> None:
        self.uuids = iter(range(10**9))
        self.now = 0.0
        self.lines: list[str] = []
        self.followups: list[Any] = []
        self.disk = Disk()
        self.is_socket_there = self.was_too_big = False
        self.speaking: Running | None = None
        self.program = Program(self.disk, self)

    def wall(self) -> datetime:
        return T0 + timedelta(seconds=self.now)

    async def follow_up(self, followup) -> None:
        self.followups.append(followup)

    # Whoever runs.

    @property
    def everybody(self) -> list[Running]:
        running = [*self.program.told, *([self.speaking] if self.speaking else [])]
        return [each for each in running if not each.is_over]

    @property
    def call(self) -> Call | None:
        """The CALL that waits for the cloud's answer."""
        waits_for = self.speaking.waits_for if self.speaking else None
        return waits_for.what if waits_for is not None and waits_for.kind == "call" else None

    def settle(self) -> None:
        """Let go on whoever has got the turn he waits for, and note who has ended."""
        has_moved = True
        while has_moved:
            has_moved = False
            for running in self.everybody:
                waits_for = running.waits_for
                if waits_for.kind == "turn" and not waits_for.what.is_taken:
                    running.go_on()
                    has_moved = True
        self.program.told = [each for each in self.program.told if not each.is_over]
        if self.speaking is not None and self.speaking.is_over:
            self._connection_over(self.speaking.error)

    def _connection_over(self, error: Exception | None) -> None:
        self.is_socket_there, self.speaking = False, None
        self.program.station.lost(self.now)
        if error is not None:
            # The disk failed: count again what it holds (as `Uplink.run` does).
            at_once(self.program.restocking.restore())

    # The disk.

    def disk_writes(self, count: int, *, is_full: bool = False) -> None:
        """Carry out the first so many commits together, or none of them."""
        done, self.program.commits = self.program.commits[:count], self.program.commits[count:]
        if not is_full:
            self.disk.write(done)
        for writes in done:
            if not is_full:
                self.program.announce(writes)
            for running in self.everybody:
                if running.waits_for.kind == "commit" and running.waits_for.what is writes:
                    running.go_on(error=StoreFailed("disk full") if is_full else None)
        self.settle()

    def power_cut(self, *, commits_made: int, is_strict: bool = False) -> None:
        """End the program; the first so many of its commits are on disk, and nobody knows."""
        if commits_made:
            self.disk.write(self.program.commits[:commits_made])
        for running in self.everybody:
            running.stop()
        self.speaking, self.is_socket_there = None, False
        self.program = Program(self.disk, self, is_strict)

    # The cloud.

    def connect(self, version) -> None:
        self.is_socket_there, self.was_too_big = True, False
        self.speaking = self.program.speak(version)
        self.settle()

    def look_again(self) -> None:
        """There may be news."""
        waits_for = self.speaking.waits_for if self.speaking else None
        if waits_for is not None and waits_for.kind == "news":
            self.speaking.go_on()
            self.settle()

    def answer(self, payload) -> None:
        self.speaking.go_on(orjson.loads(orjson.dumps(payload)))
        self.settle()

    def refuse(self, code) -> None:
        self.speaking.go_on(error=CallRefused(code, "no"))
        self.settle()

    def stay_silent(self) -> None:
        self.speaking.go_on(error=Unavailable("no answer"))
        self.settle()

    def drop(self, *, is_too_big: bool = False) -> None:
        """Lose the link, whatever is under way: a waiting CALL is lost, a commit is not."""
        self.is_socket_there, self.was_too_big = False, is_too_big
        if self.call is not None:
            self.speaking.go_on(error=Unavailable("disconnected"))
            if not self.speaking.is_over:
                return  # what it means is written down first
        elif self.speaking is not None:
            with suppress(StopIteration):
                self.speaking.stop()
        if self.speaking is not None:
            self._connection_over(None)
        self.settle()

    def close(self) -> None:
        for running in self.everybody:
            running.stop()
        self.disk.close()
