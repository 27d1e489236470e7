"""An EVSE whose phases nobody wrote down, on a small connection: real sockets, a real meter."""

from contextlib import asynccontextmanager

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from gateway.site_state import snapshot
from load_balancer.phases import PhaseCurrents, on_circuit
from tests.scenarios.test_limits import Grid, live, with_meter

RATING_A = 25.0
SPEED = 16


class TurnedGrid(Grid):
    """The EVSE's L1, L2, L3 sit on the grid's L3, L1, L2."""

    def __init__(self):
        super().__init__()
        self.highest_a = 0.0

    def drawn(self, evse):
        return on_circuit(PhaseCurrents(*evse.currents_a), (2, 0, 1))

    def values(self):
        values = super().values()
        self.highest_a = max(self.highest_a, *filter(None, values.currents))
        return values


@asynccontextmanager
async def one_unknown(depot_of, grid):
    """A site of one EVSE whose phases nobody knows, a meter above it, and its station."""
    stations = {
        "CP-01": {
            "circuit": "grid",
            "safe_current_a": 6,
            "evses": {1: {"phases": "unknown", "cloud_evse": 1}},
        }
    }
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        sections = with_meter(meter, poll_s=0.1, rating_a=RATING_A)
        sections["meters"]["grid"]["max_age_s"] = 0.5 * SPEED
        async with depot_of("ocpp1.6", stations=stations, evse_count=1, **sections) as depot:
            bench = await depot.station("CP-01", "ocpp1.6")
            await depot.set_up(bench)
            grid.benches.append(bench)
            yield depot, bench


async def finds_its_phase(depot, bench):
    await bench.charge(Car(max_current_a=32, phases=1))
    await live(bench, depot, lambda: bench.limit_a() >= 14.5, speed=SPEED, patience_s=60)
    assert depot.evse("CP-01").phases == ("L3", None, None)


async def test_a_single_phase_car_of_unknown_phase_gets_its_current_after_a_few_steps(depot_of):
    """10 A of others on each phase leave it 15 A; counted twice, it would be left with 7.5 A."""
    grid = TurnedGrid()
    async with one_unknown(depot_of, grid) as (depot, bench):
        assert depot.evse("CP-01").phases == (None, None, None)

        await finds_its_phase(depot, bench)

        assert grid.highest_a <= RATING_A


async def started_again(depot, bench):
    """Returns when the station is back."""
    await depot.start_again()
    await depot.until(lambda: depot.gateway.state.stations["CP-01"].is_connected)
    await depot.set_up(bench)


async def test_a_restart_knows_the_phases_that_were_found_and_since_when(depot_of):
    grid = TurnedGrid()
    async with one_unknown(depot_of, grid) as (depot, bench):
        await finds_its_phase(depot, bench)
        await depot.until(lambda: not depot.gateway.parts.phase_findings.to_keep())
        found_at = depot.evse("CP-01").found_phases.found_at

        await depot.stop()
        await started_again(depot, bench)

        assert depot.evse("CP-01").phases == ("L3", None, None)
        assert told(depot) == {
            "phases": ["L3", "unknown", "unknown"],
            "at": found_at.isoformat(timespec="seconds"),
            "in_doubt": False,
        }
        await live(bench, depot, lambda: bench.limit_a() >= 14.5, speed=SPEED, patience_s=60)
        assert grid.highest_a <= RATING_A


async def test_after_an_hour_without_us_the_meter_has_to_show_them_again(depot_of):
    """Somebody may have moved a conductor: nobody has, and one change of the car is enough."""
    grid = TurnedGrid()
    async with one_unknown(depot_of, grid) as (depot, bench):
        await finds_its_phase(depot, bench)
        await depot.until(lambda: not depot.gateway.parts.phase_findings.to_keep())

        await depot.stop()
        depot.clock.skipped_s += 3600.0
        await started_again(depot, bench)

        assert depot.evse("CP-01").phases == (None, None, None)
        assert told(depot)["in_doubt"]
        await live(
            bench,
            depot,
            lambda: depot.evse("CP-01").phases == ("L3", None, None),
            speed=SPEED,
            patience_s=60,
        )
        await depot.until(lambda: not told(depot)["in_doubt"])
        assert grid.highest_a <= RATING_A


def told(depot):
    """What REST says of it."""
    clock = depot.clock
    site = snapshot(depot.gateway.state, clock.monotonic(), clock.wall())
    return site["stations"]["CP-01"]["evses"]["1"]["found_phases"]
