"""A car says what it wants: heard, answered, followed by a limit, kept over a restart."""

from datetime import timedelta

from gateway.operations import TraceQuery
from gateway.simulation.cars import Car
from gateway.site_state import snapshot
from load_balancer.inputs import EvseKey

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
