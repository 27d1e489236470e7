"""The table of crash points: every line at which a power cut could hurt, and what must hold then.

A row is one death of the real program. `Store._write` is where every change of the books reaches
the disk, so each `Write` has three rows: before its commit, inside (all statements carried out, no
COMMIT) and after (on disk, but nobody in the program knows). Around them stand the steps between
a station's word and the cloud's confirmation, the cloud's commands, and the work on files.
`tests/scenarios/crash/test_table.py` sees to it that no `Write` and no step is forgotten.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.events import EventType, TransactionChanged
from gateway.retransmissions import HEARD
from gateway.station_events import StopAtStation
from gateway.writes import (
    Confirm,
    CountAttempt,
    DeleteCircuitLimit,
    DeleteProfile,
    Enqueue,
    ForgetTokens,
    MarkSent,
    Quarantine,
    Release,
    ReplaceLocalList,
    SaveAvailability,
    SaveCircuitLimit,
    SaveProfile,
    SaveSetting,
    SaveSlot,
    SaveToken,
    SaveTransaction,
)
from tests.scenarios.crash.failpoints import Moment, Trap
from tests.scenarios.crash.keeping import CHANGES

Applies = Callable[..., bool]

BOOKS_EQUAL = "the cloud's books equal the station's: one start, one stop, every value once"
KINDS = ("start", "sample", "stop")
"""What a station says that is billed."""
WRITE = "gateway.adapters.store:Store._write"
COMMITS = (Moment.BEFORE, Moment.INSIDE, Moment.AFTER)


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the table."""

    trap: Trap
    what: str
    """What the power cut interrupts."""
    during: str
    """What the site does when it strikes: the scenario that leads there."""
    holds: str = BOOKS_EQUAL
    writes: tuple[type, ...] = ()
    """The changes whose way to the disk it interrupts."""
    step: str = ""
    """The step of a billing CALL that was done last, in the words of `gateway.cloud_speech`."""
    by_cloud: bool = False
    """Struck from outside, while the cloud holds back its answer; the trap only names it."""

    @property
    def name(self) -> str:
        return self.trap.name


# What a call is about.


def kind_of(event: object) -> str:
    """Return start, sample or stop of a row's event; else nothing."""
    if not isinstance(event, TransactionChanged):
        return ""
    if event.event_type is EventType.STARTED:
        return "start"
    if event.event_type is EventType.ENDED:
        return "stop"
    return "sample" if event.meter_values else ""


def kind_said(action: str, payload: dict[str, Any]) -> str:
    """Return the same of a message in either version."""
    words = {"StartTransaction": "start", "MeterValues": "sample", "StopTransaction": "stop"}
    if action != "TransactionEvent":
        return words.get(action, "")
    if payload["eventType"] == "Updated":
        return "sample" if payload.get("meterValue") else ""
    return "start" if payload["eventType"] == "Started" else "stop"


def _writes(batch: Sequence[Any], kind: type) -> Iterator[Any]:
    return (write for waiting in batch for write in waiting.writes if isinstance(write, kind))


def _writing(kind: type, fits: Applies = lambda _: True) -> Applies:
    return lambda _, batch: any(fits(write) for write in _writes(batch, kind))


def _commit(
    name: str, what: str, during: str, written: type, applies: Applies, **more: Any
) -> list[Point]:
    """Return the three rows of a change's way to the disk."""
    return [
        Point(
            Trap(f"{name}-{moment.value}", WRITE, moment, applies),
            f"{what}: {moment.value} its commit",
            during,
            writes=(written,),
            **more,
        )
        for moment in COMMITS
    ]


# A station's word on its way to the disk and back.


def _heard(kind: str) -> list[Point]:
    def is_one(_: Any, row: Any) -> bool:
        return kind_of(row.event) == kind

    def is_asked(*args: Any) -> bool:
        return kind_said(args[3], args[4]) == kind

    at_the_desk = "gateway.station_desk:StationDesk.answer"
    return [
        *_commit(
            f"{kind}-kept",
            f"a {kind} of a station",
            kind,
            Enqueue,
            _writing(Enqueue, lambda write: kind_of(write.row.event) == kind),
        ),
        Point(
            Trap(f"{kind}-announced", "gateway.outbox:Outbox.enqueued", Moment.AFTER, is_one),
            f"a {kind} is on disk and in the outbox, the station has no answer",
            kind,
        ),
        Point(
            Trap(f"{kind}-judged", at_the_desk, Moment.AFTER, is_asked),
            f"the answer to a {kind} is made, not sent",
            kind,
        ),
        Point(
            Trap(f"{kind}-answered", at_the_desk, Moment.LEFT, is_asked),
            f"the answer to a {kind} has left for the station",
            kind,
        ),
    ]


# The same on its way to the cloud: the order of `gateway.cloud_speech`.

MARKED = "marked in the store as sent, with its bytes"
SENT = "sent"
ANSWERED = "answered"
STORED = "its verdict stored"
FORGOTTEN = "its rows forgotten"


def _told(kind: str) -> list[Point]:
    def is_marked(write: MarkSent) -> bool:
        return kind_said(*orjson.loads(write.sent)) == kind

    def is_called(peer: Any, action: str, payload: dict[str, Any], **_: Any) -> bool:
        return peer.name == "cloud" and kind_said(action, payload) == kind

    def is_batch(_: Any, batch: Any, *__: Any) -> bool:
        return kind_of(batch.event) == kind

    speech = "gateway.cloud_speech:CloudSpeech"
    leaves = "gateway.adapters.peer:Peer.call"
    return [
        *_commit(
            f"{kind}-marked",
            f"the mark that a {kind} leaves for the cloud",
            kind,
            MarkSent,
            _writing(MarkSent, is_marked),
        ),
        Point(
            Trap(f"{kind}-leaving", leaves, Moment.BEFORE, is_called),
            f"a {kind} is marked as sent and has not left",
            kind,
            step=MARKED,
        ),
        Point(
            Trap(f"{kind}-sent", leaves, Moment.LEFT),
            f"the cloud has booked a {kind}, its answer is on the way",
            kind,
            step=SENT,
            by_cloud=True,
        ),
        Point(
            Trap(f"{kind}-received", f"{speech}._learn", Moment.BEFORE, is_batch),
            f"the cloud's answer to a {kind} is here, nothing of it is learnt",
            kind,
            step=ANSWERED,
        ),
        Point(
            Trap(f"{kind}-learnt", f"{speech}._learn", Moment.AFTER, is_batch),
            f"the cloud's answer to a {kind} is learnt, its rows are not confirmed",
            kind,
            step=STORED,
        ),
        Point(
            Trap(f"{kind}-confirmed", f"{speech}._confirm", Moment.AFTER, is_batch),
            f"a {kind} is confirmed, the deletion of its rows waits for company",
            kind,
            step=FORGOTTEN,
        ),
        *_commit(f"{kind}-deleted", f"the rows of a {kind}", kind, Confirm, _writing(Confirm)),
    ]


BILLING = [point for kind in KINDS for point in (*_heard(kind), *_told(kind))]
"""Struck before a cloud of each version."""

LEARNING = [
    *_commit(
        "number-learnt",
        "the cloud's number or verdict on a transaction",
        "start",
        SaveTransaction,
        _writing(
            SaveTransaction,
            lambda write: write.transaction.verdict is not None and not write.transaction.ended_at,
        ),
    ),
    *_commit("token-learnt", "the verdict on a token", "new token", SaveToken, _writing(SaveToken)),
    Point(
        Trap(
            "refused-token",
            "gateway.station_desk:StationDesk.follow_up",
            Moment.BEFORE,
            lambda _, followup: isinstance(followup, StopAtStation),
        ),
        "the cloud's refusal of a running token is stored, the station was not asked to stop",
        "refused token",
        "the station is asked again, and the transaction ends",
    ),
]

REFUSING = [
    *_commit(
        "attempt-counted",
        "the count of a refused attempt",
        "transient error",
        CountAttempt,
        _writing(CountAttempt),
    ),
    *_commit(
        "quarantined",
        "a row the cloud will never take",
        "permanent error",
        Quarantine,
        _writing(Quarantine),
        holds="the row is in its lane or in quarantine; after a retry the books are equal",
    ),
    *_commit(
        "released",
        "a person's retry of a quarantined row",
        "release",
        Release,
        _writing(Release),
        holds="the row is in quarantine or in its lane; after a retry the books are equal",
    ),
]


# What the cloud and people set: the old or the new, and the new if it was answered.

OLD_OR_NEW = "before and inside: the old; after: the new"


def _set(name: str, what: str, written: type, fits: Applies = lambda _: True) -> list[Point]:
    return _commit(name, what, name, written, _writing(written, fits), holds=OLD_OR_NEW)


SETTINGS = [
    *_set("list", "a new local authorization list", ReplaceLocalList),
    *_set("profile", "a charging profile", SaveProfile),
    *_set("profile-cleared", "the end of a charging profile", DeleteProfile),
    *_set("availability", "an EVSE taken out of service", SaveAvailability),
    *_set(
        "setting",
        "a configuration key",
        SaveSetting,
        lambda write: not write.key.startswith(HEARD),
    ),
    *_set("cache-cleared", "the cleared authorization cache", ForgetTokens),
    *_set("limit", "an operator's limit", SaveCircuitLimit),
    *_set("limit-cleared", "the end of an operator's limit", DeleteCircuitLimit),
]

SLOTS = _commit(
    "slots",
    "the numbers of the EVSEs at the first start",
    "first start",
    SaveSlot,
    _writing(SaveSlot),
    holds="every EVSE has the number it would have had",
)


# Commands to stations: at most once.

COMMANDS = ("RemoteStartTransaction", "RequestStartTransaction")
STOPS = ("RemoteStopTransaction", "RequestStopTransaction")
AT_MOST_ONCE = "the station has heard it at most once, and what it began is billed once"


def _command(name: str, actions: tuple[str, ...], during: str) -> list[Point]:
    def goes_down(peer: Any, action: str, *_: Any, **__: Any) -> bool:
        return peer.name != "cloud" and action in actions

    def is_answered(_: Any, action: str, *__: Any) -> bool:
        return action in actions

    def is_done(_: Any, command: Any, *__: Any) -> bool:
        return type(command).__name__ in ("RequestStart", "RequestStop")

    peer = "gateway.adapters.peer:Peer"
    return [
        Point(
            Trap(f"{name}-taken", f"{peer}.call", Moment.BEFORE, goes_down),
            f"a {during} of the cloud's, before it leaves for the station",
            during,
            AT_MOST_ONCE,
        ),
        Point(
            Trap(f"{name}-obeyed", f"{peer}._payload_of", Moment.BEFORE, is_answered),
            f"a {during} of the cloud's, answered by the station",
            during,
            AT_MOST_ONCE,
        ),
        Point(
            Trap(f"{name}-answered", "gateway.actions:CloudCommands.answer", Moment.AFTER, is_done),
            f"a {during} of the cloud's, its answer is made, not sent",
            during,
            AT_MOST_ONCE,
        ),
    ]


FORWARDING = [
    *_command("remote-start", COMMANDS, "remote start"),
    *_command("remote-stop", STOPS, "remote stop"),
]

# Every change there is, alone in a store.


def _alone(change: type) -> list[Point]:
    return _commit(
        f"{change.__name__}-alone",
        f"a {change.__name__}",
        "nothing else",
        change,
        _writing(change),
        holds="all of it is on disk, or nothing: " + OLD_OR_NEW,
    )


KEEPING = [point for change in CHANGES for point in _alone(change)]

POINTS = [*KEEPING, *BILLING, *LEARNING, *REFUSING, *SETTINGS, *SLOTS, *FORWARDING]
TRAPS = [point.trap for point in POINTS if not point.by_cloud]
