"""Killed while a command of the cloud's is passed on: a station hears it at most once."""

import asyncio

import pytest

from gateway.errors import Unavailable
from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import Words16, Words201
from tests.scenarios.crash.deaths import dead, live_again
from tests.scenarios.crash.points import COMMANDS, FORWARDING, STOPS

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORDS = {"ocpp1.6": Words16, "ocpp2.0.1": Words201}


def points(during):
    found = [point for point in FORWARDING if point.during == during]
    return pytest.mark.parametrize("point", found, ids=lambda point: point.name)


@pytest.mark.parametrize("version", WORDS)
@points("remote start")
async def test_a_start_is_asked_at_most_once_and_what_it_began_is_billed(sites, point, version):
    async with sites.borrow(version) as site:
        words = WORDS[version](site.cloud)
        for actor in site.actors:
            actor.link.plug_in(1, Car())
            await site.quiet()
            heard = actor.heard(*COMMANDS)
            site.arm(point.name)
            asked = asyncio.create_task(words.start("APP-1", actor.cloud_evse))
            await dead(site)

            await live_again(site, actor)

            assert isinstance((await asyncio.gather(asked, return_exceptions=True))[0], Unavailable)
            assert actor.heard(*COMMANDS) - heard == (0 if point.name.endswith("taken") else 1)
        assert site.differences() == []


@pytest.mark.parametrize("version", WORDS)
@points("remote stop")
async def test_a_stop_is_asked_at_most_once_and_is_billed_once(sites, point, version):
    async with sites.borrow(version) as site:
        words = WORDS[version](site.cloud)
        for actor in site.actors:
            await site.begin(actor, "CARD-1")
            await site.pass_by(30)
            await site.settled()
            heard = actor.heard(*STOPS)
            booked = next(t for t in site.cloud.transactions if t.is_running)
            site.arm(point.name)
            asked = asyncio.create_task(words.stop(booked))
            await dead(site)

            await live_again(site, actor)

            assert isinstance((await asyncio.gather(asked, return_exceptions=True))[0], Unavailable)
            assert actor.heard(*STOPS) - heard == (0 if point.name.endswith("taken") else 1)
        assert site.differences() == []
