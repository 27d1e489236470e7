"""What goes wrong with transactions, on whole sites: the cloud's books stay true, and say so."""

import pytest

from gateway.simulation.cars import Car
from gateway.simulation.quirks import Quirks
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless

STRANGE_TIMES = Quirks(ignores_time=True)


def lose_everything(bench):
    """The station's memory is gone: neither its transaction nor its queue is left."""
    bench.station.talk.closed(bench.clock.now)
    for message in bench.station.talk.pending:
        bench.station.talk._queue.remove(message)
    for evse_id, visit in bench.station.visits.items():
        bench.station.evses[evse_id].open_contactor(bench.clock.now)
        visit.transaction = visit.token = None
        visit.state = "Idle"
    bench.station.talk.forget_registration()
    bench.station.wants_reconnect = True
    bench.link.cut()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cloud_version", VERSIONS)
async def test_transaction_a_station_has_forgotten_is_closed_as_an_estimate(
    depot_of, version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", version)
        await depot.registered()
        await bench.charge(Car())
        bench.pass_time(60)
        await bench.settled()
        last_wh = depot.gateway.parts.books.open_on("CP-01", 1).register_last_wh
        lose_everything(bench)
        bench.link.unplug(1)
        await bench.settled()
        bench.pass_time(1)

        depot.clock.skipped_s += 601
        await depot.until(lambda: depot.evse("CP-01").transaction_id is None)
        await depot.delivered()

        (booked,) = depot.cloud.transactions
        assert not booked.is_running
        assert booked.stop_wh == last_wh
        assert booked.stop_reason in ("PowerLoss", "Other")
        (found,) = await depot.gateway.operations.transactions(None, None)
        assert found.is_estimated
        if cloud_version == "ocpp2.0.1":
            ended = heard(depot.cloud, "TransactionEvent", eventType="Ended")
            assert ended[0]["customData"] == {"vendorId": "site-gateway", "estimated": True}
        assert is_blameless(depot.cloud, bench)
