"""Killed at random moments under traffic; `python -m tests.scenarios.crash.soak` does it longer."""

import pytest

from tests.scenarios.crash.soak import VERSIONS, soak

pytestmark = pytest.mark.asyncio(loop_scope="module")
KILLS = 4


@pytest.mark.parametrize("version", VERSIONS)
async def test_random_kills_lose_and_double_nothing(tmp_path, nursery, version):
    figures = await soak(tmp_path, nursery, version, KILLS, seed=version)

    assert figures.lost == ()
    assert figures.effects == ()
    assert figures.kills == KILLS
    assert figures.transactions > 0
