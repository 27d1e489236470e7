"""Kill the gateway at random moments under traffic, as often as one likes, and compare the books.

    python -m tests.scenarios.crash.soak --kills 200

Eight stations, four of each version, charge car after car; the cloud drops the connection or
vanishes for a moment now and then; SIGKILL comes at any time, while the program starts too. Half
of the kills happen before a cloud of OCPP 1.6, half before one of 2.0.1.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.simulation.cars import Car
from tests.scenarios.crash.worksite import Nursery, until, worksite

STATIONS = ("ocpp1.6", "ocpp2.0.1") * 4
VERSIONS = ("ocpp1.6", "ocpp2.0.1")
TICK_S = 0.01
"""In which a second passes on the site."""
EARLY = 0.3
"""Share of the kills that do not wait until the stations are back."""
KILL_EARLY_S, KILL_LATE_S = (0.02, 0.4), (0.0, 1.0)
DROP_AFTER_S = (0.3, 1.5)
AWAY_S = (0.1, 0.6)
LATENCY_S = 0.01
"""Of the cloud, so that a death often finds a CALL without its answer."""
LAST_PATIENCE_S = 120.0
"""For the stations' last words, and from one row that has left to the next."""
TOLD_EVERY = 10
"""Kills from one line of progress to the next."""
HOLD_S = 0.05
"""How long time stands still for an answer that does not come."""
BACK_OFF = {
    "OCPPCommCtrlr.RetryBackOffRandomRange": "1",
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": "1",
}


@dataclass
class Figures:
    """What a run has shown; `lost` and `effects` must be empty."""

    kills: int = 0
    transactions: int = 0
    messages: int = 0
    """Billable messages of stations, all of them acknowledged in the end."""
    calls: int = 0
    retransmissions: int = 0
    lost: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    """Whatever the cloud has twice, or wrong, or could complain about."""
    drops: int = 0
    seconds: float = 0.0

    @property
    def is_sound(self):
        return not self.lost and not self.effects

    def __add__(self, other):
        return Figures(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Soak:
    """One run before one cloud."""

    def __init__(self, site, dice, progress):
        self.site, self.dice, self.progress = site, dice, progress
        self.kills = self.drops = 0
        self._is_over = False

    async def run(self, kills):
        self.site.cloud.behaviour.latency_s = LATENCY_S
        await self.site.start()
        self.site.open_stations()
        ticking = asyncio.create_task(self._tick())
        dropping = asyncio.create_task(self._drop())
        driving = [asyncio.create_task(self._drive(actor)) for actor in self.site.actors]
        try:
            for _ in range(kills):
                await self._wait_for_the_moment()
                await self.site.kill()
                self.kills += 1
                self.progress(self)
                await self.site.start()
            self._is_over = True
            await dropping
            await asyncio.gather(*driving)
            await self._all_told()
        finally:
            for task in (ticking, dropping, *driving):
                task.cancel()
            await asyncio.gather(ticking, dropping, *driving, return_exceptions=True)

    async def _all_told(self):
        """However much has piled up: as long as it becomes less."""
        site = self.site
        await site.online(LAST_PATIENCE_S)
        while (waiting := site.count("outbox")) > 0:
            await until(lambda before=waiting: site.count("outbox") < before, LAST_PATIENCE_S)

    async def _wait_for_the_moment(self):
        if self.dice.random() < EARLY:
            await asyncio.sleep(self.dice.uniform(*KILL_EARLY_S))
            return
        talks = [actor.station.talk for actor in self.site.actors]
        await until(lambda: all(talk.is_online for talk in talks))
        await asyncio.sleep(self.dice.uniform(*KILL_LATE_S))

    async def _tick(self):
        site = self.site
        while True:
            site.wall.pass_by(1.0)
            for actor in site.actors:
                actor.link.tick()
            await asyncio.sleep(TICK_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(HOLD_S):
                    await until(lambda: not any(actor.is_waiting for actor in site.actors))

    async def _drive(self, actor):
        number = 0
        while not self._is_over:
            number += 1
            token = f"{actor.identity}-{number}"
            actor.link.plug_in(1, Car())
            while not actor.visit.transaction:
                if actor.visit.token is None:
                    actor.link.present(1, token)
                await self._pass(5)
            await self._pass(self.dice.uniform(20, 200))
            actor.link.present(1, token)
            await self._pass(self.dice.uniform(0, 3))
            actor.link.unplug(1)
            await self._pass(self.dice.uniform(1, 20))

    async def _pass(self, seconds):
        end = self.site.wall.now + seconds
        while self.site.wall.now < end:  # noqa: ASYNC110 - the clock is a file
            await asyncio.sleep(0.004)

    async def _drop(self):
        cloud = self.site.cloud
        while not self._is_over:
            await asyncio.sleep(self.dice.uniform(*DROP_AFTER_S))
            self.drops += 1
            if self.dice.random() < 0.5:
                if cloud.is_connected("DEPOT"):
                    cloud.cut("DEPOT")
                continue
            await cloud.go_away()
            await asyncio.sleep(self.dice.uniform(*AWAY_S))
            await cloud.come_back()

    def figures(self):
        site, found = self.site, self.site.differences()
        lost = tuple(line for line in found if "lost" in line)
        return Figures(
            kills=self.kills,
            transactions=sum(len(actor.station.books) for actor in site.actors),
            messages=sum(actor.kept for actor in site.actors),
            calls=site.cloud.calls_heard,
            retransmissions=site.retransmissions,
            lost=lost,
            effects=tuple(line for line in found if line not in lost),
            drops=self.drops,
        )


async def soak(folder, nursery, version, kills, *, seed, progress=lambda _: None):
    """Return the figures of one run."""
    began = time.perf_counter()
    async with worksite(folder, version, nursery, STATIONS, **BACK_OFF) as site:
        run = Soak(site, random.Random(seed), progress)
        await run.run(kills)
        figures = run.figures()
    figures.seconds = time.perf_counter() - began
    return figures


async def main(kills, seed, console):
    nursery, figures = Nursery(), Figures()
    await nursery.start()
    with tempfile.TemporaryDirectory() as folder:
        for version in VERSIONS:
            figures += await soak(
                Path(folder) / version,
                nursery,
                version,
                kills // len(VERSIONS),
                seed=seed,
                progress=lambda run: _tell(run, console),
            )
            console.print(f"{version}: sound: {figures.is_sound}")
    await nursery.close()
    console.print(table(figures))
    for line in (*figures.lost[:20], *figures.effects[:20]):
        console.print(line)
    return 0 if figures.is_sound else 1


def _tell(run, console):
    if run.kills % TOLD_EVERY == 0:
        begun = sum(len(actor.station.books) for actor in run.site.actors)
        console.print(f"{run.site.version}: {run.kills} kills, {begun} transactions begun")


def table(figures):
    made = Table(title="Killed at random, under traffic", title_justify="left", show_header=False)
    made.add_column(justify="left")
    made.add_column(justify="right")
    for name, value in (
        ("kills", figures.kills),
        ("connections dropped by the cloud", figures.drops),
        ("transactions", figures.transactions),
        ("billable messages acknowledged", figures.messages),
        ("CALLs to the cloud", figures.calls),
        ("of them retransmissions", figures.retransmissions),
        ("retransmissions with an effect, complaints", len(figures.effects)),
        ("lost", len(figures.lost)),
    ):
        made.add_row(name, f"{value:,}")
    made.add_row("seconds", f"{figures.seconds:.0f}")
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.kills, options.seed, Console())))
