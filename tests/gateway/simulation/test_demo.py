"""The demo starts with one word, tells its story, and leaves nothing behind."""

import asyncio
import io
import socket

import pytest
from rich.console import Console

from gateway.simulation.changes import Changes
from gateway.simulation.commands import simulate_cloud, simulate_meter, simulate_stations
from gateway.simulation.demo import Pace, free_ports, run_demo
from gateway.simulation.demo_site import Ports, demo_site

ANY = Ports(stations=0, cloud=0, meter=0, page=0)
BRISK = Pace(first_outage_s=0.05, outage_s=0.05, outage_every_s=60, look_s=0.02)


class Paper(io.StringIO):
    """A terminal that wakes whoever waits for a line."""

    def __init__(self):
        super().__init__()
        self.changes = Changes()

    def write(self, text):
        self.changes.notify()
        return super().write(text)


def console():
    return Console(file=Paper(), width=200)


async def printed(console, text):
    await console.file.changes.until(lambda: text in console.file.getvalue())


async def end(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_demo_tells_its_story_and_leaves_no_file_and_no_port():
    seen, told = {}, console()

    async def gateway(site, data_dir, *, stop):
        seen.update(site=site, data_dir=data_dir)
        (data_dir / "gateway.db").write_text("x")
        await stop.wait()
        seen["is_stopped"] = True

    task = asyncio.create_task(run_demo(gateway, console=told, pace=BRISK, ports=ANY))
    await printed(told, "the cloud is back")
    port = int(seen["site"].meters["grid"].url.rpartition(":")[2])
    await end(task)

    lines = told.file.getvalue().splitlines()
    assert lines[0].startswith("Demo Park: http://127.0.0.1:")
    assert "the cloud is gone" in told.file.getvalue()
    assert lines[-1].startswith("The demo has ended.")
    assert seen["is_stopped"]
    assert not seen["data_dir"].exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_the_demo_ends_with_its_gateway():
    told = console()

    async def gateway(_, __, *, stop):
        await asyncio.sleep(0)

    await run_demo(gateway, console=told, pace=BRISK, ports=ANY)

    assert "The gateway has stopped." in told.file.getvalue()


def test_a_taken_port_is_replaced():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]

        ports = free_ports(Ports(cloud=number, stations=0, meter=0, page=0))

    assert ports.cloud not in (0, number)


def test_the_demo_site_is_a_fair_one():
    site = demo_site(Ports())
    evses = [evse for station in site.stations.values() for evse in station.evses.values()]

    assert len(site.stations) == 8
    assert sorted(evse.cloud_evse for evse in evses) == list(range(1, 12))
    assert (
        sum(station.safe_current_a * len(station.evses) for station in site.stations.values())
        <= 100
    )


async def test_simulated_stations_report_to_a_simulated_cloud():
    cloud_told, stations_told = console(), console()
    cloud = asyncio.create_task(simulate_cloud("127.0.0.1:0", console=cloud_told))
    await printed(cloud_told, "cloud at ")
    url = cloud_told.file.getvalue().split()[2].removesuffix("/IDENTITY;")
    stations = asyncio.create_task(simulate_stations(url, 2, "mixed", console=stations_told))
    await printed(cloud_told, "SIM-02 StatusNotification")

    await end(stations)
    await end(cloud)

    assert "SIM-01 BootNotification" in cloud_told.file.getvalue()


async def test_a_simulated_meter_says_where_it_is():
    told = console()
    task = asyncio.create_task(simulate_meter("eastron-sdm630", "127.0.0.1:0", console=told))
    await printed(told, "reads")

    await end(task)

    assert told.file.getvalue().startswith("eastron-sdm630 at tcp://127.0.0.1:")
