"""A whole site on loopback with foreign software at one of its ends."""

from contextlib import asynccontextmanager

import pytest

from tests.interop.foreign import foreign
from tests.scenarios.conftest import (
    Depot,
    HandClock,
    depot_of,  # noqa: F401 - a fixture of this folder too
    site_of,
)


class ForeignCloud:
    """npm's ocpp-rpc in strict mode as the cloud CSMS; `url` is what a site needs of a cloud."""

    def __init__(self, process, port):
        self.process = process
        self.url = f"ws://127.0.0.1:{port}/ocpp"

    def calls(self, action, **fields):
        """Return the payloads of the calls it answered."""
        return [
            line["payload"]
            for line in self.process.events("call", action=action)
            if fields.items() <= line["payload"].items()
        ]

    async def heard(self, action, at_least=1, **fields):
        """Wait for calls, and return their payloads."""
        return await self.process.until(
            lambda: len(found := self.calls(action, **fields)) >= at_least and found
        )

    async def ask(self, action, payload, **order):
        """Let it send a call; return the payload of the answer, or the code of a refusal."""
        return await self.process.ask(action=action, payload=payload, **order)

    @property
    def faults(self):
        return self.process.faults


@asynccontextmanager
async def foreign_cloud(version):
    async with foreign("cloud.mjs", version) as process:
        port = (await process.first("listening"))["port"]
        yield ForeignCloud(process, port)


@pytest.fixture
async def foreign_depot(tmp_path):
    """`async with foreign_depot("ocpp1.6") as depot`: a site before a foreign cloud."""

    @asynccontextmanager
    async def running(version, **changes):
        async with foreign_cloud(version) as cloud:
            depot = Depot(site_of(cloud, **changes), cloud, tmp_path / "data", HandClock())
            await depot.start()
            try:
                yield depot
            finally:
                await depot.close()

    return running
