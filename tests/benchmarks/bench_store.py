"""How many messages a second become durable, and what one costs.

Compares the store's group commit with a commit per message through aiosqlite, in the same run and
on the same disk: absolute figures drift with the machine, the ratio is the result. A message is
a MeterValues of 12 values; the store also turns it into its bytes. Then fills a backlog with
values as cars give them, no two alike, says what a million of them take on disk, copies and checks
it, thins it, makes it anew as if it were damaged, and drains it through the outbox.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import aiosqlite

from gateway.adapters.store import Store, open_store
from gateway.adapters.store_backups import keep_copy
from gateway.adapters.store_salvage import rebuild
from gateway.batches import Delivery
from gateway.bodies import serialize_event
from gateway.events import EventType, MeterValue, SampledValue, TransactionChanged
from gateway.outbox import Outbox
from gateway.records import OutboxRow
from gateway.thinning import LaneThinning
from gateway.writes import Enqueue, Thin, Write

NOW = datetime.now(UTC)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SAMPLES = tuple(
    SampledValue(f"{1000 + n}.25", measurand, phase=f"L{n % 3 + 1}", unit="A")
    for n, measurand in enumerate(["Current.Import", "Voltage", "Power.Active.Import", "x"] * 3)
)
EVENT = TransactionChanged(
    EventType.UPDATED,
    NOW,
    "0f0c6f0e-3a5a-4f8e-9d57-6f1b8d1f2a11",
    "MeterValuePeriodic",
    0,
    evse_id=1,
    connector_id=1,
    register_wh=1234.5,
    meter_values=(MeterValue(NOW, SAMPLES),),
)
Commit = Callable[[int], Awaitable[None]]
Result = tuple[float, float, list[float]]
"""Seconds, CPU seconds and the sorted waits of each commit in seconds."""


MOST_MB_PER_MILLION = 400


def lifelike(id_: int, chance: random.Random) -> OutboxRow:
    """A periodic message of one of 40 EVSEs: three phases under way, no two values alike."""
    at = NOON + timedelta(seconds=id_ // 40 * 60, microseconds=chance.randrange(10**6))
    current_a, voltage_v = chance.uniform(6, 32), chance.uniform(225, 240)
    samples = [SampledValue(f"{1_000_000 + id_ * 3.21:.1f}", unit="Wh")]
    for phase in ("L1", "L2", "L3"):
        phase_a = current_a + chance.gauss(0, 0.2)
        phase_v = voltage_v + chance.gauss(0, 1)
        samples += [
            SampledValue(f"{phase_a:.2f}", "Current.Import", phase, unit="A"),
            SampledValue(f"{phase_v:.1f}", "Voltage", phase, unit="V"),
            SampledValue(f"{phase_a * phase_v:.1f}", "Power.Active.Import", phase, unit="W"),
        ]
    samples += [
        SampledValue(f"{current_a * 690:.0f}", "Power.Active.Import", unit="W"),
        SampledValue(str(chance.randrange(5, 99)), "SoC", unit="Percent", location="EV"),
    ]
    evse = id_ % 40
    event = replace(EVENT, at=at, evse_id=evse, meter_values=(MeterValue(at, tuple(samples)),))
    return OutboxRow(id_, f"evse/{evse}", event, evse + 1, at)


def row(id_: int) -> OutboxRow:
    return OutboxRow(id_, f"evse/{id_ % 40}", EVENT, 1, NOW)


async def produce(commit: Commit, producers: int, messages: int) -> Result:
    ids = iter(range(1, messages + 1))
    waits: list[float] = []

    async def one() -> None:
        for id_ in ids:
            before = time.perf_counter()
            await commit(id_)
            waits.append(time.perf_counter() - before)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(producers)))
    return time.perf_counter() - began, time.process_time() - cpu, sorted(waits)


def report(name: str, messages: int, result: Result, extra: str = "") -> float:
    seconds, cpu, waits = result
    p50, p99 = waits[len(waits) // 2] * 1e3, waits[len(waits) * 99 // 100] * 1e3
    print(  # noqa: T201 - a script that prints figures
        f"{name:<38} {messages / seconds:>9,.0f} msg/s {cpu / messages * 1e6:>7.1f} us CPU/msg "
        f"p50 {p50:>6.2f} p99 {p99:>6.2f} ms {extra}"
    )
    return messages / seconds


async def group_commit(folder: Path, producers: int, messages: int) -> float:
    store = await open_store(folder / f"group-{producers}.db")

    async def commit(id_: int) -> None:
        await store.commit([Enqueue(row(id_))])

    result = await produce(commit, producers, messages)
    rate = report(f"store, {producers} producers", messages, result, f"{store.commits:,} commits")
    await store.close()
    return rate


async def commit_each(folder: Path, producers: int, messages: int) -> float:
    async with aiosqlite.connect(
        folder / f"each-{producers}.db", isolation_level=None
    ) as connection:
        await connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane TEXT, body BLOB);"
        )

        async def commit(id_: int) -> None:
            values = (id_, f"evse/{id_ % 40}", serialize_event(EVENT))
            await connection.execute("INSERT INTO outbox VALUES (?, ?, ?)", values)

        result = await produce(commit, producers, messages)
    return report(f"commit per message, {producers} producers", messages, result)


async def drain(store: Store, outbox: Outbox, messages: int) -> None:
    """Empty a backlog as the uplink does, with a cloud that answers at once."""
    calls, numbers = 0, count()
    cpu, began = time.process_time(), time.perf_counter()
    writes: list[Write] = []
    while True:
        for ask in outbox.needs_refill():
            outbox.refill(ask, await store.read_lane(*ask))
        batch = outbox.next_batch(time.monotonic(), "ocpp2.0.1")
        if batch is None:
            break
        payload = serialize_event(batch.event)
        mark = outbox.mark_sent(batch, str(next(numbers)), payload, "ocpp2.0.1")
        await store.commit([*writes, mark])
        writes = outbox.confirmed(batch)
        calls += 1
    await store.commit(writes)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(  # noqa: T201
        f"{'drained':<38} {messages / seconds:>9,.0f} msg/s "
        f"{cpu / messages * 1e6:>7.1f} us CPU/msg "
        f"{calls:,} CALLs, {messages / calls:.1f} rows each, {calls / seconds:,.0f} CALLs/s"
    )


async def take_care(path: Path, messages: int) -> None:
    """Copy and check the backlog, thin a copy of it, make another anew as if it were damaged."""

    def told(what: str, began: float) -> None:
        seconds = time.perf_counter() - began
        print(f"{what:<38} {messages / seconds:>9,.0f} rows/s {seconds:>8.1f} s")  # noqa: T201

    began = time.perf_counter()
    copy = await asyncio.to_thread(keep_copy, path, path.parent / "backups", 1, NOON)
    told("copied and checked in full", began)
    began = time.perf_counter()
    await asyncio.to_thread(rebuild, copy, "benchmark", NOON)
    told("made anew row by row", began)
    store = await open_store(copy)
    began, gone = time.perf_counter(), 0
    for lane in await store.lanes():
        thinning, after_id = LaneThinning(), 0
        while rows := await store.read_lane(lane.lane, after_id, 500):
            after_id = rows[-1].id
            row_ids = tuple(thinning.take(rows))
            await store.commit([Thin(row_ids)])
            gone += len(row_ids)
    told(f"thinned by {gone / messages:.0%}", began)
    await store.close()


async def backlog(folder: Path, messages: int) -> None:
    path = folder / "backlog.db"
    store = await open_store(path)
    chance = random.Random(1)
    for first in range(1, messages + 1, 1000):
        page = range(first, min(first + 1000, messages + 1))
        await store.commit([Enqueue(lifelike(id_, chance)) for id_ in page])
    await store.close()
    size = path.stat().st_size
    await take_care(path, messages)
    began = time.perf_counter()
    store = await open_store(path)
    kept, lanes = await store.load(), await store.lanes()
    outbox = Outbox(Delivery())
    outbox.restore(lanes, quarantined=0, next_row_id=kept.next_row_id)
    print(  # noqa: T201
        f"{f'a backlog of {messages:,}':<38} {size / 1e6:>9,.1f} MB {size / messages:>9.0f} B/row "
        f"opened, loaded and counted in {(time.perf_counter() - began) * 1e3:.0f} ms\n"
        f"{'a million of them':<38} {size / messages:>9,.0f} MB, {MOST_MB_PER_MILLION} are allowed"
    )
    await drain(store, outbox, messages)
    await store.close()


async def main(messages: int, folder: Path) -> None:
    for producers in (1, 100):
        few = max(messages // 10, 1)
        each = await commit_each(folder, producers, few)
        group = await group_commit(folder, producers, few if producers == 1 else messages)
        print(f"{'':<38} {group / each:>9.1f} times")  # noqa: T201
    await backlog(folder, messages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--folder", help="on the disk to measure; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        asyncio.run(main(options.messages, Path(temporary)))
