"""Killed while the cloud's word is learnt, or while it refuses."""

import signal

import pytest

from tests.scenarios.crash.deaths import dead, die_while_charging, live_again
from tests.scenarios.crash.points import LEARNING, REFUSING
from tests.scenarios.crash.worksite import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)
ENDS = {"ocpp1.6": "StopTransaction", "ocpp2.0.1": "TransactionEvent"}


def points(*during):
    found = [point for point in (*LEARNING, *REFUSING) if point.during in during]
    return pytest.mark.parametrize("point", found, ids=lambda point: point.name)


@EACH_VERSION
@points("start", "new token")
async def test_what_was_being_learnt_is_learnt_again(sites, point, version):
    async with sites.borrow(version) as site:
        for actor in site.actors:
            await die_while_charging(site, actor, point)

            await live_again(site, actor)

        assert site.differences() == []
        assert all(known.verdict == "Accepted" for known in site.transactions())


@EACH_VERSION
@points("refused token")
async def test_a_refused_token_is_stopped_after_the_death(sites, point, version):
    async with sites.borrow(version) as site:
        for actor in site.actors:
            token = f"LOST-{actor.identity}"
            await site.begin(actor, token)
            await site.end(actor)
            await site.settled()
            site.cloud.behaviour.verdicts[token] = "Blocked"
            site.arm(point.name)
            await site.begin(actor, token)
            await dead(site)

            await site.start(grace_s=0.05)
            await site.online()
            await until(lambda here=actor: here.visit.transaction is None)

            await site.end(actor)
            await site.settled()
        assert site.differences() == []
        assert all(not booked.is_running for booked in site.cloud.transactions)


@EACH_VERSION
@points("transient error", "permanent error")
async def test_a_refusal_interrupted_is_met_again_or_kept(sites, point, version):
    async with sites.borrow(version) as site:
        for actor in site.actors:
            await charge(site, actor)
            code = "InternalError" if point.during == "transient error" else "NotSupported"
            site.cloud.behaviour.errors[ENDS[version]] = [code]
            site.arm(point.name)
            await site.end(actor)
            await dead(site)

            await live_again(site, actor)
            await retried(site)

        assert site.differences() == []
        assert site.count("quarantine") == 0


@EACH_VERSION
@points("release")
async def test_a_retry_interrupted_leaves_the_row_in_one_place(sites, point, version):
    async with sites.borrow(version) as site:
        for actor in site.actors:
            await charge(site, actor)
            site.cloud.behaviour.errors[ENDS[version]] = ["NotSupported"]
            await site.end(actor)
            await until(lambda: site.count("quarantine") == 1)
            await site.settled()
            await site.kill(signal.SIGTERM)
            site.arm(point.name)
            site.pid = await retry(site)
            await dead(site)

            assert site.count("quarantine") + site.count("outbox") == 1
            await site.start()
            await site.online()
            await retried(site)

        assert site.differences() == []
        assert site.count("quarantine") == 0


async def charge(site, actor):
    await site.begin(actor, "CARD-1")
    await site.pass_by(30)
    await site.settled()


async def retried(site):
    """A person puts back what is in quarantine, with the gateway stopped; then all is told."""
    if site.count("quarantine"):
        assert await site.kill(signal.SIGTERM) == 0
        site.pid = await retry(site)
        assert await site.gone() == 0
        await site.start()
    await site.settled()


async def retry(site):
    row = site.quarantined()[0].row.id
    return await site.bear("outbox", "retry", str(row), "--data", str(site.database.parent))
