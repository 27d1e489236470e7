"""Sites that outlive a test: a row of the table costs a restart, not a set-up."""

from contextlib import AsyncExitStack, asynccontextmanager

import pytest_asyncio

from tests.scenarios.crash.worksite import Nursery, worksite


class Sites:
    """One running site for each cloud version; made anew after a test that failed there."""

    def __init__(self, folder, nursery):
        self._folder, self._nursery = folder, nursery
        self._idle = {}
        self._stacks = AsyncExitStack()
        self._made = 0

    @asynccontextmanager
    async def borrow(self, version):
        """Lend a site whose gateway runs and whose stations are connected."""
        site = self._idle.pop(version, None) or await self._make(version)
        yield site
        self._idle[version] = site

    async def _make(self, version):
        self._made += 1
        folder = self._folder / f"site-{self._made}"
        site = await self._stacks.enter_async_context(worksite(folder, version, self._nursery))
        await site.start()
        site.open_stations()
        await site.online()
        return site

    async def close(self):
        await self._stacks.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery():
    nursery = Nursery()
    await nursery.start()
    yield nursery
    await nursery.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(tmp_path_factory, nursery):
    sites = Sites(tmp_path_factory.mktemp("sites"), nursery)
    yield sites
    await sites.close()
