"""The gateway runs: the store opens, stations may connect, and only then everything else.

A slow import or a dead broker never keeps a car waiting. Stop: stations and cloud are let go, then
the store, so that nothing acknowledged is unsaved.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.adapters import machine, systemd
from gateway.adapters.digital_input import watch_input
from gateway.adapters.meter import poll_meters
from gateway.adapters.meter_line import ModbusLines
from gateway.adapters.schedule import run_schedule
from gateway.adapters.store import open_store
from gateway.assembly import Gateway
from gateway.commissioning.procedure import Procedure
from gateway.housekeeping import Housekeeping
from gateway.meter_news import MeterNews
from gateway.night import Night
from gateway.storage import StorageKeeping
from site_config.model import Site

ROUND_S = 1.0
"""A balancing round takes place at least this often."""
ROUNDS_APART_S = 0.1
"""And no closer than this, however many stations speak at once."""
HOUSEKEEPING_S = 1.0
DATABASE = "gateway.db"

log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway can be reached, once it can."""

    csms_port: int
    web_url: str | None = None


def utc_now() -> datetime:
    return datetime.now(UTC)


async def run(
    site: Site,
    data_dir: Path,
    *,
    stop: asyncio.Event,
    on_listening: Callable[[Listening], None] = lambda _: None,
    on_built: Callable[[Gateway], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], datetime] = utc_now,
    commissioning: Procedure | None = None,
) -> None:
    """Run the gateway of a proved site until `stop` is set.

    `on_built` is handed the gateway before anything runs, for whoever wants to look inside. With
    `commissioning` it limits the EVSEs, and nobody calls the cloud: what is drawn is not billed.
    Raises StoreFailed, SlotConflict or OSError before anything is answered when it cannot start.
    """
    async with systemd.more_time():
        store = await open_store(data_dir / DATABASE)
    try:
        kept = await store.load()
        gateway = Gateway(
            site,
            store,
            kept,
            clock,
            wall_clock,
            boot_id=machine.boot_id(),
            commissioning=commissioning,
        )
        await gateway.restore(kept)
        on_built(gateway)
        async with gateway.server:
            on_listening(Listening(gateway.server.port))
            systemd.notify("READY=1")
            await _run_until(gateway, stop, on_listening)
            systemd.notify("STOPPING=1")
        await gateway.speech.settle_down()
        await gateway.journal_book.write(clock(), wall_clock())
    finally:
        await store.close()
    log.info("gateway.stopped site=%s", site.site.id)


async def _run_until(
    gateway: Gateway, stop: asyncio.Event, on_listening: Callable[[Listening], None]
) -> None:
    keeping = StorageKeeping(
        gateway.parts, gateway.store, gateway.commit, log.warning, asyncio.sleep
    )
    meters = MeterNews(
        gateway.state, gateway.counters, gateway.parts.problem, gateway.unbalanced.set
    )
    async with ModbusLines() as lines, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(work)
            for work in (
                _balance(gateway),
                _keep_house(gateway),
                keeping.run(gateway.clock, gateway.wall_clock),
                stop.wait() if gateway.commissioning else gateway.uplink.run(),
                poll_meters(gateway.site, meters, lines, clock=gateway.clock),
                watch_input(
                    gateway.site.grid_operator, gateway.grid_operator, lines.to, gateway.clock
                ),
                _keep_hours(gateway),
                systemd.keep_watchdog_quiet(),
                _serve_web(gateway, on_listening),
                _publish(gateway),
            )
        ]
        await stop.wait()
        log.info("gateway.stopping site=%s", gateway.site.site.id)
        for task in tasks:
            task.cancel()
    gateway.beside.cancel()


async def _balance(gateway: Gateway) -> None:
    while True:
        gateway.unbalanced.clear()
        gateway.rounds.go()
        await asyncio.sleep(ROUNDS_APART_S)
        try:
            async with asyncio.timeout(ROUND_S - ROUNDS_APART_S):
                await gateway.unbalanced.wait()
        except TimeoutError:
            pass  # time for a round all the same


async def _keep_house(gateway: Gateway) -> None:
    house = Housekeeping(
        gateway.parts,
        gateway.maintenance,
        store_failure=lambda: gateway.store.failure,
        store_loss=lambda: gateway.store.loss,
        commit=gateway.commit,
        limits_changed=gateway.unbalanced.set,
        spawn=gateway.beside.spawn,
        desk=gateway.desk,
        journal=gateway.journal_book,
        grid_operator=gateway.grid_operator,
        wake_cloud=gateway.wake_cloud,
        site_clock=gateway.site_clock,
    )
    while True:
        await house.keep(gateway.clock(), gateway.wall_clock())
        await asyncio.sleep(HOUSEKEEPING_S)


async def _keep_hours(gateway: Gateway) -> None:
    night = Night(
        gateway.parts,
        gateway.store,
        gateway.commit,
        log=log.info,
        pause=asyncio.sleep,
        clock_utc=gateway.wall_clock,
    )
    missed = await night.is_missed()
    await run_schedule(gateway.site, gateway.window_edge, night.work, is_night_missed=missed)


async def _serve_web(gateway: Gateway, on_listening: Callable[[Listening], None]) -> None:
    if gateway.site.web is None:
        return
    # Not at the top: the page's libraries take as long to load as everything else together.
    from gateway.adapters.web.desk import Desk  # noqa: PLC0415
    from gateway.adapters.web.server import WebFailed, serve  # noqa: PLC0415

    desk = Desk(
        gateway.state, gateway.operations, gateway.counters, gateway.clock, gateway.wall_clock
    )
    port = gateway.server.port
    try:
        await serve(
            gateway.site.web, desk, on_listening=lambda url: on_listening(Listening(port, url))
        )
    except WebFailed as error:
        # Cars charge without a page; healthz is gone with it, the log and MQTT are not.
        log.error('web.failed reason="%s"', error)
        gateway.parts.problem("web", f"page and REST are down: {error}")


async def _publish(gateway: Gateway) -> None:
    if gateway.site.mqtt is None:
        return
    from gateway.adapters.mqtt import run_mqtt  # noqa: PLC0415 - only where there is a broker

    await run_mqtt(
        gateway.site,
        gateway.state,
        gateway.operations,
        gateway.clock,
        gateway.wall_clock,
        on_outage=lambda reason: gateway.parts.problem("mqtt", reason or ""),
    )
