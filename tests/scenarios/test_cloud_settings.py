"""What the cloud sets takes effect; what it reads is true; whom it lists may charge without it."""

import pytest

from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless, words_of

EACH_CLOUD = pytest.mark.parametrize("cloud_version", VERSIONS)
PAIRS = [
    pytest.param(station, cloud, id=f"station {station[4:]}, cloud {cloud[4:]}")
    for station in VERSIONS
    for cloud in VERSIONS
]
INTERVAL = ("MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval")


async def values(cloud, *keys):
    """Return 1.6 configuration keys by name."""
    answer = await cloud.call("GetConfiguration", {"key": list(keys)})
    return {row["key"]: row.get("value") for row in answer["configurationKey"]}


async def variables(cloud, *names):
    """Return 2.0.1 variables: status and value, in the order asked."""
    asked = [
        {"component": {"name": component}, "variable": {"name": variable}}
        for component, variable in (name.split(".") for name in names)
    ]
    answer = await cloud.call("GetVariables", {"getVariableData": asked})
    return [
        (result["attributeStatus"], result.get("attributeValue"))
        for result in answer["getVariableResult"]
    ]


# 1.6 keys.


@pytest.mark.parametrize("keys", [{}, {"key": []}], ids=["no list", "an empty list"])
async def test_a_1_6_cloud_reads_every_key(depot_of, keys):
    async with depot_of("ocpp1.6") as depot:
        await depot.registered()

        answer = await depot.cloud.call("GetConfiguration", keys)

        told = {row["key"]: row for row in answer["configurationKey"]}
        assert told["NumberOfConnectors"] == {
            "key": "NumberOfConnectors",
            "value": "3",
            "readonly": True,
        }
        assert len(told) > 25
        assert not any("Password" in key or "AuthorizationKey" in key for key in told)
        assert "unknownKey" not in answer
        assert is_blameless(depot.cloud)


async def test_a_1_6_cloud_reads_some_keys_and_is_told_which_are_unknown(depot_of):
    async with depot_of("ocpp1.6") as depot:
        await depot.registered()

        asked = {"key": ["HeartbeatInterval", "NoSuchKey"]}
        answer = await depot.cloud.call("GetConfiguration", asked)

        assert [row["key"] for row in answer["configurationKey"]] == ["HeartbeatInterval"]
        assert answer["unknownKey"] == ["NoSuchKey"]
        assert is_blameless(depot.cloud)


# 2.0.1 variables.


async def test_a_2_0_1_cloud_reads_variables_one_by_one(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        await depot.registered()

        told = await variables(
            depot.cloud,
            "OCPPCommCtrlr.HeartbeatInterval",
            "OCPPCommCtrlr.NoSuch",
            "NoSuchCtrlr.HeartbeatInterval",
        )

        assert told == [("Accepted", "300"), ("UnknownVariable", None), ("UnknownComponent", None)]
        assert is_blameless(depot.cloud)


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ("FullInventory", "Accepted"),
        ("ConfigurationInventory", "Accepted"),
        ("SummaryInventory", "NotSupported"),
    ],
)
async def test_a_base_report_comes_in_numbered_parts_until_there_is_no_more(
    depot_of, base, status, monkeypatch
):
    monkeypatch.setattr("gateway.upward.ROWS_PER_REPORT", 10)
    async with depot_of("ocpp2.0.1") as depot:
        await depot.registered()
        words = words_of(depot)
        await words.send_list(3, {"CARD-1": "Accepted", "CARD-2": "Blocked"})

        asked = {"requestId": 7, "reportBase": base}
        answer = await depot.cloud.call("GetBaseReport", asked)
        if status == "Accepted":
            await depot.cloud.until(lambda: heard(depot.cloud, "NotifyReport", tbc=False), 20)

        parts = heard(depot.cloud, "NotifyReport")
        rows = [row for part in parts for row in part["reportData"]]
        mutable = {row["variableAttribute"][0]["mutability"] for row in rows}
        sizes = [
            row["variableAttribute"][0]["value"]
            for row in rows
            if (row["component"]["name"], row["variable"]["name"])
            == ("LocalAuthListCtrlr", "Entries")
        ]
        assert answer["status"] == status
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))  # B07.FR.10
        assert {part["requestId"] for part in parts} <= {7}
        assert [part["tbc"] for part in parts[:-1]] == [True] * (len(parts) - 1 if parts else 0)
        if base == "FullInventory":
            assert mutable == {"ReadOnly", "ReadWrite"}
            assert sizes == ["2"]
        if base == "ConfigurationInventory":
            assert mutable == {"ReadWrite"}  # B07.FR.07
        assert is_blameless(depot.cloud)


# What is set.


@EACH_CLOUD
async def test_the_heartbeat_interval_holds_at_once(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        words = words_of(depot)
        before = len(heard(depot.cloud, "Heartbeat"))

        status = await words.set("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", "1")
        await depot.cloud.until(lambda: len(heard(depot.cloud, "Heartbeat")) > before + 1, 20)

        assert status == "Accepted"
        assert is_blameless(depot.cloud)


@EACH_CLOUD
async def test_what_nobody_would_act_upon_cannot_be_set(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        words = words_of(depot)

        statuses = [
            await words.set("NumberOfConnectors", "ChargingStation.Available", "9"),
            await words.set("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", "soon"),
            await words.set("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", "0"),
            await words.set("AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart", "true"),
        ]
        unknown = await words.set("NoSuchKey", "NoSuchCtrlr.X", "1")

        assert statuses == ["Rejected"] * 4
        assert unknown == {"ocpp1.6": "NotSupported"}.get(cloud_version, "UnknownComponent")
        assert is_blameless(depot.cloud)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_what_stations_must_do_reaches_them_now_and_later(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        there = await depot.station("CP-01", station_version)
        await depot.set_up(there)
        await depot.registered()
        await there.settled()

        status = await words_of(depot).set("ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut", "33")
        late = await depot.station("CP-02", station_version)

        def timeout_of(bench):
            if station_version == "ocpp1.6":
                return bench.station.configuration.values["ConnectionTimeOut"]
            return bench.station.variables.get("TxCtrlr.EVConnectionTimeOut")

        await there.until(lambda: timeout_of(there) == "33")
        await late.until(lambda: timeout_of(late) == "33")
        assert status == "Accepted"
        assert is_blameless(depot.cloud, there, late)


async def test_what_was_set_while_a_station_was_away_reaches_it_when_it_returns(
    depot_of, monkeypatch
):
    monkeypatch.setattr("gateway.arrivals.BOOT_GRACE_S", 0.01)
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await depot.registered()
        bench.link.go_away()
        await depot.until(lambda: not depot.gateway.state.stations["CP-01"].is_connected)

        await words_of(depot).set("ConnectionTimeOut", "", "33")
        bench.link.come_back()
        settings = bench.station.configuration.values
        await bench.until(lambda: settings["ConnectionTimeOut"] == "33")

        assert bench.station.talk.violations == []


@EACH_CLOUD
async def test_settings_outlive_a_restart(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        await words_of(depot).set(*INTERVAL, "77")
        await depot.stop()
        await depot.start()
        await depot.registered()

        if cloud_version == "ocpp1.6":
            assert await values(depot.cloud, INTERVAL[0]) == {INTERVAL[0]: "77"}
        else:
            assert await variables(depot.cloud, INTERVAL[1]) == [("Accepted", "77")]


# How often the cloud is told.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_the_cloud_gets_samples_as_often_as_it_asked_and_the_balancer_all(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", station_version)
        await depot.set_up(bench)
        await depot.registered()
        assert await words_of(depot).set(*INTERVAL, "60") == "Accepted"
        await bench.charge(Car())
        energies = set()
        for _ in range(31):  # the station is asked for a sample every 10 s
            bench.pass_time(10)
            await bench.settled()
            energies.add(depot.evse("CP-01").energy_wh)
        await bench.leave()
        await depot.delivered()

        (transaction,) = depot.cloud.transactions
        (book,) = bench.books
        sampled = [at for at, _ in transaction.readings if book.started_at < at < book.ended_at]
        assert book.meter_values_sent >= 30
        assert len(sampled) in (5, 6)
        assert len(energies) >= 30
        assert (transaction.start_wh, transaction.stop_wh) == (book.start_wh, book.stop_wh)
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_a_cloud_that_wants_more_samples_than_the_balancer_gets_them(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await depot.registered()

        await words_of(depot).set(*INTERVAL, "4")

        await bench.until(lambda: bench.station.meter_interval_s == 4)
        await words_of(depot).set(*INTERVAL, "900")
        await bench.until(lambda: bench.station.meter_interval_s == 10)
        assert is_blameless(depot.cloud, bench)


# Who may charge.


@EACH_CLOUD
async def test_the_local_list_says_who_may_charge_without_the_cloud(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-02", "ocpp1.6")
        await depot.registered()
        words = words_of(depot)

        empty = await words.list_version()
        first = await words.send_list(4, {"CARD-1": "Accepted", "CARD-2": "Accepted"})
        update = await words.send_list(5, {"CARD-2": None, "CARD-3": "Accepted"}, is_full=False)
        stale = await words.send_list(5, {"CARD-9": "Accepted"}, is_full=False)
        version = await words.list_version()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        await bench.charge(Car(), token="CARD-3", evse_id=1)
        bench.link.plug_in(2, Car())
        bench.link.present(2, "CARD-2")
        await bench.settled()

        assert (empty, first, update, stale, version) == (
            0,
            "Accepted",
            "Accepted",
            "VersionMismatch",
            5,
        )
        assert bench.station.visits[1].transaction is not None
        assert bench.station.visits[2].transaction is None


@EACH_CLOUD
async def test_a_cleared_cache_has_forgotten_and_the_list_has_not(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        words = words_of(depot)
        await words.send_list(1, {"CARD-1": "Accepted"})
        await bench.charge(Car(), token="CARD-2")
        await bench.leave("CARD-2")
        await depot.delivered()

        answer = await depot.cloud.call("ClearCache", {})
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        bench.link.plug_in(1, Car())
        bench.link.present(1, "CARD-2")
        await bench.settled()
        refused = bench.station.visits[1].transaction is None
        bench.link.present(1, "CARD-1")
        await bench.until(lambda: bench.station.visits[1].transaction)

        assert answer["status"] == "Accepted"
        assert refused


@EACH_CLOUD
async def test_without_pre_authorization_the_cloud_is_asked_about_every_token(
    depot_of, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        words = words_of(depot)
        await words.send_list(1, {"CARD-1": "Accepted"})
        depot.cloud.behaviour.verdicts["CARD-1"] = "Blocked"

        status = await words.set("LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize", "false")
        bench.link.plug_in(1, Car())
        bench.link.present(1, "CARD-1")
        await bench.settled()

        assert status == "Accepted"
        assert bench.station.visits[1].transaction is None
        assert is_blameless(depot.cloud, bench)


# What waits.


async def test_a_transaction_status_tells_what_still_waits_for_the_cloud(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await depot.delivered()
        (transaction,) = depot.cloud.transactions

        async def asked(transaction_id=None):
            payload = {"transactionId": transaction_id} if transaction_id else {}
            return await depot.cloud.call("GetTransactionStatus", payload)

        running = await asked(transaction.transaction_id)
        depot.cloud.behaviour.errors["TransactionEvent"] = ["InternalError"] * 5
        await bench.leave()
        await depot.until(lambda: not depot.cloud.behaviour.errors["TransactionEvent"][4:])
        refused = await asked(transaction.transaction_id)
        of_all = await asked()
        unknown = await asked("no-such")

        assert running == {"ongoingIndicator": True, "messagesInQueue": False}  # E14.FR.02, .05
        assert refused == {"ongoingIndicator": False, "messagesInQueue": True}  # E14.FR.03, .04
        assert of_all == {"messagesInQueue": True}  # E14.FR.06, .07
        assert unknown == {"ongoingIndicator": False, "messagesInQueue": False}  # E14.FR.01
        assert is_blameless(depot.cloud, bench)
