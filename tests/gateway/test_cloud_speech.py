"""Saying one thing to the cloud, and what its answer changes: what is on disk, and when."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.authorization import Authorization
from gateway.cloud_speech import CloudSpeech
from gateway.cloud_station import CloudStation
from gateway.errors import BadAnswer, CallRefused, StoreFailed, Unavailable
from gateway.events import (
    AuthorizationStatus,
    AuthorizeAsked,
    Booted,
    EventType,
    IdToken,
    MeterValue,
    Registered,
    RegistrationStatus,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.ocpp.codec import codec_for
from gateway.outbox import Outbox
from gateway.records import OutboxRow, Unreadable
from gateway.registration import BOOT_RETRY_S, BackOff, Registration
from gateway.slots import SlotTable
from gateway.station_events import StopAtStation, Surroundings
from gateway.status_board import StatusBoard
from gateway.transactions import TransactionBooks
from gateway.writes import (
    Confirm,
    CountAttempt,
    Enqueue,
    MarkSent,
    Quarantine,
    SaveToken,
    SaveTransaction,
)
from site_config.model import Site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"
CARD = IdToken("CARD-1", "Central")
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {"A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}},
    }
)
STARTED = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
BLOCKED = {"transactionId": 7, "idTagInfo": {"status": "Blocked"}}


class Desk:
    """A cloud on paper and a disk on paper: `log` is the order in which things happen."""

    def __init__(self, version=V16, answers=()):
        self.log = []
        self.lines = []
        self.followups = []
        self.is_disk_full = False
        self.answers = list(answers)
        self.codec = codec_for(version)
        slots = SlotTable(SITE)
        numbers = iter(range(1, 1000))
        self.books = TransactionBooks(slots, Kept(), lambda: f"uuid-{next(numbers)}")
        lock = asyncio.Lock()
        around = Surroundings(
            slots=slots,
            books=self.books,
            authorization=Authorization(),
            commit=self._commit,
            turn=lambda _: lock,
            ask_cloud=None,
            is_cloud_connected=lambda: True,
            clock_utc=lambda: NOON,
        )
        registration = Registration(Booted("a", "b"), lambda: 0.0, BackOff())
        self.station = CloudStation(registration, StatusBoard((1,), 1, NOON), Outbox())
        self.station.connected(version, 0.0)
        self.registered = []
        self.saying = None
        self.speech = CloudSpeech(
            self.station,
            around,
            clock=lambda: 0.0,
            follow_up=self._follow_up,
            registered=self.registered.append,
            log=self.lines.append,
        )

    async def _commit(self, writes):
        if self.is_disk_full:
            raise StoreFailed("disk full")
        self.log += writes
        self.books.stored(writes)

    async def _follow_up(self, followup):
        self.followups.append(followup)

    def accept(self):
        answer = Registered(RegistrationStatus.ACCEPTED, NOON, 300)
        self.station.registration.boot_answered(answer, 0.0)
        while (status := self.station.statuses.next_status(self.codec.version)) is not None:
            self.station.statuses.told(status, self.codec.version)

    def hear(self, event_type, *, at_s=0, **fields):
        """Let the station say something, and the books and the outbox take it."""
        event = TransactionChanged(
            event_type,
            NOON + timedelta(seconds=at_s),
            None if event_type is EventType.STARTED else "1",
            fields.pop("trigger", "Authorized"),
            0,
            evse_id=1,
            connector_id=1,
            **fields,
        )
        outcome = self.books.apply("A", V16, event, now_utc=NOON, is_cloud_connected=True)
        self.books.accept(outcome)
        for write in outcome.writes:
            if isinstance(write, Enqueue):
                self.station.outbox.enqueued(write.row)
        return outcome.transaction

    def start(self):
        return self.hear(EventType.STARTED, id_token=CARD, register_wh=100.0)

    async def _call(self, action, payload, unique_id):
        self.log.append((action, payload))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def say(self, now=0.0):
        """Say the next thing."""
        self.saying = self.station.next_saying(now)
        assert self.saying is not None
        await self.speech.say(self.saying, self.codec, self._call)

    def kinds(self):
        return [
            entry[0] if isinstance(entry, tuple) else type(entry).__name__ for entry in self.log
        ]


def desk(*answers, version=V16):
    made = Desk(version, answers)
    made.accept()
    return made


# Order.


async def test_a_billing_call_is_on_disk_before_it_leaves_and_its_verdict_before_it_is_forgotten():
    paper = desk(STARTED)
    paper.start()

    await paper.say()
    await paper.speech.settle_down()

    assert paper.kinds() == [
        "MarkSent",
        "StartTransaction",
        "SaveTransaction",
        "SaveToken",
        "Confirm",
    ]
    assert json.loads(paper.log[0].sent) == list(paper.log[1])
    assert paper.books.by_cloud_number(7).number == 1


async def test_a_confirmation_travels_with_the_next_mark():
    paper = desk(STARTED, {})
    paper.start()
    await paper.say()
    before = len(paper.log)
    paper.hear(
        EventType.UPDATED,
        at_s=10,
        trigger="MeterValuePeriodic",
        meter_values=(MeterValue(NOON, (SampledValue("110"),)),),
    )

    await paper.say()

    assert paper.kinds()[before:] == ["SaveToken", "Confirm", "MarkSent", "MeterValues"]
    assert paper.log[-1][1]["transactionId"] == 7


async def test_what_cannot_be_written_down_does_not_leave():
    paper = desk(STARTED)
    paper.start()
    paper.is_disk_full = True

    with pytest.raises(StoreFailed):
        await paper.say()

    assert paper.log == []


async def test_each_event_of_a_2_0_1_cloud_gets_the_next_number():
    paper = desk({}, {}, version=V201)
    transaction = paper.start()
    paper.hear(EventType.ENDED, at_s=60, trigger="StopAuthorized", register_wh=200.0)

    await paper.say()
    await paper.say()

    told = [payload for _, payload in (entry for entry in paper.log if isinstance(entry, tuple))]
    assert [payload["seqNo"] for payload in told] == [0, 1]
    assert {payload["transactionInfo"]["transactionId"] for payload in told} == {transaction.uuid}
    marks = [write.next_seq_no for write in paper.log if isinstance(write, MarkSent)]
    assert marks == [1, 2]


# What the cloud says no to.


@pytest.mark.parametrize(
    ("answer", "second"),
    [
        pytest.param(CallRefused("FormatViolation"), "Ended", id="certainly not taken"),
        pytest.param(CallRefused("InternalError"), "Started", id="perhaps taken, repeated"),
    ],
)
async def test_a_refused_event_leaves_no_gap(answer, second):
    paper = desk(answer, {}, version=V201)
    paper.start()
    paper.hear(EventType.ENDED, at_s=60, trigger="StopAuthorized", register_wh=200.0)

    await paper.say()
    await paper.say(now=100.0)

    told = [payload for _, payload in (entry for entry in paper.log if isinstance(entry, tuple))]
    assert [(payload["eventType"], payload["seqNo"]) for payload in told] == [
        ("Started", 0),
        (second, 0),
    ]


async def test_a_verdict_that_is_not_accepted_stops_the_station():
    paper = desk(BLOCKED)
    transaction = paper.start()

    await paper.say()

    (stop,) = paper.followups
    assert isinstance(stop, StopAtStation)
    assert stop.transaction.number == transaction.number
    assert paper.books.by_number(1).verdict is AuthorizationStatus.BLOCKED


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param(CallRefused("InternalError"), CountAttempt, id="perhaps later"),
        pytest.param(CallRefused("FormationViolation"), Quarantine, id="never"),
        pytest.param(BadAnswer("TypeConstraintViolation", "nonsense"), Quarantine, id="nonsense"),
    ],
)
async def test_a_refused_message_is_tried_again_or_kept_for_a_person(answer, kept):
    paper = desk(answer)
    paper.start()

    await paper.say()

    assert isinstance(paper.log[-1], kept)
    assert not any(isinstance(write, Confirm) for write in paper.log)
    assert bool(paper.lines) is (kept is Quarantine)


async def test_silence_to_one_message_counts_an_attempt_and_a_lost_link_none():
    paper = desk(STARTED, Unavailable("silent"), Unavailable("gone"))
    paper.start()
    paper.hear(EventType.ENDED, at_s=60, trigger="StopAuthorized", register_wh=200.0)
    await paper.say()

    with pytest.raises(Unavailable):
        await paper.say()
    paper.station.lost(0.0)
    paper.station.connected(V16, 1.0)
    paper.station.registration.heartbeat_sent(1.0)
    with pytest.raises(Unavailable):
        await paper.say()
    await paper.speech.unanswered(paper.saying.batch)

    counted = [write.attempts for write in paper.log if isinstance(write, CountAttempt)]
    assert counted == [1]


async def test_a_retransmission_is_byte_identical_and_its_concurrent_tx_an_acceptance():
    paper = desk(Unavailable("gone"), {"transactionId": 7, "idTagInfo": {"status": "ConcurrentTx"}})
    paper.start()
    with pytest.raises(Unavailable):
        await paper.say()
    paper.station.lost(0.0)
    paper.station.connected(V16, 1.0)
    paper.station.registration.heartbeat_sent(1.0)

    await paper.say()

    marks = [write for write in paper.log if isinstance(write, MarkSent)]
    assert marks[0].sent == marks[1].sent
    assert marks[0].message_id != marks[1].message_id
    assert paper.followups == []
    assert paper.books.by_number(1).cloud_number == 7


async def test_a_start_without_a_token_waits_for_it_at_a_1_6_cloud():
    paper = desk()
    event = TransactionChanged(
        EventType.STARTED, NOON, "tx-1", "CablePluggedIn", 0, evse_id=1, connector_id=1
    )
    outcome = paper.books.apply("A", V201, event, now_utc=NOON, is_cloud_connected=True)
    paper.books.accept(outcome)
    for write in outcome.writes:
        if isinstance(write, Enqueue):
            paper.station.outbox.enqueued(write.row)

    await paper.say()

    assert paper.log == []
    assert paper.station.outbox.due_at() is not None


# What is not kept.


async def test_a_boot_that_is_refused_is_tried_again_after_a_while():
    paper = Desk(V16, [CallRefused("InternalError")])

    await paper.say()

    assert paper.station.registration.next_timer() == BOOT_RETRY_S
    assert "Booted" in paper.lines[0]


async def test_a_boot_that_is_accepted_is_followed_by_every_status():
    boot = {"status": "Accepted", "interval": 60, "currentTime": "2026-06-01T12:00:00Z"}
    paper = Desk(V16, [boot, {}, {}])

    await paper.say()
    await paper.say()
    await paper.say()

    told = [entry for entry in paper.log if isinstance(entry, tuple)]
    assert [action for action, _ in told] == ["BootNotification"] + ["StatusNotification"] * 2
    assert [payload["connectorId"] for _, payload in told[1:]] == [0, 1]
    assert [answer.status for answer in paper.registered] == ["Accepted"]


@pytest.mark.parametrize(
    "failure", [CallRefused("InternalError"), BadAnswer("FormatViolation", "nonsense")]
)
async def test_a_refused_status_is_not_told_again(failure):
    paper = desk(failure)
    paper.station.statuses.tell_again(1)

    await paper.say()

    assert paper.station.next_saying(0.0) is None
    assert len(paper.lines) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param({"idTagInfo": {"status": "Blocked"}}, "Blocked", id="a verdict"),
        pytest.param(CallRefused("InternalError"), None, id="a refusal"),
        pytest.param(Unavailable("silent"), None, id="silence"),
    ],
)
async def test_whoever_waits_gets_the_verdict_or_nothing(answer, status):
    paper = desk(answer)
    verdicts = []
    paper.station.ask(AuthorizeAsked(CARD), verdicts.append)

    try:
        await paper.say()
    except Unavailable:
        assert isinstance(answer, Unavailable)

    (verdict,) = verdicts
    assert (verdict and verdict.info.status) == status


async def test_an_event_the_version_cannot_say_harms_nothing():
    paper = desk()
    verdicts = []
    paper.station.ask(AuthorizeAsked(IdToken("X" * 21)), verdicts.append)

    await paper.say()

    assert verdicts == [None]
    assert len(paper.lines) <= 1


async def test_a_learned_verdict_is_remembered_for_the_next_driver():
    paper = desk(STARTED)
    paper.start()

    await paper.say()
    await paper.speech.settle_down()

    (saved,) = [write for write in paper.log if isinstance(write, SaveToken)]
    assert saved.token.id_token == CARD
    assert [write for write in paper.log if isinstance(write, SaveTransaction)]


async def test_a_row_nobody_can_read_goes_to_quarantine_and_its_lane_goes_on():
    paper = desk({})
    outbox = paper.station.outbox
    outbox.enqueued(OutboxRow(1, "station", Unreadable(b"?", "damaged")))
    outbox.enqueued(OutboxRow(2, "station", SecurityEventOccurred("ResetOrReboot", NOON)))

    await paper.say()
    await paper.say()

    assert Quarantine(1, NOON, "unreadable", "damaged") in paper.log
    assert outbox.depth()[:2] == (0, 1)
