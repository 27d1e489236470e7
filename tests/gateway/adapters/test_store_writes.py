"""Many callers' statements, gathered into few, leave the tables as if they had come one by one."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters import store_file
from gateway.adapters.store_writes import gathered, statements
from gateway.bodies import parse_event
from gateway.events import SecurityEventOccurred
from gateway.records import OutboxRow, Transaction
from gateway.writes import Confirm, Enqueue, MarkSent, Quarantine, SaveSetting, SaveTransaction

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEPT = 5
"""Rows that were committed before."""


def enqueued(row_id):
    return Enqueue(OutboxRow(row_id, "evse/1", SecurityEventOccurred(f"event-{row_id}", NOON)))


def saved(number, register_wh, next_seq_no=0, ended_at=None):
    return SaveTransaction(
        Transaction(
            number,
            f"uuid-{number}",
            "CP-01",
            1,
            1,
            1,
            NOON,
            str(number),
            register_last_wh=register_wh,
            next_seq_no=next_seq_no,
            ended_at=ended_at,
        )
    )


running, over = st.integers(1, 3), st.just(4)
"""Numbers; what is over ran when it was first stored, and never runs again."""
kept_rows = st.integers(1, KEPT)
writes = st.one_of(
    st.builds(saved, running, st.floats(0, 1e6), st.just(0)),
    st.builds(saved, over, st.floats(0, 1e6), st.just(0), st.just(NOON)),
    st.builds(SaveSetting, st.sampled_from("abc"), st.text(max_size=3)),
    kept_rows.map(lambda row_id: Confirm((row_id,))),
    kept_rows.map(lambda row_id: MarkSent((row_id,), f"id-{row_id}", b"{}", "ocpp1.6", 1, row_id)),
    kept_rows.map(lambda row_id: Quarantine(row_id, NOON, "FormatViolation", "")),
    st.just(enqueued),
)


def tables(connection):
    queries = [f"SELECT * FROM {name}" for name in ("transactions", "quarantine", "settings")]
    found = [sorted(connection.execute(query), key=repr) for query in queries]
    outbox = connection.execute("SELECT id, lane, body, message_id FROM outbox ORDER BY id")
    events = [(row_id, lane, parse_event(body), sent) for row_id, lane, body, sent in outbox]
    return [*found, events]


def after(groups):
    """Carry out the first group, which is what was there before, then the others."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        store_file.prepare(connection)
        for batch in groups:
            for sql, parameters in gathered(batch):
                connection.execute(sql, parameters)
        return tables(connection)


@given(st.lists(st.lists(writes, max_size=4), max_size=40))
@settings(max_examples=60, deadline=None)
def test_gathered_callers_leave_what_they_would_leave_one_by_one(callers):
    row_ids = iter(range(KEPT + 1, 1000))
    groups = [
        statements([enqueued(next(row_ids)) if write is enqueued else write for write in caller])
        for caller in callers
    ]
    kept = statements(
        [saved(number, 0.0) for number in range(1, 5)]
        + [enqueued(row_id) for row_id in range(1, KEPT + 1)]
    )

    together = after([[kept], groups])

    assert together == after([[kept], *([group] for group in groups)])


@pytest.mark.parametrize(
    ("rows", "count"), [(1, 1), (2, 1), (3, 2), (64, 1), (100, 3), (200, 4), (1000, 17)]
)
def test_a_thousand_rows_are_seventeen_statements(rows, count):
    groups = [statements([enqueued(row_id)]) for row_id in range(1, rows + 1)]

    assert len(list(gathered(groups))) == count
