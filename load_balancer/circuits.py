"""The tree of fuses, and where each EVSE hangs in it.

Built once from the configuration; pure. A *node* is one conductor of one circuit, the thing a
fuse protects; it has a number, so that sums over the tree are loops over lists. Currents are
A RMS per phase.
"""

from dataclasses import dataclass

from load_balancer.inputs import EvseKey
from load_balancer.phases import PHASES, Phase, PhaseCurrents, rotation
from site_config.circuits import Allowance
from site_config.meters import Meter
from site_config.model import Site

NO_NODE = -1
"""Parent of the root's nodes."""


@dataclass(frozen=True, slots=True)
class CircuitNode:
    """One circuit with its three nodes, numbered 3 * index + phase."""

    id: str
    index: int
    """Parents come before their children."""
    parent: int | None
    """None: the grid connection point."""
    rating: PhaseCurrents
    meter: Meter | None
    allowance: Allowance | None
    """A short overload that its fuse may bear."""


@dataclass(frozen=True, slots=True)
class EvseNode:
    key: EvseKey
    circuits: tuple[int, ...]
    """Indices of its circuits, root first; the last is the one it hangs on."""
    wirings: tuple[tuple[int, ...], ...]
    """For each of the EVSE's conductors, the node of its own circuit; in every way that is
    possible, which is one where the site file knows."""
    minimum_a: float
    maximum_a: float
    safe_a: float
    weight: float
    """Share relative to the others; the configuration's priority."""

    @property
    def nodes(self) -> tuple[int, ...]:
        """Where its conductors are, in their order; of an unknown wiring, the first possible."""
        return self.wirings[0]


class CircuitTree:
    """The circuits, root first, and the EVSEs in the order of the configuration."""

    def __init__(self, site: Site) -> None:
        order = _root_first({name: circuit.parent for name, circuit in site.circuits.items()})
        index = {name: number for number, name in enumerate(order)}
        self.circuits = tuple(
            CircuitNode(
                id=name,
                index=number,
                parent=index[parent] if (parent := site.circuits[name].parent) else None,
                rating=PhaseCurrents(*site.circuits[name].ratings_a),
                meter=site.meters[meter] if (meter := site.circuits[name].meter) else None,
                allowance=site.circuits[name].fuse_allowance,
            )
            for number, name in enumerate(order)
        )
        self.parents = tuple(
            NO_NODE if circuit.parent is None else 3 * circuit.parent + phase
            for circuit in self.circuits
            for phase in range(3)
        )
        """For each node, the same conductor of the parent circuit, or `NO_NODE`."""
        self.paths = tuple(
            tuple(3 * ancestor + phase for ancestor in self.path(circuit.index))
            for circuit in self.circuits
            for phase in range(3)
        )
        """For each node, those that carry its current: the root's first, itself last."""
        self.places: tuple[tuple[str, Phase], ...] = tuple(
            (circuit.id, phase) for circuit in self.circuits for phase in PHASES
        )
        """For each node, its circuit and its phase."""
        self.evses = tuple(
            EvseNode(
                key=EvseKey(station_id, evse_id),
                circuits=self.path(index[station.circuit]),
                wirings=tuple(
                    tuple(3 * index[station.circuit] + phase for phase in rotation(wiring))
                    for wiring in evse.wirings
                ),
                minimum_a=evse.min_current_a,
                maximum_a=evse.max_current_a,
                safe_a=station.safe_current_a,
                weight=evse.priority,
            )
            for station_id, station in site.stations.items()
            for evse_id, evse in station.evses.items()
        )

    def add_up(self, sums: list[int]) -> None:
        """Turn what hangs directly on each node into what hangs below it, in place."""
        parents = self.parents
        for node in range(len(sums) - 1, 2, -1):
            sums[parents[node]] += sums[node]

    def path(self, circuit: int) -> tuple[int, ...]:
        """Return the indices of a circuit and those above it, the root first."""
        parent = self.circuits[circuit].parent
        return (circuit,) if parent is None else (*self.path(parent), circuit)


def _root_first(parents: dict[str, str | None]) -> list[str]:
    """Order circuits so that each follows its parent. Raises ValueError unless they are a tree."""
    order: list[str] = []
    waiting = list(parents)
    while waiting:
        ready = [name for name in waiting if parents[name] is None or parents[name] in order]
        if not ready or list(parents.values()).count(None) != 1:
            raise ValueError(f"circuits {waiting} do not hang on one grid connection point")
        order += ready
        waiting = [name for name in waiting if name not in ready]
    return order
