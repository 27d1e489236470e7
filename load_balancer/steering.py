"""From what each EVSE has to what it may have next: cut, share, raise, keep warm.

Pure. Works on the memories the balancer hands in, in their order of importance, and leaves the
result in `next_da` and `share`. Whole deci-amps per node of the circuit tree; instants are
monotonic seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from operator import sub

from load_balancer.allocation import Demand, Share, allocate
from load_balancer.circuits import CircuitTree
from load_balancer.departures import Claimant, Departures
from load_balancer.evse_memory import STUBBORN_AFTER_S, EvseMemory

RISE_FROM_DA = 5
"""Less is not worth telling a station, unless nothing more is to come."""

SHARE_AGAIN_S = 5.0
"""Fair shares are found anew at least so often while the room changes at all."""
SHARE_AGAIN_DA = 10
"""A smaller change of the room, or one below a hundredth, waits for that."""
AT_ONCE_S = 1.0
"""The longest time between two steps of a site that has a meter, or nearly."""
UNFAIR_FROM_DA = 10
"""So much below its fair share, an EVSE takes it from those who are above theirs."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast limits rise; cuts know no pace."""

    rise_step_da: int = 50
    """The most by which a limit rises at a time."""
    rise_interval_s: float = 10.0
    """Between two rises of an EVSE: a change settles and is reported before the next one."""
    hold_off_s: float = 20.0
    """No rise on a conductor for so long after a cut or a failure there."""


LIVE = Pace()
AT_ONCE = Pace(rise_step_da=100_000, rise_interval_s=0.0, hold_off_s=0.0)
"""For stations and vehicles that follow without delay: there are none but in a simulation."""


@dataclass(frozen=True, slots=True)
class Room:
    """What each node has for the EVSEs that can be told a limit; may be negative."""

    now_da: Sequence[int]
    """Beside what others are believed to draw; limits are cut to it."""
    to_rise_da: Sequence[int]
    """Beside the most that others were seen to draw; limits rise only within it."""


@dataclass(frozen=True, slots=True)
class Cut:
    memory: EvseMemory
    node: int
    """The conductor that is too full."""


class Steering:
    """Remembers only where rises have to wait."""

    def __init__(self, tree: CircuitTree, pace: Pace = LIVE, voltage_v: float = 230.0) -> None:
        self._tree, self._pace = tree, pace
        self._departures = Departures(tree.paths, voltage_v)
        self._held_until = [-inf] * len(tree.parents)
        self._all_held_until = -inf
        """The latest of them: nothing is held any more after that."""
        self._shared: tuple[list[EvseMemory], list[Demand]] | None = None
        """Whose demands the shares were last found for; None: find them anew."""
        self._shared_room, self._shared_at = Room((), ()), -inf
        self._is_clipped = False
        """Somebody's share has been lowered since: they have to be found anew, if not at once."""
        self._taken: tuple[object, list[int]] = (None, [])
        """What was last added up, and the sums."""
        self._paths: dict[tuple[int, ...], tuple[int, ...]] = {}

    def hold(self, nodes: Iterable[int], now: float) -> None:
        """Let nobody rise on these conductors for a while."""
        self._all_held_until = now + self._pace.hold_off_s
        for node in nodes:
            self._held_until[node] = now + self._pace.hold_off_s

    def wait(self, nodes: Iterable[int], now: float) -> None:
        """Let nobody rise on these conductors in this step."""
        self._all_held_until = max(self._all_held_until, now + AT_ONCE_S)
        for node in nodes:
            self._held_until[node] = max(self._held_until[node], now + AT_ONCE_S)

    def is_quiet(self, now: float) -> bool:
        """Return whether nobody has to wait."""
        return self._all_held_until <= now

    def is_held(self, memory: EvseMemory, now: float) -> bool:
        """Return whether an EVSE has to wait because something happened on a conductor of his."""
        if self.is_quiet(now):
            return False
        return any(self._held_until[node] > now for node in self.path(memory))

    def cut(self, demanding: Sequence[EvseMemory], room: Room, now: float) -> list[Cut]:
        """Bring every conductor within its room; everybody's own maximum is kept already."""
        cut_at: dict[EvseMemory, int] = {}
        if any(memory.floor_da for memory in demanding):
            # What is told must fit as if all obeyed; and since some do not, the others give way.
            told_da = self._sums(demanding, [memory.next_da for memory in demanding])
            if self._is_too_full(told_da, room, now):
                demands = [_at_most_next(memory) for memory in demanding]
                shares = allocate(room.now_da, self._tree.parents, demands)
                _lower(zip(demanding, shares, strict=True), cut_at)
        if self._is_too_full(self.taken_da(demanding), room, now):
            demands = [_at_most_next(memory) for memory in demanding]
            _lower(self._allocate(demanding, demands, room.now_da), cut_at)
            self._pause_stubborn(demanding, room, cut_at, now)
        return [Cut(memory, node) for memory, node in cut_at.items()]

    def _is_too_full(self, sums_da: Sequence[int], room: Room, now: float) -> bool:
        too_full = [
            node
            for node, (sum_da, room_da) in enumerate(zip(sums_da, room.now_da, strict=True))
            if sum_da > room_da and sum_da > 0
        ]
        if too_full:
            self.hold(too_full, now)
        return bool(too_full)

    def _pause_stubborn(
        self,
        demanding: Sequence[EvseMemory],
        room: Room,
        cut_at: dict[EvseMemory, int],
        now: float,
    ) -> None:
        """Pause who alone takes more than there is, and has had time enough to obey."""
        stubborn = [
            memory
            for memory in demanding
            if memory.floor_da and memory.next_da and now - memory.changed_at >= STUBBORN_AFTER_S
        ]
        if not stubborn:
            return
        floors_da = self._sums(demanding, [memory.floor_da for memory in demanding])
        for memory in stubborn:
            over = [n for n in self.path(memory) if floors_da[n] > max(0, room.now_da[n])]
            if over:
                memory.next_da = 0
                cut_at[memory] = over[0]

    def share(self, demanding: Sequence[EvseMemory], room: Room, now: float) -> None:
        """Find everybody's fair share of what may be risen into.

        While nobody comes or goes and demands and room hardly change, the shares of a moment ago
        will do: whoever rises is held to what is free now.
        """
        demands = [memory.demand for memory in demanding]
        is_obeyed = not any(memory.floor_da for memory in demanding)
        has_plans = any(memory.plan for memory in demanding)
        is_recent = not has_plans or now - self._shared_at < SHARE_AGAIN_S
        if is_obeyed and is_recent and self._is_still_so(demanding, demands, room, now):
            return
        self._shared = (list(demanding), demands) if is_obeyed else None
        self._shared_room, self._shared_at, self._is_clipped = room, now, False
        for memory, found in self._allocate(demanding, demands, room.to_rise_da):
            is_kept = 0 < found.limit_da <= memory.floor_da
            share = Share(memory.next_da, found.bound) if is_kept else found
            if share != memory.share:  # What is explained already need not be again.
                memory.share = share
        if has_plans and is_obeyed:
            claimants = [
                Claimant(m.demand, m.plan, m.share, not m.has_charged or m.has_just_begun(now))
                for m in demanding
            ]
            shares = self._departures.divide(room.to_rise_da, claimants, now)
            for memory, share in zip(demanding, shares, strict=True):
                if share != memory.share:
                    memory.share = share

    def _is_still_so(
        self, demanding: Sequence[EvseMemory], demands: list[Demand], room: Room, now: float
    ) -> bool:
        if self._shared is None or demanding != self._shared[0]:
            return False
        is_long_ago = now - self._shared_at >= SHARE_AGAIN_S
        if room.to_rise_da != self._shared_room.to_rise_da:
            changes_da = map(sub, room.to_rise_da, self._shared_room.to_rise_da)
            if is_long_ago or any(
                abs(change_da) > SHARE_AGAIN_DA and abs(change_da) * 100 > room_da
                for change_da, room_da in zip(changes_da, room.to_rise_da, strict=True)
            ):
                return False
        before = self._shared[1]
        if demands == before and not self._is_clipped:
            return True
        return not is_long_ago and self._keep_within(demanding, before)

    def _keep_within(self, demanding: Sequence[EvseMemory], before: Sequence[Demand]) -> bool:
        """Keep shares within maximums that have fallen; False: more has changed, or
        somebody may begin."""
        for memory, former in zip(demanding, before, strict=True):
            demand = memory.demand
            if demand is former:
                continue
            may_begin = memory.share.limit_da == 0 and demand.maximum_da > former.maximum_da
            if may_begin or replace(demand, maximum_da=former.maximum_da) != former:
                return False
            if demand.maximum_da < memory.share.limit_da:
                is_enough = demand.maximum_da >= demand.minimum_da
                memory.share = Share(demand.maximum_da if is_enough else 0, None)
                self._is_clipped = True
        return True

    def rise(
        self, demanding: Sequence[EvseMemory], counted_da: Sequence[int], room: Room, now: float
    ) -> None:
        """Raise who is below his fair share; where nothing is free, take it from who is above.

        Args:
            counted_da: for each node the highest that those who want current may draw now.
        """
        rising = [
            memory
            for memory in demanding
            if memory.next_da < memory.share.limit_da and self._may_rise(memory, now)
        ]
        if not rising:
            return
        free_da = list(map(sub, room.to_rise_da, counted_da))
        wanted_at: dict[int, float] = {}
        for memory in rising:
            level = memory.next_da / memory.node.weight
            for node in self._raise(memory, free_da):
                wanted_at[node] = min(level, wanted_at.get(node, inf))
        if wanted_at:
            self._make_way(demanding, wanted_at)

    def _make_way(self, demanding: Sequence[EvseMemory], wanted_at: dict[int, float]) -> None:
        """Bring down to his share who is above it where somebody wants to rise.

        Who goes by his departure gives way to anybody: what he has beyond his share is another's
        by plan, however much that one has already. By fair shares, only who has more gives way.

        Args:
            wanted_at: by full node, the lowest level (current by weight) from which somebody
                wants to rise; 0 where somebody wants to start.
        """
        for memory in demanding:
            if memory.next_da <= memory.share.limit_da:
                continue
            path = self.path(memory)
            lowest = min((wanted_at[node] for node in path if node in wanted_at), default=inf)
            if lowest == 0 or (memory.plan and lowest < inf):
                memory.next_da = memory.share.limit_da
            elif lowest < memory.next_da / memory.node.weight:
                # Nobody is paused only because another would like more.
                memory.next_da = max(memory.share.limit_da, memory.minimum_da)

    def stand_by(
        self, idle: Iterable[EvseMemory], taken_da: list[int], room: Room, now: float
    ) -> None:
        """Keep the minimum for vehicles that may wake up, as long as nobody else needs it.

        Args:
            taken_da: for each node what those who want current may have; added to.
        """
        for memory in idle:
            memory.next_da = 0
            minimum_da = memory.at_most(memory.minimum_da)
            missing_da = max(0, minimum_da - min(memory.fixed_da))
            path = self.path(memory)
            if minimum_da == 0 or any(room.now_da[n] - taken_da[n] < missing_da for n in path):
                continue
            if memory.limit_da == 0 and (memory.distrust or self.is_held(memory, now)):
                continue
            memory.next_da = minimum_da
            for node in path:
                taken_da[node] += missing_da

    def taken_da(self, demanding: Sequence[EvseMemory]) -> list[int]:
        """Return for each node what those who want current may have, or take anyway."""
        taken_da = [memory.floor_da or memory.next_da for memory in demanding]
        asked = (taken_da, [memory.nodes for memory in demanding])
        if asked != self._taken[0]:
            self._taken = (asked, self._sums(demanding, taken_da))
        return list(self._taken[1])

    def shared_da(self, demanding: Sequence[EvseMemory]) -> list[int]:
        """Return for each node the sum of the fair shares."""
        return self._sums(demanding, [memory.share.limit_da for memory in demanding])

    def _may_rise(self, memory: EvseMemory, now: float) -> bool:
        """Return whether who is below his share may go towards it now."""
        if memory.next_da < memory.limit_da:
            return False
        if memory.next_da == 0:
            if memory.distrust is not None and memory.has_charged:
                return False
            # Who comes charging, as by a station's default profile, may go on at once.
            is_charging = memory.changed_at == now and memory.counted_da >= memory.minimum_da
            return is_charging or not self.is_held(memory, now)
        if memory.distrust is not None or now - memory.changed_at < self._pace.rise_interval_s:
            return False
        missing_da = memory.share.limit_da - memory.next_da
        is_worth_it = missing_da >= RISE_FROM_DA or memory.share.limit_da == memory.maximum_da
        return is_worth_it and not self.is_held(memory, now)

    def _raise(self, memory: EvseMemory, free_da: list[int]) -> list[int]:
        """Raise one EVSE by what is free; returns the nodes on which more should be free."""
        path = self.path(memory)
        wanted_da = memory.minimum_da
        if memory.next_da > 0:
            wanted_da = min(memory.share.limit_da, memory.next_da + self._pace.rise_step_da)
        missing_da = wanted_da - memory.counted_da
        least_da = min(free_da[node] for node in path)
        short: list[int] = []
        if missing_da > max(0, least_da):
            if memory.next_da == 0 or wanted_da - memory.next_da >= UNFAIR_FROM_DA:
                short = [node for node in path if free_da[node] < missing_da]
            if memory.next_da == 0 or least_da < RISE_FROM_DA:
                return short
            wanted_da = memory.in_steps(memory.counted_da + least_da)
            if wanted_da <= memory.next_da:
                return short
            missing_da = wanted_da - memory.counted_da
        memory.next_da = wanted_da
        if missing_da > 0:
            for node in path:
                free_da[node] -= missing_da
        return short

    def _allocate(
        self, memories: Sequence[EvseMemory], demands: Sequence[Demand], room_da: Sequence[int]
    ) -> Iterable[tuple[EvseMemory, Share]]:
        """Share the room; who does not obey has what he takes, before all others."""
        stubborn = [index for index, memory in enumerate(memories) if memory.floor_da]
        if not stubborn:
            return zip(memories, allocate(room_da, self._tree.parents, demands), strict=True)
        order = sorted(range(len(memories)), key=lambda index: memories[index].floor_da == 0)
        served = [demands[index] for index in order]
        for place, index in enumerate(stubborn):
            floor_da = memories[index].floor_da
            most_da = max(floor_da, demands[index].maximum_da)
            served[place] = replace(demands[index], minimum_da=floor_da, maximum_da=most_da)
        floors_da = self._sums(memories, [memory.floor_da for memory in memories])
        enough_da = list(map(max, room_da, floors_da))
        shares = allocate(enough_da, self._tree.parents, served)
        return zip((memories[index] for index in order), shares, strict=True)

    def _sums(self, memories: Sequence[EvseMemory], currents_da: Sequence[int]) -> list[int]:
        sums = [0] * len(self._tree.parents)
        for memory, current_da in zip(memories, currents_da, strict=True):
            if current_da:
                for node in memory.nodes:
                    sums[node] += current_da
        self._tree.add_up(sums)
        return sums

    def path(self, memory: EvseMemory) -> tuple[int, ...]:
        """Every node through which the vehicle's current flows."""
        path = self._paths.get(memory.nodes)
        if path is None:
            path = tuple(node for leaf in memory.nodes for node in self._tree.paths[leaf])
            self._paths[memory.nodes] = path
        return path


def _at_most_next(memory: EvseMemory) -> Demand:
    weight, step_da = memory.node.weight, memory.step_da
    return Demand(memory.nodes, memory.minimum_da, memory.next_da, weight, step_da)


def _lower(shares: Iterable[tuple[EvseMemory, Share]], cut_at: dict[EvseMemory, int]) -> None:
    """Take over shares that are lower, and note the full node that is to blame."""
    for memory, share in shares:
        if share.limit_da < memory.next_da and share.bound is not None:
            memory.next_da = share.limit_da
            cut_at.setdefault(memory, share.bound)
