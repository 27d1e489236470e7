"""The program as it is started on a site, between foreign stations and a foreign cloud."""

import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from tests.interop.billing import billed_by
from tests.interop.conftest import foreign_cloud
from tests.interop.foreign import PATIENCE_S, foreign

LISTENING = re.compile(r"csms\.listening .*port=(\d+)")
VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
SITE = """
site: {{id: depot-north, name: Depot North, timezone: Europe/Berlin}}
cloud: {{url: "{cloud}", identity: DEPOT-NORTH, password: change-me}}
csms: {{listen: "127.0.0.1:{port}"}}
circuits:
  grid: {{rating_a: 100}}
  garage: {{parent: grid, rating_a: 63}}
stations:
  CP-01:
    circuit: garage
    password: station-secret
    safe_current_a: 6
    evses:
      1: {{cloud_evse: 1}}
  CP-02:
    circuit: garage
    safe_current_a: 6
    evses:
      1: {{phases: [L2, L3, L1], cloud_evse: 2}}
      2: {{phases: [L3, L1, L2], cloud_evse: 3}}
"""
STATIONS = [
    {"identity": "CP-01", "version": "ocpp1.6", "password": "station-secret", "evses": [1]},
    {"identity": "CP-02", "version": "ocpp2.0.1", "evses": [1, 2]},
]
EVSES = {("CP-01", 1): 1, ("CP-02", 1): 2, ("CP-02", 2): 3}


class Program:
    """`site-gateway run SITE.yaml`; started again it has the same port and data."""

    def __init__(self, cloud, folder):
        self._cloud, self._folder = cloud, folder
        self._process = self._reader = None
        self.port = 0

    async def start(self):
        site = SITE.format(cloud=self._cloud.url, port=self.port)
        (self._folder / "site.yaml").write_text(site)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "gateway", "run", "site.yaml", "--data", "data"),
            cwd=self._folder,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE_S):
            self.port = await self._listening()
        self._reader = asyncio.create_task(self._process.stderr.read())

    async def _listening(self):
        log = b""
        async for line in self._process.stderr:
            if found := LISTENING.search(line.decode()):
                return int(found[1])
            log += line
        raise AssertionError(f"the program ended: {log.decode()}")

    async def end(self, kind):
        """Send a signal and return the exit code."""
        self._process.send_signal(kind)
        async with asyncio.timeout(PATIENCE_S):
            await self._reader
            return await self._process.wait()

    async def close(self):
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def site_before(tmp_path):
    """`async with site_before("ocpp1.6") as (program, cloud, stations)`, all connected."""

    @asynccontextmanager
    async def running(version):
        async with foreign_cloud(version) as cloud:
            program = Program(cloud, tmp_path)
            await program.start()
            try:
                await cloud.heard("BootNotification")
                url = f"ws://127.0.0.1:{program.port}/ocpp"
                async with foreign("stations.mjs", url) as stations:
                    for station in STATIONS:
                        assert await stations.ask(act="connect", **station) == "Accepted"
                    yield program, cloud, stations
            finally:
                await program.close()

    return running


def measured(stations):
    return sorted(
        (EVSES[told["identity"], told["evse"]], told["token"], told["startWh"], told["stopWh"])
        for told in stations.events("charged")
    )


def is_faultless(*sides):
    assert [side.faults for side in sides] == [[]] * len(sides)
    return True


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_program_serves_foreign_software_and_ends_in_order(site_before, version):
    async with site_before(version) as (program, cloud, stations):
        visits = [("CP-01", 1, "A"), ("CP-02", 1, "B"), ("CP-02", 2, "C")]
        for identity, evse, token in visits:
            done = await stations.ask(act="charge", identity=identity, evse=evse, token=token)
            assert done is None
        await cloud.process.until(lambda: len(billed_by(version, cloud)) == len(visits))

        assert await program.end(signal.SIGTERM) == 0
        assert billed_by(version, cloud) == measured(stations)
        assert is_faultless(cloud, stations)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_program_killed_in_mid_transaction_loses_and_doubles_nothing(
    site_before, version
):
    async with site_before(version) as (program, cloud, stations):
        visits = [("CP-01", 1, "A"), ("CP-02", 2, "C")]
        for identity, evse, token in visits:
            await stations.ask(act="arrive", identity=identity, evse=evse, token=token)
            await stations.ask(act="draw", identity=identity, evse=evse)
        await program.end(signal.SIGKILL)
        await program.start()
        for identity, evse, _ in visits:
            await stations.ask(act="reconnect", identity=identity)
            await stations.ask(act="draw", identity=identity, evse=evse)
            assert await stations.ask(act="leave", identity=identity, evse=evse) is None
        await cloud.process.until(lambda: len(billed_by(version, cloud)) == len(visits))

        assert billed_by(version, cloud) == measured(stations)
        assert is_faultless(cloud, stations)
        assert len(cloud.calls("BootNotification")) == 2
