"""What each `Write` does to the tables, as SQL statements. Touches no file itself.

`SaveTransaction`, `SaveSlot` and their like replace the whole row: the caller's is the truth. Only
what a transaction is called, where and when it began stays as it was first said.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from gateway.adapters import (
    store_ceilings,
    store_dimming,
    store_journal,
    store_journeys,
    store_phases,
    store_tokens,
)
from gateway.adapters.store_statements import (
    Statement,
    instant,
    maybe_instant,
    maybe_seconds,
    upsert,
)
from gateway.bodies import serialize_event, squeezed
from gateway.journey import kind_of, occurred_at
from gateway.writes import (
    AppendJournal,
    Confirm,
    CountAttempt,
    DeleteCircuitLimit,
    DeleteDimming,
    DeleteFoundPhases,
    DeleteProfile,
    EditQuarantined,
    Enqueue,
    EnqueueAgain,
    ForgetEvidence,
    ForgetJournal,
    ForgetJourneys,
    ForgetOld,
    ForgetTokens,
    GiveBackSeqNo,
    LogDimming,
    MarkSent,
    Quarantine,
    Release,
    ReplaceLocalList,
    SaveAvailability,
    SaveCircuitLimit,
    SaveDimming,
    SaveFoundPhases,
    SaveProfile,
    SaveQuarter,
    SaveSetting,
    SaveSlot,
    SaveToken,
    SaveTransaction,
    SetAside,
    Thin,
    Write,
)


def statements(writes: Iterable[Write]) -> list[Statement]:
    """Return what carries out `writes` in their order."""
    return [statement for write in writes for statement in _MEANING[type(write)](write)]


def gathered(groups: Iterable[list[Statement]]) -> Iterator[Statement]:
    """Yield what amounts to the groups one after the other, in far fewer statements.

    What every message of a station brings goes first, many rows at a time: SQLite's thread takes
    and gives back the interpreter with each statement. Nothing in a group waits for such a row:
    nobody knows of it before it is committed. Bodies are squeezed here, beside whatever else runs.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {
        _SAVE_RUNNING: [],
        _SAVE_TRANSACTION: [],
        _ENQUEUE: [],
        _SAVE_SETTING: [],
    }
    others: list[Statement] = []
    for sql, parameters in chain.from_iterable(groups):
        if sql in rows:
            rows[sql].append(parameters)
        else:
            others.append((sql, parameters))
    rows[_ENQUEUE] = [
        (row_id, lane, squeezed(body), *rest) for row_id, lane, body, *rest in rows[_ENQUEUE]
    ]
    for sql, waiting in rows.items():
        first = 0
        while first < len(waiting):
            count = min(_MOST_AT_ONCE, 1 << (len(waiting) - first).bit_length() - 1)
            some = waiting[first : first + count]
            yield _with_rows(sql, count), tuple(chain.from_iterable(some))
            first += count
    yield from others


@cache
def _with_rows(sql: str, count: int) -> str:
    """Return an INSERT of so many rows instead of one."""
    head, values, rest = sql.partition(" VALUES ")
    row, end, tail = rest.partition(")")
    return head + values + ", ".join([row + end] * count) + tail


TRANSACTION_COLUMNS = (
    "number",
    "uuid",
    "station_id",
    "evse_id",
    "connector_id",
    "cloud_evse",
    "started_at",
    "station_transaction_id",
    "id_token",
    "id_token_type",
    "register_start_wh",
    "register_last_wh",
    "ended_at",
    "stopped_reason",
    "next_seq_no",
    "charging_state",
    "remote_start_id",
    "cloud_number",
    "verdict",
    "is_start_queued",
    "last_heard_at",
    "is_estimated",
    "register_offset_wh",
    "refused_at_wh",
    "started_told_at",
    "ended_told_at",
    "clock_shift_s",
)
OUTBOX_COLUMNS = (
    "id",
    "lane",
    "body",
    "transaction_number",
    "enqueued_at",
    "is_offline",
    "attempts",
    "message_id",
    "sent",
    "sent_version",
    "sent_with",
    "station_message_id",
)

_SAVE_SLOT = upsert("slots", ("cloud_evse", "station_id", "evse_id", "is_removed"), ("cloud_evse",))


def _save_transactions(*fixed: str) -> str:
    # A seqNo is given while other changes of the transaction wait for the disk: it only ever rises.
    return upsert("transactions", TRANSACTION_COLUMNS, ("number",), fixed).replace(
        "next_seq_no = excluded.next_seq_no",
        "next_seq_no = max(next_seq_no, excluded.next_seq_no)",
    )


_SINCE_IT_BEGAN = TRANSACTION_COLUMNS[1:8]
"""From `uuid` to `station_transaction_id`."""
_SAVE_TRANSACTION = _save_transactions(*_SINCE_IT_BEGAN)
# What runs has never ended. With every message: its indexes are three of seven pages to write.
_SAVE_RUNNING = _save_transactions(*_SINCE_IT_BEGAN, "ended_at")
_ENQUEUE = (
    "INSERT INTO outbox (id, lane, body, transaction_number, enqueued_at, is_offline, "
    "station_message_id, kind, occurred_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENQUEUE_AGAIN = (
    "INSERT OR IGNORE INTO outbox (id, lane, body, transaction_number, enqueued_at, is_offline, "
    "station_message_id, kind, occurred_at, attempts, message_id, sent, sent_version, sent_with) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_MARK_SENT = (
    "UPDATE outbox SET message_id = ?, sent = ?, sent_version = ?, sent_with = ?, sent_at = ? "
    "WHERE id = ?"
)
_COUNT_ATTEMPT = "UPDATE outbox SET attempts = ? WHERE id = ?"
_GIVE_BACK_SEQ_NO = "UPDATE transactions SET next_seq_no = ? WHERE number = ? AND next_seq_no = ?"
_TAKE_SEQ_NO = "UPDATE transactions SET next_seq_no = max(next_seq_no, ?) WHERE number = ?"
_FORGET = "DELETE FROM outbox WHERE id = ?"
_ROW = ", ".join((*OUTBOX_COLUMNS, "kind", "occurred_at", "sent_at"))
_QUARANTINE = (
    f"INSERT INTO quarantine ({_ROW}, quarantined_at, code, description) "  # noqa: S608 - constants
    f"SELECT {_ROW}, ?, ?, ? FROM outbox WHERE id = ?"
)
_RELEASED = (
    "id, lane, body, transaction_number, enqueued_at, is_offline, message_id, "
    "station_message_id, kind, occurred_at, sent_at"
)
# What was refused is encoded anew: the cloud, or this program, may have learnt better since.
_RELEASE = (
    f"INSERT INTO outbox ({_RELEASED}) SELECT {_RELEASED} "  # noqa: S608 - constants
    "FROM quarantine WHERE id = ?"
)
# What may have left stays, though whoever chose it could not know.
_THIN = "DELETE FROM outbox WHERE message_id IS NULL AND id IN (SELECT value FROM json_each(?))"
_FORGET_TRANSACTIONS = (
    "DELETE FROM transactions WHERE number IN ("
    "SELECT number FROM transactions WHERE started_at < ? AND ended_at < ? "
    "AND number NOT IN (SELECT transaction_number FROM outbox WHERE transaction_number NOTNULL) "
    "AND number NOT IN (SELECT transaction_number FROM quarantine "
    "WHERE transaction_number NOTNULL) ORDER BY started_at LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 500
"""Transactions of one `ForgetOld`, so that no station waits long for its commit."""
_UNQUARANTINE = "DELETE FROM quarantine WHERE id = ?"
_SAVE_AVAILABILITY = upsert("availability", ("cloud_evse", "is_operational"), ("cloud_evse",))
_SAVE_SETTING = upsert("settings", ("key", "value"), ("key",))

_MOST_AT_ONCE = 64
"""Rows of one statement. Fewer come in powers of two, so that each statement is prepared once."""


def _save_slot(write: SaveSlot) -> list[Statement]:
    slot = write.slot
    return [(_SAVE_SLOT, (slot.cloud_evse, slot.station_id, slot.evse_id, slot.is_removed))]


def _save_transaction(write: SaveTransaction) -> list[Statement]:
    t = write.transaction
    return [
        (
            _SAVE_RUNNING if t.ended_at is None else _SAVE_TRANSACTION,
            (
                t.number,
                t.uuid,
                t.station_id,
                t.evse_id,
                t.connector_id,
                t.cloud_evse,
                instant(t.started_at),
                t.station_transaction_id,
                None if t.id_token is None else t.id_token.value,
                None if t.id_token is None else t.id_token.type,
                t.register_start_wh,
                t.register_last_wh,
                maybe_instant(t.ended_at),
                t.stopped_reason,
                t.next_seq_no,
                t.charging_state,
                t.remote_start_id,
                t.cloud_number,
                t.verdict,
                t.is_start_queued,
                maybe_instant(t.last_heard_at),
                t.is_estimated,
                t.register_offset_wh,
                t.refused_at_wh,
                maybe_instant(t.started_told_at),
                maybe_instant(t.ended_told_at),
                t.clock_shift_s,
            ),
        )
    ]


def _enqueue(write: Enqueue) -> list[Statement]:
    row = write.row
    body = serialize_event(row.event)
    at = maybe_instant(row.enqueued_at)
    occurred = maybe_seconds(occurred_at(row.event))
    way = (row.is_offline, row.station_message_id, kind_of(row.event), occurred)
    return [(_ENQUEUE, (row.id, row.lane, body, row.transaction, at, *way))]


def _enqueue_again(write: EnqueueAgain) -> list[Statement]:
    row = write.row
    ((_, (row_id, lane, body, *rest)),) = _enqueue(Enqueue(row))
    marks = (row.attempts, row.message_id, row.sent, row.sent_version, _together(row.sent_with))
    return [(_ENQUEUE_AGAIN, (row_id, lane, squeezed(body), *rest, *marks))]


def _together(row_ids: Sequence[int]) -> str | None:
    return ",".join(map(str, row_ids)) or None


def _mark_sent(write: MarkSent) -> list[Statement]:
    head, *others = write.row_ids
    sent_with = _together(others)
    at = maybe_seconds(write.at)
    mark = (write.message_id, write.sent, write.version, sent_with, at, head)
    if write.transaction is None:
        return [(_MARK_SENT, mark)]
    return [(_MARK_SENT, mark), (_TAKE_SEQ_NO, (write.next_seq_no, write.transaction))]


def _confirm(write: Confirm) -> list[Statement]:
    return store_journeys.confirmed(write.row_ids, maybe_seconds(write.at))


def _thin(write: Thin) -> list[Statement]:
    return [(_THIN, (json.dumps(write.row_ids),))]


def _forget_old(write: ForgetOld) -> list[Statement]:
    before = instant(write.ended_before)
    return [
        (_FORGET_TRANSACTIONS, (before, before, _FORGOTTEN_AT_ONCE)),
        store_tokens.only_newest(write.tokens_kept),
    ]


def _give_back_seq_no(write: GiveBackSeqNo) -> list[Statement]:
    return [(_GIVE_BACK_SEQ_NO, (write.seq_no, write.transaction, write.seq_no + 1))]


def _count_attempt(write: CountAttempt) -> list[Statement]:
    return [(_COUNT_ATTEMPT, (write.attempts, write.row_id))]


def _quarantine(write: Quarantine) -> list[Statement]:
    why = (instant(write.at), write.code, write.description, write.row_id)
    return [(_QUARANTINE, why), (_FORGET, (write.row_id,))]


def _set_aside(write: SetAside) -> list[Statement]:
    # By way of the outbox, so that its number is never given again.
    verdict = Quarantine(write.row.id, write.at, write.code, write.description)
    return _enqueue(Enqueue(write.row)) + _quarantine(verdict)


def _release(write: Release) -> list[Statement]:
    gone: Statement = (_UNQUARANTINE, (write.row_id,))
    if write.is_retried:
        return [(_RELEASE, (write.row_id,)), gone]
    return [store_journeys.discarded(write.row_id, maybe_seconds(write.at), write.by), gone]


def _edit_quarantined(write: EditQuarantined) -> list[Statement]:
    body = squeezed(serialize_event(write.event))
    who = (instant(write.edited_at), write.edited_by, write.note)
    return store_journeys.edited(write.row_id, body, who)


def _forget_journeys(write: ForgetJourneys) -> list[Statement]:
    return [store_journeys.forgotten_before(write.before.timestamp())]


def _append_journal(write: AppendJournal) -> list[Statement]:
    return store_journal.appended(write.entries)


def _forget_journal(write: ForgetJournal) -> list[Statement]:
    return store_journal.forgotten(write.before)


def _save_quarter(write: SaveQuarter) -> list[Statement]:
    return [store_journal.saved_quarter(write.quarter)]


def _save_dimming(write: SaveDimming) -> list[Statement]:
    return [store_dimming.saved(write.command)]


def _delete_dimming(write: DeleteDimming) -> list[Statement]:
    return [store_dimming.deleted(write.source)]


def _log_dimming(write: LogDimming) -> list[Statement]:
    return [store_dimming.logged(write.evidence)]


def _forget_evidence(write: ForgetEvidence) -> list[Statement]:
    return [store_dimming.forgotten(write.before)]


def _save_token(write: SaveToken) -> list[Statement]:
    return [store_tokens.saved(write.token)]


def _forget_tokens(_: ForgetTokens) -> list[Statement]:
    return [store_tokens.forgotten()]


def _replace_local_list(write: ReplaceLocalList) -> list[Statement]:
    return store_tokens.list_replaced(write.version, write.entries)


def _save_profile(write: SaveProfile) -> list[Statement]:
    return [store_ceilings.profile_saved(write.stored)]


def _delete_profile(write: DeleteProfile) -> list[Statement]:
    return [store_ceilings.profile_deleted(write.profile_id)]


def _save_circuit_limit(write: SaveCircuitLimit) -> list[Statement]:
    return [store_ceilings.limit_saved(write.limit)]


def _delete_circuit_limit(write: DeleteCircuitLimit) -> list[Statement]:
    return [store_ceilings.limit_deleted(write.circuit, write.source)]


def _save_found_phases(write: SaveFoundPhases) -> list[Statement]:
    return [store_phases.saved(write.found)]


def _delete_found_phases(write: DeleteFoundPhases) -> list[Statement]:
    return [store_phases.deleted(write.station_id, write.evse_id)]


def _save_availability(write: SaveAvailability) -> list[Statement]:
    return [(_SAVE_AVAILABILITY, (write.cloud_evse, write.is_operational))]


def _save_setting(write: SaveSetting) -> list[Statement]:
    return [(_SAVE_SETTING, (write.key, write.value))]


_MEANING: dict[type[Write], Callable[[Any], list[Statement]]] = {
    SaveSlot: _save_slot,
    SaveTransaction: _save_transaction,
    Enqueue: _enqueue,
    EnqueueAgain: _enqueue_again,
    MarkSent: _mark_sent,
    GiveBackSeqNo: _give_back_seq_no,
    CountAttempt: _count_attempt,
    Confirm: _confirm,
    Quarantine: _quarantine,
    SetAside: _set_aside,
    Release: _release,
    EditQuarantined: _edit_quarantined,
    ForgetJourneys: _forget_journeys,
    AppendJournal: _append_journal,
    ForgetJournal: _forget_journal,
    SaveQuarter: _save_quarter,
    Thin: _thin,
    ForgetOld: _forget_old,
    SaveDimming: _save_dimming,
    DeleteDimming: _delete_dimming,
    LogDimming: _log_dimming,
    ForgetEvidence: _forget_evidence,
    SaveToken: _save_token,
    ForgetTokens: _forget_tokens,
    ReplaceLocalList: _replace_local_list,
    SaveProfile: _save_profile,
    DeleteProfile: _delete_profile,
    SaveCircuitLimit: _save_circuit_limit,
    DeleteCircuitLimit: _delete_circuit_limit,
    SaveFoundPhases: _save_found_phases,
    DeleteFoundPhases: _delete_found_phases,
    SaveAvailability: _save_availability,
    SaveSetting: _save_setting,
}
