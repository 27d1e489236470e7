"""Killed while something is set: the old or the new is in force, never a mixture."""

import asyncio
from contextlib import asynccontextmanager
from itertools import count

import httpx
import pytest
import pytest_asyncio

from gateway.errors import Unavailable
from tests.scenarios.cloud_words import Words16, Words201
from tests.scenarios.crash.deaths import dead
from tests.scenarios.crash.failpoints import Moment
from tests.scenarios.crash.points import SETTINGS, SLOTS
from tests.scenarios.crash.worksite import Nursery, free_port, until, worksite

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORDS = {"ocpp1.6": Words16, "ocpp2.0.1": Words201}
PROFILE = 7
news = count(1)


class Desk:
    """Whoever sets something: the cloud, or an operator by REST."""

    def __init__(self, site, web_port):
        self.site, self.words = site, WORDS[site.version](site.cloud)
        self._url = f"http://127.0.0.1:{web_port}/api/v1/circuits/grid/limit"

    async def put_limit(self, limit_a):
        return await self._rest("PUT", json={"limit_a": limit_a, "reason": "x", "until": None})

    async def delete_limit(self):
        return await self._rest("DELETE")

    async def _rest(self, method, **more):
        headers = {"Authorization": "Bearer operator"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
            try:
                answer = await client.request(method, self._url, timeout=30, **more)
            except httpx.TransportError as error:
                raise Unavailable(str(error)) from error
            return answer.raise_for_status()

    async def is_open(self):
        try:
            await self.delete_limit()
        except Unavailable:
            return False
        except httpx.HTTPStatusError:
            pass
        return True

    async def prepare(self, what):
        """Have something that can be taken away."""
        match what:
            case "profile-cleared":
                await self.words.set_profile(1, self.words.profile(16, number=PROFILE))
            case "cache-cleared":
                actor = self.site.actors[0]
                await self.site.begin(actor, f"NEW-{next(news)}")
                await self.site.end(actor)
                await self.site.settled()
            case "limit-cleared":
                await self.put_limit(40)

    async def set(self, what):
        """Set something to what it was not."""
        number, words = next(news), self.words
        match what:
            case "list":
                await words.send_list(number, {f"CARD-{number}": "Accepted"})
            case "profile":
                profile = words.profile(8 + number % 20, number=PROFILE)
                await words.set_profile(1, profile)
            case "profile-cleared":
                await words.clear_profile(PROFILE)
            case "availability":
                is_operational = all(kept.is_operational for kept in self.site.kept().availability)
                await words.make(not is_operational, 2)
            case "setting":
                await words.set(
                    "HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", str(1000 + number)
                )
            case "cache-cleared":
                await self.site.cloud.call("ClearCache", {})
            case "limit":
                await self.put_limit(20 + number % 20)
            case "limit-cleared":
                await self.delete_limit()

    def seen(self, what):
        """Return what a restart finds of it."""
        kept = self.site.kept()
        match what:
            case "list":
                return kept.local_list_version, {known.id_token.value for known in kept.local_list}
            case "profile" | "profile-cleared":
                return kept.profiles
            case "availability":
                return kept.availability
            case "setting":
                return [row for row in kept.settings if row.key == "HeartbeatInterval"]
            case "cache-cleared":
                return kept.tokens
        return kept.circuit_limits


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk_of(tmp_path_factory):
    """One site of each version with a page; a test that fails makes those after it fail too."""
    nursery, made = Nursery(), {}
    await nursery.start("web")
    folder = tmp_path_factory.mktemp("desks")

    @asynccontextmanager
    async def running(version):
        async with worksite(folder / version, version, nursery) as site:
            port = free_port()
            tokens = [{"name": "o", "role": "operator", "token": "operator"}]
            site.write_site(web={"listen": f"127.0.0.1:{port}", "tokens": tokens})
            desk = Desk(site, port)
            await site.start()
            site.open_stations()
            yield desk

    contexts = {version: running(version) for version in WORDS}
    for version, context in contexts.items():
        made[version] = await context.__aenter__()
    yield made.__getitem__
    for context in contexts.values():
        await context.__aexit__(None, None, None)
    await nursery.close()


@pytest.mark.parametrize("version", WORDS)
@pytest.mark.parametrize("point", SETTINGS, ids=lambda point: point.name)
async def test_the_old_or_the_new_is_in_force(desk_of, point, version):
    desk, what = desk_of(version), point.during
    site = desk.site
    await ready(desk, what)
    await desk.prepare(what)
    before = desk.seen(what)
    site.arm(point.name)
    setting = asyncio.create_task(desk.set(what))
    await dead(site)
    with pytest.raises(Unavailable):  # nobody was told that it is done
        await setting

    await site.start()
    await site.online()

    is_new = desk.seen(what) != before
    assert is_new == (point.trap.moment is Moment.AFTER)
    assert site.differences() == []


async def ready(desk, what):
    await desk.site.online()
    await until(lambda: desk.site.cloud.is_connected("DEPOT"))
    if what.startswith("limit"):
        async with asyncio.timeout(30):
            while not await desk.is_open():  # noqa: ASYNC110 - a port tells nobody that it opens
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("point", SLOTS, ids=lambda point: point.name)
async def test_every_evse_has_the_number_it_would_have_had(tmp_path, nursery, point):
    async with worksite(tmp_path, "ocpp1.6", nursery) as site:
        site.arm(point.name)
        await site.start()
        await dead(site)

        await site.start()
        site.open_stations()
        await site.online()

        numbers = {(slot.cloud_evse, slot.station_id, slot.evse_id) for slot in site.kept().slots}
        assert numbers == {(1, "CP-01", 1), (2, "CP-02", 1)}
