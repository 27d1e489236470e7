"""Killed at every point between a station's word and a cloud of OCPP 2.0.1."""

import pytest

from tests.scenarios.crash.deaths import at_stations, die_while_charging, live_again
from tests.scenarios.crash.points import BILLING

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("point", "station"), at_stations(BILLING, first=1))
async def test_a_death_there_loses_and_doubles_nothing(sites, point, station):
    async with sites.borrow("ocpp2.0.1") as site:
        actor = site.actors[station]
        await die_while_charging(site, actor, point)

        await live_again(site, actor)

        assert site.differences() == []
