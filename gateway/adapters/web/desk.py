"""What the HTTP side is handed: the state it shows, the operations it may ask for, the clocks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.metrics import Counters
from gateway.operations import Operations
from gateway.site_state import SiteState, snapshot


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator's desk."""

    state: SiteState
    operations: Operations
    counters: Counters
    now: Callable[[], float]
    """Monotonic seconds."""
    now_utc: Callable[[], datetime]
    """Aware UTC."""

    def snapshot(self) -> dict[str, Any]:
        return snapshot(self.state, self.now(), self.now_utc())
