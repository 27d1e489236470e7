"""The last frames of every socket, without secrets."""

import json
import random
import string
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.operations import TraceQuery
from gateway.trace import CLOUD, ENTRY_BYTES, LOOSE_BYTES, MessageTrace

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def noise(size: int = 1000 - ENTRY_BYTES) -> str:
    """Return a frame that takes 1,000 bytes of the budget, and packed three quarters of it."""
    return "".join(DICE.choices(string.ascii_letters + string.digits, k=size))


DICE = random.Random(4)


def trace(
    length: int = 3, budget: int = 1_000_000, cloud_length: int = 100, loose: int = 3_000
) -> MessageTrace:
    seconds = count()
    return MessageTrace(
        lambda: NOON + timedelta(seconds=next(seconds)), length, cloud_length, budget, loose
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
    book.note("quiet", "in", noise())

    for _ in range(18):
        book.note("talkative", "in", noise())

    assert len(newest(book, "talkative", 99)) == 18


def test_whoever_keeps_more_than_a_share_forgets_first():
    book = trace(length=100, budget=20_000)
    for _ in range(24):
        book.note("talkative", "in", noise())
    assert len(newest(book, "talkative", 99)) > 18

    for _ in range(7):
        book.note("newcomer", "in", noise())

    assert len(newest(book, "newcomer", 99)) == 7
    assert 7 <= len(newest(book, "talkative", 99)) <= 10


def test_the_cloud_keeps_a_quarter_however_many_stations_talk():
    book = trace(length=100, budget=20_000)
    for n in range(100):
        book.note(CLOUD, "out", noise())
        book.note(f"CP-{n % 15}", "in", noise())

    assert 5 <= len(newest(book, CLOUD, 99)) <= 7


def test_a_frame_above_every_share_is_kept_until_the_next():
    book = trace(budget=5_000)

    book.note("CP-01", "in", noise(9_000))
    assert len(newest(book, "CP-01", 9)) == 1

    book.note("CP-01", "in", "next")

    assert [entry.frame for entry in newest(book, "CP-01", 9)] == ["next"]


@given(
    st.lists(
        st.tuples(st.sampled_from([CLOUD, "A", "B", "C", "D"]), st.integers(0, 9)), max_size=300
    )
)
@settings(max_examples=50)
def test_all_sockets_together_keep_no_more_than_the_budget(notes):
    DICE.seed(4)
    book = trace(length=500, budget=40_000)

    for name, frames in notes:
        book.note(name, "in", noise(frames * 1000))

    kept = newest(book, None, 10_000)
    assert book.size <= 40_000
    # What letters and digits hold is three quarters of what they take, packed or not.
    assert sum(len(entry.frame) * 0.74 for entry in kept) <= 40_000


@pytest.mark.parametrize("stations", [10, 250])
def test_the_budget_is_of_real_bytes(stations):
    words = [noise() for _ in range(20)]
    book = trace(length=2_000, budget=500_000, loose=LOOSE_BYTES)
    tracemalloc.start()
    try:
        for n in range(2_000):
            book.note(f"CP-{n % stations}", "in", f'[2,"{n}","MeterValues",{words[n % 20]}]')
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 0.75 * book.size <= taken <= 500_000


METER_VALUES = (
    '[2,"%d","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-06-01T12:00:00Z",'
    '"sampledValue":['
    + ",".join(f'{{"value":"%d.{n}","phase":"L{n}"}}' for n in range(12))
    + "]}]}]"
)


def test_what_was_packed_is_found_as_it_passed():
    book = trace(length=99, loose=2_000)
    frames = [METER_VALUES % (n, *range(n, n + 12)) for n in range(30)]
    strange = ['\x00\n\r\u2028 "quoted\\', "ü€😀", "", "  "]
    for n, frame in enumerate([*strange, *frames]):
        book.note("CP-01", "in" if n % 2 else "out", frame)
        book.note("CP-02", "in", "other")

    entries = newest(book, "CP-01", 99)

    assert [entry.frame for entry in entries] == [*strange, *frames]
    assert [entry.direction for entry in entries] == ["out", "in"] * 17
    assert [entry.at for entry in entries] == [
        NOON + timedelta(seconds=2 * n) for n in range(len(entries))
    ]
    assert {entry.station_id for entry in entries} == {"CP-01"}
    assert [entry.frame for entry in newest(book, None, 9, text='"28.0"')] == [frames[28]]


def test_a_broken_frame_does_no_harm_to_those_it_is_packed_with():
    book = trace(length=99, loose=500)
    for frame in ("before", "a\x1eb", "after", noise()):
        book.note("CP-01", "in", frame)

    assert [entry.frame for entry in newest(book, "CP-01", 99)][:3] == [
        "before",
        "a\ufffdb",
        "after",
    ]


def test_a_station_that_repeats_itself_is_remembered_for_longer():
    book = trace(length=2_000, budget=50_000)
    for n in range(500):
        book.note("CP-01", "in", METER_VALUES % (n, *range(n, n + 12)))

    unpacked = 0.75 * 50_000 / (ENTRY_BYTES + len(METER_VALUES))
    assert len(newest(book, "CP-01", 999)) > 4 * unpacked


def test_frames_may_be_looked_for_while_others_pass():
    """The page asks on a thread: what is packed meanwhile is neither missed nor told twice."""
    interval_s = sys.getswitchinterval()
    book = trace(length=10_000, loose=600)
    stop = Event()

    def pass_on():
        for n in count():
            book.note("CP-01", "in", str(n))
            if stop.is_set():
                return

    passing = Thread(target=pass_on)
    sys.setswitchinterval(1e-5)
    try:
        passing.start()
        seen = [[int(e.frame) for e in newest(book, "CP-01", 9)] for _ in range(2_000)]
    finally:
        stop.set()
        passing.join()
        sys.setswitchinterval(interval_s)

    assert seen[-1]
    assert all(b - a == 1 for numbers in seen for a, b in pairwise(numbers))


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
