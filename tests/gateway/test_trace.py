"""The last frames of every socket, without secrets."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.operations import TraceQuery
from gateway.trace import CLOUD, ENTRY_BYTES, MessageTrace

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


FRAME = "x" * (1000 - ENTRY_BYTES)
"""A frame that takes 1,000 bytes of the budget."""


def trace(length: int = 3, budget: int = 1_000_000, cloud_length: int = 100) -> MessageTrace:
    seconds = count()
    return MessageTrace(
        lambda: NOON + timedelta(seconds=next(seconds)), length, cloud_length, budget
    )


def newest(book: MessageTrace, station: str | None, limit: int, **query: object):
    return book.find(TraceQuery(station, limit, **query))


def test_the_newest_of_one_socket_or_of_all_oldest_first():
    book = trace()
    for n in range(5):
        book.note("CP-01" if n % 2 else "cloud", "in", str(n))

    assert [entry.frame for entry in newest(book, "cloud", 2)] == ["2", "4"]
    assert [entry.frame for entry in newest(book, None, 3)] == ["2", "3", "4"]
    assert newest(book, "CP-99", 3) == []
    assert newest(book, None, 0) == []


def test_a_ring_forgets_its_oldest():
    book = trace(length=2)

    for n in range(4):
        book.note("CP-01", "in", str(n))

    assert [entry.frame for entry in newest(book, "CP-01", 9)] == ["2", "3"]


def test_while_there_is_room_a_socket_keeps_more_than_its_share():
    book = trace(length=100, budget=20_000)
    book.note("quiet", "in", FRAME)

    for _ in range(18):
        book.note("talkative", "in", FRAME)

    assert len(newest(book, "talkative", 99)) == 18


def test_whoever_keeps_more_than_a_share_forgets_first():
    book = trace(length=100, budget=20_000)
    for _ in range(17):
        book.note("talkative", "in", FRAME)

    for _ in range(7):
        book.note("newcomer", "in", FRAME)

    assert len(newest(book, "newcomer", 99)) == 7
    assert len(newest(book, "talkative", 99)) == 7


def test_the_cloud_keeps_a_quarter_however_many_stations_talk():
    book = trace(length=100, budget=20_000)
    for n in range(100):
        book.note(CLOUD, "out", FRAME)
        book.note(f"CP-{n % 15}", "in", FRAME)

    assert len(newest(book, CLOUD, 99)) == 5


def test_a_frame_above_every_share_is_kept_until_the_next():
    book = trace(budget=5_000)

    book.note("CP-01", "in", FRAME * 9)

    assert len(newest(book, "CP-01", 9)) == 1


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

    kept = newest(book, None, 10_000)
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

    (entry,) = newest(book, "CP-01", 1)

    assert "SECRET" not in entry.frame


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","GetDiagnostics",{"location":"ftp://logs:SECRET@10.0.0.9/in"}]',
        '[2,"1","SetNetworkProfile",{"connectionData":{"apn":{"apnPassword":"SECRET","simPin":"S"}}}]',
        '[2,"1","SetNetworkProfile",{"connectionData":{"vpn":{"password":"SECRET","key":"SECRET"}}}]',
        '[2,"1","SetNetworkProfile",{"connectionData":{"basicAuthPassword":"a\\"SECRET"}}]',
    ],
)
def test_no_login_of_another_server_is_shown(frame):
    book = trace()
    book.note("CP-01", "out", frame)

    (entry,) = newest(book, "CP-01", 1, has_tokens=True)

    assert "SECRET" not in entry.frame
    json.loads(entry.frame)


TOKEN = "04A2B3C4D5E6F7"
WITH_TOKEN = [
    f'[2,"1","StartTransaction",{{"connectorId":1,"idTag":"{TOKEN}"}}]',
    f'[3,"1",{{"idTagInfo":{{"status":"Accepted","parentIdTag":"{TOKEN}"}}}}]',
    f'[2,"1","Authorize",{{"idToken":{{"idToken":"{TOKEN}","type":"ISO14443"}}}}]',
    f'[2,"1","Authorize",{{"idToken":{{"additionalInfo":[{{"additionalIdToken":"{TOKEN}"}}]}}}}]',
]


@pytest.mark.parametrize("frame", WITH_TOKEN)
def test_drivers_tokens_are_shown_whole_only_to_who_may(frame):
    book = trace()
    book.note("CP-01", "in", frame)

    (masked,) = newest(book, "CP-01", 1)

    assert TOKEN not in masked.frame
    assert "***E6F7" in masked.frame
    json.loads(masked.frame)
    assert newest(book, "CP-01", 1, has_tokens=True)[0].frame == frame


def test_what_is_masked_is_not_found_either():
    book = trace()
    book.note("CP-01", "in", WITH_TOKEN[0])

    assert newest(book, None, 9, text=TOKEN) == []
    assert len(newest(book, None, 9, text=TOKEN.lower(), has_tokens=True)) == 1


CONVERSATION = [
    ("CP-01", "in", '[2,"a","Heartbeat",{}]'),
    ("CP-01", "out", '[3,"a",{"currentTime":"now"}]'),
    ("CP-02", "in", '[ 2 , "a" , "StatusNotification",{"status":"Faulted"}]'),
    ("CP-02", "out", '[4,"a","InternalError","",{}]'),
    ("CP-02", "in", "not a frame"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "heartbeat"}, [0, 1]),
        ({"action": "StatusNotification"}, [2, 3]),
        ({"action": "Reset"}, []),
        ({"text": "faulted"}, [2]),
        ({"direction": "out"}, [1, 3]),
        ({"since": NOON + timedelta(seconds=3)}, [3, 4]),
        ({"until": NOON + timedelta(seconds=1)}, [0]),
        ({"action": "StatusNotification", "direction": "in"}, [2]),
        ({"station": "CP-02", "limit": 1, "text": "a"}, [4]),
    ],
    ids=str,
)
def test_frames_are_found_by_what_they_say_and_answers_by_what_they_answer(query, found):
    book = trace(length=9)
    for passed in CONVERSATION:
        book.note(*passed)

    entries = book.find(TraceQuery(**query))

    assert [entry.frame for entry in entries] == [CONVERSATION[n][2] for n in found]


def test_the_cloud_has_a_longer_ring():
    book = trace(length=2, cloud_length=4)
    for n in range(9):
        book.note(CLOUD, "out", str(n))

    assert len(newest(book, CLOUD, 99)) == 4
