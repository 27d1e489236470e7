"""The last frames of every socket, without secrets."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from gateway.trace import MessageTrace

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def trace(length: int = 3) -> MessageTrace:
    seconds = count()
    return MessageTrace(lambda: NOON + timedelta(seconds=next(seconds)), length)


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
