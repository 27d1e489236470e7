"""Recorded stations of three public simulators below the real gateway, a strict cloud above it."""

from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from tests.interop.transcripts import (
    CALL,
    CALLRESULT,
    REMOTE_STARTS,
    REMOTE_STOPS,
    RecordedStation,
    Transcript,
    instant,
)
from tests.scenarios.conftest import Depot, HandClock, site_of

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "transcripts"
CLOUDS = ["ocpp1.6", "ocpp2.0.1"]

PLACES = {
    "microocpp-1.6": {("MO16", 1): 2, ("MO16", 2): 1},
    "microocpp-2.0.1": {("MO201", 1): 2, ("MO201", 2): 1},
    "sap-1.6": {("CS-KEBA-00001", 1): 2, ("CS-KEBA-00002", 1): 1},
    "sap-2.0.1": {("CS-KEBA-OCPP2-00001", 1): 2, ("CS-KEBA-OCPP2-00002", 1): 1},
    "vcp-1.6": {("VCP16", 1): 1},
    "vcp-2.0.1": {("VCP201", 1): 1},
    "vcp-2.1": {("VCP21", 1): 1},
}
"""The number upstream of each recorded EVSE: another than its own, where there is a choice."""


BILLED_WH = {"CARD4": {8: 55}}
"""Instead of its meterStop: MicroOcpp 1.6 restarted in mid-transaction at 47 Wh, and its register
began at 0 again."""

REMOTE_START_ID = 4242


def transcript_of(name):
    path = FOLDER / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    return Transcript.load(path)


class RecordedClock(HandClock):
    """The clock on everybody's wall shows the time of the recording."""

    def __init__(self, began):
        super().__init__()
        self.at = began

    def wall(self) -> datetime:
        return self.at


class Replay:
    """One recording played below a running gateway."""

    def __init__(self, transcript, places, depot, cloud_version):
        self.transcript, self.places, self.depot = transcript, places, depot
        self.cloud, self._cloud_version = depot.cloud, cloud_version
        url = f"ws://127.0.0.1:{depot.listening.csms_port}/ocpp"
        self.stations = {
            identity: RecordedStation(transcript, identity, url) for identity in transcript.openings
        }

    async def play(self, *, once_booted=None):
        """Play the whole recording; `once_booted` is waited for before a booted station goes on."""
        await self.depot.registered()
        for record in self.transcript.records:
            self.depot.clock.at = instant(record["t"])
            await self._play(record)
            frame = record.get("frame")
            is_boot = record["ev"] == "in" and frame[0] == CALL and frame[2] == "BootNotification"
            if once_booted is not None and is_boot:
                await self.depot.until(once_booted)
        await self.depot.delivered()

    async def _play(self, record):
        station, frame = self.stations.get(record["cp"]), record.get("frame")
        match record["ev"]:
            case "open":
                await station.open(record)
            case "close":
                await station.close(record["code"])
            case "in" if frame[0] == CALL:
                await station.say(frame)
            case "out" if frame[0] == CALL and frame[2] in REMOTE_STARTS:
                assert await self._start(record["cp"], frame[3]) == "Accepted"
            case "out" if frame[0] == CALL and frame[2] in REMOTE_STOPS:
                assert await self._stop(frame[3]["transactionId"]) == "Accepted"

    async def _start(self, identity, recorded):
        """Let today's cloud ask for what the CSMS of the recording asked for."""
        evse_id = recorded.get("connectorId", recorded.get("evseId"))
        cloud_evse = self.places[identity, evse_id]
        token = recorded.get("idTag") or recorded["idToken"]["idToken"]
        if self._cloud_version == "ocpp1.6":
            asked = {"connectorId": cloud_evse, "idTag": token}
            return (await self.cloud.call("RemoteStartTransaction", asked))["status"]
        asked = {
            "evseId": cloud_evse,
            "remoteStartId": REMOTE_START_ID,
            "idToken": {"idToken": token, "type": "Central"},
        }
        return (await self.cloud.call("RequestStartTransaction", asked))["status"]

    async def _stop(self, recorded_id):
        told = self.transcript.transactions[recorded_id]
        await self.depot.delivered()  # the cloud stops what it has heard of
        books = self.cloud.stations["DEPOT"].books
        transaction_id = books.running_on(self.places[told.station, told.evse_id]).transaction_id
        if self._cloud_version == "ocpp1.6":
            asked = {"transactionId": int(transaction_id)}
            return (await self.cloud.call("RemoteStopTransaction", asked))["status"]
        asked = {"transactionId": transaction_id}
        return (await self.cloud.call("RequestStopTransaction", asked))["status"]

    # What came of it.

    @property
    def refused(self):
        return [
            (identity, action, answer)
            for identity, station in self.stations.items()
            for action, answer in station.answered
            if answer[0] != CALLRESULT
        ]

    @property
    def told(self):
        """Return what the stations said: (EVSE upstream, token, Wh, Wh, began, ended)."""
        return sorted(
            (
                self.places[told.station, told.evse_id],
                told.token,
                self._heard(told.start_wh),
                self._heard(BILLED_WH.get(told.token, {}).get(told.stop_wh, told.stop_wh)),
                told.started_at,
                told.ended_at,
            )
            for told in self.transcript.transactions.values()
        )

    def _heard(self, register_wh):
        """Return a register as the cloud can be told it: meterStart and meterStop are whole Wh."""
        is_whole = self._cloud_version == "ocpp1.6" and register_wh is not None
        return round(register_wh) if is_whole else register_wh

    @property
    def billed(self):
        return sorted(
            (
                booked.evse_id,
                booked.id_token,
                booked.start_wh,
                None if booked.is_running else booked.stop_wh,
                booked.started_at,
                booked.ended_at,
            )
            for booked in self.cloud.transactions
        )


@pytest.fixture
async def replay_of(tmp_path):
    """`async with replay_of("sap-1.6", "ocpp2.0.1") as replay`: ready to be played."""

    @asynccontextmanager
    async def ready(name, cloud_version):
        transcript, places = transcript_of(name), PLACES[name]
        clock = RecordedClock(instant(transcript.records[0]["t"]))
        behaviour = CloudBehaviour(evse_count=len(places))
        strict = Cloud(protocols=[cloud_version], behaviour=behaviour, wall_clock=clock.wall)
        stations = {}
        for (identity, evse_id), cloud_evse in places.items():
            station = stations.setdefault(
                identity, {"circuit": "grid", "safe_current_a": 6, "evses": {}}
            )
            station["evses"][evse_id] = {"cloud_evse": cloud_evse}
        if name == "vcp-1.6":
            stations["VCP16"]["password"] = "secret0123456789"
        async with strict as cloud:
            depot = Depot(site_of(cloud, stations), cloud, tmp_path / "data", clock)
            await depot.start()
            try:
                yield Replay(transcript, places, depot, cloud_version)
            finally:
                await depot.close()

    return ready


RECORDED = pytest.mark.parametrize("name", [name for name in PLACES if name != "vcp-2.1"])
BEFORE = pytest.mark.parametrize("cloud_version", CLOUDS)


@RECORDED
@BEFORE
async def test_a_recorded_station_is_understood_and_billed_as_it_says(
    replay_of, name, cloud_version, monkeypatch
):
    # A 1.6 start without register waits for its first meter value, which here comes at once.
    monkeypatch.setattr("gateway.cloud_speech.TOKEN_WAIT_S", 0.05)
    async with replay_of(name, cloud_version) as replay:
        await replay.play()

        assert replay.refused == []
        assert replay.billed == replay.told
        assert replay.cloud.violations == []
        assert replay.cloud.complaints == []


@pytest.mark.parametrize("name", ["microocpp-1.6", "microocpp-2.0.1", "vcp-1.6", "vcp-2.0.1"])
async def test_a_recorded_remote_start_carries_the_id_of_today_s_cloud(replay_of, name):
    async with replay_of(name, "ocpp2.0.1") as replay:
        await replay.play()

        remote = [told.token == "APP1" for told in replay.transcript.transactions.values()]
        assert [booked.remote_start_id for booked in replay.cloud.transactions] == [
            REMOTE_START_ID if is_remote else None for is_remote in remote
        ]


async def test_a_recorded_station_that_takes_watts_alone_is_limited_in_watts(replay_of):
    def profiles(replay):
        asked = replay.stations["MO16"].asked
        return [payload for action, payload in asked if action == "SetChargingProfile"]

    async with replay_of("microocpp-1.6", "ocpp1.6") as replay:
        await replay.play(once_booted=lambda: profiles(replay))

        units = {
            payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
            for payload in profiles(replay)
        }
        assert units == {"W"}


async def test_a_recorded_station_without_profiles_charges_and_is_noted(replay_of):
    async with replay_of("microocpp-2.0.1", "ocpp2.0.1") as replay:
        await replay.play()

        (note,) = replay.depot.gateway.state.stations["MO201"].notes
        assert note.startswith("refused the safe default of 6 A")
        assert len(replay.billed) == 4


async def test_a_recorded_station_that_speaks_2_1_alone_is_told_what_to_offer(replay_of):
    async with replay_of("vcp-2.1", "ocpp2.0.1") as replay:
        station = replay.stations["VCP21"]
        (opening,) = [record for record in replay.transcript.records if record["ev"] == "open"]
        closed = await station.turned_away(opening)

        assert (closed.code, closed.reason) == (1002, "offer ocpp2.0.1 or ocpp1.6")
        assert not replay.depot.gateway.state.stations["VCP21"].is_connected
