"""How much each EVSE may draw now: fair shares, cut at once, raised slowly, low when in doubt.

Pure: `now` is an argument, nothing is sent, written or logged. Currents are A RMS per phase,
positive = towards the vehicle; inside, whole deci-amps (`_da`). Instants are monotonic seconds.

Rule 1: What is promised on a conductor, plus what others draw there, stays within its limit.
Rule 2: A cut is immediate, as large as the excess, and touches nobody elsewhere.
Rule 3: A rise waits: for its own last change to settle, for the circuit to be quiet after a
        cut, for a trusted meter that is not overdue, for the cut of another to be confirmed. Then
        it is small.
Rule 4: A failure - a lost meter, a lost station, an unknown limit - raises nobody.
Rule 5: Same history, same decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import add, gt, sub

from load_balancer.circuits import CircuitNode, CircuitTree
from load_balancer.decision import (
    CircuitDecision,
    Decision,
    Event,
    Limit,
    LimitCut,
    MeterBack,
    MeterLost,
    Turn,
)
from load_balancer.evse_memory import NOTHING, Distrust, EvseMemory, deci_amps_below
from load_balancer.explanation import Situation
from load_balancer.inputs import (
    Ceiling,
    CircuitInput,
    EvseInput,
    EvseKey,
    MeterReading,
    SiteInputs,
)
from load_balancer.limiters.fuse_allowance import FuseAllowance
from load_balancer.metering import Draws, MeteredCircuit
from load_balancer.phase_search import CalmLevels, FoundWirings
from load_balancer.phases import PHASES, Phase, PhaseCurrents
from load_balancer.reasons import Rule
from load_balancer.steering import LIVE, Cut, Pace, Room, Steering
from load_balancer.tally import Tally
from load_balancer.turns import Turns, queue
from site_config.meters import OnLoss
from site_config.model import Site

__all__ = [
    "Balancer",
    "Ceiling",
    "CircuitDecision",
    "CircuitInput",
    "Decision",
    "Event",
    "EvseInput",
    "EvseKey",
    "Limit",
    "LimitCut",
    "MeterBack",
    "MeterLost",
    "MeterReading",
    "SiteInputs",
    "Turn",
]

STRICTNESS = {OnLoss.HOLD: 0, OnLoss.SAFE: 1, OnLoss.PANIC: 2}


class Balancer:
    """Decides for one site; call `step` at each meter reading and each change of an EVSE.

    Args:
        found: what it has found of unknown phases before a restart.
    """

    def __init__(
        self, site: Site, pace: Pace = LIVE, found: Mapping[EvseKey, FoundWirings] | None = None
    ) -> None:
        report_interval_s = float(site.csms.meter_interval_s)
        self._tree = CircuitTree(site)
        self._memories = [EvseMemory(node, report_interval_s) for node in self._tree.evses]
        self._unknown = [memory for memory in self._memories if memory.search.is_open]
        self._meters = {
            circuit.index: MeteredCircuit(circuit.id, circuit.meter, report_interval_s)
            for circuit in self._tree.circuits
            if circuit.meter is not None
        }
        self._allowances = {
            circuit.index: FuseAllowance(circuit.rating, circuit.allowance)
            for circuit in self._tree.circuits
            if circuit.allowance is not None and circuit.meter is not None
        }
        self._searching = {
            memory: metered[-1]
            for memory in self._memories
            if memory.search.is_open
            and (metered := [index for index in memory.node.circuits if index in self._meters])
        }
        """EVSEs of unknown phases, and the innermost circuit above that has a meter."""
        self._levels = {index: CalmLevels() for index in self._searching.values()}
        for memory in self._searching:
            if found is not None and memory.node.key in found:
                memory.search.take_up(found[memory.node.key])
        self._keys = [memory.node.key for memory in self._memories]
        self._policies: list[Distrust | None] = []
        """For each circuit, the meter that is not trusted there."""
        self._scene: object = None
        """What all reasons depend on, as it was in the last step."""
        self._limits: dict[EvseKey, Limit] = {}
        """What was told last."""
        self._ceilings: list[tuple[Ceiling, ...] | None] = [None for _ in self._tree.circuits]
        """The limits of each circuit from which these two follow, for each node:"""
        self._allowed_da = [0] * len(self._tree.parents)
        self._rules = [Rule.FUSE] * len(self._tree.parents)
        self._said: list[tuple[object, CircuitDecision] | None] = [None for _ in self._ceilings]
        """For each circuit what was said of it last, and what it follows from."""
        self._steering = Steering(self._tree, pace, site.site.voltage_v)
        self._turns = Turns()
        self._low, self._drawn, self._counted, self._fixed = (Tally(self._tree) for _ in range(4))
        """What the memories of these names say; `counted` only of those who can be told."""

    def step(self, inputs: SiteInputs, now: float) -> Decision:
        """Decide every limit anew from what is known at `now` and what was decided before."""
        circuits = {circuit.id: circuit for circuit in inputs.circuits}
        allowed_da, rules = self._allowed(circuits)
        bearable_da = self._bearable_da(allowed_da, rules, now)
        self._look_for_phases(inputs.evses, circuits, now)
        news = self._observe_evses(inputs.evses, now)
        events = self._observe_meters(circuits, bearable_da, now)
        self._obey_meters(news)

        clock_s = now if inputs.clock_s is None else inputs.clock_s
        wanting = [memory for memory in self._memories if memory.is_demanding]
        demanding = self._turns.in_order(wanting, clock_s, now)
        room, fixed_da = self._room(allowed_da, bearable_da)
        cuts = self._steering.cut(demanding, room, now)
        self._steering.share(demanding, room, now)
        self._steering.rise(demanding, self._counted.sums_da(), room, now)
        taken_da = self._steering.taken_da(demanding)
        idle = [
            memory
            for memory in self._memories
            if memory.has_transaction and memory.is_reachable and not memory.is_demanding
        ]
        self._steering.stand_by(idle, taken_da, room, now)

        promised_da = [taken + fixed for taken, fixed in zip(taken_da, fixed_da, strict=True)]

        def find_free_da() -> list[int]:
            shared_da = self._steering.shared_da(demanding)
            return [rest - share for rest, share in zip(room.to_rise_da, shared_da, strict=True)]

        situation = Situation(
            self._tree,
            now,
            allowed_da=allowed_da,
            rules=rules,
            taken_da=taken_da,
            used_da=self._used_da(promised_da),
            find_free_da=find_free_da,
        )
        events += [self._told(cut, situation) for cut in cuts]
        return Decision(
            limits=self._tell(
                news, cuts, situation, now, queue(demanding, self._tree.paths, clock_s, now)
            ),
            circuits={
                circuit.id: self._circuit(circuit, situation, promised_da)
                for circuit in self._tree.circuits
            },
            events=tuple(events),
            doubtful=tuple(self._doubtful(demanding, allowed_da, now)),
            phases=self._phases(),
            found={
                memory.node.key: found
                for memory in self._searching
                if (found := memory.search.found) is not None
            },
        )

    # Observe.

    def _allowed(self, circuits: dict[str, CircuitInput]) -> tuple[list[int], list[Rule]]:
        """Return for each node the lowest limit, and whose it is."""
        for circuit in self._tree.circuits:
            known = circuits.get(circuit.id)
            limits = known.limits if known is not None else ()
            if limits == self._ceilings[circuit.index]:
                continue
            self._ceilings[circuit.index] = limits
            for node, rating_a in enumerate(circuit.rating, start=3 * circuit.index):
                lowest = Ceiling(Rule.FUSE, rating_a)
                for limit in limits:
                    if limit.value_a < lowest.value_a:
                        lowest = limit
                self._allowed_da[node] = deci_amps_below(lowest.value_a)
                self._rules[node] = lowest.rule
        return self._allowed_da, self._rules

    def _bearable_da(
        self, allowed_da: Sequence[int], rules: Sequence[Rule], now: float
    ) -> Sequence[int]:
        """Return for each node what may flow before somebody is cut: the limit, or what a fuse
        bears for a while."""
        if not self._allowances:
            return allowed_da
        bearable_da = list(allowed_da)
        for index, allowance in self._allowances.items():
            meter = self._meters[index]
            measured = meter.measured if meter.is_trusted else None
            for phase, extra_a in enumerate(allowance.extra_a(measured, now)):
                node = 3 * index + phase
                if rules[node] is Rule.FUSE:
                    bearable_da[node] += deci_amps_below(extra_a)
        return bearable_da

    def _look_for_phases(
        self, evses: Sequence[EvseInput], circuits: Mapping[str, CircuitInput], now: float
    ) -> None:
        for index, levels in self._levels.items():
            known = circuits.get(self._tree.circuits[index].id)
            levels.take(known.reading if known is not None else None)
        searching = {memory.node.key: memory for memory in self._searching}
        for evse in evses if searching else ():
            if (memory := searching.get(evse.key)) is not None:
                memory.look_for_phases(evse, self._levels[self._searching[memory]], now)

    def _observe_evses(self, evses: Sequence[EvseInput], now: float) -> list[EvseMemory]:
        """Return those of whom there is news."""
        news = []
        for memory, evse in zip(self._memories, self._in_order(evses), strict=True):
            had_a_part = memory.is_demanding or (memory.is_reachable and memory.counted_da > 0)
            if not memory.observe(evse, now):
                continue
            news.append(memory)
            if had_a_part and not memory.is_reachable:
                self._hold_path(memory.node.circuits, now)
            search = memory.search
            self._low.put(memory, search.nodes, search.at_least(memory.low_da))
            self._drawn.put(memory, search.nodes, search.at_least(memory.drawn_da))
            self._fixed.put(memory, search.nodes, search.at_most(memory.fixed_da))
            counted_da = memory.counted_da if memory.is_demanding else 0
            self._counted.put(memory, memory.nodes, (counted_da,) * len(memory.nodes))
        return news

    def _in_order(self, evses: Sequence[EvseInput]) -> Sequence[EvseInput | None]:
        """Return what is known of each EVSE, in the order of the memories."""
        if [evse.key for evse in evses] == self._keys:
            return evses
        known = {evse.key: evse for evse in evses}
        return [known.get(key) for key in self._keys]

    def _observe_meters(
        self, circuits: dict[str, CircuitInput], allowed_da: Sequence[int], now: float
    ) -> list[Event]:
        if not self._meters:
            return []
        low_da, drawn_da = self._low.sums_da(), self._drawn.sums_da()
        most_da = list(map(add, self._counted.sums_da(), self._fixed.sums_da()))
        unheard = {
            index
            for memory in self._memories
            if memory.is_unheard
            for index in memory.node.circuits
        }
        events: list[Event] = []
        for index, meter in self._meters.items():
            circuit = self._tree.circuits[index]
            known = circuits.get(circuit.id)
            nodes = slice(3 * index, 3 * index + 3)
            is_complete = index not in unheard
            draws = Draws(low_da[nodes], drawn_da[nodes], most_da[nodes], is_complete)
            was_trusted = meter.is_trusted
            reading = known.reading if known is not None else None
            event = meter.observe(reading, draws, allowed_da[nodes], now)
            if event is not None:
                events.append(event)
            if not is_complete:
                self._steering.wait(range(3 * index, 3 * index + 3), now)
            if was_trusted and (not meter.is_trusted or meter.is_overdue(now)):
                self._hold_path(self._tree.path(index), now)
        return events

    def _obey_meters(self, news: Sequence[EvseMemory]) -> None:
        """Pass the strictest policy of the meters that are not trusted down the tree, and let
        everybody begin from what he has, as far as he may keep it."""
        policies: list[Distrust | None] = []
        for circuit in self._tree.circuits:
            distrust = policies[circuit.parent] if circuit.parent is not None else None
            meter = self._meters.get(circuit.index)
            if meter is not None and not meter.is_trusted:
                own = Distrust(meter.on_loss, circuit.id)
                if distrust is None or STRICTNESS[own.policy] > STRICTNESS[distrust.policy]:
                    distrust = own
            policies.append(distrust)
        is_new = policies != self._policies
        self._policies = policies
        for memory in self._memories if is_new else news:
            memory.obey(policies[memory.node.circuits[-1]])
            memory.next_da = memory.at_most(memory.limit_da)

    def _hold_path(self, circuits: Sequence[int], now: float) -> None:
        for index in circuits:
            self._steering.hold(range(3 * index, 3 * index + 3), now)

    def _room(
        self, allowed_da: Sequence[int], bearable_da: Sequence[int]
    ) -> tuple[Room, list[int]]:
        """Return what is left for fair shares, and what is kept for EVSEs outside them."""
        fixed_da = self._fixed.sums_da()
        now_da = list(map(sub, bearable_da, fixed_da))
        to_rise_da = list(map(sub, allowed_da, fixed_da))
        for index, meter in self._meters.items():
            for phase in range(3):
                now_da[3 * index + phase] -= meter.others_da[phase]
                to_rise_da[3 * index + phase] -= meter.others_at_most_da[phase]
        return Room(now_da, to_rise_da), fixed_da

    def _doubtful(
        self, demanding: Sequence[EvseMemory], allowed_da: Sequence[int], now: float
    ) -> Iterable[EvseKey]:
        overloaded = {
            3 * index + phase
            for index, meter in self._meters.items()
            if meter.measured is not None
            for phase, current_a in enumerate(meter.measured)
            if current_a * 10 > allowed_da[3 * index + phase]
        }
        for memory in demanding:
            is_part = memory.is_unheard or (
                overloaded and not overloaded.isdisjoint(self._steering.path(memory))
            )
            if is_part and memory.is_worth_asking(now):
                yield memory.node.key

    # Answer.

    def _used_da(self, promised_da: Sequence[int]) -> list[int]:
        """Return for each node the most that may flow, by promise or by measurement."""
        used_da = list(promised_da)
        for index, meter in self._meters.items():
            for phase in range(3):
                node = 3 * index + phase
                used_da[node] += meter.others_da[phase]
                if meter.measured is not None:
                    used_da[node] = max(used_da[node], round(meter.measured[phase] * 10))
        return used_da

    def _told(self, cut: Cut, situation: Situation) -> LimitCut:
        circuit, phase = self._tree.places[cut.node]
        meter = self._meters.get(cut.node // 3)
        measured = meter.measured if meter is not None else None
        return LimitCut(
            evse=cut.memory.node.key,
            circuit=circuit,
            phase=phase,
            rule=situation.rules[cut.node],
            measured_a=measured[cut.node % 3] if measured is not None else None,
            allowed_a=situation.allowed_da[cut.node] / 10,
            from_a=cut.memory.limit_da / 10,
            to_a=cut.memory.next_da / 10,
        )

    def _tell(
        self,
        news: Sequence[EvseMemory],
        cuts: Sequence[Cut],
        situation: Situation,
        now: float,
        turns: Mapping[EvseMemory, Turn],
    ) -> dict[EvseKey, Limit]:
        cut_at = {cut.memory: cut.node for cut in cuts}

        def is_held(memory: EvseMemory) -> bool:
            return self._steering.is_held(memory, now)

        scene = (*situation.scene(), self._policies, self._steering.is_quiet(now))
        is_calm = scene == self._scene and not cuts and self._steering.is_quiet(now)
        self._scene = scene
        concerned: Iterable[EvseMemory] = self._memories
        if is_calm:
            heard = set(news)
            concerned = [m for m in self._memories if m in heard or not m.is_as_explained()]
        limits = self._limits.copy()
        for memory in concerned:
            reason = situation.explain(memory, cut_at.get(memory), is_held)
            memory.tell(reason, now, turns.get(memory))
            limits[memory.node.key] = memory.limit
        self._limits = limits
        return limits

    def _phases(self) -> dict[EvseKey, tuple[Phase | None, ...]]:
        return {
            memory.node.key: tuple(
                PHASES[nodes[0] % 3] if len(nodes := memory.search.of((conductor,))) == 1 else None
                for conductor in range(len(memory.node.nodes))
            )
            for memory in self._unknown
        }

    def _circuit(
        self, circuit: CircuitNode, situation: Situation, promised_da: Sequence[int]
    ) -> CircuitDecision:
        nodes = slice(3 * circuit.index, 3 * circuit.index + 3)
        allowed_da, allocated_da = situation.allowed_da[nodes], promised_da[nodes]
        meter = self._meters.get(circuit.index)
        measured, others_da = (meter.measured, meter.others_da) if meter else (None, NOTHING)
        grounds = (allowed_da, situation.rules[nodes], allocated_da, measured, others_da)
        said = self._said[circuit.index]
        if said is not None and said[0] == grounds:
            return said[1]
        limit = _amperes(allowed_da)
        decision = CircuitDecision(
            limit=limit,
            rule=situation.rules[3 * circuit.index],
            measured=measured,
            uncontrolled=_amperes(others_da),
            allocated=_amperes(allocated_da),
            overloaded=measured is not None and any(map(gt, measured, limit)),
            reading_is_stale=meter is not None and measured is None,
        )
        self._said[circuit.index] = grounds, decision
        return decision


def _amperes(currents_da: Sequence[int]) -> PhaseCurrents:
    return PhaseCurrents(*[current_da / 10 for current_da in currents_da])
