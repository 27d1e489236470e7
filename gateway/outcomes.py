"""What the books make of one word of a station or the cloud, before any of it is true."""

from dataclasses import dataclass
from datetime import datetime

from gateway.events import SecurityEventOccurred
from gateway.frozen import frozen
from gateway.records import OutboxRow, Transaction
from gateway.remote_asks import RemoteStart
from gateway.writes import Enqueue, Write


@frozen
class Outcome:
    """What an event means. Nothing of it is true before `TransactionBooks.accept`."""

    writes: tuple[Write, ...] = ()
    """One commit; empty: nothing to store."""
    transaction: Transaction | None = None
    """The one it is about, as it will be."""
    is_duplicate: bool = False
    """Heard before: answer as then."""
    is_refused: bool = False
    """The EVSE is not in the site file: answer Invalid."""
    is_remote: bool = False
    """A Started the cloud asked for: its token needs no question."""
    stop: Transaction | None = None
    """The station must be asked to stop it: the cloud did not accept its token."""
    notes: tuple[str, ...] = ()
    """Log lines, without tokens."""
    station_id: str | None = None
    fingerprint: str | None = None
    used: RemoteStart | None = None
    security_event: tuple[SecurityEventOccurred, datetime] | None = None
    """As told by the station, and when."""

    @property
    def rows(self) -> tuple[OutboxRow, ...]:
        """The rows among the writes, in order."""
        return tuple(write.row for write in self.writes if isinstance(write, Enqueue))


@dataclass(frozen=True, slots=True)
class OnRefusal:
    """1.6 and 2.0.1 know the same two settings, by nearly the same names."""

    must_stop: bool = True
    """StopTransactionOnInvalidId, StopTxOnInvalidId; False: it only takes no more energy."""
    energy_wh: int = 0
    """MaxEnergyOnInvalidId: what it may still take after the refusal, to be able to drive away."""

    def is_spent(self, refused: Transaction) -> bool:
        if self.must_stop or self.energy_wh == 0:
            return True
        from_wh, to_wh = refused.refused_at_wh, refused.register_last_wh
        return from_wh is None or to_wh is None or to_wh - from_wh >= self.energy_wh
