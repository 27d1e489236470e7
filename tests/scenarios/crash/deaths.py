"""How a site comes to each point of the table, dies there, and what it does afterwards."""

import os
import signal
from itertools import count

import pytest

from tests.scenarios.crash.points import kind_said
from tests.scenarios.crash.worksite import until

SAMPLE_S = 11
"""A sample is due within it."""
HELD_BACK_S = 0.3
"""How long the cloud keeps its answer where the point lies before it."""

_tokens = count(1)


async def die_while_charging(site, actor, point):
    """Charge at `actor` until the process dies at `point`; leave it dead."""
    token = f"CARD-{next(_tokens)}"
    if point.during in ("sample", "stop"):
        await site.begin(actor, token)
        await site.pass_by(2 * SAMPLE_S)
        await site.settled()
    heard = len(site.cloud.heard)
    if point.by_cloud:
        site.cloud.behaviour.latency_s = HELD_BACK_S
    else:
        site.arm(point.name)
    await _ACTS[point.during](site, actor, token)
    if point.by_cloud:
        await until(lambda: _has_heard(site.cloud, heard, point.during))
        site.strike()
    await dead(site)
    site.cloud.behaviour.latency_s = 0.0


async def dead(site):
    """Wait until the process has been killed, and nothing else has ended it."""
    assert await site.gone() == -signal.SIGKILL
    site.disarm()


async def live_again(site, actor):
    """Start the gateway again, let the driver finish, and wait until all is told."""
    await site.start()
    await site.online()
    await site.pass_by(2 * SAMPLE_S)
    await site.end(actor)
    await site.settled()


async def _start(site, actor, token):
    await site.begin(actor, token)


async def _sample(site, actor, token):
    await site.pass_by(SAMPLE_S)


async def _stop(site, actor, token):
    await site.end(actor)


_ACTS = {"start": _start, "new token": _start, "sample": _sample, "stop": _stop}


def _has_heard(cloud, since, kind):
    return any(kind_said(call.action, call.payload) == kind for call in cloud.heard[since:])


EVERYTHING = "SITE_GATEWAY_EVERY_DEATH"
"""In the environment: each row at a station of each version, instead of one after the other."""


def at_stations(points, *, first):
    """Return (point, number of the station) with their names, for `parametrize`."""
    versions = ("1.6", "2.0.1")
    return [
        pytest.param(point, station, id=f"{point.name} station {versions[station]}")
        for number, point in enumerate(points, first)
        for station in ((0, 1) if EVERYTHING in os.environ else (number % 2,))
    ]
