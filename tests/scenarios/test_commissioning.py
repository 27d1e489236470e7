"""`commission` on a site whose fitter has turned the phases: real sockets, a real meter."""

import asyncio
import random

from gateway.commissioning.command import for_trial
from gateway.commissioning.findings import find
from gateway.commissioning.procedure import Procedure
from gateway.commissioning.report import yaml_lines
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from load_balancer.phases import PhaseCurrents, on_circuit

POLL_S = 0.1
SPEED = 8.0
"""Seconds of the site in one of the test."""


class TurnedGrid:
    """The EVSE's L1, L2, L3 sit on the grid's L2, L3, L1."""

    def __init__(self):
        self.benches = []
        self.dice = random.Random(1)

    def values(self):
        phases = [own + self.dice.uniform(-0.1, 0.1) for own in (7.0, 8.0, 9.0)]
        for bench in self.benches:
            drawn = on_circuit(PhaseCurrents(*bench.station.evses[1].currents_a), (1, 2, 0))
            phases = [own + more for own, more in zip(phases, drawn, strict=True)]
        powers = [230.0 * current_a for current_a in phases]
        return DecodedValues(
            currents=PhaseValues(*phases),
            voltages=PhaseValues(230.0, 230.0, 230.0),
            powers=PhaseValues(*powers),
            power_w=sum(powers),
            energy_import_wh=1000.0,
            energy_export_wh=0.0,
            frequency_hz=50.0,
        )


async def test_turned_phases_are_found_and_nothing_is_billed(depot_of):
    version = "ocpp1.6"
    grid = TurnedGrid()
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        sections = {
            "meters": {
                "grid": {
                    "model": "eastron-sdm630",
                    "url": f"tcp://127.0.0.1:{meter.port}",
                    "poll_s": POLL_S,
                    "max_age_s": 3.0,
                }
            },
            "circuits": {"grid": {"rating_a": 63, "meter": "grid"}},
        }

        def with_procedure(site):
            return {"commissioning": Procedure(site, only=frozenset({"CP-01"}))}

        async with depot_of(version, options=with_procedure, **sections) as depot:
            procedure = depot.options["commissioning"]
            await depot.stop()
            depot.site = for_trial(depot.site)
            await depot.start_again()
            bench = await depot.station("CP-01", version)
            await depot.set_up(bench)
            grid.benches.append(bench)
            await bench.charge(Car(phases=1, max_current_a=32), token="ANY-CARD")

            async with asyncio.timeout(120):
                while not procedure.is_over:
                    bench.pass_time(0.05 * SPEED, step_s=0.05)
                    depot.clock.skipped_s += 0.05 * (SPEED - 1)
                    await asyncio.sleep(0.05)

                procedure.end()
                while not procedure.is_at_rest:
                    bench.pass_time(0.05, step_s=0.05)
                    await asyncio.sleep(0.05)

            [finding] = [find(depot.site, change) for change in procedure.changes]
            assert finding.found_phases == ("L2", "L3", "L1")
            line = yaml_lines(depot.site, [finding])[-1]
            assert line == "      1: { phases: [L2, L3, L1], cloud_evse: 1 }"
            assert not depot.cloud.transactions
