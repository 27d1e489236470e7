"""An EVSE whose phases nobody wrote down, on a small connection: real sockets, a real meter."""

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
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


async def test_a_single_phase_car_of_unknown_phase_gets_its_current_after_a_few_steps(depot_of):
    """10 A of others on each phase leave it 15 A; counted twice, it would be left with 7.5 A."""
    grid = TurnedGrid()
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
            await charges_alone(depot, grid)


async def charges_alone(depot, grid):
    bench = await depot.station("CP-01", "ocpp1.6")
    await depot.set_up(bench)
    grid.benches.append(bench)
    assert depot.evse("CP-01").phases == (None, None, None)

    await bench.charge(Car(max_current_a=32, phases=1))
    await live(bench, depot, lambda: bench.limit_a() >= 14.5, speed=SPEED, patience_s=60)

    assert depot.evse("CP-01").phases == ("L3", None, None)
    assert grid.highest_a <= RATING_A
