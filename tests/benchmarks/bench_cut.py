"""How long from a meter reading above the fuse until the stations are told less, end to end.

    python -m tests.benchmarks.bench_cut

The gateway is a process of its own; a simulated meter and stations with cars speak to it over real
sockets. A building draws some amperes too many, again and again; the clock starts when the meter
is next read. Each time the meter has shown before that the last cut has worked: until then a cut on
its way excuses what the meter shows. Two instants count: the first lower limit that arrives at a
station, and the one with which the limits of all fit below the fuse again.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.table import Table

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.evse import EvseHardware
from gateway.simulation.link import StationLink
from gateway.simulation.meter import SimulatedMeter
from gateway.simulation.station import StationSettings
from gateway.simulation.station_16 import Station16
from tests.benchmarks import support
from tests.benchmarks.support import console

STATIONS = 20
CAR_A = 16.0
BASE_A = 20.0
STEP_A = 3.0
"""By which the fuse is exceeded at a time."""
RATING_A = BASE_A + STATIONS * CAR_A + 10.0
"""A little more than all cars take."""
TICK_S = 0.1
ROUNDING_A = 0.05
"""Half of what a station can be told."""
RISE_PATIENCE_S = 90.0
CUT_PATIENCE_S = 10.0
TARGET_S = 1.0
MODEL = "eastron-sdm630"
VOLTAGE_V = 230.0


@dataclass(slots=True)
class Bench:
    """The building, the stations, and when what was noticed."""

    base_a: float = BASE_A
    told_a: dict[str, float] = field(default_factory=dict)
    """The limit each station was told last."""
    links: list[StationLink] = field(default_factory=list)
    read_at: float | None = None
    """When the meter was first read after the last step."""
    is_within: bool = True
    """Whether the meter was last read below the fuse: the cut before has worked."""
    first_at: float | None = None
    all_at: float | None = None

    def values(self) -> DecodedValues:
        """What the meter shows at the moment it is read."""
        if self.read_at is None:
            self.read_at = time.perf_counter()
        evses = [link.station.evses[1] for link in self.links]
        phases = [self.base_a + sum(evse.currents_a[n] for evse in evses) for n in range(3)]
        self.is_within = max(phases) < RATING_A + ROUNDING_A
        powers = [current_a * VOLTAGE_V for current_a in phases]
        return DecodedValues(
            currents=PhaseValues(*phases),
            voltages=PhaseValues(VOLTAGE_V, VOLTAGE_V, VOLTAGE_V),
            powers=PhaseValues(*powers),
            power_w=sum(powers),
        )

    def heard(self, name: str, limit_a: float) -> None:
        now, before_a = time.perf_counter(), self.told_a.get(name, 0.0)
        self.told_a[name] = limit_a
        if limit_a < before_a and self.first_at is None:
            self.first_at = now
        if (
            self.all_at is None
            and self.first_at
            and self.base_a + self._told_a() < RATING_A + ROUNDING_A
        ):
            self.all_at = now

    def _told_a(self) -> float:
        return sum(min(limit_a, CAR_A) for limit_a in self.told_a.values())

    def step(self) -> None:
        drawn_a = sum(max(link.station.evses[1].currents_a) for link in self.links)
        self.base_a = max(self.base_a, RATING_A - drawn_a) + STEP_A
        self.read_at = self.first_at = self.all_at = None

    def is_full(self) -> bool:
        return len(self.told_a) == STATIONS and min(self.told_a.values()) >= CAR_A - 0.1


class Heard(deque):  # type: ignore[type-arg]  # stands in for the station's own list
    """What a station was asked, with the limits told on."""

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__()
        self._bench, self._name = bench, name

    def append(self, asked: tuple[str, dict]) -> None:  # type: ignore[type-arg]  # JSON
        action, payload = asked
        if action == "SetChargingProfile":
            profile = payload["csChargingProfiles"]
            if profile["chargingProfilePurpose"] == "TxProfile":
                period = profile["chargingSchedule"]["chargingSchedulePeriod"][0]
                self._bench.heard(self._name, float(period["limit"]))


def site_file(folder: Path, port: int, meter_port: int, poll_s: float) -> Path:
    path = folder / "site.yaml"
    site = {
        "site": {"id": "bench", "name": "Benchmark"},
        "cloud": {
            "url": f"ws://127.0.0.1:{support.free_port()}/ocpp",
            "identity": "BENCH",
            "offline_unknown_tokens": "accept",
        },
        "csms": {"listen": f"127.0.0.1:{port}", "meter_interval_s": 5},
        "meters": {
            "grid": {
                "model": MODEL,
                "url": f"tcp://127.0.0.1:{meter_port}",
                "poll_s": poll_s,
                "max_age_s": 5,
            }
        },
        "circuits": {"grid": {"rating_a": RATING_A, "meter": "grid"}},
        "stations": {
            f"CP-{number:02}": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}
            for number in range(STATIONS)
        },
    }
    path.write_bytes(orjson.dumps(site, option=orjson.OPT_NON_STR_KEYS))
    return path


async def charging(bench: Bench, port: int) -> list[asyncio.Task[None]]:
    """Connect the stations, plug in the cars and wait until they have all they can take."""
    tasks = []
    for number in range(STATIONS):
        name = f"CP-{number:02}"
        settings = StationSettings(name, evses=(EvseHardware(1),))
        station = Station16(settings, datetime.now(UTC))
        station.commands_heard = Heard(bench, name)
        link = StationLink(station, f"ws://127.0.0.1:{port}/ocpp", tick_s=TICK_S)
        bench.links.append(link)
        tasks.append(asyncio.create_task(link.run()))
        link.plug_in(1, Car(max_current_a=CAR_A, reaction_s=0.5, energy_wh=0))
        link.present(1, f"CARD-{number}")
    async with asyncio.timeout(RISE_PATIENCE_S):
        while not bench.is_full():  # noqa: ASYNC110 - looked at rarely, on purpose
            await asyncio.sleep(TICK_S)
    return tasks


async def cuts(bench: Bench, count: int) -> list[tuple[float, float]]:
    """Return, for each step, seconds from the reading to the first and to the last cut."""
    dice = random.Random(1)
    taken = []
    for _ in range(count):
        while not bench.is_within:  # noqa: ASYNC110 - looked at rarely, on purpose
            await asyncio.sleep(TICK_S)
        await asyncio.sleep(dice.uniform(0.0, 1.0))
        bench.is_within = False
        bench.step()
        async with asyncio.timeout(CUT_PATIENCE_S):
            while bench.all_at is None or bench.first_at is None:  # noqa: ASYNC110 - instants are noted elsewhere
                await asyncio.sleep(0.01)
        assert bench.read_at is not None
        taken.append((bench.first_at - bench.read_at, bench.all_at - bench.read_at))
    return taken


async def measured(count: int, poll_s: float) -> list[tuple[float, float]]:
    bench, port = Bench(), support.free_port()
    with tempfile.TemporaryDirectory() as folder:
        async with SimulatedMeter(meter_model(MODEL), bench.values) as meter:
            site = site_file(Path(folder), port, meter.port, poll_s)
            process = support.start("gateway", "run", site, "--data", folder, quiet=True)
            tasks: list[asyncio.Task[None]] = []
            try:
                await asyncio.to_thread(support.wait_for_port, port, process)
                tasks = await charging(bench, port)
                return await cuts(bench, count)
            finally:
                for task in tasks:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.to_thread(support.stop, process)


def told(taken: list[tuple[float, float]], count: int) -> None:
    table = Table(
        "over-current at the meter → lower limit at the station",
        "p50",
        "p90",
        "p99",
        "worst",
        title=f"{count} over-currents, {STATIONS} stations charging",
    )
    for name, seconds in zip(
        ("first station told", "all told that have to be"), zip(*taken, strict=True), strict=True
    ):
        of = statistics.quantiles(seconds, n=100, method="inclusive")
        figures = (of[49], of[89], of[98], max(seconds))
        table.add_row(name, *(f"{figure * 1000:.0f} ms" for figure in figures))
    console.print(table)
    console.print(f"target: p99 <= {TARGET_S:g} s after the reading\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--poll", type=float, default=0.5)
    options = parser.parse_args(arguments)
    taken = asyncio.run(measured(options.cuts, options.poll))
    told(taken, options.cuts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
