"""The operators' page over a made-up site, to look at it: pictures into a folder, or live.

python -m tests.support.show_page                       serves it on http://127.0.0.1:8090
python -m tests.support.show_page FOLDER [STATIONS]     takes pictures of every state
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.adapters.web import Desk
from gateway.site_state import HistoryPoint, SiteState
from load_balancer.inputs import MeterReading
from load_balancer.phases import PhaseCurrents
from tests.gateway.adapters.demo_site import (
    NOON,
    NOW,
    OPERATOR,
    busy_state,
    cloud_away,
    demo_config,
    demo_counters,
    demo_operations,
    limited,
    meter_lost,
)
from tests.support.browser import chromium
from tests.support.web_server import serving

STATES: dict[str, Callable[[SiteState], SiteState]] = {
    "normal": lambda state: state,
    "cloud-away": cloud_away,
    "meter-lost": meter_lost,
    "limited": limited,
}
SIZES = {"desk": (1280, 900), "tablet": (1024, 768), "upright": (768, 1600), "phone": (390, 844)}


async def take_pictures(folder: Path, stations: int) -> None:
    for name, change in STATES.items():
        state = change(busy_state(stations))
        desk = Desk(state, demo_operations(state), demo_counters(), lambda: NOW, lambda: NOON)
        async with serving(demo_config(stations).web, desk) as url, chromium() as page:
            for size, (width, height) in SIZES.items():
                await page.size(width, height)
                await page.open(f"{url}/?token={OPERATOR}")
                await page.wait_for("document.querySelector('.sg-plot canvas')")
                await asyncio.sleep(0.8)
                await page.screenshot(folder / f"{name}-{size}.png")
            await page.size(*SIZES["tablet"])
            await page.click(".sg-circuit .sg-button")
            await page.wait_for("document.querySelector('.sg-dialog')")
            await asyncio.sleep(0.8)
            await page.screenshot(folder / f"{name}-limit.png")
            await page.click(".sg-dialog button", "Cancel")
            for tab in ("Transactions", "Cloud", "Messages"):
                await page.click(".q-tab", tab)
                await asyncio.sleep(1.0)
                await page.screenshot(folder / f"{name}-{tab.lower()}.png")
            print(name, *page.complaints, sep="\n  ")  # noqa: T201 - a tool for the terminal


async def live(stations: int) -> None:
    state = busy_state(stations)
    state.history.clear()
    web = demo_config(stations).web
    assert web is not None
    desk = Desk(
        state,
        demo_operations(state),
        demo_counters(),
        lambda: NOW + time.monotonic(),
        lambda: datetime.now(UTC),
    )
    async with serving(web.model_copy(update={"listen": "127.0.0.1:8090"}), desk) as url:
        print(f"{url}/?token={OPERATOR}")  # noqa: T201 - a tool for the terminal
        while True:
            _breathe(state)
            await asyncio.sleep(1)


def _breathe(state: SiteState) -> None:
    """Move what moves."""
    for circuit in state.circuits.values():
        assert circuit.measured is not None
        circuit.measured = PhaseCurrents(*(a + random.uniform(-1, 1) for a in circuit.measured))
    grid = state.circuits[state.root]
    assert grid.measured is not None
    state.meters["grid"].reading = MeterReading(NOW + time.monotonic(), grid.measured, None)
    state.history.append(HistoryPoint(datetime.now(UTC), grid.measured, grid.limit, grid.allocated))


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    asyncio.run(take_pictures(Path(sys.argv[1]), count) if len(sys.argv) > 1 else live(count))
