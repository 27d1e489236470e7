"""The procedure on a site that is wired otherwise than declared: real balancer, cars and circuits
in virtual time.
"""

import random

import pytest

from gateway.commissioning.command import what_is_missing
from gateway.commissioning.findings import find, swapped_meters
from gateway.commissioning.observation import EvseSight, Sight
from gateway.commissioning.procedure import Procedure
from gateway.commissioning.report import as_json, exit_code, yaml_lines
from gateway.simulation.cars import Car
from gateway.simulation.plant import Plant, Wiring
from load_balancer.balancer import Balancer
from load_balancer.inputs import Ceiling, CircuitInput, EvseInput, EvseKey, MeterReading, SiteInputs
from load_balancer.phases import PhaseCurrents
from load_balancer.reasons import Rule
from site_config.model import Site

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

    def __init__(self, site, wirings, cars, *, building_a=8.0, noise_a=0.2, show=None, **options):
        self.site, self.cars = site, cars
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
            self.drawn[name] = car.step(now, self.limits[name], 230.0)
            if now % REPORT_S == 0:
                self.reported[name] = PhaseCurrents(*self.drawn[name])
        self.plant.step(now, {(name, 1): drawn for name, drawn in self.drawn.items()})
        readings = {
            name: self._reading(name, now) for name, c in self.site.circuits.items() if c.meter
        }
        self.highest_a = max(self.highest_a, *self.plant.circuits["grid"].currents_a)
        circuits = tuple(CircuitInput(name, reading) for name, reading in readings.items())
        decision = self.balancer.step(SiteInputs(self._evses(now), circuits), now)
        self.limits = {key.station_id: limit.limit_a for key, limit in decision.limits.items()}
        sights = {
            EvseKey(name, 1): EvseSight(name in self.cars, self.limits[name], self.reported[name])
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
                measured_at=now - now % REPORT_S,
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
    assert yaml_lines(list(trial.findings().values())) == [
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
    found = as_json(list(trial.findings().values()), (), ())

    assert [evse["evse"] for evse in found["evses"]] == ["TURNED/1", "ONE/1", "RIGHT/1", "MOVED/1"]
    assert exit_code(list(trial.findings().values()), is_complete=True) == 1


def one_car(*, show=None, car=None, wiring=None, declared=ALL, **options):
    site = site_with({"CP": ("grid", declared)}, **options)
    wirings = {"CP": wiring or Wiring("grid", (0, 1, 2))}
    trial = Trial(site, wirings, {"CP": car or Car(phases=1, max_current_a=32)}, show=show)
    trial.run()
    return trial


@pytest.mark.parametrize("turn", range(3))
def test_phases_that_nobody_knew_are_no_mistake_and_stand_in_the_lines_to_paste(turn):
    wiring = Wiring("grid", (turn, (turn + 1) % 3, (turn + 2) % 3))

    finding = one_car(declared="unknown", wiring=wiring).findings()["CP"]

    assert finding.mistakes == ()
    line = ", ".join(ALL[phase] for phase in wiring.phases)
    assert yaml_lines([finding]) == [
        "stations:",
        "  CP:",
        "    evses:",
        f"      1: {{ phases: [{line}] }}",
    ]


def test_a_meter_that_counts_backwards_is_found():
    def backwards(circuit, currents, power_w):
        return currents, -power_w

    [mistake] = one_car(show=backwards).findings()["CP"].mistakes

    assert "counts backwards" in mistake


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

    [line] = swapped_meters(list(trial.findings().values()))
    assert "transformers are swapped" in line


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
