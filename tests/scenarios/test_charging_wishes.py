"""A car says what it wants: heard, answered, followed by a limit, kept over a restart."""

from datetime import timedelta

import httpx

from gateway.operations import TraceQuery
from gateway.simulation.cars import Car
from gateway.site_state import snapshot
from load_balancer.inputs import EvseKey
from tests.scenarios.test_journal import HEADERS, WEB

KEY = EvseKey("CP-02", 2)


def limits_sent(depot):
    entries = depot.gateway.trace.find(TraceQuery("CP-02", limit=1000))
    return sum('"SetChargingProfile"' in entry.frame for entry in entries)


def needs(evse_id, departs_at):
    return {
        "evseId": evse_id,
        "chargingNeeds": {
            "requestedEnergyTransfer": "AC_three_phase",
            "departureTime": departs_at.isoformat(),
            "acChargingParameters": {
                "energyAmount": 9000,
                "evMinCurrent": 6,
                "evMaxCurrent": 16,
                "evMaxVoltage": 230,
            },
        },
    }


async def test_K15_what_a_car_wants_is_kept_until_it_leaves_and_answered_by_a_limit(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-02", "ocpp2.0.1")
        await depot.set_up(bench)
        await depot.registered()
        await bench.charge(Car(), evse_id=2)
        profiles = limits_sent(depot)
        departs_at = depot.clock.wall() + timedelta(hours=2)
        answers = []

        bench.station.say(
            "NotifyEVChargingNeeds",
            needs(2, departs_at),
            depot.clock(),
            lambda payload, now: answers.append(payload),
        )
        bench.link.tick()
        await bench.settled()

        assert answers == [{"status": "Accepted"}]
        wish = depot.gateway.parts.wishes.of(KEY)
        assert (wish.energy_wh, wish.departs_at) == (9000, departs_at)
        await depot.until(lambda: depot.evse("CP-02", 2).wish == wish)
        evse = snapshot(depot.gateway.state, depot.clock.monotonic(), depot.clock.wall())
        assert evse["stations"]["CP-02"]["evses"]["2"]["wish"]["energy_wh"] == 9000
        await depot.until(lambda: limits_sent(depot) > profiles)

        await depot.stop()
        await depot.start_again()
        assert depot.gateway.parts.wishes.of(KEY) == wish

        await bench.settled()
        await bench.leave(evse_id=2)
        await depot.until(lambda: depot.gateway.parts.wishes.of(KEY) is None)


WISH = "/api/v1/stations/CP-02/evses/2/wish"


async def test_an_operators_word_outranks_the_cars_counts_from_when_it_was_said_and_is_kept(
    depot_of,
):
    async with depot_of("ocpp1.6", web=WEB) as depot:
        bench = await depot.station("CP-02", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=16), evse_id=2)
        bench.pass_time(120)
        await bench.settled()
        await depot.until(lambda: (depot.evse("CP-02", 2).energy_wh or 0) > 0)
        departs_at = depot.clock.wall() + timedelta(hours=2)
        wish = {"energy_wh": 9000, "departs_at": departs_at.isoformat()}
        past = {"departs_at": (depot.clock.wall() - timedelta(hours=1)).isoformat()}
        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            told = await http.put(WISH, json=wish)
            refused = [await http.put(WISH, json=body) for body in (past, {})]
            unknown = await http.put(WISH.replace("CP-02", "CP-09"), json=wish)

        assert told.status_code == 200
        assert [answer.status_code for answer in refused] == [422, 422]
        assert (unknown.status_code, "CP-01" in unknown.json()["error"]) == (404, True)
        kept = depot.gateway.parts.wishes.of(KEY)
        assert (kept.energy_wh, kept.told_by) == (9000, "tablet")
        assert kept.energy_before_wh == depot.evse("CP-02", 2).energy_wh
        await depot.stop()
        await depot.start_again()
        assert depot.gateway.parts.wishes.of(KEY) == kept
        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            assert (await http.delete(WISH)).status_code == 204
        assert depot.gateway.parts.wishes.of(KEY) is None
