"""Runs foreign OCPP software as a child process and talks to it in lines of JSON.

Needs node and the packages of `package.json`: without them a test is skipped, or fails where CI
must have them.
"""

import asyncio
import json
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE_S = 20.0
"""How long a condition may take on a busy machine; it is never waited out."""
HOW_TO_INSTALL = "run `make system` to install node and the packages of tests/interop"


def node_or_skip():
    """Return the path of node, once it and the foreign packages are there."""
    node = shutil.which("node")
    if node and (HERE / "node_modules" / "ocpp-rpc").is_dir():
        return node
    if os.environ.get("CI") == "true":
        pytest.fail(HOW_TO_INSTALL)
    pytest.skip(HOW_TO_INSTALL)


class Foreign:
    """One running script: what it said, and how to tell it something."""

    def __init__(self, process):
        self._process = process
        self.said = []
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._numbers = iter(range(1, 1_000_000))

    async def _read(self):
        async for line in self._process.stdout:
            self.said.append(json.loads(line))
            self._changed.set()

    def events(self, *kinds, **fields):
        """Return what it said of these kinds, in order."""
        return [
            line for line in self.said if line["event"] in kinds and fields.items() <= line.items()
        ]

    @property
    def faults(self):
        """Everything it found wrong with its peer."""
        return self.events("violation", "bad message", "unexpected")

    def tell(self, **order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def until(self, condition):
        """Wait until what was said fulfils a condition; return the condition's value."""
        async with asyncio.timeout(PATIENCE_S):
            while not (value := condition()):
                assert not self._reader.done(), "the foreign software has ended"
                self._changed.clear()
                waiting = asyncio.create_task(self._changed.wait())
                await asyncio.wait({waiting, self._reader}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            return value

    async def first(self, kind, **fields):
        """Wait for it to say this, and return the first time it did."""
        return (await self.until(lambda: self.events(kind, **fields)))[0]

    async def ask(self, **order):
        """Let it do something; return what came of it, or the code of a refusal."""
        unique_id = f"foreign-{next(self._numbers)}"
        self.tell(id=unique_id, **order)
        answer = await self.first("answer", id=unique_id)
        return answer["result"] if "result" in answer else answer["error"]

    async def end(self):
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader


@asynccontextmanager
async def foreign(script, *arguments):
    """Run a script of this folder with node until the block ends."""
    process = await asyncio.create_subprocess_exec(
        node_or_skip(),
        HERE / script,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    running = Foreign(process)
    try:
        yield running
    finally:
        await running.end()
