"""A simulated station's own truth about its transactions, to hold the cloud's against. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class StationTransaction:
    """One transaction as the station knows it. Energy registers in whole Wh, instants UTC."""

    identity: str
    evse_id: int
    started_at: datetime
    start_wh: int
    id_token: str | None = None
    """None: nobody has shown a token yet (2.0.1 only)."""
    transaction_id: str | None = None
    """2.0.1: the station's own; 1.6: what it was given, None until then."""
    ended_at: datetime | None = None
    stop_wh: int | None = None
    stop_reason: str | None = None
    meter_values_sent: int = 0
    is_delivered: bool = False
    """The end has been acknowledged."""

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    @property
    def energy_wh(self) -> int | None:
        return None if self.stop_wh is None else self.stop_wh - self.start_wh
