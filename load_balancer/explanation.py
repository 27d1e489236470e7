"""Find the words for what was decided: the one rule that keeps each limit where it is.

Pure. Whole deci-amps per node of the circuit tree inside, A RMS in the reasons.
"""

from collections.abc import Callable, Sequence
from operator import gt

from load_balancer.circuits import CircuitTree
from load_balancer.evse_memory import EvseMemory
from load_balancer.phases import Phase
from load_balancer.reasons import Reason, Rule
from load_balancer.steering import RISE_FROM_DA
from site_config.meters import OnLoss


class Situation:
    """What one step knows about the circuits, per node.

    Args:
        allowed_da: the lowest limit.
        rules: whose limit that is.
        taken_da: what those who want current may have, or take anyway.
        used_da: what is measured, or drawn by others and promised, whichever is more.
        find_free_da: what would be left beside everybody's fair share; asked when needed.
    """

    def __init__(
        self,
        tree: CircuitTree,
        now: float,
        *,
        allowed_da: Sequence[int],
        rules: Sequence[Rule],
        taken_da: Sequence[int],
        used_da: Sequence[int],
        find_free_da: Callable[[], Sequence[int]],
    ) -> None:
        self.allowed_da, self.rules = allowed_da, rules
        self._tree, self._now = tree, now
        self._taken_da, self._used_da = taken_da, used_da
        self._find_free_da = find_free_da
        self._found_free_da: Sequence[int] | None = None

    def scene(self) -> tuple[object, ...]:
        """Return what any reason may depend on beside the EVSE itself; compare it to the last."""
        is_over = list(map(gt, self._used_da, self.allowed_da))
        return list(self.allowed_da), list(self.rules), is_over

    def explain(
        self, memory: EvseMemory, cut_at: int | None, is_held: Callable[[EvseMemory], bool]
    ) -> Reason:
        """Say why an EVSE may have `next_da`.

        Args:
            cut_at: the node for whose sake it was cut in this step.
            is_held: whether it may not rise because of something that happened before.
        """
        share = memory.share
        if not memory.is_reachable:
            return self._unreachable(memory)
        if not memory.is_demanding:
            return self._own(memory, Rule.NO_DEMAND, memory.next_da, max(memory.fixed_da))
        if cut_at is not None:
            return self._full(memory, cut_at)
        if memory.distrust is not None:
            return self._distrusted(memory)
        if memory.floor_da:
            return self._own(memory, Rule.NOT_FOLLOWED, memory.next_da, memory.floor_da)
        if memory.next_da == 0 and share.limit_da == 0:
            return self._paused(memory)
        if memory.next_da <= share.limit_da - RISE_FROM_DA:
            previous = memory.reason
            if previous is not None and previous.circuit is not None and is_held(memory):
                return previous
            return self._own(memory, Rule.RISING, memory.next_da, share.limit_da)
        if share.bound is None:
            return self._at_ceiling(memory)
        return self._full(memory, share.bound)

    def _unreachable(self, memory: EvseMemory) -> Reason:
        if memory.has_transaction:
            return self._own(memory, Rule.STATION_SAFE, memory.safe_da, memory.counted_da)
        return self._own(memory, Rule.STATION_UNREACHABLE, 0, memory.counted_da)

    def _distrusted(self, memory: EvseMemory) -> Reason:
        assert memory.distrust is not None
        policy, circuit = memory.distrust
        rule = Rule.METER_PANIC if policy is OnLoss.PANIC else Rule.METER_STALE
        previous = memory.reason
        compared_to_a: float | None = memory.limit_da / 10
        if previous is not None and (previous.rule, previous.circuit) == (rule, circuit):
            compared_to_a = previous.compared_to_a
        return self._said(memory, rule, (circuit, None), memory.next_da / 10, compared_to_a)

    def _paused(self, memory: EvseMemory) -> Reason:
        node = memory.share.bound
        if node is None:
            return self._own(memory, memory.ceiling.rule, memory.maximum_da, memory.minimum_da)
        free_a = max(0, self._free_da[node]) / 10
        rule, place = Rule.MINIMUM_UNAVAILABLE, self._tree.places[node]
        return self._said(memory, rule, place, free_a, memory.minimum_da / 10)

    def _at_ceiling(self, memory: EvseMemory) -> Reason:
        rule, value_a = memory.ceiling
        if rule is Rule.NO_DEMAND:
            return self._own(memory, rule, memory.next_da, max(memory.drawn_da))
        previous = memory.reason
        is_old = previous is not None and previous.rule is rule and previous.circuit is None
        if previous is not None and is_old and previous.value_a == value_a:
            return previous  # What is free beside it changes all the time.
        free_da = min(self._free_da[n] for leaf in memory.nodes for n in self._tree.paths[leaf])
        # A rise too small to be told leaves `next_da` behind the share.
        compared_da = max(memory.next_da, memory.share.limit_da) + free_da
        return self._said(memory, rule, (None, None), value_a, compared_da / 10)

    def _full(self, memory: EvseMemory, node: int) -> Reason:
        rule, place = self.rules[node], self._tree.places[node]
        allowed_da = self.allowed_da[node]
        is_shared = self._taken_da[node] > memory.next_da
        if rule is Rule.FUSE and is_shared and self._used_da[node] <= allowed_da:
            rule = Rule.FAIR_SHARE
            return self._said(memory, rule, place, memory.next_da / 10, allowed_da / 10)
        return self._said(memory, rule, place, allowed_da / 10, self._used_da[node] / 10)

    def _own(self, memory: EvseMemory, rule: Rule, value_da: int, compared_to_da: int) -> Reason:
        return self._said(memory, rule, (None, None), value_da / 10, compared_to_da / 10)

    def _said(
        self,
        memory: EvseMemory,
        rule: Rule,
        place: tuple[str | None, Phase | None],
        value_a: float,
        compared_to_a: float | None,
    ) -> Reason:
        """Repeat what was said before, or say it anew, as old as its rule and its place."""
        previous, since = memory.reason, self._now
        is_old = previous is not None and previous.rule is rule
        if previous is not None and is_old and (previous.circuit, previous.phase) == place:
            since = previous.since
            if previous.value_a == value_a and previous.compared_to_a == compared_to_a:
                return previous
        return Reason(rule, *place, value_a, compared_to_a, since)

    @property
    def _free_da(self) -> Sequence[int]:
        if self._found_free_da is None:
            self._found_free_da = self._find_free_da()
        return self._found_free_da
