"""A site whose gateway dies: stations and a strict cloud live here, so that their books survive.

Time stands still while a message is on its way, so that a second of work is not taken for an hour
of silence; all clocks of the site are the one on `wall`.
"""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections import Counter
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import yaml

from gateway.adapters import store_reads
from gateway.adapters.store import open_store
from gateway.simulation.cars import Car
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.evse import EvseHardware
from gateway.simulation.instants import read_instant
from gateway.simulation.link import BackOff, StationLink
from gateway.simulation.quirks import Quirks
from gateway.simulation.station import StationSettings
from gateway.simulation.station_16 import Station16
from gateway.simulation.station_201 import Station201
from gateway.writes import SaveSetting
from tests.scenarios.crash.wall import BEGAN, WallClock

ROOT = Path(__file__).parents[3]
READ_MEANWHILE = ("Sample.Periodic", "Trigger")
"""Contexts of values between the first and the last of a transaction."""
PATIENCE_S = 30.0
"""How long a condition may take on a busy machine; it is never waited out."""
AT_ONCE = BackOff(minimum_s=0.02, random_s=0.01, doublings=0)
STATIONS = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}
NEVER_S = 1e9
IMPATIENT = {
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": "0",
    "OCPPCommCtrlr.RetryBackOffRandomRange": "0",
    "TransactionMessageRetryInterval": "0",
}
"""Settings of the gateway, so that nobody waits for its politeness."""
ENERGY = "Energy.Active.Import.Register"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(condition, patience_s=PATIENCE_S):
    """Wait for something in other processes, which tell nobody: looked at often."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class Nursery:
    """Where programs are born; see `nursery`."""

    def __init__(self):
        self.gone = {}
        """PID -> exit status, negative for a signal."""
        self._born = asyncio.Queue()

    async def start(self, *loaded):
        """`loaded`: "web", so that a gateway with a page is born as fast."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.scenarios.crash.nursery", *loaded),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self):
        async for line in self._process.stdout:
            match line.decode().split():
                case ["born", pid]:
                    self._born.put_nowait(int(pid))
                case ["gone", pid, status]:
                    self.gone[int(pid)] = int(status)

    async def bear(self, **order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await self._born.get()

    async def close(self):
        self._process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await self._process.wait()
        await self._listening


class Actor:
    """One charging station and whoever charges there."""

    def __init__(self, identity, version, url, wall, cloud_evse):
        settings = StationSettings(
            identity,
            (EvseHardware(1),),
            quirks=Quirks(ignores_time=True),
            meter_interval_s=10,
            call_timeout_s=NEVER_S,
        )
        self.identity, self.cloud_evse = identity, cloud_evse
        self.station = STATIONS[version](settings, BEGAN)
        self.sampled = []
        """(instant, Wh) of every value it has kept for the gateway, periodic or asked for."""
        self.mentioned = []
        """The same, outside of any transaction: nobody has to keep them."""
        self.kept = 0
        """Billable messages it has kept."""
        self.link = StationLink(
            self.station, url, tick_s=None, clock=lambda: wall.now, back_off=AT_ONCE
        )
        self._note_what_is_said()

    def _note_what_is_said(self):
        say = self.station.talk.say

        def noted(message, now):
            readings = _readings(message.build())
            if message.is_transactional:
                self.kept += 1
                self.sampled += readings
            else:
                self.mentioned += readings
            say(message, now)

        self.station.talk.say = noted

    @property
    def visit(self):
        return self.station.visits[1]

    @property
    def is_waiting(self):
        """Whether an answer is on its way."""
        talk = self.station.talk
        return talk.is_online and bool(talk.pending)

    def heard(self, *actions):
        """Return how often the gateway has asked for one of these."""
        return sum(action in actions for action, _ in self.station.commands_heard)


class Worksite:
    """The site, its cloud, and the gateway's process."""

    def __init__(self, folder, version, nursery, cloud, versions):
        self.folder, self.version, self.nursery, self.cloud = folder, version, nursery, cloud
        self.wall = WallClock(folder / "wall")
        self.pid = None
        self.starts = 0
        self.port = free_port()
        self._armed = folder / "armed"
        self._site_file = folder / "site.yaml"
        url = f"ws://127.0.0.1:{self.port}/ocpp"
        self.actors = [
            Actor(f"CP-{number:02}", of, url, self.wall, number)
            for number, of in enumerate(versions, 1)
        ]
        self._links = []

    @property
    def database(self):
        return self.folder / "data" / "gateway.db"

    # The process.

    def write_site(self, **sections):
        site = {
            "site": {"id": "depot", "name": "Depot"},
            "cloud": {"url": self.cloud.url, "identity": "DEPOT"},
            "csms": {"listen": f"127.0.0.1:{self.port}"},
            "circuits": {"grid": {"rating_a": 400}},
            "stations": {
                actor.identity: {
                    "circuit": "grid",
                    "safe_current_a": 6,
                    "evses": {1: {"cloud_evse": actor.cloud_evse}},
                }
                for actor in self.actors
            },
        }
        self._site_file.write_text(yaml.safe_dump(site | sections))

    async def lay_out(self, settings):
        """Make the database as an impatient cloud would leave it."""
        store = await open_store(self.database)
        await store.commit([SaveSetting(*setting) for setting in (IMPATIENT | settings).items()])
        await store.close()

    async def bear(self, *words, grace_s=None):
        """Start `site-gateway WORDS`; return its PID. `grace_s`: see `arrivals.BOOT_GRACE_S`."""
        self.starts += 1
        return await self.nursery.bear(
            words=words,
            log=str(self.folder / "gateway.log"),
            armed=str(self._armed),
            wall=str(self.folder / "wall"),
            grace_s=grace_s,
        )

    async def start(self, grace_s=None):
        words = ("run", str(self._site_file), "--data", str(self.folder / "data"))
        self.pid = await self.bear(*words, grace_s=grace_s)

    def open_stations(self):
        self._links = [asyncio.create_task(actor.link.run()) for actor in self.actors]

    def arm(self, name):
        """From now on the process dies at that trap."""
        partial = self._armed.with_suffix(".new")
        partial.write_text(name)
        partial.replace(self._armed)

    def disarm(self):
        self._armed.unlink(missing_ok=True)

    def strike(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    @property
    def is_gone(self):
        return self.pid in self.nursery.gone

    async def gone(self):
        """Wait until the process has ended; return its status."""
        await until(lambda: self.is_gone)
        return self.nursery.gone[self.pid]

    async def kill(self, number=signal.SIGKILL):
        self.strike(number)
        return await self.gone()

    async def close(self):
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        if self.pid is not None and not self.is_gone:
            await self.kill()

    # Time.

    async def pass_by(self, seconds, step_s=1.0):
        """Let the site live through it, or until the gateway is gone."""
        end = self.wall.now + seconds
        while self.wall.now < end and not self.is_gone:
            self.wall.pass_by(step_s)
            for actor in self.actors:
                actor.link.tick()
            await self.quiet()

    async def quiet(self):
        """Wait until nobody waits for an answer, or the gateway is gone."""
        await asyncio.sleep(0)
        await until(lambda: self.is_gone or not any(actor.is_waiting for actor in self.actors))

    async def pass_until(self, condition, most_s=900):
        """Let time pass until it is so."""
        end = self.wall.now + most_s
        while not condition() and not self.is_gone:
            assert self.wall.now < end, "it never came so far"
            await self.pass_by(1.0)
            await asyncio.sleep(0)

    # What happens.

    async def online(self, patience_s=PATIENCE_S):
        """The stations are connected, and nothing is left to say."""
        talks = [actor.station.talk for actor in self.actors]
        await until(lambda: all(talk.is_online and not talk.pending for talk in talks), patience_s)

    async def begin(self, actor, token):
        """Plug in, show a card; again where a crash has swallowed the question or its answer."""
        if actor.station.evses[1].car is None:
            actor.link.plug_in(1, Car())
        while not actor.visit.transaction and not self.is_gone:
            if actor.visit.token is None:
                actor.link.present(1, token)
            await self.pass_by(2.0)

    async def end(self, actor):
        """Show the card again and leave."""
        if actor.visit.transaction:
            actor.link.present(1, actor.visit.transaction.id_token)
        await self.pass_by(1.0)
        if not self.is_gone:
            actor.link.unplug(1)
            await self.pass_by(1.0)

    async def settled(self, patience_s=PATIENCE_S):
        """All has been told: the outbox is empty, on disk too."""
        await self.online(patience_s)
        await until(lambda: self.count("outbox") == 0, patience_s)

    # What can be seen.

    def count(self, table):
        with closing(self._reader()) as reader:
            [(count,)] = reader.execute(f"SELECT count(*) FROM {table}").fetchall()
            return count

    def kept(self):
        """Return what the gateway would start from."""
        with closing(self._reader()) as reader:
            return store_reads.load(reader)

    def quarantined(self):
        with closing(self._reader()) as reader:
            return store_reads.quarantined_rows(reader)

    def transactions(self):
        """Return every transaction the gateway has kept."""
        with closing(self._reader()) as reader:
            return store_reads.transactions_between(reader, BEGAN, BEGAN + timedelta(days=999))

    def _reader(self):
        return sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)

    def differences(self):
        """Return what the cloud's books and the stations' do not have in common: nothing."""
        found = [f"violation: {v.action} {v.sentence}" for v in self.cloud.violations]
        found += [f"complaint: {complaint.text}" for complaint in self.cloud.complaints]
        for actor in self.actors:
            talk = actor.station.talk
            found += [f"{actor.identity} heard {text}" for text in talk.violations]
            found += [f"{actor.identity} was refused {refusal}" for refusal in talk.refusals]
            found += self._differences_of(actor)
        return found

    def _differences_of(self, actor):
        booked = [t for t in self.cloud.transactions if t.evse_id == actor.cloud_evse]
        said = Counter(_line(actor.cloud_evse, book) for book in actor.station.books)
        billed = Counter(_line(actor.cloud_evse, book) for book in booked)
        found = [f"lost: {line}" for line in (said - billed)]
        found += [f"made up: {line}" for line in (billed - said)]
        told = Counter(reading for book in booked for reading in book.readings)
        told += Counter(_stray(self.cloud, actor.cloud_evse))
        sampled = Counter(actor.sampled)
        # Asked in the instant of a sample, a station says the same twice: once is enough.
        found += [f"value lost: {reading}" for reading in (Counter(set(sampled)) - told)]
        edges = Counter(
            edge
            for book in actor.station.books
            for edge in ((book.started_at, book.start_wh), (book.ended_at, book.stop_wh))
        )
        explained = sampled + edges + Counter(actor.mentioned)
        found += [f"value doubled: {reading}" for reading in (told - explained)]
        return found

    @property
    def retransmissions(self):
        """How many CALLs the cloud has had before."""
        values = sum(station.books.repeated_values for station in self.cloud.stations.values())
        return values + sum(booked.retransmissions for booked in self.cloud.transactions)


def _readings(payload):
    """Return (instant, Wh) of each register between the first and the last."""
    return [
        (read_instant(value["timestamp"]), float(sample["value"]))
        for value in payload.get("meterValue", ())
        for sample in value["sampledValue"]
        if sample["measurand"] == ENERGY and sample["context"] in READ_MEANWHILE
    ]


def _line(evse, book):
    return (evse, book.id_token, book.started_at, book.start_wh, book.ended_at, book.stop_wh)


def _stray(cloud, evse):
    """Return the values told outside of any transaction."""
    for station in cloud.stations.values():
        for payload in station.books.stray_values:
            if payload.get("connectorId", payload.get("evseId")) != evse:
                continue
            for value in payload["meterValue"]:
                for sample in value["sampledValue"]:
                    if sample.get("measurand", ENERGY) == ENERGY and "phase" not in sample:
                        yield read_instant(value["timestamp"]), float(sample["value"])


@asynccontextmanager
async def worksite(folder, version, nursery, versions=("ocpp1.6", "ocpp2.0.1"), **settings):
    """A site of stations of `versions` before a cloud of `version`; the gateway does not run yet.

    `settings`: names and values as the cloud would have set them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wall = WallClock(folder / "wall")
    behaviour = CloudBehaviour(evse_count=len(versions))
    async with Cloud(protocols=[version], behaviour=behaviour, wall_clock=wall) as cloud:
        site = Worksite(folder, version, nursery, cloud, versions)
        try:
            await site.lay_out(settings)
            site.write_site()
            yield site
        finally:
            await site.close()
