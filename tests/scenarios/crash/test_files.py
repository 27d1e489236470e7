"""Killed before each step of the work on files: the old, or the new, and the next try succeeds."""

import asyncio
import os
import signal

import pytest

from tests.scenarios.crash.deaths import EVERYTHING
from tests.scenarios.crash.filework import COUNTED, WORK, again, found
from tests.scenarios.crash.worksite import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
ABOUT = 8
"""Deaths of one kind of work, evenly spread, unless all are wanted."""


class Bench:
    """Folders in which one kind of work is done, to its end or not."""

    def __init__(self, what, folder, nursery):
        self.what, self._folder, self._nursery = what, folder, nursery
        self._made = 0
        prepared = folder / "prepared"
        prepared.mkdir()
        self._prepared = prepared

    async def prepare(self):
        await asyncio.to_thread(WORK[self.what][0], self._prepared)

    def fresh(self):
        self._made += 1
        return again(self._prepared, self._folder / str(self._made))

    async def done(self, folder, last=""):
        """Do the work; return the exit status."""
        pid = await self._nursery.bear(
            call="tests.scenarios.crash.filework:work",
            words=[self.what, str(folder), str(last)],
            log=str(self._folder / "log"),
            armed=str(self._folder / "armed"),
        )
        await until(lambda: pid in self._nursery.gone)
        return self._nursery.gone[pid]

    async def found(self, folder):
        return await asyncio.to_thread(found, self.what, folder)


@pytest.mark.parametrize("what", WORK)
async def test_a_death_before_any_step_leaves_the_old_or_the_new(tmp_path, nursery, what):
    bench = Bench(what, tmp_path, nursery)
    await bench.prepare()
    old, whole = await bench.found(bench.fresh()), bench.fresh()
    assert await bench.done(whole) == 0
    count, new = int((whole / COUNTED).read_text()), await bench.found(whole)
    stride = 1 if EVERYTHING in os.environ else max(1, count // ABOUT)

    for last in range(0, count, stride):
        folder = bench.fresh()
        assert await bench.done(folder, last) == -signal.SIGKILL
        assert await bench.found(folder) in (old, new), f"before step {last} of {count}"
        assert await bench.done(folder) == 0
        assert await bench.found(folder) == new, f"after step {last} of {count}"
