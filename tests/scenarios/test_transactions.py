"""The cloud bills what the stations measured: in every pair of versions, through every outage."""

from functools import partial

import orjson
import pytest
from websockets.asyncio.server import serve

from gateway.registration import BackOff
from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import words_of

VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
PAIRS = [
    pytest.param(station, cloud, id=f"station {station[4:]}, cloud {cloud[4:]}")
    for station in VERSIONS
    for cloud in VERSIONS
]


def truth_of(depot, *benches):
    """Every transaction as the stations know it, in the cloud's EVSE numbers."""
    return sorted(
        (
            depot.evse(book.identity, book.evse_id).cloud_evse,
            book.id_token,
            book.start_wh,
            book.stop_wh,
            book.started_at,
            book.ended_at,
        )
        for bench in benches
        for book in bench.books
    )


def billed_by(cloud):
    return sorted(
        (
            booked.evse_id,
            booked.id_token,
            booked.start_wh,
            booked.stop_wh,
            booked.started_at,
            booked.ended_at,
        )
        for booked in cloud.transactions
    )


def is_blameless(cloud):
    assert cloud.violations == []
    assert [c.text for c in cloud.complaints] == []
    return True


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_transaction_is_billed_as_measured(depot_of, station_version, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-02", station_version)
        await depot.registered()
        await bench.charge(Car(), evse_id=2)
        for _ in range(5):
            bench.pass_time(60)
            await bench.settled()
        await bench.leave(evse_id=2)
        await depot.delivered()

        assert bench.books[0].energy_wh > 100
        assert billed_by(depot.cloud) == truth_of(depot, bench)
        assert depot.cloud.transactions[0].evse_id == 3
        assert len(depot.cloud.transactions[0].readings) >= 5
        assert is_blameless(depot.cloud)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_an_outage_in_mid_transaction_loses_and_doubles_nothing(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", station_version)
        await depot.registered()
        await bench.charge(Car())
        await depot.delivered()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        bench.pass_time(60)
        await bench.leave()
        await bench.charge(Car(), token="CARD-1")
        bench.pass_time(60)
        await bench.leave()
        assert depot.gateway.outbox.depth().pending > 0

        await depot.cloud.come_back()
        await depot.registered()
        await depot.delivered()

        assert len(bench.books) == 2
        assert billed_by(depot.cloud) == truth_of(depot, bench)
        assert is_blameless(depot.cloud)
        if cloud_version == "ocpp2.0.1":
            assert depot.cloud.transactions[1].offline_messages > 0


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_restart_in_mid_transaction_goes_on_with_it(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version, csms={"listen": "127.0.0.1:0"}) as depot:
        bench = await depot.station("CP-01", station_version)
        await depot.registered()
        await bench.charge(Car())

        port = depot.listening.csms_port
        await depot.stop()
        bench.pass_time(30)
        depot.site = depot.site.model_copy(
            update={"csms": depot.site.csms.model_copy(update={"listen": f"127.0.0.1:{port}"})}
        )
        await depot.start()
        assert depot.evse("CP-01").transaction_id is not None
        await bench.settled()
        bench.pass_time(30)
        await bench.leave()
        await depot.registered()
        await depot.delivered()

        assert len(bench.books) == 1
        assert billed_by(depot.cloud) == truth_of(depot, bench)
        assert is_blameless(depot.cloud)
        assert depot.evse("CP-01").transaction_id is None


async def test_three_evses_keep_their_numbers_when_they_start_together(depot_of):
    async with depot_of("ocpp1.6") as depot:
        one = await depot.station("CP-01", "ocpp1.6")
        two = await depot.station("CP-02", "ocpp2.0.1")
        await depot.registered()
        for bench, evse_id, token in ((one, 1, "A"), (two, 1, "B"), (two, 2, "C")):
            bench.link.plug_in(evse_id, Car())
            bench.link.present(evse_id, token)
        await one.until(lambda: one.station.visits[1].transaction)
        await two.until(lambda: all(two.station.visits[n].transaction for n in (1, 2)))
        for bench in (one, two):
            bench.pass_time(60)
            await bench.settled()
        await one.leave("A")
        await two.leave("B", 1)
        await two.leave("C", 2)
        await depot.delivered()

        assert billed_by(depot.cloud) == truth_of(depot, one, two)
        assert {booked.evse_id: booked.id_token for booked in depot.cloud.transactions} == {
            1: "A",
            2: "B",
            3: "C",
        }
        assert is_blameless(depot.cloud)


@pytest.mark.parametrize("cloud_version", VERSIONS)
async def test_a_cloud_that_takes_no_long_message_gets_everything_in_shorter_ones(
    depot_of, cloud_version, monkeypatch
):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        await words_of(depot).send_list(1, {"CARD-1": "Accepted"})
        bench = await depot.station("CP-01", "ocpp1.6", meter_interval_s=10)
        depot.gateway.cloud.registration.back_off = BackOff(0.02, 0.0, 0)
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        await bench.charge(Car())
        bench.pass_time(900)
        await bench.leave()

        monkeypatch.setattr("gateway.simulation.cloud.serve", partial(serve, max_size=6000))
        await depot.cloud.come_back()
        await depot.delivered()

        longest = max(len(call.payload.get("meterValue", ())) for call in depot.cloud.heard)
        settings = (await depot.gateway.store.load()).settings
        kept = {setting.key: setting.value for setting in settings}
        assert 1 < longest < 10
        assert billed_by(depot.cloud) == truth_of(depot, bench)
        assert is_blameless(depot.cloud)
        assert orjson.loads(kept["outbox/merge_bound"])["values"] == longest
        assert (await depot.gateway.store.quarantined()) == []
