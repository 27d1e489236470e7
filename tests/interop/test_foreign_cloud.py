"""npm's ocpp-rpc as the cloud: strict schemas of its own make, and not one violation."""

import json

import pytest
from websockets.asyncio.client import connect

from gateway.simulation.cars import Car
from tests.interop.billing import billed_by
from tests.interop.foreign import foreign

STATIONS = ["ocpp1.6", "ocpp2.0.1"]


def truth_of(depot, *benches):
    """Every transaction as the stations know it, in the cloud's EVSE numbers."""
    return sorted(
        (
            depot.evse(book.identity, book.evse_id).cloud_evse,
            book.id_token,
            book.start_wh,
            book.stop_wh,
        )
        for bench in benches
        for book in bench.books
    )


async def charge_and_leave(depot, bench, evse_id=1, token="CARD-1"):
    await bench.charge(Car(), token, evse_id)
    for _ in range(3):
        bench.pass_time(60)
        await bench.settled()
    await bench.leave(token, evse_id)
    await depot.delivered()


@pytest.mark.parametrize("station_version", STATIONS)
async def test_a_foreign_1_6_cloud_bills_what_the_station_measured(foreign_depot, station_version):
    async with foreign_depot("ocpp1.6") as depot:
        bench = await depot.station("CP-02", station_version)
        await depot.registered()
        await charge_and_leave(depot, bench, evse_id=2)

        assert bench.books[0].energy_wh > 100
        assert billed_by("ocpp1.6", depot.cloud) == truth_of(depot, bench)
        assert len(depot.cloud.calls("MeterValues", connectorId=3)) >= 3
        assert len(depot.cloud.calls("Authorize")) == 1
        assert depot.cloud.faults == []


@pytest.mark.parametrize("station_version", STATIONS)
async def test_a_foreign_2_0_1_cloud_bills_what_the_station_measured(
    foreign_depot, station_version
):
    async with foreign_depot("ocpp2.0.1") as depot:
        bench = await depot.station("CP-02", station_version)
        await depot.registered()
        await charge_and_leave(depot, bench, evse_id=2)

        assert bench.books[0].energy_wh > 100
        assert billed_by("ocpp2.0.1", depot.cloud) == truth_of(depot, bench)
        updates = depot.cloud.calls("TransactionEvent", eventType="Updated")
        assert len([value for update in updates for value in update.get("meterValue", ())]) >= 3
        assert depot.cloud.faults == []


@pytest.mark.parametrize("version", STATIONS)
async def test_stations_of_both_versions_are_one_station_to_a_foreign_cloud(foreign_depot, version):
    async with foreign_depot(version) as depot:
        one = await depot.station("CP-01", "ocpp1.6")
        two = await depot.station("CP-02", "ocpp2.0.1")
        await depot.registered()
        for bench, evse_id, token in ((one, 1, "A"), (two, 1, "B"), (two, 2, "C")):
            await bench.charge(Car(), token, evse_id)
        for bench in (one, two):
            bench.pass_time(120)
            await bench.settled()
        await two.leave("C", 2)
        await two.leave("B", 1)
        await one.leave("A")
        await depot.delivered()

        assert [row[:2] for row in billed_by(version, depot.cloud)] == [
            (1, "A"),
            (2, "B"),
            (3, "C"),
        ]
        assert billed_by(version, depot.cloud) == truth_of(depot, one, two)
        assert {line["identity"] for line in depot.cloud.process.events("call")} == {"DEPOT"}
        assert len(depot.cloud.calls("BootNotification")) == 1
        assert depot.cloud.faults == []


@pytest.mark.parametrize(
    ("version", "kind", "frame"),
    [
        ("ocpp1.6", "violation", [2, "1", "BootNotification", {"chargePointVendor": "V"}]),
        ("ocpp2.0.1", "violation", [2, "1", "Heartbeat", {"extra": 1}]),
        ("ocpp2.0.1", "bad message", [3, "never-asked", {}]),
        ("ocpp1.6", "unexpected", [2, "1", "FirmwareStatusNotification", {"status": "Idle"}]),
    ],
    ids=["missing key", "extra key", "answer to nothing", "nothing it expects"],
)
async def test_the_foreign_cloud_finds_what_is_wrong(version, kind, frame):
    async with foreign("cloud.mjs", version) as process:
        port = (await process.first("listening"))["port"]
        async with connect(f"ws://127.0.0.1:{port}/ocpp/X", subprotocols=[version]) as socket:
            await socket.send(json.dumps(frame))
            await process.first(kind)

    assert [fault["event"] for fault in process.faults] == [kind]
