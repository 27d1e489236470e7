"""Which meter values go when the store is nearly full, and which never do. Pure.

1. Only what tells sampled values and nothing else may go (E04.FR.07, E12.FR.04). What begins or
   ends a transaction, changes its state, was asked for, or is signed, never does.
2. Of a transaction's samples the first and the last that wait stay, and of those between the 1st,
   3rd, 5th … go (E04.FR.08, E12.FR.05, OCPPCommCtrlr.QueueAllMessages). A second pass halves again.
3. What may have left for the cloud stays: it leaves again byte by byte.

So a store under pressure comes down to what is billed: Started, Ended, and two samples of each
transaction; whatever the bound says, that is always accepted. The specification lets a station
thin only while it is Offline and low on memory; 1.6 §3.7 knows no thinning at all. Against losing
a Start for want of room it is the smaller harm: it is done late, and said aloud. Values inside an
Ended (E12.FR.08, .09) stay: they are what an operator bills from.
"""

from collections.abc import Iterable
from datetime import datetime

from gateway.batches import tells_samples_alone
from gateway.events import MetersSampled, TransactionChanged
from gateway.records import OutboxRow

_ORDINARY = frozenset({"Sample.Periodic", "Sample.Clock"})
"""ReadingContextEnumType: nobody asked for it and nothing happened."""


class LaneThinning:
    """One pass through the rows of one lane, page by page, in order."""

    def __init__(self, waiting_since_before: datetime | None = None) -> None:
        self._before = waiting_since_before
        """Only what was enqueued before it goes; None: of any age."""
        self._seen: dict[int | None, int] = {}
        """By transaction: samples between its first and this place."""
        self._candidates: dict[int | None, int] = {}
        """By transaction: the row that goes once a later sample is seen."""
        self._sent: set[int] = set()

    def take(self, rows: Iterable[OutboxRow]) -> list[int]:
        """Return the rows to delete that are known by now, in order."""
        gone: list[int] = []
        for row in rows:
            self._sent.update(row.sent_with)
            if row.id in self._sent or not may_go(row):
                continue
            if row.transaction not in self._seen:
                self._seen[row.transaction] = 0  # the first stays
                continue
            if (candidate := self._candidates.pop(row.transaction, None)) is not None:
                gone.append(candidate)
            self._seen[row.transaction] += 1
            if self._seen[row.transaction] % 2 == 1 and self._is_old_enough(row):
                self._candidates[row.transaction] = row.id
        return gone

    def _is_old_enough(self, row: OutboxRow) -> bool:
        if self._before is None:
            return True
        return row.enqueued_at is not None and row.enqueued_at < self._before


def may_go(row: OutboxRow) -> bool:
    """Whether the row is a sample like many others that has never left."""
    event = row.event
    if row.message_id is not None or not isinstance(event, TransactionChanged | MetersSampled):
        return False
    if isinstance(event, TransactionChanged) and not tells_samples_alone(event):
        return False
    return all(
        sample.signed is None and sample.context in _ORDINARY
        for value in event.meter_values
        for sample in value.samples
    )
