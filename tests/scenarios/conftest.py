"""A whole site on loopback: simulated stations below the real gateway, a strict cloud above it."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.app import Listening, run
from gateway.assembly import Gateway
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.evse import EvseHardware
from gateway.simulation.link import BackOff, StationLink
from gateway.simulation.station import StationSettings
from gateway.simulation.station_16 import Station16
from gateway.simulation.station_201 import Station201
from site_config.model import Site

STATIONS = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}
AT_ONCE = BackOff(minimum_s=0.02, random_s=0.0, doublings=0)
PATIENCE_S = 20.0
"""How long a condition may take on a busy machine; it is never waited out."""


class HandClock:
    """The clock on everybody's wall, which the test turns; time-outs go on in real time."""

    def __init__(self, began=None):
        self.began = began or datetime.now(UTC)
        self.now = 0.0
        self.skipped_s = 0.0

    def __call__(self):
        return self.now

    def wall(self):
        return self.began + timedelta(seconds=self.now)

    def monotonic(self):
        """What the balancer counts by: real time, and whatever was skipped."""
        return time.monotonic() + self.skipped_s


class Bench:
    """One simulated station and the hand on its clock."""

    def __init__(self, link, clock):
        self.link, self.station, self.clock = link, link.station, clock

    @property
    def books(self):
        return self.station.books

    def pass_time(self, seconds, step_s=1.0):
        """Let this station live through it; the others see the clock jump."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + step_s)
            self.link.tick()

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            await self.link.until(condition)

    async def settled(self):
        """Every message of the station has been answered."""
        talk = self.station.talk
        await self.until(lambda: talk.is_online and not talk.pending)

    async def charge(self, car, token="CARD-1", evse_id=1):
        """Plug in and show a card; return once the car draws and the gateway knows."""
        self.link.plug_in(evse_id, car)
        self.link.present(evse_id, token)
        await self.until(lambda: self.station.visits[evse_id].transaction)
        self.pass_time(3)
        await self.settled()

    async def leave(self, token="CARD-1", evse_id=1):
        """Show the card again and unplug."""
        self.link.present(evse_id, token)
        self.link.unplug(evse_id)
        await self.settled()

    def limit_a(self, evse_id=1):
        """What the station allows its car at this moment."""
        return self.station.limit_a(evse_id, self.clock.now)


class Depot:
    """A running gateway, its cloud and its stations."""

    def __init__(self, site, cloud, data_dir, clock):
        self.site, self.cloud, self.data_dir, self.clock = site, cloud, data_dir, clock
        self.options = {}
        """More of `run`'s arguments."""
        self.gateway: Gateway | None = None
        self.listening: Listening | None = None
        self._stop = asyncio.Event()
        self._running: asyncio.Task | None = None
        self._links: list[asyncio.Task] = []

    async def start(self):
        ready = asyncio.Event()

        def on_listening(listening):
            self.listening = listening
            if self.site.web is None or listening.web_url:
                ready.set()

        self._stop = asyncio.Event()
        self._running = asyncio.create_task(
            run(
                self.site,
                self.data_dir,
                stop=self._stop,
                on_listening=on_listening,
                on_built=self._built,
                clock=self.clock.monotonic,
                wall_clock=self.clock.wall,
                **self.options,
            )
        )
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({waiting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._running.done():
            self._running.result()

    async def start_again(self):
        """After `stop`: listen where the stations look for it."""
        listen = {"listen": f"127.0.0.1:{self.listening.csms_port}"}
        csms = self.site.csms.model_copy(update=listen)
        self.site = self.site.model_copy(update={"csms": csms})
        await self.start()

    def _built(self, gateway):
        self.gateway = gateway

    async def stop(self):
        self._stop.set()
        if self._running is not None:
            async with asyncio.timeout(PATIENCE_S):
                await self._running
            self._running = None

    async def station(self, identity, version, **settings):
        """Connect a simulated station; returns once it is accepted."""
        clock = self.clock
        evse_ids = self.site.stations[identity].evses
        settings.setdefault("evses", tuple(EvseHardware(evse_id) for evse_id in evse_ids))
        station = STATIONS[version](StationSettings(identity, **settings), clock.began)
        url = f"ws://127.0.0.1:{self.listening.csms_port}{self.site.csms.path}"
        link = StationLink(
            station,
            url,
            password=self.site.stations[identity].password,
            tick_s=None,
            clock=clock,
            back_off=AT_ONCE,
        )
        self._links.append(asyncio.create_task(link.run()))
        bench = Bench(link, clock)
        await self.until(lambda: all(d.is_connected for d in self.deliveries(identity)))
        await bench.settled()
        return bench

    def deliveries(self, identity):
        return self.gateway.deliveries.of(identity)

    async def set_up(self, bench):
        """The station has what makes it fall low by itself."""
        identity = bench.station.settings.identity
        await self.until(lambda: all(d.has_safe_default for d in self.deliveries(identity)))

    async def close(self):
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self.stop()

    async def until(self, condition):
        """Wait for something in the gateway's read model; looked at often, never slept out."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - a read model has no event to wait for
                await asyncio.sleep(0.01)

    async def registered(self):
        await self.until(lambda: self.gateway.state.cloud.is_registered)

    async def delivered(self):
        """The cloud has everything."""
        await self.until(lambda: self.gateway.outbox.depth().pending == 0)

    def evse(self, identity, evse_id=1):
        return self.gateway.state.stations[identity].evses[evse_id]


def site_of(cloud, stations=None, **changes):
    """A site of two stations under one fuse; `changes` replace whole sections."""
    two = {
        "CP-01": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {"cloud_evse": 1}}},
        "CP-02": {
            "circuit": "grid",
            "safe_current_a": 6,
            "evses": {1: {"cloud_evse": 2}, 2: {"cloud_evse": 3}},
        },
    }
    sections = {
        "site": {"id": "depot", "name": "Depot", "timezone": "Europe/Berlin"},
        "cloud": {"url": cloud.url, "identity": "DEPOT"},
        "csms": {"listen": "127.0.0.1:0"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": stations or two,
    }
    return Site.model_validate(sections | changes)


@pytest.fixture
async def depot_of(tmp_path):
    """`async with depot_of("ocpp1.6") as depot`: a running site before a cloud of that version.

    `began` is the time on its wall at first; None: that of the machine.
    """

    @asynccontextmanager
    async def running(cloud_version, *, evse_count=3, options=None, began=None, **changes):
        behaviour = CloudBehaviour(evse_count=evse_count)
        clock = HandClock(began)
        strict = Cloud(protocols=[cloud_version], behaviour=behaviour, wall_clock=clock.wall)
        async with strict as cloud:
            depot = Depot(site_of(cloud, **changes), cloud, tmp_path / "data", clock)
            if options is not None:
                depot.options = options(depot.site)
            await depot.start()
            try:
                yield depot
            finally:
                await depot.close()

    return running
