"""What a station accepted is asked back; and what it tells late is billed, never steered by."""

import pytest

from gateway.simulation.cars import Car
from gateway.simulation.quirks import Quirks
from load_balancer.phases import PhaseCurrents

VERSIONS = ["ocpp1.6", "ocpp2.0.1"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_accepts_the_safe_default_and_ignores_it_is_named(depot_of, version):
    async with depot_of("ocpp1.6") as depot:
        await depot.registered()
        good = await depot.station("CP-01", version)
        bad = await depot.station("CP-02", version, quirks=Quirks(ignores_limits=True))
        await depot.set_up(good)
        await depot.set_up(bad)
        stations = depot.gateway.state.stations

        await good.charge(Car(max_current_a=32), token="A")
        await bad.charge(Car(max_current_a=32), token="B")
        await depot.until(lambda: stations["CP-02"].safe_default_doubt)

        assert "would be allowed 32 A without us" in stations["CP-02"].notes[-1]
        asked = [action for action, _ in good.station.commands_heard]
        assert asked.count("GetCompositeSchedule") == 1
        assert stations["CP-01"].safe_default_doubt is None
        await depot.until(lambda: "safe_default" in depot.gateway.state.problems)
        reasons = depot.gateway.operations.health()["reasons"]
        assert "safe current not proved: CP-02" in reasons


@pytest.mark.parametrize("version", VERSIONS)
async def test_samples_that_waited_in_a_station_are_billed_and_steer_nothing(depot_of, version):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", version)
        await depot.registered()
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))
        await depot.delivered()
        bench.link.go_away()
        await bench.until(lambda: not bench.station.talk.is_connected)
        bench.pass_time(300)
        evse = depot.evse("CP-01")
        evse.measured = evse.measured_at = None
        depot.clock.now += 60  # the newest of its samples is a minute old
        heard = len(depot.cloud.transactions[0].readings)

        bench.link.come_back()
        await bench.settled()
        await depot.delivered()

        assert (evse.measured, evse.measured_at) == (None, None)
        assert depot.gateway.state.stations["CP-01"].is_connected
        assert len(depot.cloud.transactions[0].readings) > heard + 20


async def test_what_a_station_tells_late_does_not_replace_what_is_newer(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await bench.charge(Car(max_current_a=32))
        evse = depot.evse("CP-01")
        newer = (PhaseCurrents(1, 2, 3), depot.clock.monotonic() + 3600)
        evse.measured, evse.measured_at = newer

        bench.pass_time(30)
        await bench.settled()

        assert (evse.measured, evse.measured_at) == newer
