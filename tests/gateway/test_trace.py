"""The last frames of every socket, without secrets."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.trace import CLOUD, ENTRY_BYTES, MessageTrace

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


FRAME = "x" * (1000 - ENTRY_BYTES)
"""A frame that takes 1,000 bytes of the budget."""


def trace(length: int = 3, budget: int = 1_000_000) -> MessageTrace:
    seconds = count()
    return MessageTrace(lambda: NOON + timedelta(seconds=next(seconds)), length, budget)


def test_the_newest_of_one_socket_or_of_all_oldest_first():
    book = trace()
    for n in range(5):
        book.note("CP-01" if n % 2 else "cloud", "in", str(n))

    assert [entry.frame for entry in book.newest("cloud", 2)] == ["2", "4"]
    assert [entry.frame for entry in book.newest(None, 3)] == ["2", "3", "4"]
    assert book.newest("CP-99", 3) == []
    assert book.newest(None, 0) == []


def test_a_ring_forgets_its_oldest():
    book = trace(length=2)

    for n in range(4):
        book.note("CP-01", "in", str(n))

    assert [entry.frame for entry in book.newest("CP-01", 9)] == ["2", "3"]


def test_while_there_is_room_a_socket_keeps_more_than_its_share():
    book = trace(length=100, budget=20_000)
    book.note("quiet", "in", FRAME)

    for _ in range(18):
        book.note("talkative", "in", FRAME)

    assert len(book.newest("talkative", 99)) == 18


def test_whoever_keeps_more_than_a_share_forgets_first():
    book = trace(length=100, budget=20_000)
    for _ in range(17):
        book.note("talkative", "in", FRAME)

    for _ in range(7):
        book.note("newcomer", "in", FRAME)

    assert len(book.newest("newcomer", 99)) == 7
    assert len(book.newest("talkative", 99)) == 7


def test_the_cloud_keeps_a_quarter_however_many_stations_talk():
    book = trace(length=100, budget=20_000)
    for n in range(100):
        book.note(CLOUD, "out", FRAME)
        book.note(f"CP-{n % 15}", "in", FRAME)

    assert len(book.newest(CLOUD, 99)) == 5


def test_a_frame_above_every_share_is_kept_until_the_next():
    book = trace(budget=5_000)

    book.note("CP-01", "in", FRAME * 9)

    assert len(book.newest("CP-01", 9)) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([CLOUD, "A", "B", "C", "D"]), st.integers(0, 9)), max_size=300
    )
)
@settings(max_examples=50)
def test_all_sockets_together_keep_no_more_than_the_budget(notes):
    book = trace(length=500, budget=40_000)

    for name, frames in notes:
        book.note(name, "in", "x" * (frames * 1000))

    kept = book.newest(None, 10_000)
    assert sum(ENTRY_BYTES + len(entry.frame) for entry in kept) <= 40_000


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"SECRET"}]',
        '[2,"1","ChangeConfiguration",{"value":"SECRET","key":"AuthorizationKey"}]',
        '[2,"1","ChangeConfiguration",{"key" : "AuthorizationKey" , "value" : "SECRET"}]',
        '[2,"1","SetVariables",{"setVariableData":[{"component":{"name":"SecurityCtrlr"},'
        '"variable":{"name":"BasicAuthPassword"},"attributeValue":"SECRET"}]}]',
        '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"SECRET","component":'
        '{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}}]}]',
    ],
)
def test_passwords_and_keys_are_never_shown(frame):
    book = trace()
    book.note("CP-01", "out", frame)

    (entry,) = book.newest("CP-01", 1)

    assert "SECRET" not in entry.frame
