"""A cloud and stations on loopback whose time the tests turn by hand."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.simulation.cloud import Cloud
from gateway.simulation.link import BackOff, StationLink
from gateway.simulation.station import StationSettings
from gateway.simulation.station_16 import Station16
from gateway.simulation.station_201 import Station201

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AT_ONCE = BackOff(minimum_s=0.01, random_s=0.0, doublings=0)
STATIONS = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}


class HandClock:
    """Monotonic seconds that pass when told to, for station and cloud alike."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wall(self):
        return NOON + timedelta(seconds=self.now)


class Bench:
    """One station before the cloud, and the hand on its clock."""

    def __init__(self, link, clock):
        self.link, self.station, self.clock = link, link.station, clock

    def pass_time(self, seconds, step_s=1.0):
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + step_s)
            self.link.tick()

    async def settled(self):
        """Every message has been answered."""
        talk = self.station.talk
        await self.link.until(lambda: talk.is_online and not talk.pending)

    async def charge(self, car, token="CARD-1", evse_id=1):
        """Plug in and show a card; return once the car draws and the cloud knows."""
        self.link.plug_in(evse_id, car)
        self.link.present(evse_id, token)
        await self.link.until(lambda: self.station.visits[evse_id].transaction)
        self.pass_time(3)
        await self.settled()


@asynccontextmanager
async def on_bench(url, version, clock, *, identity="CP-1", password=None, **settings):
    station = STATIONS[version](StationSettings(identity, **settings), NOON)
    link = StationLink(station, url, password=password, tick_s=None, clock=clock, back_off=AT_ONCE)
    task = asyncio.create_task(link.run())
    try:
        yield Bench(link, clock)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(params=["ocpp1.6", "ocpp2.0.1"])
def version(request):
    return request.param


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
async def cloud(clock):
    async with Cloud(wall_clock=clock.wall) as cloud:
        yield cloud


@pytest.fixture
def bench(cloud, version, clock):
    """`async with bench(quirks=…) as b`: a station of each version before the cloud."""
    return lambda **settings: on_bench(cloud.url, version, clock, **settings)


@pytest.fixture
def blameless(cloud):
    """Fails the test when the cloud found anything wrong."""
    yield
    assert cloud.violations == []
    assert cloud.complaints == []
