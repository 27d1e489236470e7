"""Killed at every point between a station's word and a cloud of OCPP 1.6."""

import pytest

from tests.scenarios.crash.deaths import at_stations, die_while_charging, live_again
from tests.scenarios.crash.points import BILLING

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("point", "station"), at_stations(BILLING, first=0))
async def test_a_death_there_loses_and_doubles_nothing(sites, point, station):
    async with sites.borrow("ocpp1.6") as site:
        actor = site.actors[station]
        await die_while_charging(site, actor, point)

        await live_again(site, actor)

        assert site.differences() == []
