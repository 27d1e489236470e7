"""A stored row as the cloud of the moment must hear it: its ids, its token, its registers.

Rows are stored in neutral words and never edited. What is known only later (the cloud's number,
the token of a 2.0.1 start, the register of an Ended without one) is read from the books when the
row is sent.
"""

from dataclasses import replace
from typing import Protocol

from gateway.events import EventType, IdToken, TransactionChanged
from gateway.records import OutboxEvent, OutboxRow, SayableEvent, Transaction, Unreadable

UNDELIVERED = -1
"""What a 1.6 cloud is told when its own number was never learnt (1.6 errata 3.18)."""
NO_TOKEN = "NO-TOKEN"  # noqa: S105 - told in place of a token, where 1.6 demands one
"""idTag of a transaction that ended without anybody having shown a token (CiString20)."""

_REASON_BY_TRIGGER = {
    "Deauthorized": "DeAuthorized",
    "EVCommunicationLost": "EVDisconnected",
    "EVDeparted": "EVDisconnected",
    "EnergyLimitReached": "EnergyLimitReached",
    "RemoteStop": "Remote",
    "ResetCommand": "ImmediateReset",
    "TimeLimitReached": "TimeLimitReached",
    "AbnormalCondition": "Other",
    "EVConnectTimeout": "Timeout",
}
"""stoppedReason of an Ended that names none; else Local, the only one that may be left out
(E07.FR.04, E07.FR.05; 1.6 §4.10)."""


class KnownTransactions(Protocol):
    """The books, as far as they are needed here."""

    def by_number(self, number: int) -> Transaction | None: ...


def may_send(books: KnownTransactions, row: OutboxRow, cloud_version: str) -> bool:
    """Whether the row can be said in this version yet; False parks its lane.

    A 1.6 StartTransaction must name an idTag and a meterStart. A 2.0.1 station may begin without
    either: such a start waits until both are known, or the transaction is over.
    """
    event = row.event
    if cloud_version != "ocpp1.6" or not isinstance(event, TransactionChanged):
        return True
    transaction = books.by_number(row.transaction) if row.transaction is not None else None
    if event.event_type is not EventType.STARTED or transaction is None:
        return True
    has_register = event.register_wh is not None or transaction.register_start_wh is not None
    is_known = transaction.id_token is not None and has_register
    return is_known or transaction.ended_at is not None


def for_cloud(
    books: KnownTransactions,
    event: OutboxEvent,
    number: int | None,
    cloud_version: str,
    no_token: str = NO_TOKEN,
) -> SayableEvent:
    """Return what the codec of `cloud_version` is to be handed for a row's or batch's event.

    `number` is the row's transaction. Raises LookupError when the books do not hold it.
    """
    if isinstance(event, Unreadable):
        raise LookupError(event.why)
    if not isinstance(event, TransactionChanged):
        return event
    transaction = books.by_number(number) if number is not None else None
    if transaction is None:
        raise LookupError(f"transaction {number} is not in the books")
    event = replace(event, transaction_id=transaction.uuid, seq_no=transaction.next_seq_no)
    if event.event_type is EventType.STARTED:
        return _started(event, transaction, cloud_version, no_token)
    if event.event_type is EventType.ENDED:
        return _ended(event, transaction, cloud_version)
    if event.trigger_reason == "Trigger" and event.charging_state is None:
        return replace(event, charging_state=transaction.charging_state)  # F06.FR.07
    return event


def cloud_number(transaction: Transaction) -> int:
    """Return what a 1.6 cloud calls it; -1 when its Start was never delivered."""
    return UNDELIVERED if transaction.cloud_number is None else transaction.cloud_number


def _started(
    event: TransactionChanged, transaction: Transaction, cloud_version: str, no_token: str
) -> TransactionChanged:
    register_wh = event.register_wh
    if register_wh is None:
        register_wh = transaction.register_start_wh
    if cloud_version != "ocpp1.6":
        return replace(event, register_wh=register_wh)
    token = event.id_token if event.id_token and event.id_token.value else transaction.id_token
    return replace(
        event,
        register_wh=0.0 if register_wh is None else register_wh,
        id_token=token or IdToken(no_token),
    )


def _ended(
    event: TransactionChanged, transaction: Transaction, cloud_version: str
) -> TransactionChanged:
    register_wh = event.register_wh
    if register_wh is None:
        register_wh = transaction.register_last_wh
        start_wh = transaction.register_start_wh
        if register_wh is not None and start_wh is not None:
            # Nothing was told at the end; a register that fell in between must not make it less
            # than nothing.
            register_wh = max(register_wh, start_wh)
    if register_wh is None and cloud_version == "ocpp1.6":
        register_wh = 0.0  # as its start was: no energy was ever heard of
    reason = event.stopped_reason or _REASON_BY_TRIGGER.get(event.trigger_reason, "Local")
    return replace(event, register_wh=register_wh, stopped_reason=reason)
