"""What a vehicle's own behaviour tells: on which conductors it draws, and what it leaves unused.

Pure. Whole deci-amps per conductor; instants are monotonic seconds, those of the reports.
"""

from collections.abc import Sequence
from math import inf

UNUSED_AFTER_S = 30.0
"""Drawing less than offered for so long, an EVSE gives the difference back."""
UNUSED_MARGIN_DA = 30
"""What it keeps above its draw."""
NEAR_OFFER_DA = 10
"""Drawing within this of its limit, it is offered more again."""
OWN_MAXIMUM_AFTER_S = 300.0
"""A margin not used for so long is one that the vehicle cannot use."""
STEADY_DA = 5
"""A draw that changes by no more is the same."""
OFFER_AGAIN_S = 3600.0
"""So often the margin is offered again: rarely, for it costs two messages to the station."""

LEARN_AFTER_S = 30.0
"""A conductor without current for so long, while another has some, is not connected."""
LEARN_FROM_DA = 30
"""Smallest draw from which phase use can be told."""
CURRENT_DA = 10
"""Less than this on a conductor is the electronics of the station, not the vehicle."""


class PhaseUse:
    """The conductors of an EVSE on which its vehicle draws: all, until fewer are certain.

    Args:
        conductors: the nodes they are connected to.
    """

    def __init__(self, conductors: tuple[int, ...]) -> None:
        self.nodes = conductors
        self._conductors = conductors
        self._since: float | None = None
        self._suspected: tuple[int, ...] = ()

    def forget(self) -> None:
        self.nodes, self._since = self._conductors, None

    def learn(self, measured_da: Sequence[int], at: float) -> None:
        by_node = zip(self._conductors, measured_da, strict=False)
        live = tuple([node for node, drawn in by_node if drawn >= CURRENT_DA])
        if live == self.nodes:
            self._since = None
        elif not set(live).issubset(self.nodes):
            self.forget()
        elif max(measured_da) < LEARN_FROM_DA:
            self._since = None
        elif self._since is None or live != self._suspected:
            self._since, self._suspected = at, live
        elif at - self._since >= LEARN_AFTER_S:
            self.nodes, self._since = live, None


class UnusedOffer:
    """The ceiling of an EVSE whose vehicle takes less than it might; None: it takes it all.

    The ceiling leaves a margin by which the vehicle can show that it wants more. A vehicle that
    has not used it for long has reached the most that it can take: then the margin, too, goes to
    others, but for a moment every hour.
    """

    def __init__(self, minimum_da: int) -> None:
        self.ceiling_da: int | None = None
        self._minimum_da = minimum_da
        self._since: float | None = None
        self._steady_da, self._steady_since = 0, inf
        """What it draws when nothing holds it back, and since when."""
        self._narrow_at: float | None = None
        """Since when the ceiling stands just above that; None: it has the margin."""
        self._patience_s = OWN_MAXIMUM_AFTER_S

    def forget(self) -> None:
        self.ceiling_da = self._since = self._narrow_at = None
        self._steady_since, self._patience_s = inf, OWN_MAXIMUM_AFTER_S

    def learn(self, drawn_da: int, limit_da: int, at: float) -> None:
        """Take back what a vehicle leaves, and offer more as soon as it uses all it is left.

        Paused, or allowed less than its ceiling for the sake of others, it proves nothing.
        """
        if drawn_da >= limit_da - NEAR_OFFER_DA:
            self._since = None
            self._take_all(drawn_da, limit_da, at)
            return
        enough_da = max(self._minimum_da, drawn_da + UNUSED_MARGIN_DA)
        if self.ceiling_da is None:
            if enough_da >= limit_da:
                self._since = None
            elif self._since is None:
                self._since = at
            elif at - self._since >= UNUSED_AFTER_S:
                self.ceiling_da = enough_da
            return
        if self._narrow_at is not None:
            if drawn_da < self._steady_da - NEAR_OFFER_DA:
                self._widen(enough_da)
            return
        if enough_da < self.ceiling_da - NEAR_OFFER_DA:
            self.ceiling_da = enough_da
        if at < self._steady_since or abs(drawn_da - self._steady_da) > STEADY_DA:
            self._steady_da, self._steady_since = drawn_da, at
        elif at - self._steady_since >= self._patience_s:
            self.ceiling_da = max(self._minimum_da, self._steady_da + NEAR_OFFER_DA)
            self._narrow_at = at

    def _take_all(self, drawn_da: int, limit_da: int, at: float) -> None:
        """Offer more to who takes all of his limit, if that is what his ceiling allows."""
        if self.ceiling_da is None or limit_da < self.ceiling_da - NEAR_OFFER_DA:
            return
        if self._narrow_at is None or drawn_da > self._steady_da + STEADY_DA:
            self.forget()
        elif at - self._narrow_at >= OFFER_AGAIN_S:
            self._widen(max(self._minimum_da, self._steady_da + UNUSED_MARGIN_DA))
            self._patience_s = UNUSED_AFTER_S

    def _widen(self, ceiling_da: int) -> None:
        self.ceiling_da, self._narrow_at = ceiling_da, None
        self._steady_since, self._patience_s = inf, OWN_MAXIMUM_AFTER_S
