"""Since when a meter is silent or in doubt, and what has been told of it: each once when it begins
and once when it ends. Writes log lines; `now` is monotonic.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.meters.doubts import Doubt, DoubtKind
from gateway.meters.model import Layout

log = logging.getLogger(__name__)

TellHealth = Callable[[str, str | None], None]
"""Called with the meter's name and why it is lost, or None with its first reading and when it
is back; only when that changes."""
TellDoubt = Callable[[str, str | None], None]
"""Called with the meter's name and what is odd about readings that are used all the same, or None
when it is over; only when that changes."""

CALM_S = 60.0
"""A doubt is over when it has not come again for so long; a fault that flickers is told once."""


@dataclass(slots=True)
class Outage:
    """Knows since when a meter is silent, and what has been told of it."""

    name: str
    max_age_s: float
    policy: str
    heard_at: float
    """Of the last reading, or of the beginning."""
    tell: TellHealth
    told_healthy: bool | None = None
    """None: nothing has been told yet."""

    def heard(self, now: float) -> None:
        if self.told_healthy is False:
            log.info("meter.back meter=%s silent_s=%.1f", self.name, now - self.heard_at)
        if not self.told_healthy:
            self.tell(self.name, None)
        self.heard_at, self.told_healthy = now, True

    def silent(self, reason: str, now: float) -> None:
        silent_s = now - self.heard_at
        if self.told_healthy is False or silent_s < self.max_age_s:
            return
        log.warning(
            'meter.lost meter=%s reason="%s" silent_s=%.1f policy=%s',
            self.name,
            reason,
            silent_s,
            self.policy,
        )
        self.tell(self.name, reason)
        self.told_healthy = False


@dataclass(slots=True)
class Doubts:
    """Tells of every kind of doubt once when it begins and once when it has calmed down."""

    name: str
    tell: TellDoubt
    _began_at: dict[DoubtKind, float] = field(default_factory=dict)
    _seen_at: dict[DoubtKind, float] = field(default_factory=dict)
    _told: dict[DoubtKind, str] = field(default_factory=dict)
    """Only of those that leave the reading in use."""

    def take(self, doubts: Sequence[Doubt], layout: Layout, now: float) -> None:
        """Take what is doubtful about the newest reading."""
        before = list(self._told)
        for doubt in doubts:
            if doubt.kind not in self._began_at:
                self._began_at[doubt.kind] = now
                self._begin(doubt, layout)
            self._seen_at[doubt.kind] = now
        for kind in [kind for kind, at in self._seen_at.items() if now - at >= CALM_S]:
            lasted_s = self._seen_at.pop(kind) - self._began_at.pop(kind)
            log.info("meter.sound meter=%s kind=%s lasted_s=%.0f", self.name, kind, lasted_s)
            self._told.pop(kind, None)
        if before != list(self._told):
            self.tell(self.name, "; ".join(self._told.values()) or None)

    def _begin(self, doubt: Doubt, layout: Layout) -> None:
        log.warning(
            'meter.doubt meter=%s kind=%s register="%s" reason="%s" refused=%s',
            self.name,
            doubt.kind,
            layout.place_of(doubt.quantity),
            doubt.words,
            "yes" if doubt.is_refused else "no",
        )
        if not doubt.is_refused:
            self._told[doubt.kind] = doubt.told(layout)
