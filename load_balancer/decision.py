"""What the balancer answers.

Currents are A RMS per phase, positive = towards the vehicle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from load_balancer.inputs import EvseKey
from load_balancer.phase_search import FoundWirings
from load_balancer.phases import Phase, PhaseCurrents
from load_balancer.reasons import Reason, Rule
from site_config.meters import OnLoss


class Turn(NamedTuple):
    """The place of one who waits for current to become free."""

    place: int
    """1 is next."""
    expected_at: float
    """When his turn should come if nobody comes or goes; monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Limit:
    limit_a: float
    """Whole tenths; 0 or at least the EVSE's minimum."""
    reason: Reason
    turn: Turn | None = None
    """None: it does not wait for others."""


@dataclass(frozen=True, slots=True)
class CircuitDecision:
    limit: PhaseCurrents
    """The lowest of the rating and the limits on it."""
    rule: Rule
    """Which of them it is."""
    measured: PhaseCurrents | None
    """None: no meter, or its newest reading is stale."""
    uncontrolled: PhaseCurrents
    """What is drawn behind the meter beside our EVSEs, as far as it is known."""
    allocated: PhaseCurrents
    """Limits of the EVSEs below, and what is kept for those that cannot be told."""
    overloaded: bool
    """More was measured than is allowed, on at least one phase."""
    reading_is_stale: bool


@dataclass(frozen=True, slots=True)
class LimitCut:
    """An EVSE was cut because its circuit is overloaded, or would be by what is promised."""

    evse: EvseKey
    circuit: str
    phase: Phase
    rule: Rule
    measured_a: float | None
    """None: nothing measured; more is promised than is allowed now."""
    allowed_a: float
    from_a: float
    to_a: float

    @property
    def is_overload(self) -> bool:
        """False: nothing is too much yet, others make room for who has come."""
        return self.measured_a is not None and self.measured_a > self.allowed_a


@dataclass(frozen=True, slots=True)
class MeterLost:
    circuit: str
    silent_s: float | None
    """None: it was never read."""
    policy: OnLoss


@dataclass(frozen=True, slots=True)
class MeterBack:
    """Trusted again, after enough good readings."""

    circuit: str
    silent_s: float
    """How long it was not trusted."""


Event = LimitCut | MeterLost | MeterBack


@dataclass(frozen=True, slots=True)
class Decision:
    limits: dict[EvseKey, Limit]
    """Every EVSE of the site, whether it charges or not."""
    circuits: dict[str, CircuitDecision]
    events: tuple[Event, ...] = ()
    """What is worth a log line."""
    doubtful: tuple[EvseKey, ...] = ()
    """Who should be asked at once what he draws: he was charging when we began; or a circuit above
    him is overloaded still, and his station alone can tell whether he has not yet followed his
    cut, or others draw more by now."""
    phases: Mapping[EvseKey, tuple[Phase | None, ...]] = field(default_factory=dict)
    """Where the conductors of the EVSEs are whose phases the site file does not know; None: still
    unknown."""
    found: Mapping[EvseKey, FoundWirings] = field(default_factory=dict)
    """What was found of them, to be kept over a restart; who is not in it: nothing."""
