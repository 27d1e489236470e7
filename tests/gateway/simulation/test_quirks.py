"""Each quirk does on the wire what its name says, and the cloud notices."""

import pytest

from gateway.simulation.cars import Car
from gateway.simulation.quirks import Quirks, sloppy


@pytest.mark.parametrize(
    ("quirks", "spoiled"),
    [
        pytest.param(Quirks(), {"n": 1, "timestamp": "2026-01-01T00:00:00Z", "b": True}, id="none"),
        pytest.param(
            Quirks(numbers_as_text=True),
            {"n": "1", "timestamp": "2026-01-01T00:00:00Z", "b": True},
            id="numbers as text",
        ),
        pytest.param(
            Quirks(zoneless_times=True),
            {"n": 1, "timestamp": "2026-01-01T00:00:00", "b": True},
            id="no zone",
        ),
        pytest.param(
            Quirks(extra_keys=True),
            {
                "n": 1,
                "timestamp": "2026-01-01T00:00:00Z",
                "b": True,
                "vendorBuild": "7.3-rc1",
            },
            id="extra key",
        ),
    ],
)
def test_payload(quirks, spoiled):
    payload = {"n": 1, "timestamp": "2026-01-01T00:00:00Z", "b": True}

    assert sloppy(payload, quirks) == spoiled


async def test_a_strict_cloud_refuses_extra_keys(cloud, bench):
    async with bench(quirks=Quirks(extra_keys=True)) as b:
        await cloud.until(lambda: cloud.violations)
        await b.link.until(lambda: b.station.talk.refusals)

        assert cloud.violations[0].action == "BootNotification"
        assert b.station.talk.registration is None


async def test_boots_after_every_reconnect(cloud, bench, blameless):
    async with bench(quirks=Quirks(boots_on_reconnect=True)) as b:
        await b.charge(Car())
        b.link.cut()
        await b.link.until(lambda: b.link.connections == 2)
        await b.settled()

        assert len(cloud.stations["CP-1"].boots) == 2
        assert cloud.transactions[0].is_running


async def test_statuses_before_boot(cloud, bench):
    async with bench(quirks=Quirks(statuses_before_boot=True)) as b:
        await b.settled()

        assert {c.rule for c in cloud.complaints} == {"boot first"}
        assert len(cloud.stations["CP-1"].boots) == 1


async def test_duplicates_are_noticed_and_booked_once(cloud, bench):
    async with bench(quirks=Quirks(duplicates_messages=True)) as b:
        await b.charge(Car())

        assert {"message id"} <= {c.rule for c in cloud.complaints}
        assert len(cloud.transactions) == 1


@pytest.mark.parametrize("version", ["ocpp2.0.1"], indirect=True)
async def test_seq_no_always_0(cloud, bench):
    async with bench(quirks=Quirks(seq_no_always_0=True)) as b:
        await b.charge(Car())

        assert "repetition" in {c.rule for c in cloud.complaints}


@pytest.mark.parametrize("version", ["ocpp1.6"], indirect=True)
async def test_the_register_begins_again_and_the_transaction_goes_on(cloud, bench):
    quirks = Quirks(register_resets_on_restart=True, keeps_transaction_on_restart=True)
    async with bench(quirks=quirks) as b:
        await b.charge(Car())
        b.pass_time(600)
        await b.settled()
        b.link.restart()
        await b.link.until(lambda: b.link.connections == 2)
        await b.settled()
        b.pass_time(120)
        b.link.unplug(1)
        await b.settled()

        assert "register" in {c.rule for c in cloud.complaints}
        assert len(cloud.transactions) == 1


PROFILE_16 = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}],
        },
    },
}


@pytest.mark.parametrize("version", ["ocpp1.6"], indirect=True)
@pytest.mark.parametrize(
    ("quirks", "status", "current_a"),
    [
        pytest.param(Quirks(), "Accepted", 0.0, id="obeys"),
        pytest.param(Quirks(watts_only=True), "Rejected", 16.0, id="W only"),
        pytest.param(Quirks(rejects_zero=True), "Rejected", 16.0, id="rejects 0 A"),
        pytest.param(Quirks(ignores_limits=True), "Accepted", 16.0, id="ignores limits"),
    ],
)
async def test_profiles(cloud, bench, quirks, status, current_a):
    async with bench(quirks=quirks) as b:
        await b.charge(Car())

        answer = await cloud.call("SetChargingProfile", PROFILE_16)
        b.pass_time(10)

        assert answer["status"] == status
        assert b.station.evses[1].currents_a[0] == current_a


async def test_draws_on_other_phases(bench):
    async with bench(quirks=Quirks(draws_on_other_phases=True)) as b:
        await b.charge(Car(phases=1))

        assert b.station.evses[1].currents_a == (0.0, 16.0, 0.0)
