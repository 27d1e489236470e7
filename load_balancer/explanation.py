"""Find the words for what was decided: the one rule that keeps each limit where it is.

Pure. Whole deci-amps per node of the circuit tree inside, A RMS in the reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from load_balancer.circuits import CircuitTree
from load_balancer.evse_memory import EvseMemory
from load_balancer.reasons import Reason, Rule
from load_balancer.steering import RISE_FROM_DA
from site_config.model import OnLoss


@dataclass(frozen=True, slots=True)
class Situation:
    """What one step knows about the circuits, per node."""

    tree: CircuitTree
    now: float
    allowed_da: Sequence[int]
    rules: Sequence[Rule]
    """Whose limit that is."""
    used_da: Sequence[int]
    """What is measured there, or drawn by others and promised, whichever is more."""
    free_da: Sequence[int]
    """What would be left beside everybody's fair share."""
    crowd: Sequence[int]
    """How many want current there."""

    def explain(self, memory: EvseMemory, cut_at: int | None, *, is_held: bool) -> Reason:
        """Say why an EVSE may have `next_da`.

        Args:
            cut_at: the node for whose sake it was cut in this step.
            is_held: whether it may not rise because of an earlier cut.
        """
        previous = memory.reason
        if not memory.is_reachable:
            return self._unreachable(memory).after(previous)
        if not memory.is_demanding:
            drawn_da = max(memory.fixed_da)
            return self._own(Rule.NO_DEMAND, memory.next_da, drawn_da).after(previous)
        if cut_at is not None:
            return self._full(memory, cut_at).after(previous)
        if memory.distrust is not None:
            return self._distrusted(memory, previous)
        if memory.next_da == 0 and memory.share.limit_da == 0:
            return self._paused(memory).after(previous)
        if memory.next_da <= memory.share.limit_da - RISE_FROM_DA:
            if is_held and previous is not None and previous.circuit is not None:
                return previous
            return self._own(Rule.RISING, memory.next_da, memory.share.limit_da).after(previous)
        if memory.share.bound is None:
            return self._at_ceiling(memory, previous).after(previous)
        return self._full(memory, memory.share.bound).after(previous)

    def _own(self, rule: Rule, value_da: int, compared_to_da: int) -> Reason:
        return Reason(rule, None, None, value_da / 10, compared_to_da / 10, self.now)

    def _unreachable(self, memory: EvseMemory) -> Reason:
        rule = Rule.STATION_SAFE if memory.has_transaction else Rule.STATION_UNREACHABLE
        value_da = memory.safe_da if memory.has_transaction else 0
        return self._own(rule, value_da, memory.counted_da)

    def _distrusted(self, memory: EvseMemory, previous: Reason | None) -> Reason:
        assert memory.distrust is not None
        policy, circuit = memory.distrust
        rule = Rule.METER_PANIC if policy is OnLoss.PANIC else Rule.METER_STALE
        if previous is not None and (previous.rule, previous.circuit) == (rule, circuit):
            compared_to_a = previous.compared_to_a
        else:
            compared_to_a = memory.limit_da / 10
        reason = Reason(rule, circuit, None, memory.next_da / 10, compared_to_a, self.now)
        return reason.after(previous)

    def _paused(self, memory: EvseMemory) -> Reason:
        node = memory.share.bound
        if node is None:
            return self._own(memory.ceiling.rule, memory.maximum_da, memory.minimum_da)
        circuit, phase = self.tree.place(node)
        free_a = max(0, self.free_da[node]) / 10
        minimum_a = memory.minimum_da / 10
        return Reason(Rule.MINIMUM_UNAVAILABLE, circuit, phase, free_a, minimum_a, self.now)

    def _at_ceiling(self, memory: EvseMemory, previous: Reason | None) -> Reason:
        rule, value_a = memory.ceiling
        if rule is Rule.NO_DEMAND:
            return self._own(rule, memory.next_da, max(memory.drawn_da))
        free_da = min(self.free_da[node] for leaf in memory.nodes for node in self.tree.paths[leaf])
        return Reason(rule, None, None, value_a, (memory.next_da + free_da) / 10, self.now)

    def _full(self, memory: EvseMemory, node: int) -> Reason:
        circuit, phase = self.tree.place(node)
        rule, allowed_a = self.rules[node], self.allowed_da[node] / 10
        is_shared = self.crowd[node] > 1 and self.used_da[node] <= self.allowed_da[node]
        if rule is Rule.FUSE and is_shared:
            value_a, compared_to_a = memory.next_da / 10, allowed_a
            return Reason(Rule.FAIR_SHARE, circuit, phase, value_a, compared_to_a, self.now)
        return Reason(rule, circuit, phase, allowed_a, self.used_da[node] / 10, self.now)
