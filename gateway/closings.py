"""Ends that no station told: a transaction closed by rule, and its real end that comes later.

Rule 1: closed is what cannot go on (a new one began on its EVSE, the EVSE is free, the station
booted without it, has been silent for days, or left the site file), with the last register heard
and the time of the last word about it. It is marked as estimated, here and upward.
Rule 2: the cloud hears of one end only. A real one that comes later goes into quarantine beside
what was billed, and a person decides. So does an end that nobody can say whose it is.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.drafts import Draft
from gateway.events import EventType, TransactionChanged
from gateway.records import Transaction

LATE_END = "EndedByRule"
NOBODYS_END = "UnknownTransaction"
"""Why a row is in quarantine that the cloud was never sent."""


@dataclass(frozen=True, slots=True)
class Why:
    """What proves that a transaction is over."""

    words: str
    stopped_reason: str = "Other"
    """ReasonEnumType of 2.0.1."""


NEW_ONE = Why("a new one started on its EVSE")
BOOTED = Why("its station booted and did not go on with it", "PowerLoss")
FREE = Why("its EVSE is free")
SILENT = Why("its station has been silent for too long")
REMOVED = Why("its EVSE is no longer in the site file")


def close_by_rule(draft: Draft, transaction: Transaction, why: Why) -> None:
    """End what the station will never end: its Stop was lost."""
    at = max(transaction.started_at, transaction.last_heard_at or transaction.started_at)
    draft.note(
        "transaction.closed_by_rule",
        transaction=transaction.number,
        evse=transaction.evse_id,
        register_wh=transaction.register_last_wh,
        at=at.isoformat(timespec="seconds"),
        why=f'"{why.words}"',
    )
    ended = TransactionChanged(
        EventType.ENDED,
        at,
        None,
        "AbnormalCondition",
        0,
        stopped_reason=why.stopped_reason,
        register_wh=transaction.register_last_wh,
        is_estimated=True,
    )
    closed = draft.save(
        replace(transaction, ended_at=at, stopped_reason=why.stopped_reason, is_estimated=True)
    )
    draft.send(closed.cloud_evse, ended, closed)


def heard_late(
    draft: Draft, transaction: Transaction, event: TransactionChanged, end_wh: float | None
) -> None:
    """Keep the real end of what was closed by rule, for a person: the cloud has heard one."""
    billed_wh, told_at = transaction.register_last_wh, transaction.ended_at
    draft.note(
        "transaction.ended_twice",
        transaction=transaction.number,
        told_wh=billed_wh,
        late_wh=end_wh,
        told_at=_text(told_at),
        late_at=_text(event.at),
    )
    draft.save(replace(transaction, ended_told_at=event.told_at))
    draft.set_aside(
        transaction,
        event,
        LATE_END,
        f"closed by rule at {_text(told_at)} with {billed_wh} Wh, which the cloud is told; "
        f"its station says {_text(event.at)} and {end_wh} Wh",
    )


def keep_nobodys(draft: Draft, event: TransactionChanged) -> None:
    """Keep a Stop of no transaction that is known: it is acknowledged, so it must not be lost."""
    draft.set_aside(
        None,
        event,
        NOBODYS_END,
        f"{draft.station_id} ended its transaction {event.transaction_id} at {_text(event.at)} "
        f"with {event.register_wh} Wh: it began before this gateway, or several could be meant; "
        "bill it by hand, then discard it",
    )


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else "unknown"
