"""A contract on a running site: it reaches the car and is named."""

from gateway.simulation.cars import Car
from tests.scenarios.test_limits import live


async def test_a_contract_below_the_fuse_holds_the_car_and_is_named(depot_of):
    circuits = {"grid": {"rating_a": [63, 63, 50], "contract_a": 9}}
    async with depot_of("ocpp1.6", circuits=circuits) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))

        await live(bench, depot, lambda: bench.limit_a() == 9.0, speed=5)

        reason = depot.evse("CP-01").limited_by
        assert (reason.rule, reason.circuit, reason.value_a) == ("contract", "grid", 9.0)
