"""The work of the night: told when it fails, tried again, and never in the way."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from gateway.authorization import CACHE_SIZE
from gateway.errors import StoreFailed
from gateway.night import Night
from gateway.writes import ForgetOld
from site_config.model import Storage

NIGHT = datetime(2026, 6, 1, 1, 30, tzinfo=UTC)


class Copies:
    """A store that copies itself, or cannot."""

    def __init__(self):
        self.made, self.fails, self.newest_at = [], False, None

    async def look_over(self, folder, kept, at):
        if self.fails:
            raise StoreFailed("no room")
        self.made.append((folder, kept, at))
        return "backup.made"

    async def newest_copy_at(self, folder):
        return self.newest_at


class Bench:
    def __init__(self, **storage):
        self.copies, self.problems, self.said, self.written = Copies(), {}, [], []
        self.refuses = False
        parts = SimpleNamespace(
            site=SimpleNamespace(storage=Storage(**storage)), problem=self.problems.__setitem__
        )
        self.night = Night(
            parts,
            self.copies,
            self.commit,
            log=self.said.append,
            pause=self.pause,
            clock_utc=lambda: NIGHT,
        )

    async def commit(self, writes):
        if self.refuses:
            raise StoreFailed("full")
        self.written += writes

    async def pause(self, seconds):
        self.said.append("pause")


async def test_it_copies_and_lets_go_of_what_is_old():
    bench = Bench(keep_transactions_days=400, backups_kept=5, backup_dir="/mnt/usb")
    await bench.night.work()

    assert bench.copies.made == [("/mnt/usb", 5, NIGHT)]
    assert set(bench.written) == {ForgetOld(NIGHT - timedelta(days=400), CACHE_SIZE)}
    assert bench.said.count("pause") == len(bench.written)


async def test_a_failure_is_a_reason_until_a_night_succeeds():
    bench = Bench()
    bench.copies.fails = True
    await bench.night.work()
    assert bench.problems == {"backup": "the last backup failed: no room"}
    assert 'backup.failed reason="no room"' in bench.said
    assert bench.written, "the rest is done all the same"
    bench.copies.fails = False
    await bench.night.work()

    assert bench.problems == {"backup": ""}


async def test_a_disk_that_takes_nothing_ends_nothing():
    bench = Bench()
    bench.refuses = True
    await bench.night.work()

    assert bench.problems == {"backup": ""}


@pytest.mark.parametrize(
    ("newest_at", "kept", "is_missed"),
    [
        pytest.param(None, 7, True, id="never made"),
        pytest.param(NIGHT - timedelta(hours=26), 7, True, id="a night switched off"),
        pytest.param(NIGHT - timedelta(hours=24), 7, False, id="last night"),
        pytest.param(None, 0, False, id="none wanted"),
    ],
)
async def test_a_missed_night_is_noticed(newest_at, kept, is_missed):
    bench = Bench(backups_kept=kept)
    bench.copies.newest_at = newest_at

    assert await bench.night.is_missed() is is_missed
