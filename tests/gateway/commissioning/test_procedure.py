"""The procedure on a site that is wired otherwise than declared: real balancer, cars and circuits
in virtual time.
"""

import io
import random

import pytest
import yaml
from rich.console import Console

from gateway.commissioning.command import what_is_missing
from gateway.commissioning.findings import find, swapped_meters
from gateway.commissioning.observation import Change, EvseSight, Sight
from gateway.commissioning.procedure import Procedure
from gateway.commissioning.report import (
    as_json,
    exit_code,
    print_report,
    told_of_meters,
    yaml_lines,
)
from gateway.simulation.cars import Car
from gateway.simulation.plant import Plant, Wiring
from load_balancer.balancer import Balancer
from load_balancer.inputs import Ceiling, CircuitInput, EvseInput, EvseKey, MeterReading, SiteInputs
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule
from site_config.model import Site
from site_config.stations import Evse

REPORT_S = 10
"""A station says so often what its EVSE draws."""


def site_with(evses, *, rating_a=63, has_garage_meter=True):
    """`evses`: station -> (circuit, phases as declared)."""
    meters = {"grid": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:502"}}
    garage = {"rating_a": min(40, rating_a), "parent": "grid"}
    if has_garage_meter:
        meters["garage"] = {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:503"}
        garage["meter"] = "garage"
    return Site.model_validate(
        {
            "site": {"id": "depot", "name": "Depot"},
            "cloud": {"url": "ws://127.0.0.1:1", "identity": "DEPOT"},
            "csms": {"meter_interval_s": REPORT_S},
            "meters": meters,
            "circuits": {"grid": {"rating_a": rating_a, "meter": "grid"}, "garage": garage},
            "stations": {
                name: {
                    "circuit": circuit,
                    "safe_current_a": 0,
                    "evses": {1: {"phases": phases}},
                }
                for name, (circuit, phases) in evses.items()
            },
        }
    )


class Trial:
    """A site in virtual time, one second a step."""

    def __init__(
        self,
        site,
        wirings,
        cars,
        *,
        building_a=8.0,
        noise_a=0.2,
        show=None,
        report=lambda drawn: drawn,
        report_s=REPORT_S,
        station_delay_s=0,
        **options,
    ):
        self.site, self.cars = site, cars
        self.report, self.report_s, self.reported_at = report, report_s, 0.0
        self.on_their_way = {name: [0.0] * station_delay_s for name in site.stations}
        self.told = []
        self.procedure = Procedure(site, told=self.told.append, **options)
        parents = {name: circuit.parent for name, circuit in site.circuits.items()}
        dice = random.Random(1)

        def building(hours):
            return tuple(building_a + dice.uniform(-noise_a, noise_a) for _ in range(3))

        self.plant = Plant(parents, {(n, 1): w for n, w in wirings.items()}, {"grid": building})
        self.show = show or (lambda circuit, currents, power_w: (currents, power_w))
        self.balancer = Balancer(site)
        self.limits = dict.fromkeys(site.stations, 0.0)
        self.drawn = dict.fromkeys(site.stations, (0.0, 0.0, 0.0))
        self.reported = {name: PhaseCurrents(0, 0, 0) for name in site.stations}
        self.highest_a = 0.0

    def run(self, seconds=1800):
        for now in range(1, seconds):
            self.step(float(now))
            if self.procedure.is_over:
                return
        raise AssertionError(self.procedure.progress)

    def step(self, now):
        for name, car in self.cars.items():
            self.on_their_way[name].append(self.limits[name])
            self.drawn[name] = car.step(now, self.on_their_way[name].pop(0), 230.0)
            if self.report_s is not None and now % self.report_s == 0:
                self.reported[name] = PhaseCurrents(*self.report(self.drawn[name]))
                self.reported_at = now
        self.plant.step(now, {(name, 1): drawn for name, drawn in self.drawn.items()})
        readings = {
            name: self._reading(name, now) for name, c in self.site.circuits.items() if c.meter
        }
        self.highest_a = max(self.highest_a, *self.plant.circuits["grid"].currents_a)
        circuits = tuple(CircuitInput(name, reading) for name, reading in readings.items())
        decision = self.balancer.step(SiteInputs(self._evses(now), circuits), now)
        self.limits = {key.station_id: limit.limit_a for key, limit in decision.limits.items()}
        sights = {
            EvseKey(name, 1): EvseSight(
                name in self.cars,
                self.limits[name],
                self.reported[name],
                self.reported_at or None,
                self.limits[name],
            )
            for name in self.site.stations
        }
        self.procedure.step(Sight(readings, sights), now)

    def _reading(self, name, now):
        values = self.plant.circuits[name]
        currents, power_w = self.show(name, values.currents_a, sum(values.powers_w))
        return MeterReading(now, PhaseCurrents(*currents), power_w)

    def _evses(self, now):
        return tuple(
            EvseInput(
                key=EvseKey(name, 1),
                is_reachable=True,
                wants_current=name in self.cars,
                believed_a=self.limits[name],
                measured=self.reported[name],
                measured_at=self.reported_at,
                ceilings=(Ceiling(Rule.COMMISSIONING, self.procedure.ceiling_a(EvseKey(name, 1))),),
                has_transaction=name in self.cars,
            )
            for name in self.site.stations
        )

    def findings(self):
        return {change.key.station_id: find(self.site, change) for change in self.procedure.changes}


ALL = ["L1", "L2", "L3"]

MIS_DECLARED = {
    "TURNED": ("garage", ALL),
    "ONE": ("grid", ["L1"]),
    "RIGHT": ("garage", ALL),
    "MOVED": ("garage", ALL),
}
AS_WIRED = {
    "TURNED": Wiring("garage", (1, 2, 0)),
    "ONE": Wiring("grid", (2,)),
    "RIGHT": Wiring("garage", (0, 1, 2)),
    "MOVED": Wiring("grid", (0, 1, 2)),
}


@pytest.fixture(scope="module")
def trial():
    cars = {
        "TURNED": Car(phases=1, max_current_a=32),
        "ONE": Car(phases=1, max_current_a=20),
        "RIGHT": Car(phases=2, max_current_a=16),
        "MOVED": Car(phases=3, max_current_a=16),
    }
    trial = Trial(site_with(MIS_DECLARED), AS_WIRED, cars)
    trial.run()
    return trial


@pytest.mark.parametrize(
    ("station", "circuit", "phases"),
    [
        ("TURNED", "garage", ("L2", "L3", "L1")),
        ("ONE", "grid", ("L3",)),
        ("RIGHT", "garage", ("L1", "L2", "L3")),
        ("MOVED", "grid", None),
    ],
)
def test_every_EVSE_is_found_where_it_is_wired(trial, station, circuit, phases):
    finding = trial.findings()[station]

    assert (finding.found_circuit, finding.found_phases) == (circuit, phases)


@pytest.mark.parametrize(
    ("station", "words"),
    [
        ("TURNED", ["phases are [L2, L3, L1], the site file says [L1, L2, L3]"]),
        ("ONE", ["phases are [L3], the site file says [L1]"]),
        ("RIGHT", []),
        ("MOVED", ["garage did not show it, and should: it is not fed from there"]),
    ],
)
def test_what_differs_from_the_site_file_is_said_and_nothing_else(trial, station, words):
    assert list(trial.findings()[station].mistakes) == words


def test_the_lines_to_paste_make_the_site_file_true(trial):
    assert yaml_lines(trial.site, list(trial.findings().values())) == [
        "stations:",
        "  TURNED:",
        "    evses:",
        "      1: { phases: [L2, L3, L1] }",
        "  ONE:",
        "    evses:",
        "      1: { phases: [L3] }",
        "  MOVED:",
        "    circuit: grid",
    ]


def test_the_reaction_of_a_car_is_timed(trial):
    for finding in trial.findings().values():
        assert 1.0 <= finding.response_s <= 5.0


def test_three_phases_alike_do_not_tell_their_order(trial):
    [note] = trial.findings()["MOVED"].notes

    assert "order shows only with a one-phase vehicle" in note


def test_the_report_for_scripts_has_every_EVSE(trial):
    found = as_json(trial.site, list(trial.findings().values()), (), ())

    assert [evse["evse"] for evse in found["evses"]] == ["TURNED/1", "ONE/1", "RIGHT/1", "MOVED/1"]
    assert exit_code(list(trial.findings().values()), is_complete=True) == 1


def one_car(*, car=None, wiring=None, declared=ALL, circuit="grid", **options):
    site = site_with({"CP": (circuit, declared)})
    wirings = {"CP": wiring or Wiring(circuit, (0, 1, 2))}
    trial = Trial(site, wirings, {"CP": car or Car(phases=1, max_current_a=32)}, **options)
    trial.run()
    return trial


@pytest.mark.parametrize(
    ("phases", "sight"), [(1, ("L2",)), (2, ("L1", "L2")), (3, ("L1", "L2", "L3"))]
)
def test_phases_declared_against_the_turn_of_the_field_are_no_mistake_where_they_fit(phases, sight):
    """Not every fitter keeps the order: what was declared and fits what was seen is right."""
    car, wiring = Car(phases=phases, max_current_a=16), Wiring("grid", (1, 0, 2))

    trial = one_car(declared=["L2", "L1", "L3"], wiring=wiring, car=car)

    finding = trial.findings()["CP"]
    assert (finding.mistakes, finding.seen["grid"]) == ((), sight)
    assert yaml_lines(trial.site, [finding]) == []


def power_alone(drawn):
    """A station that tells its power: the gateway spreads it over the conductors."""
    return (sum(drawn) / 3,) * 3


def one_for_all(drawn):
    """A station that tells one current without a phase: it is taken for each conductor."""
    return (max(drawn),) * 3


@pytest.mark.parametrize("report", [power_alone, one_for_all])
@pytest.mark.parametrize("phases", [1, 2, 3])
def test_a_station_that_does_not_measure_each_conductor_is_not_blamed_for_it(report, phases):
    car = Car(phases=phases, max_current_a=16)

    finding = one_car(report=report, car=car, wiring=Wiring("grid", (1, 2, 0))).findings()["CP"]

    assert finding.found_phases == (("L2", "L3", "L1") if phases < 3 else None)
    assert [m for m in finding.mistakes if not m.startswith("phases are")] == []


def test_a_station_that_never_says_what_it_draws_is_found_by_the_meters_alone():
    finding = one_car(report_s=None, wiring=Wiring("grid", (2, 0, 1))).findings()["CP"]

    assert finding.found_phases == ("L3", "L1", "L2")


def test_a_station_that_reports_every_minute_is_not_taken_at_its_old_word():
    trial = one_car(report_s=60, wiring=Wiring("grid", (2, 0, 1)))

    assert trial.findings()["CP"].found_phases == ("L3", "L1", "L2")


@pytest.mark.parametrize("delay_s", [0, 10, 25])
def test_a_slow_station_is_waited_for_and_timed(delay_s):
    finding = one_car(station_delay_s=delay_s).findings()["CP"]

    assert finding.mistakes == ()
    assert finding.found_phases == ("L1", "L2", "L3")
    assert delay_s <= finding.response_s <= delay_s + 6


@pytest.mark.parametrize("reaction_s", range(1, 20, 2))
def test_a_slow_vehicle_on_a_limit_that_rises_in_steps_has_no_wrong_ratio(reaction_s):
    trial = one_car(car=Car(phases=2, max_current_a=16, reaction_s=reaction_s))

    finding = trial.findings()["CP"]
    assert (finding.mistakes, finding.found_phases) == ((), ("L1", "L2", "L3"))
    assert finding.step_a == pytest.approx(10, abs=0.1)


class InTwoSteps:
    """A vehicle that goes half the way to a new limit, and the rest a while later."""

    def __init__(self):
        self.from_a, self.offer_a, self.since = 0.0, 0.0, 0.0

    def step(self, now, limit_a, _voltage_v):
        current_a = self.current_a(now)
        if limit_a != self.offer_a:
            self.from_a, self.offer_a, self.since = current_a, limit_a, now
        return (self.current_a(now), 0.0, 0.0)

    def current_a(self, now):
        half_a = (self.from_a + self.offer_a) / 2
        return half_a if now - self.since < 15 else self.offer_a


def test_a_vehicle_that_pauses_on_its_way_is_waited_for():
    finding = one_car(car=InTwoSteps()).findings()["CP"]

    assert finding.step_a == pytest.approx(10, abs=0.1)
    assert finding.mistakes == ()


class NeverBelow10A:
    def step(self, _now, limit_a, _voltage_v):
        return (max(10.0, limit_a) if limit_a else 0.0, 0.0, 0.0)


def test_a_vehicle_that_rises_with_its_limit_and_does_not_fall_with_it_is_named():
    [skipped] = one_car(car=NeverBelow10A(), building_a=1.0).procedure.skipped

    assert skipped.reason == "draws 10.0 A where 6.0 A are allowed: it does not follow"


def changed(*, shown, spread=(0.2, 0.2, 0.2), drawn=(10.0, 0.0, 0.0)):
    """What one meter showed, put down by hand."""
    currents = {"grid": PhaseCurrents(*shown)}
    return Change(
        key=EvseKey("CP", 1),
        limit_step_a=10.0,
        drawn=PhaseCurrents(*drawn),
        most_drawn_a=16.0,
        high_limit_a=16.0,
        currents=currents,
        spread={"grid": PhaseCurrents(*spread)},
        powers_w={"grid": 230.0 * sum(shown)},
        response_s=2.0,
    )


def found_of(change):
    return find(site_with({"CP": ("grid", ALL)}, has_garage_meter=False), change)


def test_a_phase_that_the_building_hides_is_not_taken_for_one_on_which_nothing_flows():
    """Three phases draw, L1 is hidden by an oven: not a two-phase vehicle on L2 and L3."""
    change = changed(shown=(4, 10, 10), spread=(9, 0.2, 0.2), drawn=(10, 10, 10))

    finding = found_of(change)

    assert (finding.seen["grid"], finding.found_phases) == (("L2", "L3"), None)
    assert "try again when the building is quiet" in finding.notes[0]


def test_a_circuit_whose_own_steps_hide_the_vehicle_is_not_said_to_feed_it_not():
    finding = found_of(changed(shown=(2, 1, 1), spread=(9, 9, 9)))

    assert finding.mistakes == ()
    assert finding.notes == ("grid moved by 9.0 A by itself: try again when the building is quiet",)


@pytest.mark.parametrize("report", [lambda drawn: drawn, power_alone])
def test_a_full_vehicle_accuses_nobody(report):
    full = Car(capacity_wh=50_000, energy_wh=50_000)

    trial = one_car(car=full, report=report)

    [skipped] = trial.procedure.skipped
    assert (trial.procedure.changes, "the vehicle is full" in skipped.reason) == ([], True)


def test_a_station_that_ignores_its_limits_is_named_where_there_is_room_too():
    stubborn = Car(phases=1, max_current_a=16, obeys=False)

    [skipped] = one_car(car=stubborn, building_a=1.0).procedure.skipped

    assert skipped.reason == "draws 16.0 A where 6.0 A are allowed: it does not follow"


def test_a_building_that_moves_by_itself_hides_and_does_not_accuse():
    trial = one_car(car=Car(phases=1, max_current_a=16), building_a=20.0, noise_a=15.0)

    finding = trial.findings()["CP"]
    assert not [mistake for mistake in finding.mistakes if "not fed from there" in mistake]


def test_without_a_meter_above_it_nothing_was_seen_and_nothing_is_as_declared():
    site = site_with({"CP": ("grid", ALL)})
    circuits = site.circuits | {"grid": site.circuits["grid"].model_copy(update={"meter": None})}
    site = site.model_copy(update={"circuits": circuits})
    trial = Trial(site, {"CP": Wiring("grid", (0, 1, 2))}, {"CP": Car(phases=1)})
    trial.run()

    findings = [trial.findings()["CP"]]
    assert not findings[0].is_seen
    assert findings[0].notes == ("no circuit above it has a meter: nothing could be seen",)
    assert print_report(site, findings, (), (), Console(file=io.StringIO())) == 3


def test_two_meters_that_show_a_vehicle_on_different_phases_are_told_apart():
    def grid_turned(circuit, currents, power_w):
        return ((currents[2], *currents[:2]) if circuit == "grid" else currents), power_w

    trial = one_car(circuit="garage", show=grid_turned)

    finding = trial.findings()["CP"]
    assert (finding.found_phases, finding.turned) == (("L1", "L2", "L3"), {"grid": 1})
    assert "meters of grid and garage" in finding.mistakes[0]
    assert yaml_lines(trial.site, [finding]) == ["meters:", "  grid:", "    phases: [L3, L1, L2]"]


def test_of_two_meters_the_one_that_is_swapped_gets_the_line():
    def garage_turned(circuit, currents, power_w):
        return ((currents[2], *currents[:2]) if circuit == "garage" else currents), power_w

    site = site_with(dict.fromkeys(("A", "B"), ("garage", ALL)))
    wirings = dict.fromkeys(site.stations, Wiring("garage", (0, 1, 2)))
    trial = Trial(site, wirings, {n: Car(phases=1) for n in site.stations}, show=garage_turned)
    trial.run()

    findings = list(trial.findings().values())
    assert swapped_meters(findings) == {"garage": 1}
    assert yaml_lines(site, findings) == ["meters:", "  garage:", "    phases: [L3, L1, L2]"]


def test_lines_to_paste_keep_what_else_the_installer_wrote():
    site = site_with({"CP": ("grid", ALL)})
    station = site.stations["CP"]
    evse = Evse(phases=ALL, max_current_a=20, priority=2)
    stations = {"CP": station.model_copy(update={"evses": {1: evse}})}
    site = site.model_copy(update={"stations": stations})
    trial = Trial(site, {"CP": Wiring("grid", (1, 2, 0))}, {"CP": Car(phases=1)})
    trial.run()

    *_, line = yaml_lines(site, list(trial.findings().values()))
    assert line == "      1: { phases: [L2, L3, L1], max_current_a: 20, priority: 2 }"


def test_what_was_pasted_is_accepted_and_a_second_commissioning_finds_nothing(trial):
    pasted = yaml.safe_load("\n".join(yaml_lines(trial.site, list(trial.findings().values()))))
    written = trial.site.model_dump(mode="json", by_alias=False, exclude_unset=True)
    for name, station in pasted["stations"].items():
        own = written["stations"][name]
        own["circuit"] = station.get("circuit", own["circuit"])
        own["evses"] |= station.get("evses", {})
    site = Site.model_validate(written)

    again = Trial(site, AS_WIRED, {name: Car(phases=1) for name in AS_WIRED})
    again.run()

    findings = list(again.findings().values())
    assert [finding.mistakes for finding in findings] == [()] * len(AS_WIRED)
    assert yaml_lines(site, findings) == []


def test_ended_it_leaves_every_vehicle_at_its_minimum_and_the_one_it_tried_untried():
    site = site_with({"A": ("grid", ALL), "B": ("grid", ALL)})
    wirings = dict.fromkeys(site.stations, Wiring("grid", (0, 1, 2)))
    trial = Trial(site, wirings, {name: Car() for name in site.stations})
    now = 0.0
    while trial.limits["A"] < 12:
        trial.step(now := now + 1)

    trial.procedure.end()
    trial.step(now + 1)
    trial.step(now + 2)

    assert trial.limits == {"A": 6.0, "B": 6.0}
    assert trial.procedure.is_at_rest
    assert trial.procedure.waiting == [EvseKey("A", 1), EvseKey("B", 1)]


def test_time_to_go_is_what_trials_have_taken_times_those_that_are_left():
    site = site_with({"A": ("grid", ALL), "B": ("grid", ALL)})
    wirings = dict.fromkeys(site.stations, Wiring("grid", (0, 1, 2)))
    trial = Trial(site, wirings, {"A": Car()})
    now = 0.0
    while not trial.procedure.changes:
        trial.step(now := now + 1)

    assert trial.procedure.remaining_s == pytest.approx(now, abs=2)


@pytest.mark.parametrize("turn", range(3))
def test_phases_that_nobody_knew_are_no_mistake_and_stand_in_the_lines_to_paste(turn):
    wiring = Wiring("grid", (turn, (turn + 1) % 3, (turn + 2) % 3))

    trial = one_car(declared="unknown", wiring=wiring)
    finding = trial.findings()["CP"]

    assert finding.mistakes == ()
    line = ", ".join(ALL[phase] for phase in wiring.phases)
    assert yaml_lines(trial.site, [finding]) == [
        "stations:",
        "  CP:",
        "    evses:",
        f"      1: {{ phases: [{line}] }}",
    ]


def test_a_meter_that_counts_backwards_is_found():
    def backwards(circuit, currents, power_w):
        return currents, -power_w

    trial = one_car(show=backwards)
    finding = trial.findings()["CP"]

    assert "counts backwards" in finding.mistakes[0]
    assert yaml_lines(trial.site, [finding]) == ["meters:", "  grid:", "    invert: true"]


def test_a_meter_whose_currents_fall_as_the_vehicle_takes_more_times_it_all_the_same():
    def reversed_(circuit, currents, power_w):
        return [-current for current in currents], -power_w

    finding = one_car(show=reversed_, wiring=Wiring("grid", (1, 2, 0))).findings()["CP"]

    assert finding.found_phases == ("L2", "L3", "L1")
    assert finding.backwards == ("grid",)
    assert 1.0 <= finding.response_s <= 5.0


@pytest.mark.parametrize("building_a", [-8.0, -20.0])
def test_a_building_that_exports_accuses_nobody(building_a):
    trial = one_car(building_a=building_a, wiring=Wiring("grid", (1, 2, 0)))

    finding = trial.findings()["CP"]
    assert finding.found_phases == ("L2", "L3", "L1")
    assert [m for m in finding.mistakes if not m.startswith("phases are")] == []


def test_one_transformer_the_wrong_way_round_is_found():
    def l1_turned(circuit, currents, power_w):
        return (-currents[0], *currents[1:]), power_w - 2 * 230 * currents[0]

    trial = one_car(show=l1_turned, car=Car(phases=3, max_current_a=16))

    [mistake] = trial.findings()["CP"].mistakes
    assert "grid L1 fell" in mistake


def test_a_wrong_transformer_ratio_is_found():
    def halved(circuit, currents, power_w):
        return [current / 2 for current in currents], power_w / 2

    [mistake, *_] = one_car(show=halved).findings()["CP"].mistakes

    assert "shows 0.50 A for each A" in mistake


def test_a_station_that_draws_more_than_allowed_is_found():
    [skipped] = one_car(car=Car(phases=1, max_current_a=25, obeys=False)).procedure.skipped

    assert skipped.reason == "draws 25.0 A where 6.0 A are allowed: it does not follow"


def test_swapped_meter_phases_are_not_blamed_on_every_station():
    def swapped(circuit, currents, power_w):
        return (currents[2], currents[0], currents[1]), power_w

    stations = dict.fromkeys(("A", "B", "C"), ("grid", ALL))
    wirings = {name: Wiring("grid", (0, 1, 2)) for name in stations}
    cars = {name: Car(phases=1, max_current_a=16) for name in stations}
    trial = Trial(site_with(stations, has_garage_meter=False), wirings, cars, show=swapped)

    trial.run()

    findings = list(trial.findings().values())
    assert swapped_meters(findings) == {"grid": 1}
    assert "transformers are swapped" in told_of_meters(findings)[0]
    assert yaml_lines(trial.site, findings) == ["meters:", "  grid:", "    phases: [L3, L1, L2]"]


def test_no_limit_is_exceeded_and_too_little_room_is_said():
    trial = Trial(
        site_with({"CP": ("grid", ALL)}, rating_a=16),
        {"CP": Wiring("grid", (0, 1, 2))},
        {"CP": Car(phases=1, max_current_a=32)},
        building_a=8.0,
    )

    trial.run()

    [skipped] = trial.procedure.skipped
    assert "are free for it, too little to be seen" in skipped.reason
    assert trial.highest_a <= 16.0 + 0.5


def test_a_limit_that_stays_where_it_is_says_why():
    site = site_with({"CP": ("grid", ALL)})
    procedure = Procedure(site)
    reading = MeterReading(0.0, PhaseCurrents(9, 9, 9), 6000.0)
    evse = EvseSight(True, 0.0, None, why="The fuse of grid L1 allows 63.0 A.")

    for now in range(70):
        procedure.step(Sight({"grid": reading}, {EvseKey("CP", 1): evse}), float(now))

    [skipped] = procedure.skipped
    assert skipped.reason == "its limit stays at 0.0 A: The fuse of grid L1 allows 63.0 A."
    assert procedure.progress == "done"


def test_a_station_that_takes_watts_is_given_enough_to_begin_with():
    """On how many phases the vehicle draws is not known before; then its minimum falls."""
    procedure = Procedure(site_with({"CP": ("grid", ALL)}), high_a=24.0)
    key, reading = EvseKey("CP", 1), MeterReading(0.0, PhaseCurrents(9, 9, 9), 6000.0)

    def ceiling_after(minimum_a, now):
        evse = EvseSight(True, 0.0, None, minimum_a=minimum_a)
        procedure.step(Sight({"grid": reading}, {key: evse}), now)
        procedure.step(Sight({"grid": reading}, {key: evse}), now + 1)
        return procedure.ceiling_a(key)

    assert ceiling_after(18.0, 1.0) == 18.0
    assert ceiling_after(6.0, 3.0) == 6.0
    assert procedure.is_trying


def test_an_evse_that_can_be_given_hardly_more_than_its_minimum_is_not_tried():
    [skipped] = one_car(high_a=8.0).procedure.skipped

    assert skipped.reason.startswith("between 6.0 A, its minimum, and 8.0 A is too little")


def test_the_other_cars_stand_at_the_minimum_meanwhile():
    stations = dict.fromkeys(("A", "B"), ("grid", ALL))
    wirings = {name: Wiring("grid", (0, 1, 2)) for name in stations}
    cars = {name: Car(phases=3, max_current_a=16) for name in stations}
    trial = Trial(site_with(stations), wirings, cars)

    limits = []
    for now in range(1, 60):
        trial.step(float(now))
        limits.append(trial.limits["B"])

    assert max(limits) == 6.0
    assert trial.procedure.progress.startswith("A/1: step")


def test_a_vehicle_that_leaves_ends_its_trial():
    site = site_with({"CP": ("grid", ALL)})
    trial = Trial(site, {"CP": Wiring("grid", (0, 1, 2))}, {"CP": Car()})
    trial.step(1.0)
    del trial.cars["CP"]

    trial.step(2.0)

    [skipped] = trial.procedure.skipped
    assert "stopped charging" in skipped.reason


def test_a_vehicle_that_no_meter_can_watch_is_not_waited_for_in_vain():
    procedure = Procedure(site_with({"CP": ("grid", ALL)}))

    procedure.step(Sight({}, {EvseKey("CP", 1): EvseSight(True, 6.0, None)}), 1.0)

    assert procedure.progress.startswith("a vehicle charges, but no meter can be read")
    assert procedure.waiting == [EvseKey("CP", 1)]


def test_only_the_stations_asked_for_are_tried():
    site = site_with({"A": ("grid", ALL), "B": ("grid", ALL)})

    assert Procedure(site, only=frozenset({"B"})).waiting == [EvseKey("B", 1)]


def test_without_a_meter_there_is_nothing_to_commission():
    site = site_with({"CP": ("grid", ALL)})
    bare = site.model_copy(
        update={
            "meters": {},
            "circuits": {n: c.model_copy(update={"meter": None}) for n, c in site.circuits.items()},
        }
    )

    assert what_is_missing(site) is None
    assert "no circuit" in what_is_missing(bare)
