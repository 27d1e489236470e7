"""The edges of the weekly windows, on the wall clock of the site."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.adapters.schedule import edges_of, run_schedule
from site_config.circuits import Circuit, LimitWindow
from site_config.links import Cloud
from site_config.model import Site, SiteInfo

BERLIN = "Europe/Berlin"


def window(**fields):
    return LimitWindow.model_validate({"limit_a": 30, **fields})


EVENING = window(**{"from": "17:00", "to": "20:00"})
NIGHT = window(**{"days": ["fri"], "from": "22:00", "to": "06:00"})


def next_edges(limit_window, after):
    now = datetime.fromisoformat(after)
    return {
        word: trigger.get_next_fire_time(None, now).astimezone(UTC).isoformat()
        for word, trigger in edges_of(limit_window, BERLIN)
    }


@pytest.mark.parametrize(
    ("limit_window", "after", "opened", "closed"),
    [
        pytest.param(
            EVENING,
            "2026-06-01T00:00:00+00:00",
            "2026-06-01T15:00:00+00:00",
            "2026-06-01T18:00:00+00:00",
            id="summer",
        ),
        pytest.param(
            EVENING,
            "2026-03-28T19:30:00+00:00",
            "2026-03-29T15:00:00+00:00",
            "2026-03-29T18:00:00+00:00",
            id="the day the clocks go forward",
        ),
        pytest.param(
            EVENING,
            "2026-10-24T19:30:00+00:00",
            "2026-10-25T16:00:00+00:00",
            "2026-10-25T19:00:00+00:00",
            id="the day the clocks go back",
        ),
        pytest.param(
            NIGHT,
            "2026-06-04T00:00:00+00:00",
            "2026-06-05T20:00:00+00:00",
            "2026-06-04T04:00:00+00:00",
            id="past midnight: looked at every morning",
        ),
    ],
)
def test_edges(limit_window, after, opened, closed):
    assert next_edges(limit_window, after) == {"opened": opened, "closed": closed}


async def test_the_schedule_of_a_site_runs_until_it_is_cancelled():
    site = Site(
        site=SiteInfo(id="depot", name="Depot", timezone=BERLIN),
        cloud=Cloud(url="ws://127.0.0.1", identity="DEPOT"),
        circuits={"grid": Circuit(rating_a=100, limit_windows=(EVENING, NIGHT))},
        stations={},
    )
    heard = []

    async def night():
        heard.append("night")

    running = asyncio.create_task(run_schedule(site, heard.append, night, is_night_missed=True))
    await asyncio.sleep(0)

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert heard == []
