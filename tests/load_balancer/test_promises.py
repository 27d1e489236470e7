"""What the fuse, the installer and the drivers rely on, for any site and any history."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.balancer import (
    Balancer,
    Ceiling,
    CircuitInput,
    EvseInput,
    EvseKey,
    MeterReading,
    SiteInputs,
)
from load_balancer.phases import PhaseCurrents, on_circuit, rotation
from load_balancer.reasons import Rule
from tests.load_balancer.plant import site

promise = settings(max_examples=30, deadline=None)
ROUNDING_A = 0.051
"""Half of the tenth in which limits and readings are counted."""

PHASES = (["L1", "L2", "L3"], ["L2", "L3", "L1"], ["L1"], ["L3"], ["L2", "L3"])
CIRCUITS = {
    "grid": {"rating_a": 80, "meter": "grid"},
    "garage": {"parent": "grid", "rating_a": 40, "meter": "garage"},
    "yard": {"parent": "grid", "rating_a": 32},
    "corner": {"parent": "garage", "rating_a": 20},
}
STATIONS = {
    f"S{n}": {
        "circuit": circuit,
        "evses": {1: {"phases": PHASES[n % len(PHASES)], "priority": 1 + n % 2}},
    }
    for n, circuit in enumerate(["grid", "garage", "garage", "yard", "yard", "corner", "corner"])
}
KEYS = [EvseKey(name, 1) for name in STATIONS]
PATHS = {
    "grid": ["grid"],
    "garage": ["garage", "grid"],
    "yard": ["yard", "grid"],
    "corner": ["corner", "garage", "grid"],
}
ONE_FUSE = {"grid": {"rating_a": 80}}
ALIKE = {name: {"circuit": "grid", "evses": {1: {"phases": PHASES[0]}}} for name in STATIONS}


def tree_site(on_loss="safe", circuits=CIRCUITS, stations=STATIONS):
    meters = {
        circuit["meter"]: {"on_loss": on_loss}
        for circuit in circuits.values()
        if "meter" in circuit
    }
    return site(circuits, stations, meters)


currents = st.integers(0, 60).map(float)
evse_moments = st.fixed_dictionaries(
    {
        "wants": st.sampled_from([True, True, True, False]),
        "reachable": st.sampled_from([True] * 5 + [False]),
        "draws": st.floats(0, 1.1),
        "ceiling_a": st.sampled_from([None, None, None, 0.0, 5.0, 10.0, 20.0]),
        "believed": st.sampled_from(["told", "told", "told", "unknown", "before"]),
        "report_age_s": st.sampled_from([0.0, 3.0, 9.0, 30.0]),
        "energy_wh": st.integers(0, 50_000).map(float),
        "step_a": st.sampled_from([0.1, 0.1, 1.0]),
        "leaves_in_h": st.sampled_from([None, None, -1.0, 0.5, 2.0, 9.0]),
    }
)
moments = st.fixed_dictionaries(
    {
        "evses": st.lists(evse_moments, min_size=len(KEYS), max_size=len(KEYS)),
        "base": st.tuples(currents, currents, currents),
        "limits": st.fixed_dictionaries(
            {}, optional={name: st.integers(0, 90).map(float) for name in CIRCUITS}
        ),
        "metered": st.sampled_from([True] * 6 + [False]),
        "wait_s": st.sampled_from([1.0, 1.0, 2.0, 11.0, 70.0]),
    }
)
histories = st.lists(moments, min_size=2, max_size=8)


class Story:
    """Plays moments on one balancer and remembers the inputs and the decisions."""

    def __init__(self, config, circuits=CIRCUITS, stations=STATIONS):
        self.balancer = Balancer(config)
        self.circuits, self.stations = circuits, stations
        self.now = 5000.0
        self.told_a = dict.fromkeys(KEYS, 0.0)
        self.before_a = dict.fromkeys(KEYS, 0.0)
        self.decision = None
        self.inputs = None

    def play(self, moment):
        self.now += moment["wait_s"]
        self.inputs = self.inputs_of(moment)
        return self.step(self.inputs)

    def step(self, inputs):
        self.decision = self.balancer.step(inputs, self.now)
        for key, limit in self.decision.limits.items():
            self.before_a[key], self.told_a[key] = self.told_a[key], limit.limit_a
        return self.decision

    def inputs_of(self, moment):
        evses = tuple(
            self._evse(key, evse) for key, evse in zip(KEYS, moment["evses"], strict=True)
        )
        circuits = []
        for name in self.circuits:
            flow = [*moment["base"]]
            for evse in evses:
                station = self.stations[evse.key.station_id]
                if name in PATHS[station["circuit"]] and evse.measured:
                    drawn = on_circuit(evse.measured, rotation(station["evses"][1]["phases"]))
                    flow = [a + b for a, b in zip(flow, drawn, strict=True)]
            limit_a = moment["limits"].get(name)
            circuits.append(
                CircuitInput(
                    name,
                    MeterReading(self.now, PhaseCurrents(*flow)) if moment["metered"] else None,
                    () if limit_a is None else (Ceiling(Rule.OPERATOR, limit_a),),
                )
            )
        return SiteInputs(evses, tuple(circuits))

    def _evse(self, key, evse):
        told_a = self.told_a[key]
        believed_a = {
            "told": told_a,
            "unknown": None,
            "before": max(told_a, self.before_a[key]),
        }
        drawn_a = told_a * evse["draws"]
        leaves_in_h = evse["leaves_in_h"]
        return EvseInput(
            key=key,
            is_reachable=evse["reachable"],
            wants_current=evse["wants"],
            believed_a=believed_a[evse["believed"]],
            measured=PhaseCurrents(drawn_a, drawn_a, drawn_a),
            measured_at=self.now - evse["report_age_s"],
            ceilings=()
            if evse["ceiling_a"] is None
            else (Ceiling(Rule.CLOUD_PROFILE, evse["ceiling_a"]),),
            energy_wh=evse["energy_wh"],
            has_transaction=evse["wants"],
            step_a=evse["step_a"],
            departs_at=None if leaves_in_h is None else self.now + leaves_in_h * 3600,
            energy_wanted_wh=None if leaves_in_h is None else evse["energy_wh"],
        )


def limits_below(decision, inputs, name):
    """The sum of the limits of those who want current below a circuit, per phase."""
    sums = [0.0, 0.0, 0.0]
    for evse in inputs.evses:
        station = STATIONS[evse.key.station_id]
        if evse.wants_current and evse.is_reachable and name in PATHS[station["circuit"]]:
            limit_a = decision.limits[evse.key].limit_a
            phases = rotation(station["evses"][1]["phases"])
            on_phases = on_circuit(PhaseCurrents(limit_a, limit_a, limit_a), phases)
            sums = [a + b for a, b in zip(sums, on_phases, strict=True)]
    return sums


@promise
@given(histories)
def test_no_conductor_is_ever_promised_more_than_others_leave(history):
    story = Story(tree_site())
    for moment in history:
        decision = story.play(moment)

        for name, circuit in decision.circuits.items():
            promised_a = limits_below(decision, story.inputs, name)
            for phase in range(3):
                left_a = circuit.limit[phase] - circuit.uncontrolled[phase]
                assert promised_a[phase] <= max(0.0, left_a) + ROUNDING_A


@promise
@given(histories)
def test_nobody_is_between_zero_and_his_minimum_nor_above_any_ceiling(history):
    story = Story(tree_site())
    for moment in history:
        decision = story.play(moment)

        for evse in story.inputs.evses:
            limit_a = decision.limits[evse.key].limit_a
            assert limit_a == 0 or 6 <= limit_a <= 32
            assert limit_a % evse.step_a < 1e-6 or evse.step_a < 1 or not evse.is_reachable
            if evse.wants_current:
                assert all(limit_a <= ceiling.value_a for ceiling in evse.ceilings) or (
                    not evse.is_reachable
                )


@promise
@given(histories, st.sampled_from(["safe", "hold", "panic"]))
def test_a_lost_meter_raises_nobody(history, on_loss):
    story = Story(tree_site(on_loss))
    for moment in history:
        story.play(moment)
    before = story.decision.limits
    wanted = {evse.key for evse in story.inputs.evses if evse.wants_current and evse.is_reachable}
    lost = tuple(replace(circuit, reading=None) for circuit in story.inputs.circuits)

    story.now += 1.0
    after = story.step(replace(story.inputs, circuits=lost)).limits

    for key in wanted:
        assert after[key].limit_a <= before[key].limit_a
        if on_loss == "panic":
            assert after[key].limit_a == 0
        if on_loss == "safe":
            assert after[key].limit_a <= 6


@promise
@given(histories, st.sampled_from(KEYS), st.booleans())
def test_a_lost_station_raises_nobody(history, key, is_forgotten):
    story = Story(tree_site())
    for moment in history:
        moment["evses"][KEYS.index(key)]["reachable"] = True
        story.play(moment)
    before = story.decision.limits
    wanted = {evse.key for evse in story.inputs.evses if evse.wants_current and evse.is_reachable}
    others = tuple(evse for evse in story.inputs.evses if evse.key != key)
    last = next(evse for evse in story.inputs.evses if evse.key == key)
    lost = () if is_forgotten else (last._replace(is_reachable=False),)

    story.now += 1.0
    after = story.step(replace(story.inputs, evses=others + lost)).limits

    for other in wanted:
        assert after[other].limit_a <= before[other].limit_a


@promise
@given(histories, st.integers(0, 80), st.integers(0, 80))
def test_a_lower_limit_gives_nobody_more_where_all_share_the_same_conductors(
    history, limit_a, less_a
):
    """With several conductors nobody can promise that: who is cut on one leaves the others."""

    for moment in history:
        for evse in moment["evses"]:
            evse["leaves_in_h"] = None  # else who has time waits where there is less

    def end(last_a):
        story = Story(tree_site(circuits=ONE_FUSE, stations=ALIKE), ONE_FUSE, ALIKE)
        for moment in history[:-1]:
            story.play(moment)
        return story.play(history[-1] | {"limits": {"grid": float(last_a)}}).limits

    less, more = end(min(limit_a, less_a)), end(max(limit_a, less_a))

    if all(limit.limit_a > 0 for limit in less.values()):
        for key in KEYS:
            assert less[key].limit_a <= more[key].limit_a + 0.1


@promise
@given(histories)
def test_every_limit_has_a_reason_that_speaks(history):
    story = Story(tree_site())
    for moment in history:
        for limit in story.play(moment).limits.values():
            assert limit.reason.since <= story.now
            assert limit.reason.sentence().endswith(".")


@promise
@given(histories)
def test_same_history_same_decision(history):
    first, second = Story(tree_site()), Story(tree_site())

    assert [first.play(m) for m in history] == [second.play(m) for m in history]


QUIET_EVSE = {
    "wants": True,
    "reachable": True,
    "draws": 1.0,
    "ceiling_a": None,
    "believed": "told",
    "report_age_s": 0.0,
    "energy_wh": 0.0,
    "step_a": 0.1,
    "leaves_in_h": None,
}
QUIET = {"base": (0, 0, 0), "limits": {}, "metered": True, "wait_s": 1.0}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_after_a_quiet_while_nothing_is_left_that_somebody_could_use(count):
    """Work-conserving, to within the half ampere that is not worth telling a station."""
    story = Story(tree_site(circuits=ONE_FUSE, stations=ALIKE), ONE_FUSE, ALIKE)
    evses = [QUIET_EVSE | {"wants": n < count} for n in range(len(KEYS))]
    for _ in range(120):
        story.play(QUIET | {"evses": evses, "metered": False})

    total_a = sum(limit.limit_a for limit in story.decision.limits.values())
    assert total_a >= min(32 * count, 80 - 0.5 * count)


TRIFLE_A = 1.6
"""Below this, nobody is told to give way: a change not worth a telegram, and rounding."""


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.booleans(), min_size=len(KEYS), max_size=len(KEYS)),
    st.tuples(*[st.integers(0, 50)] * 3),
    st.fixed_dictionaries({name: st.integers(30, 80) for name in CIRCUITS}),
)
def test_after_a_quiet_while_shares_are_fair_by_weight_and_nothing_is_left(wanting, base, limits):
    """On the whole tree: who has less than he could take stands at a full conductor, and nobody
    there has more by weight than he.
    """
    story = Story(tree_site())
    quiet = QUIET | {"base": base, "limits": {name: float(a) for name, a in limits.items()}}
    evses = [QUIET_EVSE | {"wants": wants} for n, wants in enumerate(wanting)]
    for _ in range(150):
        decision = story.play(quiet | {"evses": evses})

    told_a = {key: decision.limits[key].limit_a for key in KEYS}
    charging = [key for key, wants in zip(KEYS, wanting, strict=True) if wants and told_a[key]]
    for key in charging:
        if told_a[key] < 32:
            assert any(
                is_full(decision, node)
                and all(
                    level(key, told_a) >= level(other, told_a) - TRIFLE_A
                    for other in charging
                    if node in nodes(other) and told_a[other] > 6.5
                )
                for node in nodes(key)
            )


def level(key, told_a):
    return told_a[key] / STATIONS[key.station_id]["evses"][1]["priority"]


def nodes(key):
    """Every conductor that feeds an EVSE: circuit and phase."""
    station = STATIONS[key.station_id]
    phases = rotation(station["evses"][1]["phases"])
    return [(name, phase) for name in PATHS[station["circuit"]] for phase in phases]


def is_full(decision, node):
    name, phase = node
    circuit = decision.circuits[name]
    free_a = circuit.limit[phase] - circuit.uncontrolled[phase] - circuit.allocated[phase]
    return free_a < TRIFLE_A * len(KEYS) / 2
