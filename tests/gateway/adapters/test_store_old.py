"""What the store lets go of: old transactions, cached tokens, thinned values; and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.adapters.store import open_store
from gateway.events import (
    AuthorizationStatus,
    IdToken,
    IdTokenInfo,
    SecurityEventOccurred,
)
from gateway.records import KnownToken, OutboxRow, Transaction
from gateway.writes import (
    Enqueue,
    ForgetOld,
    MarkSent,
    Quarantine,
    SaveToken,
    SaveTransaction,
    Thin,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=500)
CUT = NOON - timedelta(days=400)


def transaction(number, started_at, ended_at):
    return Transaction(
        number, f"uuid-{number}", "CP-01", 1, 1, 1, started_at, str(number), ended_at=ended_at
    )


def row(id_, number=None):
    return OutboxRow(id_, "evse/1", SecurityEventOccurred("x", NOON), number, NOON)


def token(n):
    info = IdTokenInfo(AuthorizationStatus.ACCEPTED)
    return KnownToken(IdToken(f"card-{n}", "ISO14443"), info, NOON + timedelta(seconds=n))


@pytest.fixture
async def store(tmp_path):
    store = await open_store(tmp_path / "gateway.db")
    yield store
    await store.close()


async def test_only_transactions_long_ended_and_told_are_let_go(store):
    await store.commit(
        [
            SaveTransaction(transaction(1, LONG_AGO, LONG_AGO)),
            SaveTransaction(transaction(2, LONG_AGO, None)),
            SaveTransaction(transaction(3, LONG_AGO, NOON)),
            SaveTransaction(transaction(4, LONG_AGO, LONG_AGO)),
            SaveTransaction(transaction(5, LONG_AGO, LONG_AGO)),
            SaveTransaction(transaction(6, NOON, NOON)),
            Enqueue(row(1, 4)),
            Enqueue(row(2, 5)),
            Quarantine(2, NOON, "NotSupported", ""),
        ]
    )
    await store.commit([ForgetOld(CUT, 10)])

    left = await store.transactions(LONG_AGO, NOON + timedelta(days=1))
    assert [one.number for one in left] == [2, 3, 4, 5, 6]


async def test_a_number_let_go_is_not_given_again(store):
    await store.commit([SaveTransaction(transaction(1, LONG_AGO, LONG_AGO))])
    await store.commit([ForgetOld(CUT, 10)])

    assert (await store.load()).next_transaction_number == 2


async def test_of_many_it_lets_go_a_part_at_a_time(store):
    old = [transaction(n, LONG_AGO, LONG_AGO) for n in range(1, 1201)]
    await store.commit([SaveTransaction(one) for one in old])
    left = []
    for _ in range(3):
        await store.commit([ForgetOld(CUT, 10)])
        left.append(len(await store.transactions(LONG_AGO, NOON)))

    assert left == [700, 200, 0]


async def test_the_newest_tokens_stay(store):
    await store.commit([SaveToken(token(n)) for n in (3, 1, 5, 2, 4)])
    await store.commit([ForgetOld(CUT, 2)])

    assert [known.id_token.value for known in (await store.load()).tokens] == ["card-4", "card-5"]


async def test_what_may_have_left_is_not_thinned(store):
    await store.commit([Enqueue(row(n)) for n in range(1, 6)])
    await store.commit([MarkSent((2,), "m-1", b"[]", "ocpp1.6")])
    await store.commit([Thin((1, 2, 3, 99))])

    assert [one.id for one in await store.read_lane("evse/1", 0, 10)] == [2, 4, 5]
