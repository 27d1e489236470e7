"""The tables read back into records. Runs on the store's thread, changes nothing.

Functions raise `sqlite3.Error`, or `ValueError` for a value that no version has written.
"""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from gateway.adapters import (
    store_ceilings,
    store_dimming,
    store_journal,
    store_journeys,
    store_phases,
    store_tokens,
)
from gateway.adapters.store_statements import instant, maybe_at
from gateway.adapters.store_writes import (
    OUTBOX_COLUMNS,
    TRANSACTION_COLUMNS,
)
from gateway.bodies import UnreadableBody, parse_event, parse_profile
from gateway.events import AuthorizationStatus, ChargingState
from gateway.journey import Journey
from gateway.kept import Kept
from gateway.lanes import lane_of
from gateway.records import (
    REMEMBERED,
    LaneBacklog,
    OutboxEvent,
    OutboxRow,
    QuarantinedRow,
    Slot,
    Transaction,
    Unreadable,
)
from gateway.writes import SaveAvailability, SaveSetting

_TRANSACTIONS = f"SELECT {', '.join(TRANSACTION_COLUMNS)} FROM transactions"  # noqa: S608 - constants
_OUTBOX = f"SELECT {', '.join(OUTBOX_COLUMNS)} FROM outbox"  # noqa: S608 - constants
_QUARANTINED = (
    f"SELECT {', '.join(OUTBOX_COLUMNS)}, quarantined_at, code, description "  # noqa: S608 - constants
    "FROM quarantine ORDER BY id"
)
_RUNNING = (
    f"{_TRANSACTIONS} WHERE number IN (SELECT number FROM transactions WHERE ended_at IS NULL "  # noqa: S608 - constants
    "UNION SELECT transaction_number FROM outbox "
    "UNION SELECT transaction_number FROM quarantine "
    # By number, not by time: the machine's clock may be wrong at its start.
    "UNION SELECT * FROM "
    f"(SELECT number FROM transactions ORDER BY number DESC LIMIT {REMEMBERED})) ORDER BY number"
)
# Counts in the index alone, then looks at one row of each lane.
_LANES = (
    "SELECT o.lane, o.pending, first.enqueued_at "
    "FROM (SELECT lane, count(*) AS pending, min(id) AS id FROM outbox GROUP BY lane) o "
    "JOIN outbox first ON first.id = o.id ORDER BY o.id"
)


def load(connection: sqlite3.Connection) -> Kept:
    """Return everything the program starts from."""
    return Kept(
        slots=tuple(
            Slot(cloud_evse, station_id, evse_id, bool(is_removed))
            for cloud_evse, station_id, evse_id, is_removed in connection.execute(
                "SELECT cloud_evse, station_id, evse_id, is_removed FROM slots ORDER BY cloud_evse"
            )
        ),
        running=tuple(map(_transaction, connection.execute(_RUNNING))),
        next_transaction_number=_next_number(connection, "transactions"),
        next_row_id=_next_number(connection, "outbox"),
        tokens=store_tokens.tokens(connection, "tokens"),
        local_list=store_tokens.tokens(connection, "local_list"),
        local_list_version=store_tokens.list_version(connection),
        profiles=store_ceilings.profiles(connection),
        circuit_limits=store_ceilings.circuit_limits(connection),
        quarters=store_journal.quarters(connection),
        dimming=store_dimming.commands(connection),
        found_phases=store_phases.found_phases(connection),
        availability=tuple(
            SaveAvailability(cloud_evse, bool(is_operational))
            for cloud_evse, is_operational in connection.execute(
                "SELECT cloud_evse, is_operational FROM availability ORDER BY cloud_evse"
            )
        ),
        settings=tuple(
            SaveSetting(key, value)
            for key, value in connection.execute("SELECT key, value FROM settings ORDER BY key")
        ),
    )


def lane_rows(
    connection: sqlite3.Connection, lane: str, after_id: int, limit: int
) -> list[OutboxRow]:
    """Return up to `limit` rows of a lane, in order, those after `after_id` only."""
    cursor = connection.execute(
        f"{_OUTBOX} WHERE lane = ? AND id > ? ORDER BY id LIMIT ?", (lane, after_id, limit)
    )
    return list(map(_outbox_row, cursor))


def lane_backlogs(connection: sqlite3.Connection) -> list[LaneBacklog]:
    """Return every lane that holds a row, the one with the oldest row first."""
    return [
        LaneBacklog(lane, pending, maybe_at(oldest_at))
        for lane, pending, oldest_at in connection.execute(_LANES)
    ]


def has_rows_of(connection: sqlite3.Connection, transaction: int | None) -> bool:
    """Return whether anything of a transaction waits, by its number; None: of any."""
    query = "SELECT EXISTS (SELECT 1 FROM outbox WHERE transaction_number "
    if transaction is None:
        found = connection.execute(f"{query}IS NOT NULL)")
    else:
        found = connection.execute(f"{query}= ?)", (transaction,))
    return bool(found.fetchone()[0])


def quarantined_rows(connection: sqlite3.Connection) -> list[QuarantinedRow]:
    """Return every quarantined row in order of acceptance."""
    return [
        QuarantinedRow(_outbox_row(fields), datetime.fromisoformat(at), code, description)
        for *fields, at, code, description in connection.execute(_QUARANTINED)
    ]


def transactions_between(
    connection: sqlite3.Connection, since: datetime, until: datetime
) -> list[Transaction]:
    """Return the transactions that started in [since, until), in order of their start."""
    cursor = connection.execute(
        f"{_TRANSACTIONS} WHERE started_at >= ? AND started_at < ? ORDER BY started_at, number",
        (instant(since), instant(until)),
    )
    return list(map(_transaction, cursor))


def journey(connection: sqlite3.Connection, number: int) -> Journey | None:
    """Return a transaction with what became of its messages; None: there is no such number."""
    fields = connection.execute(f"{_TRANSACTIONS} WHERE number = ?", (number,)).fetchone()
    if fields is None:
        return None
    transaction = _transaction(fields)
    lanes = lane_of(transaction.cloud_evse), lane_of(None, is_strict=True)
    return Journey(transaction, store_journeys.steps(connection, number, lanes))


def check(table: str, row: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a row that could not be read back: it was damaged."""
    for column in _INSTANTS & row.keys():
        maybe_at(row[column])
    for column, words in _WORDS.items():
        if row.get(column) is not None:
            words(row[column])
    if table in ("outbox", "quarantine"):
        _outbox_row([row[column] for column in OUTBOX_COLUMNS])
        parse_event(row["body"])
    if table == "profiles":
        parse_profile(row["body"])
    if table == "found_phases":
        store_phases.parse_wirings(row["wirings"])


_INSTANTS = frozenset(
    {
        "started_at",
        "ended_at",
        "last_heard_at",
        "started_told_at",
        "ended_told_at",
        "enqueued_at",
        "quarantined_at",
        "expires_at",
        "found_at",
        "heard_at",
        "set_at",
        "until",
    }
)
_WORDS: dict[str, Callable[[str], object]] = {
    "charging_state": ChargingState,
    "verdict": AuthorizationStatus,
    "status": AuthorizationStatus,
}
"""Columns that hold one of a few words."""


def _next_number(connection: sqlite3.Connection, table: str) -> int:
    query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    highest = connection.execute(query, (table,)).fetchone()
    return 1 if highest is None else int(highest[0]) + 1


def _transaction(fields: Any) -> Transaction:
    f = dict(zip(TRANSACTION_COLUMNS, fields, strict=True))
    state, verdict = f["charging_state"], f["verdict"]
    return Transaction(
        number=f["number"],
        uuid=f["uuid"],
        station_id=f["station_id"],
        evse_id=f["evse_id"],
        connector_id=f["connector_id"],
        cloud_evse=f["cloud_evse"],
        started_at=datetime.fromisoformat(f["started_at"]),
        station_transaction_id=f["station_transaction_id"],
        id_token=store_tokens.maybe_token(f["id_token"], f["id_token_type"]),
        register_start_wh=f["register_start_wh"],
        register_last_wh=f["register_last_wh"],
        ended_at=maybe_at(f["ended_at"]),
        stopped_reason=f["stopped_reason"],
        next_seq_no=f["next_seq_no"],
        charging_state=None if state is None else ChargingState(state),
        remote_start_id=f["remote_start_id"],
        cloud_number=f["cloud_number"],
        verdict=None if verdict is None else AuthorizationStatus(verdict),
        is_start_queued=bool(f["is_start_queued"]),
        last_heard_at=maybe_at(f["last_heard_at"]),
        is_estimated=bool(f["is_estimated"]),
        register_offset_wh=f["register_offset_wh"],
        refused_at_wh=f["refused_at_wh"],
        started_told_at=maybe_at(f["started_told_at"]),
        ended_told_at=maybe_at(f["ended_told_at"]),
        clock_shift_s=f["clock_shift_s"],
    )


def _event(body: bytes) -> OutboxEvent:
    try:
        return parse_event(body)
    except UnreadableBody as error:
        return Unreadable(body, str(error))


def _outbox_row(fields: Any) -> OutboxRow:
    (
        id_,
        lane,
        body,
        transaction,
        enqueued_at,
        is_offline,
        attempts,
        message_id,
        sent,
        sent_version,
        sent_with,
        station_message_id,
    ) = fields
    return OutboxRow(
        id=id_,
        lane=lane,
        event=_event(body),
        transaction=transaction,
        enqueued_at=maybe_at(enqueued_at),
        is_offline=bool(is_offline),
        attempts=attempts,
        message_id=message_id,
        sent=sent,
        sent_version=sent_version,
        sent_with=tuple(map(int, sent_with.split(","))) if sent_with else (),
        station_message_id=station_message_id,
    )
