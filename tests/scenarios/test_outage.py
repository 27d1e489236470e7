"""After hours without its cloud a site tells everything, in order, as fast as the way allows.

`tests/benchmarks/bench_outage.py` does the same with 40 EVSEs and a whole day.
"""

import pytest

from tests.scenarios.outage import outage

HOURS, EVSES, VISIT_MINUTES = 2, 8, 58
ROUND_TRIP_S = 0.15


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_an_outage_replays_completely_and_in_order(tmp_path, version):
    async with outage(tmp_path, version, evses=EVSES) as site:
        await site.endure(HOURS, VISIT_MINUTES)
        await site.drain(ROUND_TRIP_S, is_real=False)

    figures = site.figures
    assert figures.differences == []
    assert figures.rows == figures.accepted
    assert figures.values_per_call >= 10  # DESIGN §8
    assert figures.calls < figures.rows / 5
