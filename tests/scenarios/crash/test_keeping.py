"""Killed around the commit of any change there is: all of it is on disk, or nothing."""

import asyncio
import shutil
import signal

import pytest

from tests.scenarios.crash.failpoints import Moment
from tests.scenarios.crash.keeping import commit, everything, prepare
from tests.scenarios.crash.points import KEEPING
from tests.scenarios.crash.worksite import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def off_the_loop(work, path, *words):
    """It has a loop of its own."""
    await asyncio.to_thread(work, str(path), *words)


@pytest.mark.parametrize("point", KEEPING, ids=lambda point: point.name)
async def test_a_change_is_whole_or_not_at_all(tmp_path, nursery, point):
    (change,) = point.writes
    path, whole = tmp_path / "gateway.db", tmp_path / "whole.db"
    await off_the_loop(prepare, path, change)
    shutil.copy(path, whole)
    await off_the_loop(commit, whole, change.__name__)
    old, new = everything(path), everything(whole)
    assert old != new, f"{change.__name__} changes nothing: say in PREPARED what must be there"
    armed = tmp_path / "armed"
    armed.write_text(point.name)

    pid = await nursery.bear(
        call="tests.scenarios.crash.keeping:commit",
        words=[str(path), change.__name__],
        log=str(tmp_path / "log"),
        armed=str(armed),
    )
    await until(lambda: pid in nursery.gone)

    assert nursery.gone[pid] == -signal.SIGKILL
    assert everything(path) == (new if point.trap.moment is Moment.AFTER else old)
