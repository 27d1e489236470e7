"""What a simulated station keeps, forgets and repeats, frame by frame, without a socket."""

import orjson
import pytest

from gateway.simulation.quirks import Quirks
from gateway.simulation.station_talk import Outgoing, Talk

NOW = "2026-06-01T12:00:00Z"
ACCEPTED = {"status": "Accepted", "interval": 300, "currentTime": NOW}


class Line:
    """A station's talk, and the gateway's answers to it."""

    def __init__(self):
        self.talk = Talk(
            "ocpp1.6",
            Quirks(),
            30.0,
            boot=lambda: {"chargePointVendor": "V", "chargePointModel": "M"},
            answer=lambda action, payload, now: {},
            on_accepted=lambda is_boot, now: None,
            on_time=lambda told, now: None,
        )
        self.failures = []

    def sent(self):
        """Return (id, action, payload) of every call sent since."""
        return [orjson.loads(text)[1:] for text in self.talk.frames_to_send()]

    def answer(self, unique_id, payload, now=0.0):
        self.talk.receive(orjson.dumps([3, unique_id, payload]), now)

    def refuse(self, unique_id, now=0.0):
        self.talk.receive(orjson.dumps([4, unique_id, "InternalError", "", {}]), now)

    def say(self, number, *, transactional, now=0.0):
        message = Outgoing("Heartbeat", lambda: {"n": number}, is_transactional=transactional)
        message.on_failure = lambda _: self.failures.append(number)
        self.talk.say(message, now)
        return message


@pytest.fixture
def line():
    line = Line()
    line.talk.opened(0.0)
    [(unique_id, action, _)] = line.sent()
    assert action == "BootNotification"
    line.answer(unique_id, ACCEPTED)
    return line


def test_one_call_waits_for_the_answer_to_the_other(line):
    line.say(1, transactional=True)
    line.say(2, transactional=True)
    [(first, _, payload)] = line.sent()

    line.answer(first, {"currentTime": NOW})

    assert payload == {"n": 1}
    assert [said for _, _, said in line.sent()] == [{"n": 2}]


def test_what_is_billable_outlives_the_connection_and_the_rest_does_not(line):
    line.say(1, transactional=True)
    line.say(2, transactional=False)
    kept = line.say(3, transactional=True)
    [(before, _, _)] = line.sent()

    line.talk.closed(1.0)
    line.talk.opened(2.0)
    [(after, _, payload)] = line.sent()

    assert payload == {"n": 1}
    assert after != before
    assert line.failures == [2]
    assert line.talk.pending[1:] == [kept]


def test_everything_that_waited_through_a_loss_is_offline(line):
    messages = [line.say(n, transactional=True) for n in range(3)]

    line.talk.closed(1.0)

    assert all(message.is_offline for message in messages)


def test_a_refused_message_keeps_its_place_before_those_that_follow(line):
    line.say(1, transactional=True)
    line.say(2, transactional=True)
    line.say(3, transactional=False)
    [(first, _, _)] = line.sent()

    line.refuse(first)
    overtaking = line.sent()
    line.answer(overtaking[0][0], {"currentTime": NOW})
    line.talk.tick(1.0)
    again = line.sent()

    assert [said for _, _, said in overtaking] == [{"n": 3}]
    assert [said for _, _, said in again] == [{"n": 1}]


def test_a_message_refused_three_times_is_lost(line):
    line.say(1, transactional=True)
    for now in (0.0, 10.0, 20.0):
        line.talk.tick(now)
        [(unique_id, _, _)] = line.sent()
        line.refuse(unique_id, now)

    assert [message.build() for message in line.talk.lost] == [{"n": 1}]
    assert line.talk.pending == []


def test_silence_is_repeated_for_ever_with_a_new_id(line):
    line.say(1, transactional=True)
    ids = set()
    for now in range(0, 400, 31):
        line.talk.tick(float(now))
        ids |= {unique_id for unique_id, _, said in line.sent() if said == {"n": 1}}

    assert len(ids) == 13


def test_a_call_against_the_schema_is_refused_and_written_down(line):
    line.talk.receive(orjson.dumps([2, "x", "Reset", {"type": "Firm"}]), 0.0)
    [frame] = [orjson.loads(text) for text in line.talk.frames_to_send()]

    assert frame[:3] == [4, "x", "PropertyConstraintViolation"]
    assert len(line.talk.violations) == 1
