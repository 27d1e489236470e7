"""The conversation over one socket, told text by text. No event loop, no sleep."""

from itertools import count

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import Unavailable
from gateway.ocpp.conversation import (
    ANSWER_MEMORY_S,
    CALL_TIMEOUT_S,
    MAX_UNANSWERED_CALLS,
    MAX_WAITING_CALLS,
    REMEMBERED_ANSWERS,
    CallFinished,
    CallReceived,
    Conversation,
)
from gateway.ocpp.error_codes import ErrorCode
from gateway.ocpp.frames import Call, CallError, CallResult, parse, serialize

RESET = ("Reset", {"type": "Soft"})
HEARTBEAT = serialize(Call("1", "Heartbeat", {}))
ACCEPTED = {"status": "Accepted"}


def conversation(version="ocpp1.6"):
    ids = count(1)
    return Conversation(version, new_id=lambda: f"g{next(ids)}")


def sent(talk):
    return [parse(text) for text in talk.texts_to_send()]


def result_of(call, payload=ACCEPTED):
    return serialize(CallResult(call.unique_id, payload))


# The peer asks.


def test_call_is_handed_over_and_answered_with_its_id():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    assert talk.events_received() == [CallReceived(Call("1", "Heartbeat", {}))]

    talk.reply("1", {"currentTime": "now"})

    assert sent(talk) == [CallResult("1", {"currentTime": "now"})]


def test_duplicate_of_an_answered_call_gets_the_same_answer_and_is_not_acted_upon():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.reply("1", {"currentTime": "then"})
    first = talk.texts_to_send()
    talk.events_received()

    talk.receive(HEARTBEAT, now=1.0)

    assert talk.events_received() == []
    assert talk.texts_to_send() == first
    assert talk.counters.duplicate_calls == 1


def test_duplicate_of_a_refused_call_is_refused_the_same_way():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.reject("1", ErrorCode.NOT_SUPPORTED, "no")
    first = talk.texts_to_send()

    talk.receive(HEARTBEAT, now=1.0)

    assert talk.texts_to_send() == first


def test_duplicate_while_the_call_is_in_progress_is_answered_once():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.receive(HEARTBEAT, now=1.0)
    assert len(talk.events_received()) == 1

    talk.reply("1", {})
    talk.reply("1", {})

    assert sent(talk) == [CallResult("1", {})]


def test_same_id_with_another_content_is_another_call():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.reply("1", {})
    talk.events_received()

    talk.receive(serialize(Call("1", "Authorize", {"idTag": "A"})), now=1.0)

    assert talk.events_received() == [CallReceived(Call("1", "Authorize", {"idTag": "A"}))]


def test_same_id_long_after_is_another_call():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.reply("1", {})
    talk.events_received()

    talk.receive(HEARTBEAT, now=ANSWER_MEMORY_S)

    assert len(talk.events_received()) == 1


def test_withheld_call_is_acted_upon_when_it_is_repeated():
    talk = conversation()
    talk.receive(HEARTBEAT, now=0.0)
    talk.withhold("1")
    talk.events_received()

    talk.receive(HEARTBEAT, now=30.0)

    assert len(talk.events_received()) == 1
    assert talk.texts_to_send() == []


def test_remembered_answers_are_bounded():
    talk = conversation()
    for number in range(REMEMBERED_ANSWERS + 1):
        talk.receive(serialize(Call(str(number), "Heartbeat", {})), now=0.0)
        talk.reply(str(number), {})
    talk.events_received()

    talk.receive(serialize(Call("0", "Heartbeat", {})), now=1.0)
    talk.receive(serialize(Call("1", "Heartbeat", {})), now=1.0)

    assert [event.call.unique_id for event in talk.events_received()] == ["0"]


def test_flood_of_unanswered_calls_is_refused_beyond_the_bound():
    talk = conversation()
    for number in range(MAX_UNANSWERED_CALLS):
        talk.receive(serialize(Call(str(number), "Heartbeat", {})), now=0.0)
    assert talk.is_full
    assert sent(talk) == []

    talk.receive(serialize(Call("more", "Heartbeat", {})), now=0.0)

    assert sent(talk) == [CallError("more", "GenericError", "too many unanswered calls")]
    assert talk.counters.refused_calls == 1


def test_answer_makes_room_for_the_next_call():
    talk = conversation()
    for number in range(MAX_UNANSWERED_CALLS):
        talk.receive(serialize(Call(str(number), "Heartbeat", {})), now=0.0)

    talk.reply("0", {})

    assert not talk.is_full


# We ask.


def test_second_call_waits_for_the_answer_to_the_first():
    talk = conversation()
    first = talk.call(*RESET, now=0.0)
    second = talk.call(*RESET, now=0.0)
    assert sent(talk) == [first]

    talk.receive(result_of(first), now=1.0)

    assert sent(talk) == [second]
    assert talk.events_received() == [CallFinished(first, CallResult("g1", ACCEPTED))]


def test_urgent_call_overtakes_those_that_wait_but_not_the_one_in_flight():
    talk = conversation()
    first, second = talk.call(*RESET, now=0.0), talk.call(*RESET, now=0.0)
    cut = talk.call("SetChargingProfile", {}, now=0.0, urgent=True)
    next_cut = talk.call("SetChargingProfile", {}, now=0.0, urgent=True)

    for call in (first, cut, next_cut):
        talk.receive(result_of(call), now=1.0)

    assert sent(talk) == [first, cut, next_cut, second]


def test_refusal_by_the_peer_ends_the_call():
    talk = conversation()
    call = talk.call(*RESET, now=0.0)

    talk.receive('[4,"g1","NotSupported"]', now=1.0)

    assert talk.events_received() == [CallFinished(call, CallError("g1", "NotSupported"))]


def test_silence_ends_a_call_and_a_late_answer_changes_nothing():
    talk = conversation()
    call = talk.call(*RESET, now=0.0)
    assert talk.next_timer() == CALL_TIMEOUT_S
    talk.handle_timer(now=CALL_TIMEOUT_S)

    talk.receive(result_of(call), now=CALL_TIMEOUT_S + 1)

    assert talk.events_received() == [CallFinished(call, None)]
    assert talk.next_timer() is None
    assert talk.counters.stray_answers == 1


def test_second_answer_to_the_same_call_changes_nothing():
    talk = conversation()
    first, second = talk.call(*RESET, now=0.0), talk.call(*RESET, now=0.0)
    talk.receive(result_of(first), now=1.0)
    talk.events_received()

    talk.receive(result_of(first, {"status": "Rejected"}), now=2.0)

    assert talk.events_received() == []
    assert sent(talk)[-1] == second
    assert talk.counters.stray_answers == 1


def test_time_of_a_waiting_call_counts_from_its_sending_once_it_is_sent():
    talk = conversation()
    first = talk.call(*RESET, now=0.0)
    second = talk.call(*RESET, now=10.0, timeout_s=30.0)

    talk.receive(result_of(first), now=25.0)

    assert sent(talk) == [first, second]
    assert talk.next_timer() == 55.0


def test_waiting_call_whose_time_is_over_is_never_sent():
    talk = conversation()
    first = talk.call(*RESET, now=0.0, timeout_s=30.0)
    second = talk.call(*RESET, now=0.0, timeout_s=5.0)
    assert talk.next_timer() == 5.0
    talk.handle_timer(now=5.0)
    assert talk.events_received() == [CallFinished(second, None)]

    talk.receive(result_of(first), now=6.0)

    assert sent(talk) == [first]


def test_silence_gives_the_line_to_the_call_that_waits():
    talk = conversation()
    first, second = talk.call(*RESET, now=0.0), talk.call(*RESET, now=0.0)

    talk.handle_timer(now=CALL_TIMEOUT_S)

    assert sent(talk) == [first, second]
    assert talk.events_received() == [CallFinished(first, None)]


def test_withdrawn_call_is_never_sent():
    talk = conversation()
    first, second = talk.call(*RESET, now=0.0), talk.call(*RESET, now=0.0)
    talk.withdraw(second)

    talk.receive(result_of(first), now=1.0)

    assert sent(talk) == [first]


def test_calls_that_wait_are_bounded_and_one_more_is_unavailable():
    talk = conversation()
    for _ in range(1 + MAX_WAITING_CALLS):
        talk.call(*RESET, now=0.0)

    with pytest.raises(Unavailable):
        talk.call(*RESET, now=0.0)

    talk.call(*RESET, now=0.0, urgent=True)  # A limit cut still finds room.


def test_lost_socket_ends_every_call_and_drops_every_answer():
    talk = conversation()
    first, second = talk.call(*RESET, now=0.0), talk.call(*RESET, now=0.0, urgent=True)
    talk.receive(HEARTBEAT, now=0.0)
    talk.events_received()

    talk.close()
    talk.reply("1", {})

    assert talk.events_received() == [CallFinished(first, None), CallFinished(second, None)]
    assert talk.texts_to_send() == []
    with pytest.raises(Unavailable):
        talk.call(*RESET, now=1.0)


def test_our_ids_are_unique_and_fit_36_characters():
    talk = Conversation("ocpp1.6")
    ids = {talk.call(*RESET, now=0.0).unique_id for _ in range(MAX_WAITING_CALLS)}

    assert len(ids) == MAX_WAITING_CALLS
    assert {len(unique_id) for unique_id in ids} == {36}


# Broken frames: text, answer in 1.6, answer in 2.0.1 (None: no answer).

LONG = "x" * 37
HUGE = "x" * 256
BROKEN = {
    "not JSON": ("[2,", None, ("-1", "RpcFrameworkError")),
    "no id": ("[2]", None, ("-1", "RpcFrameworkError")),
    "unknown type": ('[7,"1",{}]', None, ("1", "MessageTypeNotSupported")),
    "a SEND of 2.1": ('[6,"1","A",{}]', None, ("1", "MessageTypeNotSupported")),
    "a result error of 2.1": ('[5,"1","A","",{}]', None, None),
    "id of 37 characters": (
        f'[2,"{LONG}","Heartbeat",{{}}]',
        (LONG, "FormationViolation"),
        (LONG, "RpcFrameworkError"),
    ),
    "id too long to be echoed": (
        f'[2,"{HUGE}","Heartbeat",{{}}]',
        None,
        ("-1", "RpcFrameworkError"),
    ),
    "no payload": (
        '[2,"1","Heartbeat"]',
        ("1", "FormationViolation"),
        ("1", "RpcFrameworkError"),
    ),
    "an array as payload": (
        '[2,"1","Heartbeat",[]]',
        ("1", "FormationViolation"),
        ("1", "FormatViolation"),
    ),
    "a broken result": ('[3,"1","Accepted"]', None, None),
    "an error with a long id": (f'[4,"{LONG}"]', None, None),
}


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize(("text", "in_1_6", "in_2_0_1"), BROKEN.values(), ids=BROKEN)
def test_broken_frame_is_answered_as_the_version_says(text, in_1_6, in_2_0_1, version):
    talk = conversation(version)
    expected = in_1_6 if version == "ocpp1.6" else in_2_0_1

    talk.receive(text, now=0.0)

    answers = [parse_error(text) for text in talk.texts_to_send()]
    assert answers == ([] if expected is None else [expected])
    assert talk.events_received() == []
    assert talk.counters.malformed == 1


def parse_error(text):
    kind, unique_id, code, _, _ = orjson.loads(text)
    assert kind == 4
    return unique_id, code


def test_unreadable_answer_ends_the_call_at_once():
    talk = conversation()
    call = talk.call(*RESET, now=0.0)
    following = talk.call(*RESET, now=0.0)

    talk.receive('[3,"g1","Accepted"]', now=1.0)

    assert talk.events_received() == [CallFinished(call, None)]
    assert sent(talk) == [call, following]


def test_codes_are_spelled_for_the_peers_version():
    old, new = conversation("ocpp1.6"), conversation("ocpp2.0.1")
    for talk in (old, new):
        talk.receive(HEARTBEAT, now=0.0)
        talk.reject("1", ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "x" * 300)

    assert sent(old) == [CallError("1", "OccurenceConstraintViolation", "x" * 255)]
    assert sent(new) == [CallError("1", "OccurrenceConstraintViolation", "x" * 255)]


class AnyOrder(RuleBasedStateMachine):
    """Whatever is fed in whatever order: one call in flight, every call ends exactly once."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.talk = conversation()
        self.asked, self.ended, self.sent_calls, self.answered = [], [], [], []

    @rule(urgent=st.booleans(), timeout_s=st.sampled_from([5.0, 30.0]))
    def ask(self, urgent, timeout_s):
        try:
            call = self.talk.call(*RESET, self.now, timeout_s=timeout_s, urgent=urgent)
        except Unavailable:
            return
        self.asked.append(call.unique_id)

    @rule(number=st.integers(1, 12), is_error=st.booleans())
    def be_answered(self, number, is_error):
        frame = (
            CallError(f"g{number}", "GenericError") if is_error else CallResult(f"g{number}", {})
        )
        self.talk.receive(serialize(frame), self.now)

    @rule(number=st.integers(1, 4))
    def be_asked(self, number):
        self.talk.receive(serialize(Call(f"p{number}", "Heartbeat", {})), self.now)

    @rule(number=st.integers(1, 4))
    def answer(self, number):
        self.talk.reply(f"p{number}", {})

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0]))
    def wait(self, seconds):
        self.now += seconds
        self.talk.handle_timer(self.now)

    @rule()
    def lose_the_socket(self):
        self.talk.close()

    @invariant()
    def holds(self):
        for text in self.talk.texts_to_send():
            frame = parse(text)
            if isinstance(frame, Call):
                self.sent_calls.append(frame.unique_id)
        for event in self.talk.events_received():
            if isinstance(event, CallFinished):
                self.ended.append(event.call.unique_id)
        assert len(set(self.ended)) == len(self.ended)
        assert len(set(self.sent_calls)) == len(self.sent_calls)
        assert len(set(self.sent_calls) - set(self.ended)) <= 1
        timer = self.talk.next_timer()
        assert (timer is None) == (set(self.asked) == set(self.ended))
        assert timer is None or timer > self.now


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
