"""Sums over the circuit tree, kept up to date by what changes.

Pure. A site has a thousand EVSEs of which a few report in any second; adding all of them up at
every step would be most of the step's time.
"""

from collections.abc import Hashable, Sequence

from load_balancer.circuits import CircuitTree


class Tally:
    """What everybody contributes on each node, whole deci-amps."""

    def __init__(self, tree: CircuitTree) -> None:
        self._tree = tree
        self._own_da = [0] * len(tree.parents)
        self._given: dict[Hashable, tuple[Sequence[int], Sequence[int]]] = {}

    def put(self, who: Hashable, nodes: Sequence[int], currents_da: Sequence[int]) -> None:
        """Let somebody contribute this, instead of what he did before.

        Args:
            nodes: where; may be fewer than the currents, the rest of which is not connected.
        """
        own_da = self._own_da
        before_nodes, before_da = self._given.get(who, ((), ()))
        if nodes is before_nodes and currents_da == before_da:
            return
        for node, current_da in zip(before_nodes, before_da, strict=False):
            own_da[node] -= current_da
        self._given[who] = (nodes, currents_da)
        for node, current_da in zip(nodes, currents_da, strict=False):
            own_da[node] += current_da

    def sums_da(self) -> list[int]:
        """Return for each node what is contributed there and below it."""
        sums_da = list(self._own_da)
        self._tree.add_up(sums_da)
        return sums_da
