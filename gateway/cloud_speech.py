"""Saying one thing to the cloud, and what its answer changes. Handed what it awaits.

Order of a billing CALL: marked in the store as sent, with its bytes; sent; answered; its verdict
stored; its rows forgotten. The last is committed together with the next mark, one fsync a CALL, or
alone when none follows soon: a power cut in between sends the same bytes once more.

`now` is monotonic seconds.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import orjson

from gateway.batches import PERMANENT_ERRORS, TOO_BIG, UNREADABLE, Batch, estimated_bytes
from gateway.cloud_station import CloudStation, Saying
from gateway.errors import GatewayError, InvalidMessage, PeerError, Unavailable
from gateway.events import (
    Booted,
    Event,
    EventType,
    Judged,
    Registered,
    RegistrationStatus,
    StatusChanged,
    TimeTold,
    TransactionChanged,
)
from gateway.ocpp.codec import Codec, Message
from gateway.ocpp.frames import Payload
from gateway.records import SayableEvent, Transaction, Unreadable
from gateway.station_events import Followup, Surroundings, settle
from gateway.upstream_view import cloud_number, for_cloud, may_send
from gateway.writes import GiveBackSeqNo, Quarantine, Write

NOT_SAYABLE = (InvalidMessage, LookupError, TypeError, ValueError)
"""What a codec raises for an event its version has no words for: ours to log, not the cloud's."""
SETTLE_S = 0.1
"""How long what the cloud has confirmed waits for the next mark."""
TOKEN_WAIT_S = 5.0
"""How long a lane waits before it is looked at again whose Start has no token yet."""


class CloudCall(Protocol):
    """One CALL to the cloud; raises GatewayError."""

    async def __call__(self, action: str, payload: Payload, unique_id: str) -> Payload: ...


class CloudSpeech:
    """Says what `CloudStation` chose, one thing after the other."""

    def __init__(
        self,
        station: CloudStation,
        around: Surroundings,
        *,
        clock: Callable[[], float],
        follow_up: Callable[[Followup], Awaitable[None]],
        registered: Callable[[Registered], None],
        time_told: Callable[[datetime], None] = lambda _: None,
        log: Callable[[str], None],
    ) -> None:
        self._station = station
        self._around = around
        self._clock = clock
        self._follow_up = follow_up
        self._registered = registered
        self._time_told = time_told
        self._log = log
        self._confirmations: list[Write] = []
        """Not yet committed: they travel with the next mark."""
        self.settle_at: float | None = None
        """When they are to be committed without one, monotonic; None: there are none."""
        self._numbered: GiveBackSeqNo | None = None
        """What takes back the seqNo of the message that leaves for the first time."""

    async def say(self, saying: Saying, codec: Codec, call: CloudCall) -> None:
        """Say it and take the answer. Raises Unavailable when the cloud did not answer."""
        if saying.batch is not None:
            await self._bill(saying.batch, codec, call)
        elif saying.event is not None:
            await self._tell(saying, saying.event, codec, call)

    async def settle_down(self) -> None:
        """Commit what waits for company, should any."""
        if writes := self._taken_confirmations():
            await self._around.commit(writes)

    def _taken_confirmations(self) -> list[Write]:
        taken, self._confirmations, self.settle_at = self._confirmations, [], None
        return taken

    # What is not kept.

    async def _tell(self, saying: Saying, event: Event, codec: Codec, call: CloudCall) -> None:
        answer = None
        try:
            message = codec.serialize_event(event)
            if message is not None:
                action, payload = message
                answered = await call(action, payload, str(uuid4()))
                answer = codec.parse_answer(action, answered)
        except Unavailable:
            raise
        except (GatewayError, *NOT_SAYABLE) as error:
            self._log(f'cloud.refused event={type(event).__name__} reason="{error}"')
            if isinstance(event, Booted):
                self._station.registration.boot_failed(self._clock())
        finally:
            if saying.deliver is not None:
                saying.deliver(answer)
        if isinstance(event, StatusChanged):
            self._station.statuses.told(event, codec.version)
        if isinstance(answer, Registered):
            self._boot_answered(answer)
        if isinstance(answer, Registered | TimeTold):
            self._time_told(answer.at)

    def _boot_answered(self, answer: Registered) -> None:
        self._station.registration.boot_answered(answer, self._clock())
        if answer.status is RegistrationStatus.ACCEPTED:
            self._station.statuses.tell_everything()
        self._registered(answer)

    # Billing.

    async def _bill(self, batch: Batch, codec: Codec, call: CloudCall) -> None:
        outbox, self._numbered = self._station.outbox, None
        event = batch.event
        if isinstance(event, Unreadable):
            await self._refused(batch, UNREADABLE, event.why)
            return
        if not may_send(self._around.books, batch.rows[0], codec.version):
            outbox.postponed(batch, self._clock() + TOKEN_WAIT_S)
            return
        try:
            message = self._message(batch, event, codec)
            if message is None:  # this version has no word for it
                self._confirm(batch, event)
                return
            action, payload = message
            unique_id = str(uuid4())
            await self._mark(batch, action, payload, unique_id, codec)
            asked_at = self._clock()
            answered = await call(action, payload, unique_id)
            self._station.pace.answered(self._clock() - asked_at, self._clock())
            answer = codec.parse_answer(action, answered)
        except Unavailable:
            raise
        except PeerError as error:  # refused, or answered with nonsense
            if error.code not in PERMANENT_ERRORS:
                self._station.pace.troubled(self._clock())
            await self._refused(batch, error.code, error.description)
        except NOT_SAYABLE as error:
            await self._refused(batch, "FormatViolation", f"not sent: {error}")
        else:
            await self._learn(batch, event, answer if isinstance(answer, Judged) else Judged())
            self._confirm(batch, event)

    async def unanswered(self, batch: Batch) -> None:
        """Count an attempt: the cloud was connected, and silent beyond its time."""
        writes = self._station.outbox.unanswered(batch, now=self._clock(), at=self._at())
        await self._give_up(batch, writes)

    async def too_big(self, batch: Batch) -> None:
        """Note that the cloud closed the socket over its size: it has not taken it."""
        size = 0 if batch.sent is None else len(batch.sent)
        await self._refused(batch, TOO_BIG, f"{size or estimated_bytes(batch.event)} bytes")

    def _message(self, batch: Batch, event: SayableEvent, codec: Codec) -> Message | None:
        if batch.sent is not None:
            action, payload = orjson.loads(batch.sent)
            return action, payload
        event = for_cloud(self._around.books, event, batch.transaction, codec.version)
        transaction = self._transaction(batch)
        return codec.serialize_event(event, cloud_number(transaction) if transaction else None)

    async def _mark(
        self, batch: Batch, action: str, payload: Payload, unique_id: str, codec: Codec
    ) -> None:
        # A repeated message counts as well: nobody knows whether its first mark was written.
        next_seq_no = payload.get("seqNo", -1) + 1
        if batch.transaction is not None and next_seq_no > 0 and not batch.is_retransmission:
            self._numbered = GiveBackSeqNo(batch.transaction, next_seq_no - 1)
        sent = orjson.dumps([action, payload])
        mark = self._station.outbox.mark_sent(
            batch, unique_id, sent, codec.version, next_seq_no=next_seq_no, at=self._at()
        )
        await self._around.commit([*self._taken_confirmations(), mark])

    async def _learn(self, batch: Batch, event: SayableEvent, answer: Judged) -> None:
        """Store the cloud's number and verdict before the row that brought them is forgotten."""
        transaction = self._transaction(batch)
        if not isinstance(event, TransactionChanged) or transaction is None:
            return
        number, books = transaction.number, self._around.books
        id_token = event.id_token or transaction.id_token
        if answer.info is not None and id_token is not None:
            learned = self._around.authorization.learned(id_token, answer.info, self._at())
            self._confirmations.extend(learned)
        if answer.transaction_number is not None:
            followups = await settle(
                transaction.station_id,
                lambda: books.cloud_answered_start(
                    number,
                    answer.transaction_number,
                    answer.info,
                    is_retransmission=batch.is_retransmission,
                ),
                self._around,
            )
        elif answer.info is not None:
            followups = await settle(
                transaction.station_id,
                lambda: books.cloud_answered_event(
                    number,
                    event.id_token,
                    answer.info,
                    is_retransmission=batch.is_retransmission,
                ),
                self._around,
            )
        else:
            followups = ()
        for followup in followups:
            await self._follow_up(followup)

    def _confirm(self, batch: Batch, event: SayableEvent) -> None:
        self._confirmations.extend(self._station.outbox.confirmed(batch, self._at()))
        self.settle_at = self._clock() + SETTLE_S
        is_over = isinstance(event, TransactionChanged) and event.event_type is EventType.ENDED
        if is_over and batch.transaction is not None:
            self._around.books.delivered(batch.transaction)

    async def _refused(self, batch: Batch, code: str, description: str) -> None:
        now, at = self._clock(), self._at()
        writes = self._station.outbox.refused(batch, code, description, now=now, at=at)
        if self._numbered is not None and code in PERMANENT_ERRORS:
            writes.append(self._numbered)
        await self._give_up(batch, writes)

    async def _give_up(self, batch: Batch, writes: list[Write]) -> None:
        await self._around.commit([*self._taken_confirmations(), *writes])
        for write in writes:
            if isinstance(write, Quarantine):
                self._log(
                    f"outbox.quarantined row={write.row_id} lane={batch.lane} code={write.code} "
                    f'reason="{write.description}"'
                )

    def _transaction(self, batch: Batch) -> Transaction | None:
        if batch.transaction is None:
            return None
        return self._around.books.by_number(batch.transaction)

    def _at(self) -> datetime:
        return self._around.clock_utc()
