"""How a power that was granted to all charge points together is divided among their vehicles.

Pure. Every vehicle that charges gets at least its minimum or nothing; where the total does not
hold the minimums of all, they take turns in slices of the clock, who has had least energy first.
What one does not use goes to the others. A share grows only by what the others have verifiably
let go of, so that the sum of what may flow never exceeds the total on the way.

Powers W, instants monotonic seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from load_balancer.allocation import Demand, allocate
from load_balancer.inputs import EvseKey
from load_balancer.turns import SLICE_S

SETTLE_S = 60.0
"""A vehicle that leaves some of its share unused for so long is taken at its word."""
MARGIN_W = 700.0
"""What it is left above its draw then, to show that it wants more."""
RESTS_BELOW_W = 230.0
"""Less is the electronics of the station."""


@dataclass(frozen=True, slots=True)
class Sharer:
    """An EVSE with a vehicle that may draw on the total."""

    key: EvseKey
    minimum_w: float
    maximum_w: float
    held_w: float
    """What it may be drawing by the limit its station has; 0 or more."""
    is_reachable: bool = True
    """Otherwise nobody can lower what it holds."""
    wants: bool = True
    """Its vehicle has not said that it is full."""
    drawn_w: float | None = None
    """None: not known."""
    energy_wh: float = 0.0
    weight: float = 1.0


class TotalShare:
    """The shares of one site, from step to step."""

    def __init__(self) -> None:
        self._given: dict[EvseKey, int] = {}
        self._ranks: dict[EvseKey, int] = {}
        self._slice: float | None = None
        self._content_since: dict[EvseKey, float] = {}
        """Since when a vehicle has taken less than it might."""
        self._resting: set[EvseKey] = set()
        """Who was offered enough in this slice and took nothing."""

    def shares_w(
        self, total_w: float, sharers: Sequence[Sharer], clock_s: float, now: float
    ) -> dict[EvseKey, int]:
        """Return what each reachable one may draw.

        Args:
            clock_s: the time by which slices begin, as seconds since 1970.
        """
        live = [sharer for sharer in sharers if sharer.is_reachable]
        self._forget_others({sharer.key for sharer in live})
        lost_w = sum(ceil(sharer.held_w) for sharer in sharers if not sharer.is_reachable)
        for sharer in live:
            # Whoever was here before the total was: what he holds is what he was given.
            self._given.setdefault(sharer.key, int(sharer.held_w) if self._slice is None else 0)
        order = self._in_order(live, clock_s)
        for sharer in live:
            self._watch(sharer, now)
        awake = [s for s in order if s.wants and s.key not in self._resting]
        free_w = int(total_w) - lost_w
        shares = _divided(free_w, awake, {s.key: self._usable_w(s, now) for s in awake})
        rest_w = free_w - sum(shares.values())
        resting = [s for s in order if s.key not in shares]
        shares |= _divided(rest_w, resting, {s.key: ceil(s.minimum_w) for s in resting})
        self._given = self._risen(free_w, [*awake, *resting], shares)
        return dict(self._given)

    def _forget_others(self, keys: set[EvseKey]) -> None:
        """Whoever comes back is somebody new."""
        self._ranks = {key: rank for key, rank in self._ranks.items() if key in keys}
        self._content_since = {k: at for k, at in self._content_since.items() if k in keys}
        self._resting &= keys

    def _in_order(self, live: Sequence[Sharer], clock_s: float) -> list[Sharer]:
        """Return the most important first; within a slice those who charge stay before the rest."""
        current = clock_s // SLICE_S
        if current != self._slice:
            self._slice = current
            self._resting.clear()
            ranked = sorted(live, key=lambda sharer: sharer.energy_wh / sharer.weight)
            self._ranks = {sharer.key: rank for rank, sharer in enumerate(ranked)}
            return ranked
        for sharer in live:
            self._ranks.setdefault(sharer.key, max(self._ranks.values(), default=0) + 1)
        return sorted(live, key=lambda s: (self._given[s.key] == 0, self._ranks[s.key]))

    def _watch(self, sharer: Sharer, now: float) -> None:
        """Find out whether a vehicle takes what it was given."""
        key, drawn_w, given_w = sharer.key, sharer.drawn_w, self._given[sharer.key]
        if drawn_w is not None and drawn_w >= RESTS_BELOW_W:
            self._resting.discard(key)
        if given_w < sharer.minimum_w or drawn_w is None or drawn_w > given_w - MARGIN_W / 2:
            self._content_since.pop(key, None)
            return
        has_settled = now - self._content_since.setdefault(key, now) >= SETTLE_S
        if not sharer.wants or (has_settled and drawn_w < RESTS_BELOW_W):
            self._resting.add(key)

    def _usable_w(self, sharer: Sharer, now: float) -> int:
        since = self._content_since.get(sharer.key)
        if since is None or now - since < SETTLE_S or sharer.drawn_w is None:
            return int(sharer.maximum_w)
        used_w = max(sharer.minimum_w, sharer.drawn_w + MARGIN_W)
        return min(int(sharer.maximum_w), ceil(used_w))

    def _risen(
        self, free_w: int, order: Iterable[Sharer], targets: dict[EvseKey, int]
    ) -> dict[EvseKey, int]:
        """Return the shares of this step: lowered at once, raised into what is free by now."""
        order = list(order)
        shares = {}
        for sharer in order:
            kept = min(targets[sharer.key], self._given[sharer.key])
            shares[sharer.key] = kept if kept >= sharer.minimum_w else 0
        held = {s.key: max(ceil(s.held_w), shares[s.key]) for s in order}
        room_w = free_w - sum(held.values())
        for sharer in order:
            key = sharer.key
            reached = min(targets[key], held[key] + room_w)
            if reached > shares[key] and reached >= sharer.minimum_w:
                room_w -= max(0, reached - held[key])
                shares[key] = reached
        return shares


def _divided(
    free_w: int, sharers: Sequence[Sharer], most_w: dict[EvseKey, int]
) -> dict[EvseKey, int]:
    """Return max-min fair shares by weight, the minimum or nothing, the first first.

    The arithmetic is that of one conductor, in whole watts.
    """
    demands = [
        Demand((0,), ceil(sharer.minimum_w), most_w[sharer.key], sharer.weight)
        for sharer in sharers
    ]
    shares = allocate([free_w], [-1], demands)
    return {sharer.key: share.limit_da for sharer, share in zip(sharers, shares, strict=True)}
