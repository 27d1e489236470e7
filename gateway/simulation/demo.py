"""The demo: a whole simulated site, its meter, its cloud and the gateway, in one process.

Starts everything on loopback, tells what happens in calm lines, takes the cloud away every few
minutes, and leaves nothing behind. Touches the wire, the clock and the terminal.
"""

import asyncio
import socket
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.demo_site import (
    CLOUD_IDENTITY,
    CLOUD_PASSWORD,
    OPERATOR_TOKEN,
    QUIRKS,
    STATIONS,
    VERSIONS,
    Ports,
    demo_site,
)
from gateway.simulation.demo_story import Story
from gateway.simulation.traffic import Habits
from gateway.simulation.world import Scenario, World
from site_config.model import Site

CALLS_KEPT = 1000
"""A demo may run for days."""

STOP_S = 5.0
"""What the gateway is given to stop in good order."""


class RunGateway(Protocol):
    """Runs the gateway of a site until `stop` is set; `gateway.app.run` is one."""

    def __call__(
        self, site: Site, data_dir: Path, *, stop: asyncio.Event
    ) -> Coroutine[Any, Any, object]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How lively the demo is, s."""

    first_outage_s: float = 120.0
    outage_every_s: float = 240.0
    outage_s: float = 40.0
    look_s: float = 1.0
    """Between two looks at the site by the story."""
    cloud_latency_s: float = 0.06
    time_scale: float = 30.0


class GatewayEnded(Exception):
    """The gateway stopped by itself, and with it the demo."""


async def run_demo(
    run_gateway: RunGateway,
    *,
    console: Console | None = None,
    pace: Pace | None = None,
    ports: Ports | None = None,
) -> None:
    """Run until cancelled or until the gateway ends; leave no file behind."""
    console, pace = console or Console(), pace or Pace()
    ports = free_ports(ports or Ports())
    site = demo_site(ports)
    evses = sum(len(evses) for _, _, evses in STATIONS.values())
    behaviour = CloudBehaviour(latency_s=pace.cloud_latency_s, evse_count=evses)
    cloud = Cloud(passwords={CLOUD_IDENTITY: CLOUD_PASSWORD}, behaviour=behaviour, keeps=CALLS_KEPT)
    scenario = Scenario(
        versions=VERSIONS, quirks=QUIRKS, habits=Habits(), time_scale=pace.time_scale
    )
    story = Story(console, site)
    world = World(site, scenario, on_happening=story.happening)
    story.begin(ports, OPERATOR_TOKEN)
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="site-gateway-demo-")))
        stack.callback(story.end, cloud)
        await cloud.start("127.0.0.1", ports.cloud)
        stack.push_async_callback(cloud.stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_run_gateway(run_gateway, site, data))
                tasks.create_task(world.run())
                tasks.create_task(_keep_cutting(cloud, pace, story))
                tasks.create_task(_keep_telling(world, cloud, pace, story))
        except* GatewayEnded:
            console.print("The gateway has stopped.")


async def _run_gateway(run_gateway: RunGateway, site: Site, data: Path) -> None:
    """Run it until the demo ends, then let it stop in its own good order."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(site, data, stop=stop))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({running}, timeout=STOP_S)
        running.cancel()
        raise
    raise GatewayEnded


async def _keep_cutting(cloud: Cloud, pace: Pace, story: Story) -> None:
    """Take the cloud away now and then."""
    await asyncio.sleep(pace.first_outage_s)
    while True:
        story.outage(pace.outage_s)
        await cloud.go_away()
        await asyncio.sleep(pace.outage_s)
        await cloud.come_back()
        story.back(cloud)
        await asyncio.sleep(pace.outage_every_s)


async def _keep_telling(world: World, cloud: Cloud, pace: Pace, story: Story) -> None:
    while True:
        story.look(world, cloud, world.now)
        await asyncio.sleep(pace.look_s)


def free_ports(wanted: Ports) -> Ports:
    """Return the wanted ports, each replaced by a free one where it is taken."""
    return Ports(
        stations=_free(wanted.stations),
        cloud=_free(wanted.cloud),
        meter=_free(wanted.meter),
        page=_free(wanted.page),
    )


def _free(port: int) -> int:
    for candidate in (port, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OSError("no free port on 127.0.0.1")
