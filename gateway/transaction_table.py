"""The transactions in memory, and how they are found. Decides nothing, stores nothing.

Running ones stay; ended ones stay until the cloud has all of them, and some longer, so that a
station that repeats itself is recognised.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from gateway.events import IdToken
from gateway.records import REMEMBERED, Transaction

RECENT_PER_EVSE = 16
"""A duplicate Start is looked for among so many of its EVSE."""


class TransactionTable:
    def __init__(self, kept: Iterable[Transaction]) -> None:
        self._by_number: dict[int, Transaction] = {}
        self._by_uuid: dict[str, int] = {}
        self._by_station_id: dict[tuple[str, str], int] = {}
        self._running: dict[str, dict[int, None]] = {}
        self._recent: dict[tuple[str, int], deque[int]] = {}
        self._delivered: deque[int] = deque()
        for transaction in sorted(kept, key=lambda transaction: transaction.number):
            self.put(transaction)

    def put(self, transaction: Transaction) -> None:
        """Add it, or replace what was known of it."""
        number, station_id = transaction.number, transaction.station_id
        if number not in self._by_number:
            self._by_uuid[transaction.uuid.casefold()] = number
            self._by_station_id[_name(station_id, transaction.station_transaction_id)] = number
            place = (station_id, transaction.evse_id)
            self._recent.setdefault(place, deque(maxlen=RECENT_PER_EVSE)).append(number)
        self._by_number[number] = transaction
        running = self._running.setdefault(station_id, {})
        if transaction.ended_at is None:
            running[number] = None
        else:
            running.pop(number, None)

    def seq_no_given(self, number: int, next_seq_no: int) -> None:
        """Note what follows; it only ever rises, but for `seq_no_given_back`."""
        transaction = self._by_number.get(number)
        if transaction is not None and transaction.next_seq_no < next_seq_no:
            self._by_number[number] = replace(transaction, next_seq_no=next_seq_no)

    def seq_no_given_back(self, number: int, seq_no: int) -> None:
        """Let the next event have it, unless another has been given since."""
        transaction = self._by_number.get(number)
        if transaction is not None and transaction.next_seq_no == seq_no + 1:
            self._by_number[number] = replace(transaction, next_seq_no=seq_no)

    def delivered(self, number: int) -> None:
        """Let an ended transaction go, in time: the cloud has all of it."""
        transaction = self._by_number.get(number)
        if transaction is None or transaction.ended_at is None or number in self._delivered:
            return
        self._delivered.append(number)
        if len(self._delivered) > REMEMBERED:
            self._forget(self._delivered.popleft())

    def recall(self, transaction: Transaction) -> None:
        """Hold one again that was let go: a row of it is to be told once more.

        No station speaks of it: its name for it may be another's by now.
        """
        if transaction.number not in self._by_number:
            self._by_number[transaction.number] = transaction
            self._by_uuid[transaction.uuid.casefold()] = transaction.number

    def by_number(self, number: int) -> Transaction | None:
        return self._by_number.get(number)

    def by_uuid(self, uuid: str) -> Transaction | None:
        number = self._by_uuid.get(uuid.casefold())
        return self._by_number[number] if number is not None else None

    def by_station_id(self, station_id: str, transaction_id: str) -> Transaction | None:
        """Return the newest that the station calls so."""
        number = self._by_station_id.get(_name(station_id, transaction_id))
        return self._by_number[number] if number is not None else None

    def running(self) -> Iterator[Transaction]:
        for station_id in self._running:
            yield from self.running_at(station_id)

    def running_at(self, station_id: str) -> tuple[Transaction, ...]:
        """Return the station's running transactions, the oldest number first."""
        numbers = self._running.get(station_id)
        return tuple([self._by_number[number] for number in numbers]) if numbers else ()

    def running_on(self, station_id: str, evse_id: int) -> tuple[Transaction, ...]:
        running = self.running_at(station_id)
        if len(running) == 1 and running[0].evse_id == evse_id:
            return running  # as nearly always, and asked with every message
        return tuple([found for found in running if found.evse_id == evse_id])

    def same_start(
        self,
        station_id: str,
        evse_id: int,
        *,
        connector_id: int,
        told_at: datetime,
        register_wh: float | None,
        id_token: IdToken | None,
    ) -> Transaction | None:
        """Return the transaction that began with the very same words."""
        for number in reversed(self._recent.get((station_id, evse_id), ())):
            found = self._by_number.get(number)
            if (
                found is not None
                and (found.started_told_at or found.started_at) == told_at
                and found.connector_id == connector_id
                and found.register_start_wh == register_wh
                and _key(found.id_token) == _key(id_token)
            ):
                return found
        return None

    def _forget(self, number: int) -> None:
        transaction = self._by_number.pop(number)
        self._by_uuid.pop(transaction.uuid.casefold(), None)
        name = _name(transaction.station_id, transaction.station_transaction_id)
        if self._by_station_id.get(name) == number:
            del self._by_station_id[name]


def _name(station_id: str, transaction_id: str) -> tuple[str, str]:
    """transactionId is an identifierString, which compares without case (2.0.1 Part 2 §2.1.4)."""
    return station_id, transaction_id.casefold()


def _key(id_token: IdToken | None) -> str | None:
    return id_token.key if id_token else None
