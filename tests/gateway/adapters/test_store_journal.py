"""The journal on a real file: kept over a restart, found by EVSE and time, and let go."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from gateway.adapters.store import open_store
from gateway.adapters.store_why import EXIT_FAILED, why
from gateway.journal import JournalEntry, JournalOf
from gateway.writes import AppendJournal, ForgetJournal, SaveQuarter
from load_balancer.limiters.quarter_hour import QuarterEnergy

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LAST = NOON + timedelta(hours=1)
EVERYBODY = JournalOf()


def entry(seconds, to_a, station="CP-01", evse=1, at=NOON):
    at += timedelta(seconds=seconds)
    return JournalEntry(at, station, evse, 16.0, to_a, "fuse", "garage", "L2", 63.0, None)


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "gateway.db"
    store = await open_store(path)
    await store.commit(
        [
            AppendJournal(
                (
                    entry(0, 6.0),
                    entry(60, 8.0),
                    entry(61, 10.0, evse=2),
                    entry(62, 12.0, station="CP-02"),
                )
            )
        ]
    )
    await store.close()
    return path


async def asked(path, question, *arguments):
    store = await open_store(path)
    try:
        return await getattr(store, question)(*arguments)
    finally:
        await store.close()


async def test_a_restart_keeps_every_number(path):
    first, *_ = await asked(path, "journal", NOON, LAST, EVERYBODY, 100)

    assert first == entry(0, 6.0)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(EVERYBODY, [6, 8, 10, 12], id="everybody"),
        pytest.param(JournalOf("CP-01"), [6, 8, 10], id="a station"),
        pytest.param(JournalOf("CP-01", 2), [10], id="an EVSE"),
        pytest.param(JournalOf("CP-09"), [], id="nobody"),
    ],
)
async def test_it_is_found_by_station_and_evse(path, of, expected):
    found = await asked(path, "journal", NOON, LAST, of, 100)

    assert [entry.to_a for entry in found] == expected


async def test_the_newest_are_told_oldest_first(path):
    found = await asked(path, "journal", NOON, LAST, EVERYBODY, 2)

    assert [entry.to_a for entry in found] == [10, 12]


async def test_what_held_at_an_instant_is_the_last_entry_of_each_evse(path):
    held = await asked(path, "journal_before", NOON + timedelta(seconds=61), EVERYBODY)

    assert [(entry.station_id, entry.evse_id, entry.to_a) for entry in held] == [
        ("CP-01", 1, 8.0),
        ("CP-01", 2, 10.0),
    ]


async def test_old_entries_are_let_go(path):
    await asked(path, "commit", [ForgetJournal(NOON + timedelta(seconds=61))])

    found = await asked(path, "journal", NOON, LAST, EVERYBODY, 100)

    assert [entry.to_a for entry in found] == [10, 12]


async def test_a_quarter_of_an_hour_survives_a_restart(tmp_path):
    path = tmp_path / "gateway.db"
    for used_wh in (1.0, 2.5):
        quarter = QuarterEnergy("grid", NOON, used_wh, NOON + timedelta(seconds=5))
        await asked(path, "commit", [SaveQuarter(quarter)])

    kept = await asked(path, "load")

    assert kept.quarters == (quarter,)


def said(path, *arguments):
    console = Console(record=True, width=200)
    code = why(path, *arguments, console)
    return code, console.export_text()


async def test_the_command_line_answers_with_a_sentence_and_the_history(path, tmp_path):
    table = tmp_path / "journal.csv"

    code, text = said(path, "CP-01/1", "2026-06-01T12:01:30Z", table)

    assert code == 0
    assert "CP-01/1 was at 8.0 A" in text
    assert "The fuse of garage L2 allows 63.0 A" in text
    assert len(table.read_text().splitlines()) == 3


async def test_the_command_line_says_when_it_knows_nothing(path):
    code, text = said(path, "CP-09", None, None)

    assert code == EXIT_FAILED
    assert "Nothing is written down of CP-09" in text
    assert "The journal begins 01 Jun" in text
    assert "knows CP-01/1, CP-01/2, CP-02/1" in " ".join(text.split())


async def test_the_command_line_asks_for_a_time_it_can_read(path):
    assert said(path, "CP-01", "half past", None)[0] == 2
