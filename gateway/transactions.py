"""The books: every transaction of the site, and what a word of a station or the cloud does to them.

Rule 1: who cannot store must not answer. `apply` changes nothing that is remembered: it returns an
`Outcome`. The caller commits `outcome.writes`, then calls `accept(outcome)`, then answers. If the
commit fails it answers nothing; the station asks again and is judged as if for the first time.
Rule 2: between `apply` (or `cloud_answered_…`) and `accept` no other outcome of the same station
may be asked for: the caller holds a lock per station. Numbers and row ids taken by an outcome that
was never accepted are not given again.
Rule 3: a station that repeats itself gets the same answer and no second row, also after a restart:
the fingerprint of the last event of each station is stored with it.

Pure: `now_utc` is an argument, numbers and UUIDs come from what it is built with. Energy is Wh.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from gateway.bookings import book, is_refused
from gateway.closings import Why, close_by_rule
from gateway.cloud_profiles import RunningTransaction
from gateway.drafts import Draft
from gateway.events import (
    AuthorizationStatus,
    Event,
    EventType,
    IdToken,
    IdTokenInfo,
    MetersSampled,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.lanes import lane_of
from gateway.outcomes import OnRefusal, Outcome
from gateway.records import OutboxRow, Transaction
from gateway.remote_asks import RemoteAsks
from gateway.retransmissions import Heard, TransactionEvent, fingerprint, to_keep
from gateway.slots import SlotTable
from gateway.storms import Storms
from gateway.transaction_table import TransactionTable
from gateway.writes import Enqueue, GiveBackSeqNo, MarkSent, SaveTransaction, Write

TECH_INFO_LENGTH = 255


class TransactionBooks:
    """Every transaction that runs, or has rows the cloud has not confirmed.

    Args:
        new_uuid: gives a new UUID as text, 36 characters, at each call.
        is_strict: everything is delivered in one order, see `lanes`.
    """

    def __init__(
        self,
        slots: SlotTable,
        kept: Kept,
        new_uuid: Callable[[], str],
        *,
        is_strict: bool = False,
    ) -> None:
        self._slots = slots
        self._is_strict = is_strict
        self._table = TransactionTable(kept.running)
        highest = max((transaction.number for transaction in kept.running), default=0)
        self._next_number = max(kept.next_transaction_number, highest + 1)
        self._row_ids = itertools.count(kept.next_row_id)
        self._new_uuid = new_uuid
        self._heard = Heard(kept.settings)
        self._storms = Storms()
        self.remote = RemoteAsks()
        """What the cloud has asked for: to be told before the station is."""
        self.on_refusal = OnRefusal()
        """What becomes of a running transaction whose token the cloud refuses."""

    # A station speaks.

    def apply(
        self,
        station_id: str,
        version: str,
        event: TransactionEvent,
        *,
        now_utc: datetime,
        is_cloud_connected: bool,
        message_id: str | None = None,
    ) -> Outcome:
        """Say what a station's event means; `version` is the station's, `ocpp1.6` or later.

        `message_id`: of the CALL that brought it, for whoever follows its way later.
        """
        is_numbered = version == "ocpp1.6"
        seen = None if _needs_number(event, is_numbered) else fingerprint(event)
        if seen is not None and (station_id, seen) in self._heard:
            return self._repeated(station_id, event, seen)
        draft = self._draft(station_id, is_numbered, now_utc, is_cloud_connected, message_id)
        book(draft, event)
        writes = draft.writes()
        if not writes:
            seen = None  # memory knows what the disk knows: what did nothing may be heard again
        if seen is not None:
            writes += (to_keep(station_id, seen),)
        return Outcome(
            writes=writes,
            transaction=draft.transaction,
            is_duplicate=draft.is_duplicate,
            is_refused=draft.is_refused,
            is_remote=draft.used is not None,
            notes=tuple(draft.notes),
            station_id=station_id,
            fingerprint=seen,
            used=draft.used,
        )

    def close_by_rule(
        self, number: int, why: Why, *, now_utc: datetime, is_cloud_connected: bool
    ) -> Outcome:
        """End a transaction whose station will not: what it bills is an estimate."""
        transaction = self._table.by_number(number)
        if transaction is None or transaction.ended_at is not None:
            return Outcome(transaction=transaction)
        draft = self._draft(transaction.station_id, False, now_utc, is_cloud_connected)
        close_by_rule(draft, transaction, why)
        return Outcome(
            writes=draft.writes(),
            transaction=draft.transaction,
            notes=tuple(draft.notes),
            station_id=transaction.station_id,
        )

    def security_event(
        self,
        station_id: str | None,
        event: SecurityEventOccurred,
        *,
        now_utc: datetime,
        is_cloud_connected: bool,
        message_id: str | None = None,
    ) -> Outcome:
        """Queue it in the lane `station` (A04.FR.02); None: it occurred to the gateway itself.

        The same again within a minute is counted, and told with the next: no writes.
        """
        if self._storms.is_repeated(station_id, event, now_utc):
            return Outcome(station_id=station_id)
        told, left_out = event, self._storms.left_out(station_id, event)
        tech_info = event.tech_info or ""
        if left_out:
            tech_info = f"({left_out} more of these) {tech_info}"
            event = replace(event, tech_info=tech_info[:TECH_INFO_LENGTH])
        if station_id is not None:
            tech_info = f"{station_id}: {tech_info}".rstrip(": ")
            event = replace(event, tech_info=tech_info[:TECH_INFO_LENGTH])
        row = OutboxRow(
            id=next(self._row_ids),
            lane=lane_of(None, is_strict=self._is_strict),
            event=event,
            enqueued_at=now_utc,
            is_offline=not is_cloud_connected,
            station_message_id=message_id,
        )
        return Outcome(
            writes=(Enqueue(row),),
            station_id=station_id,
            security_event=(told, now_utc),
        )

    # The cloud speaks.

    def cloud_answered_start(
        self,
        number: int,
        cloud_number: int | None,
        info: IdTokenInfo | None,
        *,
        is_retransmission: bool,
    ) -> Outcome:
        """Take the answer of a 1.6 cloud to a StartTransaction."""
        return self._judged(number, _fair(info, is_retransmission), cloud_number)

    def cloud_answered_event(
        self,
        number: int,
        id_token: IdToken | None,
        info: IdTokenInfo | None,
        *,
        is_retransmission: bool,
    ) -> Outcome:
        """Take the answer of a 2.0.1 cloud to a TransactionEvent that carried `id_token`.

        A verdict on another token than the transaction's own (that of a stop) changes nothing.
        """
        transaction = self._table.by_number(number)
        own = transaction.id_token if transaction else None
        if id_token is not None and own is not None and own.key != id_token.key:
            return Outcome(transaction=transaction)
        return self._judged(number, _fair(info, is_retransmission), None)

    def _judged(self, number: int, info: IdTokenInfo | None, cloud_number: int | None) -> Outcome:
        before = self._table.by_number(number)
        if before is None:
            return Outcome(notes=(f"transaction.unknown transaction={number}",))
        after = replace(
            before,
            cloud_number=before.cloud_number if cloud_number is None else cloud_number,
            verdict=info.status if info else before.verdict,
        )
        is_news = is_refused(after) and not is_refused(before) and after.ended_at is None
        if is_news:
            after = replace(after, refused_at_wh=after.register_last_wh)
        if after == before:
            return Outcome(transaction=before)
        must_stop = is_news and self.on_refusal.must_stop
        return Outcome(
            writes=(SaveTransaction(after),),
            transaction=after,
            stop=after if must_stop else None,
            station_id=after.station_id,
        )

    # It is stored.

    def stored(self, writes: Iterable[Write]) -> None:
        """Make true what is on disk, before anything of it is told; also for a caller who is gone.

        Twice is harmless.
        """
        for write in writes:
            if isinstance(write, SaveTransaction):
                self._put(write.transaction)
            elif isinstance(write, MarkSent) and write.transaction is not None:
                self._table.seq_no_given(write.transaction, write.next_seq_no)
            elif isinstance(write, GiveBackSeqNo):
                self._table.seq_no_given_back(write.transaction, write.seq_no)

    def accept(self, outcome: Outcome) -> None:
        """Make it true: its writes are on disk."""
        self.stored(outcome.writes)
        if outcome.used is not None:
            self.remote.started(outcome.used)
        if outcome.security_event is not None:
            self._storms.told(outcome.station_id, *outcome.security_event)
        if outcome.station_id is not None and outcome.fingerprint is not None:
            self._heard.remember(outcome.station_id, outcome.fingerprint)

    def delivered(self, number: int) -> None:
        """Note that the cloud has the ENDED row; without it ended transactions stay in memory."""
        self._table.delivered(number)

    def recall(self, transaction: Transaction) -> None:
        """Know one again, as the store does, that was delivered and forgotten long ago."""
        self._table.recall(transaction)

    # Read.

    def open_on(self, station_id: str, evse_id: int) -> Transaction | None:
        """Return what runs on an EVSE: the newest, should several be open."""
        running = self._table.running_on(station_id, evse_id)
        return running[-1] if running else None

    def running_on(self, station_id: str, evse_id: int) -> RunningTransaction | None:
        """Return what a TxProfile needs to know of `open_on`."""
        transaction = self.open_on(station_id, evse_id)
        return None if transaction is None else RunningTransaction.of(transaction)

    def running(self) -> tuple[Transaction, ...]:
        return tuple(self._table.running())

    def running_at(self, station_id: str) -> tuple[Transaction, ...]:
        return self._table.running_at(station_id)

    def by_number(self, number: int) -> Transaction | None:
        return self._table.by_number(number)

    def find(self, transaction_id: str) -> Transaction | None:
        """Find what a cloud of either version means."""
        if (found := self._table.by_uuid(transaction_id)) is not None:
            return found
        try:
            return self.by_cloud_number(int(transaction_id))
        except ValueError:
            return None

    def running_at_event(self, station_id: str, event: Event) -> Transaction | None:
        """Return the transaction whose clock an event of a station goes by."""
        match event:
            case TransactionChanged(event_type=EventType.STARTED):
                return None
            case TransactionChanged() | MetersSampled():
                named = event.transaction_id or ""
                found = self._table.by_station_id(station_id, named)
                if found is None and event.evse_id:
                    found = self.open_on(station_id, event.evse_id)
                return found
            case StatusChanged():
                return self.open_on(station_id, event.evse_id)
        return None

    def by_uuid(self, uuid: str) -> Transaction | None:
        """Find what a 2.0.1 cloud means."""
        return self._table.by_uuid(uuid)

    def by_cloud_number(self, cloud_number: int) -> Transaction | None:
        """Find what a 1.6 cloud means: the newest running one it calls so.

        There are clouds that give 0, a negative number, or one number to all. Where it means
        running ones of several EVSEs it means none: nobody is stopped for another.
        """
        same = [found for found in self._table.running() if found.cloud_number == cloud_number]
        if len({found.cloud_evse for found in same}) > 1:
            return None
        return max(same, key=lambda found: found.number, default=None)

    def refused(self, station_id: str) -> tuple[Transaction, ...]:
        """Return what still runs at a station though it must stop: ask it again."""
        if not self.on_refusal.must_stop:
            return ()
        return tuple(found for found in self.running_at(station_id) if is_refused(found))

    def is_held(self, station_id: str, evse_id: int) -> bool:
        """Whether what runs on an EVSE may take no more energy: its token was refused.

        What must stop takes none while it is asked to (C15.FR.04); what need not may take
        MaxEnergyOnInvalidId first (E05.FR.02, E05.FR.03; 1.6 §3.5.4).
        """
        running = self.open_on(station_id, evse_id)
        return running is not None and is_refused(running) and self.on_refusal.is_spent(running)

    # Inside.

    def _draft(
        self,
        station_id: str,
        is_numbered: bool,
        now_utc: datetime,
        is_cloud_connected: bool,
        message_id: str | None = None,
    ) -> Draft:
        return Draft(
            station_id=station_id,
            is_numbered=is_numbered,
            now_utc=now_utc,
            is_cloud_connected=is_cloud_connected,
            table=self._table,
            slots=self._slots,
            remote=self.remote,
            new_number=self._give_number,
            row_ids=self._row_ids,
            new_uuid=self._new_uuid,
            next_number=self._next_number,
            is_strict=self._is_strict,
            station_message_id=message_id,
        )

    def _give_number(self) -> int:
        self._next_number += 1
        return self._next_number - 1

    def _put(self, transaction: Transaction) -> None:
        # A row may have left while the commit was under way: seqNo only ever rises.
        known = self._table.by_number(transaction.number)
        if known is transaction:
            return
        if known is not None and known.next_seq_no > transaction.next_seq_no:
            transaction = replace(transaction, next_seq_no=known.next_seq_no)
        if transaction.ended_at is not None:
            self.remote.stop_settled(transaction.number)
        self._table.put(transaction)

    def _repeated(self, station_id: str, event: TransactionEvent, seen: str) -> Outcome:
        is_kept = self._heard.is_last(station_id, seen)
        return Outcome(
            writes=() if is_kept else (to_keep(station_id, seen),),
            transaction=self._meant(station_id, event),
            is_duplicate=True,
            station_id=station_id,
            fingerprint=None if is_kept else seen,
        )

    def _meant(self, station_id: str, event: TransactionEvent) -> Transaction | None:
        if isinstance(event, StatusChanged) or event.transaction_id is None:
            return None
        return self._table.by_station_id(station_id, event.transaction_id)


def _fair(info: IdTokenInfo | None, is_retransmission: bool) -> IdTokenInfo | None:
    if info and is_retransmission and info.status is AuthorizationStatus.CONCURRENT_TX:
        # It had processed the first copy, and holds the transaction against itself.
        return replace(info, status=AuthorizationStatus.ACCEPTED)
    return info


def _needs_number(event: TransactionEvent, is_numbered: bool) -> bool:
    """A repeated Start is found by what it says, so that it gets its number again."""
    return (
        is_numbered
        and isinstance(event, TransactionChanged)
        and event.event_type is EventType.STARTED
    )
