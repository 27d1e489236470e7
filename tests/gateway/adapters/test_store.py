"""What the store promises, on real files: on disk when it returns, all or nothing, in order."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.adapters import store_reads
from gateway.adapters.store import open_store
from gateway.errors import StoreFailed
from gateway.events import (
    AuthorizationStatus,
    ChargingState,
    IdToken,
    IdTokenInfo,
    MetersSampled,
    SecurityEventOccurred,
)
from gateway.kept import Kept
from gateway.records import (
    REMEMBERED,
    CircuitLimit,
    FoundPhases,
    KnownToken,
    LaneBacklog,
    LimitSource,
    OutboxRow,
    QuarantinedRow,
    Slot,
    StoredProfile,
    Transaction,
)
from gateway.writes import (
    Confirm,
    CountAttempt,
    DeleteCircuitLimit,
    DeleteFoundPhases,
    DeleteProfile,
    Enqueue,
    ForgetTokens,
    MarkSent,
    Quarantine,
    Release,
    ReplaceLocalList,
    SaveAvailability,
    SaveCircuitLimit,
    SaveFoundPhases,
    SaveProfile,
    SaveSetting,
    SaveSlot,
    SaveToken,
    SaveTransaction,
    SetAside,
)
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    SchedulePeriod,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5, microseconds=7)


def row(id_, lane="evse/1", **fields):
    fields = {"event": SecurityEventOccurred(f"event-{id_}", NOON), "enqueued_at": NOON, **fields}
    return OutboxRow(id=id_, lane=lane, **fields)


def transaction(number, **fields):
    return Transaction(
        number=number,
        uuid=f"uuid-{number}",
        station_id="CP-01",
        evse_id=1,
        connector_id=1,
        cloud_evse=3,
        started_at=fields.pop("started_at", NOON),
        station_transaction_id=str(number),
        **fields,
    )


def token(value, status=AuthorizationStatus.ACCEPTED, **fields):
    return KnownToken(IdToken(value, "ISO14443"), IdTokenInfo(status, **fields), NOON)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.db"


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


async def after_reopening(path, *writes):
    """Commit each write on its own, close, and return what the next start finds."""
    async with opened(path) as store:
        for write in writes:
            await store.commit([write])
    async with opened(path) as store:
        return await store.load()


async def ids(store, lane="evse/1"):
    return [row.id for row in await store.read_lane(lane, 0, 1000)]


async def test_an_empty_store_starts_from_nothing(path):
    assert await after_reopening(path) == Kept()


FULL_TRANSACTION = transaction(
    7,
    id_token=IdToken("0012aB", "ISO14443"),
    register_start_wh=1000.5,
    register_last_wh=1234.25,
    stopped_reason="Local",
    next_seq_no=4,
    charging_state=ChargingState.SUSPENDED_EV,
    remote_start_id=9,
    cloud_number=-3,
    verdict=AuthorizationStatus.CONCURRENT_TX,
    is_start_queued=True,
    last_heard_at=LATER,
    is_estimated=True,
    register_offset_wh=43.5,
    refused_at_wh=1200.0,
    started_told_at=NOON - timedelta(days=20_000),
    ended_told_at=LATER,
    clock_shift_s=-7200.5,
)
PROFILE = ChargingProfile(
    id=-5,
    purpose=ProfilePurpose.TX,
    kind=ProfileKind.ABSOLUTE,
    stack_level=2,
    schedule=ChargingSchedule(
        RateUnit.A, (SchedulePeriod(0, 16.1), SchedulePeriod(60, 6.0, 1)), LATER, 3600
    ),
    valid_to=LATER,
    transaction="uuid-7",
)
TOKENS = (
    token("one", expires_at=LATER, group=IdToken("family", "Central")),
    token("two", AuthorizationStatus.BLOCKED),
)
LIMIT = CircuitLimit("garage", LimitSource.OPERATOR, 40.5, "works", "tablet", NOON, LATER)
FOUND = FoundPhases("CP-02", 1, (("L2", "L1", "L3"), ("L2", "L3", "L1")), NOON, "[1]", "boot", 1.5)
FOR_EVER = replace(LIMIT, source=LimitSource.MQTT, until=None)


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        pytest.param(
            [SaveSlot(Slot(2, "CP-02", 1)), SaveSlot(Slot(1, "CP-01", 1))],
            {"slots": (Slot(1, "CP-01", 1), Slot(2, "CP-02", 1))},
            id="slots by their number",
        ),
        pytest.param(
            [SaveSlot(Slot(1, "CP-01", 1)), SaveSlot(Slot(1, "CP-01", 1, is_removed=True))],
            {"slots": (Slot(1, "CP-01", 1, is_removed=True),)},
            id="a slot that was removed",
        ),
        pytest.param(
            [SaveTransaction(FULL_TRANSACTION)],
            {"running": (FULL_TRANSACTION,), "next_transaction_number": 8},
            id="a transaction with every field",
        ),
        pytest.param(
            [SaveTransaction(transaction(7)), SaveTransaction(transaction(7, ended_at=LATER))],
            {"running": (transaction(7, ended_at=LATER),), "next_transaction_number": 8},
            id="an ended transaction is known for late words of its station",
        ),
        pytest.param(
            [
                SaveTransaction(transaction(7)),
                SaveTransaction(transaction(7, started_at=LATER, register_last_wh=5.0)),
            ],
            {"running": (transaction(7, register_last_wh=5.0),), "next_transaction_number": 8},
            id="when a transaction began stays as it was first said",
        ),
        pytest.param(
            [SaveTransaction(transaction(7, ended_at=LATER)), Enqueue(row(1, transaction=7))],
            {
                "running": (transaction(7, ended_at=LATER),),
                "next_transaction_number": 8,
                "next_row_id": 2,
            },
            id="an ended transaction that the cloud has not heard of is",
        ),
        pytest.param(
            [SaveFoundPhases(FOUND), SaveFoundPhases(replace(FOUND, in_sight_at=None))],
            {"found_phases": (replace(FOUND, in_sight_at=None),)},
            id="phases that were found",
        ),
        pytest.param(
            [
                SaveFoundPhases(replace(FOUND, wirings=(("L3",),))),
                SaveFoundPhases(replace(FOUND, evse_id=2)),
                DeleteFoundPhases("CP-02", 2),
            ],
            {"found_phases": (replace(FOUND, wirings=(("L3",),)),)},
            id="phases that were contradicted",
        ),
        pytest.param(
            [SaveToken(token("AB")), SaveToken(token("ab", AuthorizationStatus.EXPIRED))],
            {"tokens": (token("ab", AuthorizationStatus.EXPIRED),)},
            id="a token is known once, whatever its case",
        ),
        pytest.param([SaveToken(TOKENS[0]), ForgetTokens()], {}, id="forgotten tokens"),
        pytest.param(
            [ReplaceLocalList(3, (token("old"),)), ReplaceLocalList(4, TOKENS), ForgetTokens()],
            {"local_list": TOKENS, "local_list_version": 4},
            id="the local list is replaced as a whole and outlives the cache",
        ),
        pytest.param(
            [SaveProfile(StoredProfile(3, PROFILE))],
            {"profiles": (StoredProfile(3, PROFILE),)},
            id="a profile",
        ),
        pytest.param(
            [SaveProfile(StoredProfile(3, PROFILE)), DeleteProfile(-5)], {}, id="no profile"
        ),
        pytest.param(
            [SaveCircuitLimit(FOR_EVER), SaveCircuitLimit(LIMIT)],
            {"circuit_limits": (FOR_EVER, LIMIT)},
            id="a limit per circuit and source",
        ),
        pytest.param(
            [SaveCircuitLimit(LIMIT), DeleteCircuitLimit("garage", LimitSource.OPERATOR)],
            {},
            id="a limit taken back",
        ),
        pytest.param(
            [SaveAvailability(0, True), SaveAvailability(0, False)],
            {"availability": (SaveAvailability(0, False),)},
            id="the last availability holds",
        ),
        pytest.param(
            [SaveSetting("HeartbeatInterval", "60"), SaveSetting("HeartbeatInterval", "90")],
            {"settings": (SaveSetting("HeartbeatInterval", "90"),)},
            id="the last value of a setting holds",
        ),
    ],
)
async def test_what_was_committed_is_found_at_the_next_start(path, writes, expected):
    kept = await after_reopening(path, *writes)

    assert kept == replace(Kept(), **expected)


async def test_a_row_of_the_outbox_comes_back_as_it_was_enqueued_and_marked(path):
    async with opened(path) as store:
        await store.commit([SaveTransaction(transaction(7)), Enqueue(row(1, transaction=7))])
        await store.commit([Enqueue(row(2, transaction=7, is_offline=True))])
        await store.commit([MarkSent((1, 2), "m-1", b'{"a":1}', "ocpp2.0.1", 7, 5)])
        await store.commit([CountAttempt(1, 2)])
    async with opened(path) as store:
        kept = await store.load()
        rows = await store.read_lane("evse/1", 0, 10)

    sent = {"sent": b'{"a":1}', "sent_version": "ocpp2.0.1", "sent_with": (2,)}
    assert rows == [
        row(1, transaction=7, attempts=2, message_id="m-1", **sent),
        row(2, transaction=7, is_offline=True),
    ]
    assert [t.next_seq_no for t in kept.running] == [5]


async def test_numbers_and_row_ids_are_not_given_twice_even_when_the_highest_is_gone(path):
    kept = await after_reopening(
        path,
        SaveTransaction(transaction(41)),
        Enqueue(row(7)),
        Confirm((7,)),
        Enqueue(row(6)),
    )

    assert (kept.next_transaction_number, kept.next_row_id) == (42, 8)


async def test_a_lane_is_read_in_pages_of_its_own_rows(path):
    async with opened(path) as store:
        lanes = ["evse/1", "evse/2"]
        await store.commit([Enqueue(row(n, lanes[n % 2])) for n in range(1, 11)])

        first = await store.read_lane("evse/1", 0, 3)
        second = await store.read_lane("evse/1", first[-1].id, 3)

    assert [r.id for r in first + second] == [2, 4, 6, 8, 10]


async def test_lanes_are_counted_with_their_oldest_row_the_longest_waiting_first(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(1, "evse/2")), Enqueue(row(2, enqueued_at=LATER))])
        await store.commit([Enqueue(row(3)), Enqueue(row(4, "station", enqueued_at=None))])

        lanes = await store.lanes()

    assert lanes == [
        LaneBacklog("evse/2", 1, NOON),
        LaneBacklog("evse/1", 2, LATER),
        LaneBacklog("station", 1, None),
    ]


async def test_a_quarantined_row_leaves_its_lane_and_is_kept_with_the_answer(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(1, transaction=7)), Enqueue(row(2))])
        await store.commit([Quarantine(1, LATER, "FormatViolation", "no idTag")])

        assert await ids(store) == [2]
        assert await store.quarantined() == [
            QuarantinedRow(row(1, transaction=7), LATER, "FormatViolation", "no idTag")
        ]


async def test_a_retried_row_is_back_in_its_old_place_to_be_encoded_anew(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(1)), Enqueue(row(2))])
        await store.commit([MarkSent((1,), "m-1", b"{}", "ocpp1.6"), CountAttempt(1, 3)])
        await store.commit([Quarantine(1, LATER, "InternalError", "")])
        await store.commit([Release(1, is_retried=True)])

        assert await store.read_lane("evse/1", 0, 10) == [row(1, message_id="m-1"), row(2)]
        assert await store.quarantined() == []


async def test_a_row_set_aside_was_in_no_lane_and_its_number_is_not_given_again(path):
    async with opened(path) as store:
        await store.commit([SetAside(row(5, transaction=7), LATER, "EndedByRule", "told already")])

        assert await store.lanes() == []
        assert await store.quarantined() == [
            QuarantinedRow(row(5, transaction=7), LATER, "EndedByRule", "told already")
        ]
        await store.commit([Release(5, is_retried=False)])
        assert (await store.load()).next_row_id == 6


async def test_only_the_last_ended_transactions_are_known_at_the_next_start(path, monkeypatch):
    query = store_reads._RUNNING.replace(str(REMEMBERED), "2")
    monkeypatch.setattr(store_reads, "_RUNNING", query)
    ended = [transaction(number, ended_at=LATER) for number in (2, 3, 4)]

    kept = await after_reopening(path, *map(SaveTransaction, [transaction(1), *ended]))

    assert [found.number for found in kept.running] == [1, 3, 4]


async def test_a_discarded_row_is_gone(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(1)), Quarantine(1, LATER, "FormatViolation", "")])
        await store.commit([Release(1, is_retried=False)])

        assert await ids(store) == []
        assert await store.quarantined() == []


async def test_confirming_twice_is_harmless(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(1)), Enqueue(row(2))])
        await store.commit([Confirm((1,))])
        await store.commit([Confirm((1,))])

        assert await ids(store) == [2]


async def test_transactions_are_listed_by_the_instant_they_started(path):
    starts = [NOON - timedelta(microseconds=1), NOON, NOON + timedelta(seconds=0.5), LATER]
    async with opened(path) as store:
        for number, at in enumerate(starts, 1):
            await store.commit([SaveTransaction(transaction(number, started_at=at))])

        found = await store.transactions(NOON, LATER)

    assert [t.number for t in found] == [2, 3]


async def test_a_hundred_producers_share_a_few_commits(path):
    async with opened(path) as store:
        await asyncio.gather(*(store.commit([Enqueue(row(n))]) for n in range(1, 101)))

        assert await ids(store) == list(range(1, 101))
        assert store.commits <= 3


async def test_callers_return_in_the_order_they_called(path):
    returned = []

    async def produce(store, n):
        await store.commit([Enqueue(row(n))])
        returned.append(n)

    async with opened(path) as store:
        await asyncio.gather(*(produce(store, n) for n in range(1, 51)))

    assert returned == list(range(1, 51))


async def test_a_failing_caller_loses_all_of_its_writes_and_harms_no_other(path):
    async with opened(path) as store:
        outcomes = await asyncio.gather(
            store.commit([Enqueue(row(1))]),
            store.commit([Enqueue(row(2)), Enqueue(row(1)), SaveSetting("a", "b")]),
            store.commit([Enqueue(row(3))]),
            return_exceptions=True,
        )
        kept = await store.load()

        assert [type(outcome) for outcome in outcomes] == [type(None), StoreFailed, type(None)]
        assert await ids(store) == [1, 3]
        assert kept.settings == ()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(SaveAvailability(2**64, True), id="an integer beyond 64 bits"),
        pytest.param(SaveSetting("key", "\ud800"), id="half a surrogate pair"),
        pytest.param(SaveSetting("key", None), id="nothing where something must be"),
        pytest.param(
            SaveTransaction(transaction(1, started_at=NOON.replace(tzinfo=None))), id="no time zone"
        ),
        pytest.param(
            Enqueue(row(2, event=SecurityEventOccurred("\ud800", NOON))), id="a body without bytes"
        ),
    ],
)
async def test_what_cannot_be_stored_is_refused_to_its_caller_alone(path, write):
    async with opened(path) as store:
        outcomes = await asyncio.gather(
            store.commit([write]), store.commit([Enqueue(row(1))]), return_exceptions=True
        )

        assert isinstance(outcomes[0], StoreFailed)
        assert await ids(store) == [1]


async def test_the_writes_of_a_cancelled_caller_are_carried_out_and_told(path):
    told = []
    async with opened(path) as store:
        store.committed = told.extend
        impatient = asyncio.create_task(store.commit([Enqueue(row(1))]))
        await asyncio.sleep(0)
        impatient.cancel()
        await store.commit([Enqueue(row(2))])

        assert impatient.cancelled()
        assert await ids(store) == [1, 2]
        assert told == [Enqueue(row(1)), Enqueue(row(2))]


async def test_what_was_not_committed_is_not_told(path):
    told = []
    async with opened(path) as store:
        store.committed = told.extend
        await store.commit([Enqueue(row(1))])
        with pytest.raises(StoreFailed):
            await store.commit([SaveSetting("a", "b"), Enqueue(row(1))])

        assert told == [Enqueue(row(1))]


async def test_closing_writes_what_is_still_waiting_and_refuses_what_comes_later(path):
    store = await open_store(path)
    waiting = []
    for n in range(1, 4):
        waiting.append(asyncio.create_task(store.commit([Enqueue(row(n))])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)

    with pytest.raises(StoreFailed, match="closed"):
        await store.commit([Enqueue(row(9))])
    async with opened(path) as store:
        assert await ids(store) == [1, 2, 3]


async def test_while_somebody_else_writes_a_batch_waits_once_and_not_for_each_caller(path):
    begun = []
    async with opened(path) as store:
        await store._writer.execute("PRAGMA busy_timeout = 0")
        await store._writer.set_trace_callback(begun.append)
        with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            outcomes = await asyncio.gather(
                *(store.commit([Enqueue(row(n))]) for n in range(1, 10)), return_exceptions=True
            )

        assert {type(outcome) for outcome in outcomes} == {StoreFailed}
        assert begun == ["BEGIN IMMEDIATE"]


async def test_a_locked_file_fails_the_caller_and_heals_by_itself(path, caplog):
    caplog.set_level("INFO")
    async with opened(path) as store:
        await store._writer.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailed, match="locked"):
                await store.commit([Enqueue(row(1))])
            assert store.failure is not None
        await store.commit([Enqueue(row(1))])

        assert store.failure is None
        assert await ids(store) == [1]
    events = [record.getMessage().split()[0] for record in caplog.records]
    assert [e for e in events if e in ("store.failed", "store.back")] == [
        "store.failed",
        "store.back",
    ]


async def test_two_gateways_cannot_open_one_file(path):
    async with opened(path):
        with pytest.raises(StoreFailed, match=f"another gateway.*{os.getpid()}"):
            await open_store(path)
    async with opened(path):
        pass


async def test_commits_are_durable_not_merely_written(path):
    async with opened(path) as store:
        [journal] = await store._writer.execute_fetchall("PRAGMA journal_mode")
        [synchronous] = await store._writer.execute_fetchall("PRAGMA synchronous")

    assert (journal[0], synchronous[0]) == ("wal", 2)


async def test_others_on_the_machine_cannot_read_the_tokens(path):
    async with opened(path) as store:
        await store.commit([SaveToken(TOKENS[0])])
        await store.backup(path.parent / "copy.db")
        names = ("gateway.db", "gateway.db-wal", "gateway.db-shm", "copy.db")
        modes = {name: (path.parent / name).stat().st_mode & 0o077 for name in names}

    assert set(modes.values()) == {0}


async def test_what_a_newer_version_has_written_is_not_opened(path):
    await after_reopening(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 9999")

    for _ in range(2):
        with pytest.raises(StoreFailed, match="newer"):
            await open_store(path)


async def test_a_migration_that_breaks_changes_nothing(path, monkeypatch):
    scripts = [(1, "CREATE TABLE good (a) STRICT; CREATE TABLE bad (")]
    with monkeypatch.context() as patched:
        patched.setattr("gateway.adapters.store_schema.migrations", lambda: scripts)
        with pytest.raises(StoreFailed):
            await open_store(path)

    assert await after_reopening(path, Enqueue(row(1))) == Kept(next_row_id=2)


async def test_a_directory_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("not a directory")

    with pytest.raises(StoreFailed, match="cannot open"):
        await open_store(tmp_path / "file" / "gateway.db")


async def test_a_backup_is_one_instant_of_a_store_in_use(path, tmp_path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(n)) for n in range(1, 2001)])
        later = [asyncio.ensure_future(store.commit([Confirm((n,))])) for n in range(1, 200)]
        await store.backup(tmp_path / "copy.db")
        await asyncio.gather(*later)
        left = await store.read_lane("evse/1", 0, 10_000)
    async with opened(tmp_path / "copy.db") as copy:
        copied = await copy.read_lane("evse/1", 0, 10_000)

    assert len(left) == 1801
    assert [r.id for r in copied] == list(range(copied[0].id, 2001))
    assert not (tmp_path / "copy.db.partial").exists()


async def test_a_backup_into_no_directory_says_what_to_do(path, tmp_path):
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match=r"make the directory .*nowhere first"):
            await store.backup(tmp_path / "nowhere" / "copy.db")


async def test_a_backup_that_fails_leaves_the_old_one(path, tmp_path):
    target = tmp_path / "copy.db"
    target.mkdir()
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="backup"):
            await store.backup(target)

    assert target.is_dir()


PRODUCER = """
import asyncio, os, sys
from datetime import datetime, UTC
from gateway.adapters.store import open_store
from gateway.events import SecurityEventOccurred
from gateway.records import OutboxRow
from gateway.writes import Enqueue, SaveSetting

async def main(path):
    store = await open_store(path)
    highest = (await store.load()).next_row_id

    async def produce(lane):
        nonlocal highest
        while True:
            id_, highest = highest, highest + 1
            event = SecurityEventOccurred(str(id_), datetime.now(UTC))
            setting = SaveSetting(lane, str(id_))
            await store.commit([Enqueue(OutboxRow(id_, lane, event)), setting])
            os.write(1, f"{lane} {id_}\\n".encode())

    await asyncio.gather(*(produce(f"evse/{n}") for n in range(8)))

asyncio.run(main(sys.argv[1]))
"""
ROUNDS = 6


def acknowledged_until_killed(path, lines):
    """Let a gateway commit until it has acknowledged `lines` rows, kill it, return all it said."""
    root = Path(sys.modules["gateway"].__path__[0]).parent
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER, str(path)], stdout=subprocess.PIPE, cwd=root
    ) as child:
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said += child.stdout.readlines()
    return [(lane.decode(), int(id_)) for lane, id_ in map(bytes.split, said)]


async def test_kill_9_loses_nothing_that_was_acknowledged(path):
    acknowledged = {f"evse/{n}": [] for n in range(8)}
    chance = random.Random(7)
    for _ in range(ROUNDS):
        for lane, id_ in acknowledged_until_killed(path, chance.randint(1, 400)):
            acknowledged[lane].append(id_)

        async with opened(path) as store:
            settings = {s.key: int(s.value) for s in (await store.load()).settings}
            for lane, expected in acknowledged.items():
                kept = await store.read_lane(lane, 0, 100_000)
                assert [int(r.event.type) for r in kept] == [r.id for r in kept]
                assert [r.id for r in kept if r.id in set(expected)] == expected
                # One per lane and life may have been written just before it could say so.
                assert len(kept) <= len(expected) + ROUNDS
                # The setting of the same commit is there with its row, or not at all.
                assert settings.get(lane) == (kept[-1].id if kept else None)


async def test_only_rows_of_transactions_are_messages_about_transactions(tmp_path):
    idle = MetersSampled(1, 1, ())
    store = await open_store(tmp_path / "site.db")
    try:
        await store.commit([Enqueue(OutboxRow(1, "evse/1", idle))])
        without = [await store.has_rows_of(None), await store.has_rows_of(7)]
        await store.commit([Enqueue(OutboxRow(2, "evse/1", idle, transaction=7))])
        within = [await store.has_rows_of(number) for number in (None, 7, 8)]
    finally:
        await store.close()

    assert without == [False, False]
    assert within == [True, True, False]
