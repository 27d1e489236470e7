"""Killed around the commit of any change there is: all of it is on disk, or nothing."""

import asyncio
import signal

import pytest

from tests.scenarios.crash.failpoints import Moment
from tests.scenarios.crash.keeping import everything, prepare
from tests.scenarios.crash.points import KEEPING
from tests.scenarios.crash.worksite import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("point", KEEPING, ids=lambda point: point.name)
async def test_a_change_is_whole_or_not_at_all(tmp_path, nursery, point):
    (change,) = point.writes
    path = tmp_path / "gateway.db"
    can_be_seen = await asyncio.to_thread(prepare, path, change)  # it has a loop of its own
    assert can_be_seen, f"{change.__name__} changes nothing: say in BEFORE what must be there"
    old, new = everything(str(path)), everything(str(tmp_path / "whole.db"))
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
    assert everything(str(path)) == (new if point.trap.moment is Moment.AFTER else old)
