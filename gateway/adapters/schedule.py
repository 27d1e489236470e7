"""What happens by the clock on the wall, by apscheduler: edges of the weekly windows, the night.

Which windows are open is decided by `circuit_limits`, at any instant; this only makes sure that the
balancer looks at the very second, in the site's time zone, through daylight saving.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from site_config.circuits import LimitWindow
from site_config.model import Site

CATCH_UP_AFTER = timedelta(minutes=10)
"""After the start, when the night's work was missed: the site has its stations back by then."""


async def run_schedule(
    site: Site,
    edge: Callable[[str], None],
    night: Callable[[], Awaitable[None]],
    *,
    is_night_missed: bool,
) -> None:
    """Call `edge` with a log line whenever a limit window opens or closes, `night` once a day at
    `storage.backup_at`, and soon after the start if the last one was missed. Never returns."""
    scheduler = AsyncIOScheduler(timezone=ZoneInfo(site.site.timezone))
    for name, circuit in site.circuits.items():
        for window in circuit.limit_windows:
            for word, trigger in edges_of(window, site.site.timezone):
                line = (
                    f"window.{word} circuit={name} limit_a={window.limit_a:g} "
                    f'reason="{window.reason}"'
                )
                scheduler.add_job(edge, trigger, args=[line], misfire_grace_time=None)
    at = site.storage.backup_at
    daily = _at(at.hour, at.minute, "*", site.site.timezone)
    scheduler.add_job(night, daily, misfire_grace_time=None, coalesce=True)
    if is_night_missed:
        soon = datetime.now(UTC) + CATCH_UP_AFTER
        scheduler.add_job(night, "date", run_date=soon, misfire_grace_time=None)
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)


def edges_of(window: LimitWindow, timezone: str) -> list[tuple[str, CronTrigger]]:
    """Return the two edges; a closing that belongs to the next day is looked for every day."""
    runs_past_midnight = window.end <= window.start
    closing_days = "*" if runs_past_midnight else ",".join(window.days)
    return [
        ("opened", _at(window.start.hour, window.start.minute, ",".join(window.days), timezone)),
        ("closed", _at(window.end.hour, window.end.minute, closing_days, timezone)),
    ]


def _at(hour: int, minute: int, days: str, timezone: str) -> CronTrigger:
    return CronTrigger(hour=hour, minute=minute, second=0, day_of_week=days, timezone=timezone)
