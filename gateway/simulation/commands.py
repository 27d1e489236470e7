"""`site-gateway simulate …`: stations, a meter or a cloud alone, for whoever has no hardware.

Each function runs until cancelled and tells on the console what it sees. Touches the wire.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

from rich.console import Console
from rich.markup import escape

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.simulation.cloud import Cloud
from gateway.simulation.meter import Address, SimulatedMeter
from gateway.simulation.plant import Building
from gateway.simulation.traffic import Habits, Happening, Leaves, PlugsIn
from gateway.simulation.world import Scenario, World
from site_config.addresses import host_and_port
from site_config.links import OcppVersion
from site_config.model import Site

VersionChoice = Literal["1.6", "2.0.1", "mixed"]

VERSIONS: dict[VersionChoice, tuple[OcppVersion, ...]] = {
    "1.6": ("ocpp1.6",),
    "2.0.1": ("ocpp2.0.1",),
    "mixed": ("ocpp1.6", "ocpp2.0.1"),
}

CALLS_KEPT = 1000

CIRCUIT = "site"


async def simulate_stations(
    url: str,
    count: int,
    version: VersionChoice = "mixed",
    *,
    console: Console,
    prefix: str = "SIM",
    evses: int = 1,
    password: str | None = None,
    time_scale: float = 30.0,
    habits: Habits | None = None,
    seed: int = 1,
) -> None:
    """Connect `count` stations named PREFIX-01, PREFIX-02, … to a CSMS; cars come and go."""
    names = [f"{prefix}-{number:02d}" for number in range(1, count + 1)]
    versions = VERSIONS[version]
    scenario = Scenario(
        versions={name: versions[n % len(versions)] for n, name in enumerate(names)},
        habits=habits or Habits(),
        time_scale=time_scale,
        seed=seed,
    )
    site = _site_of(names, evses, password)

    def tell(happening: Happening) -> None:
        station, evse_id = happening.place
        if isinstance(happening, PlugsIn):
            console.print(f"{station}/{evse_id}: a car plugs in", highlight=False)
        elif isinstance(happening, Leaves):
            console.print(f"{station}/{evse_id}: the car leaves", highlight=False)

    world = World(site, scenario, csms_url=url.rstrip("/"), on_happening=tell)
    console.print(f"{count} stations ({version}) at {escape(url)}; Ctrl-C ends", highlight=False)
    await world.run()


async def simulate_meter(
    model: str, listen: str, *, console: Console, peak_a: float = 60.0, unit: int = 1
) -> None:
    """Serve a Modbus TCP meter that measures a building, its day in 48 minutes."""
    host, port = host_and_port(listen)
    building, began_at = Building((peak_a, peak_a * 0.87, peak_a * 0.94)), time.monotonic()

    def values() -> DecodedValues:
        hours = 6.0 + (time.monotonic() - began_at) * 30 / 3600
        currents = building(hours)
        powers = PhaseValues(*(current_a * 230.0 for current_a in currents))
        return DecodedValues(
            currents=PhaseValues(*currents),
            voltages=PhaseValues(230.0, 230.0, 230.0),
            powers=powers,
            power_w=sum(currents) * 230.0,
            energy_import_wh=1_000.0 * hours,
            frequency_hz=50.0,
        )

    async with SimulatedMeter(meter_model(model), values, Address(host, port, unit)) as meter:
        console.print(
            f"{model} at tcp://{host}:{meter.port}, unit {unit}; Ctrl-C ends", highlight=False
        )
        while True:
            shown = " / ".join(f"{current_a:.1f}" for current_a in values().currents if current_a)
            console.print(f"{shown} A, {meter.reads} reads", highlight=False)
            await asyncio.sleep(10)


async def simulate_cloud(
    listen: str,
    *,
    console: Console,
    protocols: Sequence[OcppVersion] = ("ocpp2.0.1", "ocpp1.6"),
    passwords: dict[str, str] | None = None,
) -> None:
    """Serve a cloud CSMS that prints every call, and every rule that a station breaks."""
    host, port = host_and_port(listen)
    cloud = Cloud(protocols=protocols, passwords=passwords, keeps=CALLS_KEPT)
    await cloud.start(host, port)
    console.print(f"cloud at {cloud.url}/IDENTITY; Ctrl-C ends", highlight=False)
    told = [0, 0, 0]
    try:
        while True:
            await cloud.until(partial(_has_news, cloud, told), timeout_s=None)
            told = _tell_news(cloud, console, told)
    finally:
        await cloud.stop()


def _tell_news(cloud: Cloud, console: Console, told: list[int]) -> list[int]:
    news = cloud.calls_heard - told[0]
    for heard in cloud.heard[-news:] if news else ():
        console.print(f"{escape(heard.identity)} {escape(heard.action)}", highlight=False)
    for violation in cloud.violations[told[1] :]:
        console.print(f"[red]{escape(violation.action)}[/red]: {escape(violation.sentence)}")
    for complaint in cloud.complaints[told[2] :]:
        console.print(f"[red]{complaint.rule}[/red]: {escape(complaint.text)}")
    return _lengths(cloud)


def _has_news(cloud: Cloud, told: list[int]) -> bool:
    return _lengths(cloud) != told


def _lengths(cloud: Cloud) -> list[int]:
    return [cloud.calls_heard, len(cloud.violations), len(cloud.complaints)]


def _site_of(names: Sequence[str], evses: int, password: str | None) -> Site:
    station = {
        "circuit": CIRCUIT,
        "safe_current_a": 6,
        "password": password,
        "evses": {evse_id: {} for evse_id in range(1, evses + 1)},
    }
    return Site.model_validate(
        {
            "site": {"id": "simulated", "name": "Simulated"},
            "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "UNUSED"},
            "circuits": {CIRCUIT: {"rating_a": 1000}},
            "stations": dict.fromkeys(names, station),
        }
    )
