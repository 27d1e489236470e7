"""What a vehicle's own behaviour tells: on which conductors it draws, and what it leaves unused.

Pure. Whole deci-amps per conductor; instants are monotonic seconds, those of the reports.
"""

from collections.abc import Sequence

UNUSED_AFTER_S = 30.0
"""Drawing less than offered for so long, an EVSE gives the difference back."""
UNUSED_MARGIN_DA = 30
"""What it keeps above its draw."""
NEAR_OFFER_DA = 10
"""Drawing within this of its limit, it is offered more again."""

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
        live = tuple(node for node, drawn in by_node if drawn >= CURRENT_DA)
        if any(node not in self.nodes for node in live):
            self.forget()
        elif len(live) == len(self.nodes) or max(measured_da) < LEARN_FROM_DA:
            self._since = None
        elif self._since is None or live != self._suspected:
            self._since, self._suspected = at, live
        elif at - self._since >= LEARN_AFTER_S:
            self.nodes, self._since = live, None


class UnusedOffer:
    """The ceiling of an EVSE whose vehicle takes less than it might; None: it takes it all."""

    def __init__(self, minimum_da: int) -> None:
        self.ceiling_da: int | None = None
        self._minimum_da = minimum_da
        self._since: float | None = None

    def forget(self) -> None:
        self.ceiling_da = self._since = None

    def learn(self, drawn_da: int, limit_da: int, at: float) -> None:
        """Take back what a vehicle leaves, and offer more as soon as it uses what it has."""
        enough_da = max(self._minimum_da, drawn_da + UNUSED_MARGIN_DA)
        if drawn_da >= limit_da - NEAR_OFFER_DA:
            self.forget()
        elif self.ceiling_da is not None:
            if enough_da < self.ceiling_da - NEAR_OFFER_DA:
                self.ceiling_da = enough_da
        elif enough_da >= limit_da:
            self._since = None
        elif self._since is None:
            self._since = at
        elif at - self._since >= UNUSED_AFTER_S:
            self.ceiling_da = enough_da
