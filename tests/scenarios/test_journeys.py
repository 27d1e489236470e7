"""On a whole site: every message of a transaction can be followed from the station to the cloud."""

import asyncio
import json

import httpx
import pytest

from gateway.adapters.store_journeys import NO_MESSAGE
from gateway.operations import TraceQuery
from gateway.simulation.cars import Car
from tests.interop.transcripts import Transcript
from tests.scenarios.conftest import PATIENCE_S

WEB = {
    "listen": "127.0.0.1:0",
    "tokens": [{"name": "tablet", "role": "operator", "token": "operator-secret"}],
}
HEADERS = {"Authorization": "Bearer operator-secret"}


async def asked(depot, path):
    async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as client:
        answer = await client.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer


def calls(depot, name, direction):
    """Message id -> action of every CALL that passed a socket."""
    entries = depot.gateway.trace.find(TraceQuery(name, 10_000, direction=direction))
    frames = [json.loads(entry.frame) for entry in entries]
    return {frame[1]: frame[2] for frame in frames if frame[0] == 2}


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_transaction_is_followed_frame_by_frame(depot_of, version):
    async with depot_of(version, web=WEB) as depot:
        await depot.registered()
        bench = await depot.station("CP-01", version)
        await bench.charge(Car())
        bench.pass_time(60)
        await bench.settled()
        await bench.leave()
        await depot.delivered()
        (transaction,) = (await asked(depot, "/transactions")).json()
        await steps_once(depot, transaction["number"], is_confirmed)

        journey = (await asked(depot, f"/transactions/{transaction['number']}/journey")).json()
        recording = (await asked(depot, "/messages?format=jsonl&limit=50000")).text

        steps = journey["steps"]
        from_station, to_cloud = calls(depot, "CP-01", "in"), calls(depot, "cloud", "out")
        assert (steps[0]["kind"], steps[-1]["kind"]) == ("Started", "Ended")
        for step in steps:
            assert step["state"] == "confirmed", step
            assert step["station_message_id"] in from_station
            if step["note"] == NO_MESSAGE:  # 1.6 has no word for a charging state
                assert (version, step["cloud_message_id"]) == ("ocpp1.6", None)
                continue
            assert step["cloud_message_id"] in to_cloud
            assert step["received_at"] <= step["sent_at"] <= step["settled_at"]
        assert recorded(recording, depot).transactions


def is_confirmed(steps):
    return all(step.state == "confirmed" for step in steps)


async def steps_once(depot, number, condition):
    """Return the steps of a journey once they are as they should be: their commit may be late."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            steps = (await depot.gateway.operations.journey(number)).steps
            if condition(steps):
                return steps
            await asyncio.sleep(0.02)


def recorded(text, depot):
    """Read what was downloaded as our transcript reader does, the cloud's socket left out."""
    path = depot.data_dir / "messages.jsonl"
    lines = [line for line in text.splitlines() if json.loads(line)["cp"] == "CP-01"]
    path.write_text("\n".join(lines) + "\n")
    return Transcript.load(path)


async def test_what_waits_is_seen_and_its_end_once_the_cloud_is_back(depot_of):
    async with depot_of("ocpp1.6") as depot:
        await depot.registered()
        bench = await depot.station("CP-01", "ocpp1.6")
        await bench.charge(Car())
        await depot.delivered()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        number = depot.gateway.parts.books.running()[0].number
        await bench.leave()
        away = (await depot.gateway.operations.journey(number)).steps[-1]

        await depot.cloud.come_back()
        await depot.delivered()
        back = await steps_once(depot, number, is_confirmed)

        assert (away.kind, away.state, away.is_offline) == ("Ended", "waiting", True)
        assert back[-1].row_id == away.row_id
        assert back[-1].station_message_id == away.station_message_id


async def test_after_three_months_the_way_is_forgotten_and_the_transaction_is_not(depot_of):
    async with depot_of("ocpp1.6") as depot:
        await depot.registered()
        bench = await depot.station("CP-01", "ocpp1.6")
        await bench.charge(Car())
        await bench.leave()
        await depot.delivered()
        (transaction,) = await depot.gateway.operations.transactions(None, None)
        assert await steps_once(depot, transaction.number, is_confirmed)

        depot.clock.now += 91 * 24 * 3600
        depot.clock.skipped_s += 3601

        assert await steps_once(depot, transaction.number, lambda steps: not steps) == ()
