"""The seqNo of a transaction on disk, given by the sender while stations speak."""

from datetime import UTC, datetime

from gateway.adapters.store import open_store
from gateway.records import Transaction
from gateway.writes import GiveBackSeqNo, MarkSent, SaveTransaction

AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
TRANSACTION = Transaction(1, "uuid", "CP-01", 1, 1, 1, AT, "1", next_seq_no=4)


async def test_seq_no_given_is_not_taken_back_by_an_older_word_on_the_transaction(tmp_path):
    store = await open_store(tmp_path / "site.db")
    try:
        await store.commit([SaveTransaction(TRANSACTION)])

        await store.commit([MarkSent((9,), "m", b"{}", "ocpp2.0.1", 1, 5)])
        await store.commit([SaveTransaction(TRANSACTION)])

        (running,) = (await store.load()).running
    finally:
        await store.close()
    assert running.next_seq_no == 5


async def test_seq_no_given_is_not_taken_back_by_a_repeated_message_either(tmp_path):
    store = await open_store(tmp_path / "site.db")
    try:
        await store.commit([SaveTransaction(TRANSACTION)])

        await store.commit([MarkSent((9,), "m", b"{}", "ocpp2.0.1", 1, 5)])
        await store.commit([MarkSent((8,), "n", b"{}", "ocpp2.0.1", 1, 4)])

        (running,) = (await store.load()).running
    finally:
        await store.close()
    assert running.next_seq_no == 5


async def test_a_seq_no_the_cloud_has_not_taken_is_given_back_unless_another_was_given(tmp_path):
    store = await open_store(tmp_path / "site.db")
    try:
        await store.commit([SaveTransaction(TRANSACTION)])

        await store.commit([GiveBackSeqNo(1, 2)])
        (untouched,) = (await store.load()).running
        await store.commit([GiveBackSeqNo(1, 3)])
        (given_back,) = (await store.load()).running
    finally:
        await store.close()
    assert (untouched.next_seq_no, given_back.next_seq_no) == (4, 3)
