"""A rectifier beside an AC station under one fuse: told and read in watts, protected in amperes."""

import pytest

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.evse import EvseHardware
from gateway.simulation.meter import SimulatedMeter
from tests.scenarios.living import Lively, live

RATING_A = 63.0
EFFICIENCY = 0.95
STATIONS = {
    "CP-01": {
        "circuit": "grid",
        "safe_current_a": 10,
        "evses": {1: {"power_type": "DC", "max_current_a": 80, "cloud_evse": 1}},
    },
    "CP-02": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {"cloud_evse": 2}}},
}


async def test_a_rectifier_shares_the_fuse_with_its_neighbour(depot_of):
    version = "ocpp2.0.1"
    grid = Lively(base_a=5.0)
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        sections = {
            "meters": {
                "grid": {
                    "model": "eastron-sdm630",
                    "url": f"tcp://127.0.0.1:{meter.port}",
                    "poll_s": 0.1,
                    "max_age_s": 5,
                }
            },
            "circuits": {"grid": {"rating_a": RATING_A, "meter": "grid"}},
            "stations": STATIONS,
        }
        async with depot_of(version, evse_count=2, **sections) as depot:
            hardware = EvseHardware(1, max_current_a=80, efficiency=EFFICIENCY, outlet_v=400.0)
            rectifier = await depot.station("CP-01", version, evses=(hardware,))
            wallbox = await depot.station("CP-02", version)
            for bench in (rectifier, wallbox):
                await depot.set_up(bench)
                grid.benches.append(bench)
            await rectifier.charge(Car(max_current_a=75, capacity_wh=90_000))

            await live([rectifier, wallbox], depot, lambda: rectifier.limit_a() > 50)
            await wallbox.charge(Car(max_current_a=32), token="CARD-2")
            await live([rectifier, wallbox], depot, lambda: wallbox.limit_a() > 20)

            evse = depot.evse("CP-01")
            assert evse.measured.l1 == pytest.approx(
                rectifier.station.evses[1].currents_a[0], rel=0.1
            )
            assert evse.limit_a + depot.evse("CP-02").limit_a + grid.base_a <= RATING_A + 0.5
            assert grid.highest_a <= RATING_A + 1.0
            assert depot.gateway.deliveries.forms["CP-01"].current.unit == "W"
