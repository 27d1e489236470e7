"""Kill the process between any two lines: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import random
import signal
import socket
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import yaml

from gateway.simulation.cars import Car
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.evse import EvseHardware
from gateway.simulation.link import BackOff, StationLink
from gateway.simulation.quirks import Quirks
from gateway.simulation.station import StationSettings
from gateway.simulation.station_16 import Station16
from gateway.simulation.station_201 import Station201

AT_ONCE = BackOff(minimum_s=0.05, random_s=0.05, doublings=0)
EPOCH = datetime(2026, 6, 1, 12, tzinfo=UTC)
KILLS = 5
STATIONS = {"CP-01": Station16, "CP-02": Station201}
CLOUD_EVSES = {"CP-01": 1, "CP-02": 2}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_site(path, cloud, port):
    site = {
        "site": {"id": "depot", "name": "Depot"},
        "cloud": {"url": cloud.url, "identity": "DEPOT"},
        "csms": {"listen": f"127.0.0.1:{port}"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {
            name: {"circuit": "grid", "safe_current_a": 6, "evses": {1: {"cloud_evse": number}}}
            for name, number in CLOUD_EVSES.items()
        },
    }
    path.write_text(yaml.safe_dump(site))


class Process:
    """The gateway as the operating system sees it."""

    def __init__(self, site_file, data, log):
        """`log` is a file: what the gateway said, for whoever looks into a failure."""
        self._log = log
        self._command = [sys.executable, "-m", "gateway", "run", str(site_file), "--data", data]
        self._process = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=self._log, stderr=self._log
        )

    async def kill(self, number=signal.SIGKILL):
        self._process.send_signal(number)
        return await self._process.wait()

    async def clean_up(self):
        """Leave no process behind, whatever the test found."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()


class Driver:
    """Somebody who charges again and again, at a station whose clock runs as the test likes."""

    def __init__(self, identity, url):
        self.now = 0.0
        self.station = STATIONS[identity](
            StationSettings(identity, (EvseHardware(1),), quirks=Quirks(ignores_time=True)), EPOCH
        )
        self.link = StationLink(
            self.station, url, tick_s=None, clock=lambda: self.now, back_off=AT_ONCE
        )

    async def drive(self, rounds, dice):
        visit = self.station.visits[1]
        for number in range(rounds):
            self.link.plug_in(1, Car())
            await self.begin(f"CARD-{number}")
            await self.pass_for(dice.uniform(60, 300))
            self.link.present(1, f"CARD-{number}")
            self.link.unplug(1)
            await self.pass_until(lambda: visit.transaction is None)
        await self.pass_until(lambda: self.station.talk.is_online and not self.station.talk.pending)

    async def begin(self, token):
        """Show the card, and again where a crash has swallowed the question or its answer."""
        visit = self.station.visits[1]
        async with asyncio.timeout(60):
            while not visit.transaction:
                if visit.token is None:
                    self.link.present(1, token)
                await self.pass_for(20)

    async def pass_until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                await self.pass_for(1.0)

    async def pass_for(self, seconds):
        for _ in range(max(1, round(seconds))):
            self.now += 1.0
            self.link.tick()
            await asyncio.sleep(0.004)


@asynccontextmanager
async def a_process(site_file, folder):
    with (folder / "gateway.log").open("w") as log:
        gateway = Process(site_file, str(folder / "data"), log)
        try:
            yield gateway
        finally:
            await gateway.clean_up()


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_random_kills_lose_and_double_nothing(tmp_path, version):
    dice = random.Random(version)
    port = free_port()
    behaviour = CloudBehaviour(evse_count=2)
    site_file = tmp_path / "site.yaml"
    async with (
        Cloud(protocols=[version], behaviour=behaviour) as cloud,
        a_process(site_file, tmp_path) as gateway,
    ):
        write_site(site_file, cloud, port)
        await gateway.start()
        drivers = [Driver(name, f"ws://127.0.0.1:{port}/ocpp") for name in STATIONS]
        links = [asyncio.create_task(driver.link.run()) for driver in drivers]
        driving = [asyncio.create_task(driver.drive(12, dice)) for driver in drivers]

        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.8, 2.0))  # the moment of the crash is the test's
            await gateway.kill()
            await gateway.start()
        await asyncio.gather(*driving)
        truth = sorted(
            (CLOUD_EVSES[book.identity], book.id_token, book.start_wh, book.stop_wh)
            for driver in drivers
            for book in driver.station.books
        )
        await cloud.until(
            lambda: (
                len(cloud.transactions) >= len(truth)
                and not any(booked.is_running for booked in cloud.transactions)
            ),
            timeout_s=60,
        )
        code = await gateway.kill(signal.SIGTERM)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    billed = sorted(
        (booked.evse_id, booked.id_token, booked.start_wh, booked.stop_wh)
        for booked in cloud.transactions
    )
    assert billed == truth
    assert cloud.violations == []
    assert [complaint.text for complaint in cloud.complaints] == []
    assert code == 0
