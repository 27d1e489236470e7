"""Time that passes for several stations at once, and the meter before them."""

import asyncio
import random

from gateway.meters.decode import DecodedValues, PhaseValues
from load_balancer.phases import PhaseCurrents, on_circuit, rotation

VOLTAGE_V = 230.0
SPEED = 12.0
"""Seconds of the site in one of the test."""


class Lively:
    """The grid connection point: a building that never stands still, and cars."""

    def __init__(self, base_a):
        self.base_a = base_a
        self.benches = []
        self.highest_a = 0.0
        self._dice = random.Random(1)

    def values(self):
        phases = [self.base_a + self._dice.uniform(-0.1, 0.1) for _ in range(3)]
        for bench in self.benches:
            for evse in bench.station.evses.values():
                drawn = on_circuit(PhaseCurrents(*evse.currents_a), rotation(["L1", "L2", "L3"]))
                phases = [total + own for total, own in zip(phases, drawn, strict=True)]
        self.highest_a = max(self.highest_a, *phases)
        powers = [current_a * VOLTAGE_V for current_a in phases]
        return DecodedValues(
            currents=PhaseValues(*phases),
            voltages=PhaseValues(VOLTAGE_V, VOLTAGE_V, VOLTAGE_V),
            powers=PhaseValues(*powers),
            power_w=sum(powers),
            energy_import_wh=1000.0,
            energy_export_wh=0.0,
            frequency_hz=50.0,
        )


async def live(benches, depot, condition, *, patience_s=60.0):
    """Let the stations live until something is true."""
    async with asyncio.timeout(patience_s):
        while not condition():
            before = depot.clock.now
            for bench in benches:
                depot.clock.now = before
                bench.pass_time(0.05 * SPEED, step_s=0.05)
            depot.clock.skipped_s += 0.05 * (SPEED - 1)
            await asyncio.sleep(0.05)
