"""Why every limit was what it was: what is written down, and how it is asked for."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.errors import StoreFailed
from gateway.journal import COLUMNS, Journal, JournalEntry, JournalOf, answer, journal_json, moment
from gateway.journal_book import JournalBook
from gateway.writes import AppendJournal, ForgetJournal
from load_balancer.decision import Decision, Limit
from load_balancer.inputs import EvseKey
from load_balancer.reasons import Reason, Rule

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FULL = Reason(Rule.FUSE, "garage", "L2", 63.0, 67.4, 0.0)
SHARED = Reason(Rule.FAIR_SHARE, "garage", "L2", 11.6, 63.0, 0.0)
ENTRY = JournalEntry(NOON, "CP-01", 1, 16.0, 6.0, "fuse", "garage", "L2", 63.0, 67.4)


def decision(limit_a, reason=FULL):
    return Decision({EvseKey("CP-01", 1): Limit(limit_a, reason)}, {})


def noted(*steps):
    """`steps`: (seconds after noon, limit, reason)."""
    journal = Journal()
    for seconds, limit_a, reason in steps:
        journal.note(decision(limit_a, reason), NOON + timedelta(seconds=seconds))
    return [(entry.from_a, entry.to_a, entry.rule) for entry in journal.take()]


def test_a_change_is_written_down_with_where_from_and_why():
    assert noted((0, 16, SHARED), (1, 6, FULL)) == [(0, 16, "fair_share"), (16, 6, "fuse")]


def test_what_stays_as_it_is_is_written_down_once():
    other_numbers = replace(FULL, compared_to_a=70.0)

    assert len(noted((0, 6, FULL), (1, 6, FULL), (60, 6, other_numbers))) == 1


def test_another_reason_for_the_same_limit_is_written_down_but_not_every_second():
    flapping = [(second, 6, SHARED if second % 2 else FULL) for second in range(31)]

    assert 1 < len(noted(*flapping)) <= 4


def test_an_entry_says_what_was_compared_in_one_sentence():
    assert ENTRY.sentence() == (
        "The fuse of garage L2 allows 63.0 A; 67.4 A flow or are promised there."
    )


def test_a_rule_of_a_later_version_is_at_least_named():
    assert replace(ENTRY, rule="moon_phase").sentence() == "moon_phase: 63.0 A."


def test_why_was_this_car_at_6_a_at_18_04():
    at = NOON + timedelta(minutes=4)

    assert answer(ENTRY, at, BERLIN) == (
        "CP-01/1 was at 6.0 A at 14:04:00, since 14:00:00. The fuse of garage L2 allows 63.0 A; "
        "67.4 A flow or are promised there."
    )


def test_an_entry_is_an_object_with_every_column():
    told = journal_json(ENTRY)

    assert tuple(told) == COLUMNS
    assert told["at"] == "2026-06-01T12:00:00.000+00:00"
    assert (told["from_a"], told["to_a"], told["phase"]) == (16.0, 6.0, "L2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("13:04", "2026-06-01T11:04:00+00:00", id="today, on the site's clock"),
        pytest.param("18:04", "2026-05-31T16:04:00+00:00", id="yet to come: yesterday's"),
        pytest.param("13:04:30", "2026-06-01T11:04:30+00:00", id="with seconds"),
        pytest.param("2026-06-01T09:00:00Z", "2026-06-01T09:00:00+00:00", id="an instant"),
    ],
)
def test_a_moment_is_a_time_of_day_or_an_instant(text, expected):
    assert moment(text, BERLIN, NOON).isoformat() == expected


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2026-06-01T09:00:00"])
def test_what_is_no_moment_is_said_in_words(text):
    with pytest.raises(ValueError, match="time"):
        moment(text, BERLIN, NOON)


class Disk:
    """A store that may refuse."""

    def __init__(self):
        self.commits = []
        self.is_broken = False

    async def commit(self, writes):
        if self.is_broken:
            raise StoreFailed("disk full")
        self.commits.append(writes)

    async def journal(self, since, until, of, limit):
        return [e for w in self.appended() for e in w.entries if since <= e.at < until]

    async def journal_before(self, at, of):
        return [e for w in self.appended() for e in w.entries if e.at <= at][-1:]

    def appended(self):
        return [w for writes in self.commits for w in writes if isinstance(w, AppendJournal)]


class SlowDisk(Disk):
    """A store that takes its time, and one write after the other."""

    def __init__(self):
        super().__init__()
        self.may_write, self._turn = asyncio.Event(), asyncio.Lock()

    async def commit(self, writes):
        async with self._turn:
            await self.may_write.wait()
            await super().commit(writes)


def book_on(disk):
    journal = Journal()
    return journal, JournalBook(journal, disk, disk.commit, list)


async def test_entries_are_written_together_and_rarely():
    disk = Disk()
    journal, book = book_on(disk)
    for second in range(30):
        journal.note(decision(second), NOON + timedelta(seconds=second))
        if book.is_due(float(second)):
            await book.write(float(second), NOON)

    assert len(disk.commits) <= 6
    assert sum(len(write.entries) for write in disk.appended()) > 20


async def test_what_the_disk_refuses_is_written_later():
    disk = Disk()
    journal, book = book_on(disk)
    journal.note(decision(6), NOON)
    disk.is_broken = True
    await book.write(0.0, NOON)
    disk.is_broken = False

    await book.write(5.0, NOON)

    assert [len(write.entries) for write in disk.appended()] == [1]


async def test_a_day_later_it_is_forgotten():
    disk = Disk()
    _, book = book_on(disk)

    await book.write(0.0, NOON)
    await book.write(5.0, NOON)

    forgets = [w for writes in disk.commits for w in writes if isinstance(w, ForgetJournal)]
    assert forgets == [ForgetJournal(NOON - timedelta(days=1))]


async def test_whoever_asks_waits_for_what_is_on_its_way_to_the_disk():
    disk = SlowDisk()
    journal, book = book_on(disk)
    journal.note(decision(6), NOON)
    writing = asyncio.create_task(book.write(0.0, NOON))
    await asyncio.sleep(0)

    asking = asyncio.create_task(book.at(NOON, JournalOf("CP-01")))
    await asyncio.sleep(0)
    disk.may_write.set()

    assert [entry.to_a for entry in await asking] == [6]
    await writing


async def test_whoever_asks_is_told_of_the_last_second_too():
    disk = Disk()
    journal, book = book_on(disk)
    journal.note(decision(16, SHARED), NOON)
    journal.note(decision(6), NOON + timedelta(seconds=20))

    told = await book.at(NOON + timedelta(seconds=1), JournalOf("CP-01"))

    assert [(entry.to_a, entry.rule) for entry in told] == [(16, "fair_share"), (6, "fuse")]
