"""A row whose body says nothing stands in nobody's way, and is kept as it is."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

from gateway.adapters.store import open_store
from gateway.events import SecurityEventOccurred
from gateway.exports import event_in_words, exported_json
from gateway.journey import kind_of, occurred_at
from gateway.records import OutboxRow, Unreadable
from gateway.writes import Enqueue, Quarantine, Release

AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
GARBAGE = b"\x01\xff\xfegarbage"


async def damaged_store(path):
    store = await open_store(path)
    for number in (1, 2):
        event = SecurityEventOccurred("ResetOrReboot", AT)
        await store.commit([Enqueue(OutboxRow(number, "station", event, enqueued_at=AT))])
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE outbox SET body = ? WHERE id = 1", (GARBAGE,))
    return await open_store(path)


async def test_a_row_that_cannot_be_read_is_read_as_such_and_the_next_as_ever(tmp_path):
    store = await damaged_store(tmp_path / "site.db")
    try:
        first, second = await store.read_lane("station", 0, 10)
    finally:
        await store.close()

    assert isinstance(first.event, Unreadable)
    assert (first.id, first.event.raw) == (1, GARBAGE)
    assert second.event == SecurityEventOccurred("ResetOrReboot", AT)


async def test_in_quarantine_it_is_shown_exported_and_released_with_its_bytes(tmp_path):
    store = await damaged_store(tmp_path / "site.db")
    try:
        await store.commit([Quarantine(1, AT, "unreadable", "garbage")])
        (found,) = await store.quarantined()
        exported = exported_json(found.row, found)
        await store.commit([Release(1, is_retried=True)])
        back = (await store.read_lane("station", 0, 10))[0]
    finally:
        await store.close()

    assert bytes.fromhex(exported["event"]["raw"]) == GARBAGE == back.event.raw
    assert "unreadable" in event_in_words(found.row.event)
    assert (kind_of(found.row.event), occurred_at(found.row.event)) == ("Unreadable", None)
