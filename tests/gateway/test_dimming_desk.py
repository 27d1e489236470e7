"""Dimming on disk before it is in force, evidence of all of it, and who may."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.dimming_desk import DimmingDesk, evidence_json
from gateway.errors import StoreFailed
from gateway.limiters import Limiters
from gateway.operations import Caller, NotAllowed
from gateway.site_state import SiteState
from gateway.writes import DeleteDimming, ForgetEvidence, LogDimming, SaveDimming
from load_balancer.inputs import EvseKey, MeterReading
from load_balancer.limiters.dimming import Dimming, DimmingSource
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule
from site_config.grid_operator import GridOperator
from site_config.links import Role
from tests.load_balancer.plant import site

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DSO = Caller("dso", Role.OPERATOR)


class Bench:
    """A desk whose clock, disk and cars a test holds in its hands."""

    def __init__(self, phases=("L1", "L2", "L3"), **operator):
        config = site(
            {"grid": {"rating_a": 100, "meter": "grid"}},
            {"S0": {"circuit": "grid", "evses": {1: {"phases": list(phases)}}}},
            {"grid": {}},
        ).model_copy(update={"grid_operator": GridOperator(**operator)})
        self.state = SiteState.of(config, {("S0", 1): 1})
        self.state.stations["S0"].is_connected = True
        self.evse = self.state.stations["S0"].evses[1]
        self.evse.transaction_id = "t"
        self.now, self.writes, self.lines, self.is_broken = 0.0, [], [], False
        self.dimming = Dimming(config.grid_operator, 1)
        self.limiters = Limiters(config, (), self.dimming)
        self.desk = DimmingDesk(
            self.dimming,
            self.state,
            self,
            self.commit,
            lambda: self.now,
            self.at,
            lambda: None,
            self.lines.append,
        )

    def at(self):
        return NOON + timedelta(seconds=self.now)

    async def commit(self, writes):
        if self.is_broken:
            raise StoreFailed("disk full")
        self.writes += writes

    async def dimming_evidence(self, since, until):
        kept = [write.evidence for write in self.kept(LogDimming)]
        return [evidence for evidence in kept if since <= evidence.at < until]

    async def dim(self, total_w=None, **more):
        settings = {"reason": "full", "until": None, "source": DimmingSource.REST, "caller": DSO}
        return await self.desk.dim(total_w, **(settings | more))

    def ceiling(self):
        self.limiters.observe(self.state, self.now, self.at())
        return self.limiters.on_evse(EvseKey("S0", 1))

    def kept(self, kind):
        return [write for write in self.writes if isinstance(write, kind)]


async def test_a_command_is_on_disk_before_it_is_in_force():
    bench = Bench()
    bench.is_broken = True

    with pytest.raises(StoreFailed):
        await bench.dim()

    assert bench.ceiling() == ()


@pytest.mark.parametrize(
    ("phases", "drawn", "limit_a"),
    [
        pytest.param(("L1", "L2", "L3"), None, 6.08, id="three phases, car unknown"),
        pytest.param(("L1", "L2", "L3"), (16, 0, 0), 18.26, id="a car on one of three phases"),
        pytest.param(("L2",), None, 18.26, id="one phase"),
    ],
)
async def test_the_floor_in_amperes_depends_on_the_phases_that_carry_it(phases, drawn, limit_a):
    bench = Bench(phases)
    bench.evse.measured = drawn and PhaseCurrents(*drawn)
    await bench.dim()

    (ceiling,) = bench.ceiling()

    assert ceiling.rule is Rule.GRID_OPERATOR
    assert ceiling.value_a == pytest.approx(limit_a, abs=0.01)


@pytest.mark.parametrize(
    ("phases", "drawn", "limit_a"),
    [
        pytest.param(("L1", "L2", "L3"), None, 14.49, id="three phases, car unknown"),
        pytest.param(("L1", "L2", "L3"), (30, 0, 0), 32, id="a car on one of three phases"),
        pytest.param(("L2",), None, 32, id="one phase"),
    ],
)
async def test_who_charges_alone_has_the_total_to_himself(phases, drawn, limit_a):
    bench = Bench(phases)
    bench.evse.measured = drawn and PhaseCurrents(*drawn)
    await bench.dim(10_000)

    (ceiling,) = bench.ceiling()

    assert ceiling.rule is Rule.GRID_OPERATOR
    assert ceiling.value_a == pytest.approx(limit_a, abs=0.01)


async def test_who_is_exempt_is_neither_dimmed_nor_counted():
    bench = Bench(exempt=["S0"])
    bench.evse.measured, bench.evse.measured_at = PhaseCurrents(16, 16, 16), 0.0
    await bench.dim()

    assert bench.ceiling() == ()
    assert bench.desk.status()["cars_w"] == 0


async def test_what_was_done_is_kept_for_more_than_two_years():
    bench = Bench()
    bench.state.meters["grid"].reading = MeterReading(0.0, PhaseCurrents(50, 50, 50), 34_000.0)
    bench.evse.measured, bench.evse.measured_at = PhaseCurrents(16, 16, 16), 0.0
    await bench.desk.keep()
    await bench.dim()
    await bench.desk.keep()

    (logged,) = bench.kept(LogDimming)
    told = evidence_json(logged.evidence)

    assert (told["what"], told["before_w"], told["after_w"]) == ("dimmed", None, 4200)
    assert (told["cars_w"], told["grid_w"]) == (16 * 3 * 230, 34_000)
    assert (told["source"], told["set_by"], told["reason"]) == ("rest", "dso", "full")
    assert bench.kept(ForgetEvidence)[0].before <= NOON - timedelta(days=2 * 366)
    assert bench.lines == [
        "dimming.dimmed total_w=4200 point_w=4200 before_total_w=none cars_w=11040 "
        "source=rest by=dso"
    ]


async def test_who_does_not_report_is_not_taken_to_obey():
    bench = Bench()
    bench.evse.measured, bench.evse.measured_at = PhaseCurrents(6, 6, 6), 0.0
    bench.evse.believed_a = 16.0
    await bench.desk.keep()
    await bench.dim()
    bench.now = 60.0

    await bench.desk.keep()

    assert [log.evidence.what for log in bench.kept(LogDimming)] == ["dimmed"]
    assert bench.kept(LogDimming)[0].evidence.cars_w == 16 * 3 * 230


async def test_the_same_command_again_changes_nothing():
    bench = Bench()
    await bench.dim(source=DimmingSource.MQTT)
    bench.now = 60.0

    await bench.dim(source=DimmingSource.MQTT)

    assert len(bench.kept(SaveDimming)) == 1


async def test_a_command_that_has_run_out_is_forgotten_on_disk_too():
    bench = Bench()
    await bench.dim(until=NOON + timedelta(seconds=30))
    bench.now = 31.0

    await bench.desk.keep()

    assert bench.kept(DeleteDimming) == [DeleteDimming(DimmingSource.REST)]
    assert bench.ceiling() == ()


async def test_a_contact_dims_while_it_is_closed():
    bench = Bench()
    bench.desk.input_read("input", is_active=True)
    closed = bench.desk.status()
    bench.desk.input_read("input", is_active=False)

    assert (closed["dimmed"], closed["source"], closed["set_by"]) == (True, "input", "input")
    assert bench.desk.status()["dimmed"] is False


async def test_a_silent_contact_dims_until_it_speaks_again():
    bench = Bench()
    bench.desk.input_silent("input", "no answer")
    silent = bench.desk.status()
    bench.desk.input_read("input", is_active=False)

    assert (silent["dimmed"], silent["source"]) == (True, "fail_safe")
    assert bench.desk.status()["dimmed"] is False


async def test_a_broken_disk_does_not_stop_dimming():
    bench = Bench()
    bench.desk.input_read("input", is_active=True)
    bench.is_broken = True

    await bench.desk.keep()

    assert bench.ceiling()[0].rule is Rule.GRID_OPERATOR
    assert bench.lines[-1].startswith("dimming.not_kept")


async def test_the_past_and_viewers_dim_nobody():
    bench = Bench()

    with pytest.raises(NotAllowed):
        await bench.dim(until=NOON - timedelta(seconds=1))
    with pytest.raises(NotAllowed):
        await bench.dim(caller=Caller("wall", Role.VIEWER))
    assert bench.writes == []


async def test_how_much_evidence_there_is_is_told_and_counts_what_was_kept_before():
    bench = Bench()
    await bench.desk.keep()
    none_yet = bench.desk.status()["evidence"]
    await bench.dim()
    await bench.desk.keep()
    bench.desk.lines = None  # as after a start

    await bench.desk.keep()

    assert (none_yet, bench.desk.status()["evidence"]) == (0, len(bench.kept(LogDimming)))
    assert bench.kept(LogDimming)
