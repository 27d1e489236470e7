"""Frames of OCPP-J as texts: what is read, what is refused, and what could still be read of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ocpp.frames import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Fault,
    FrameError,
    Send,
    parse,
    serialize,
)

LONG = "x" * 37

READ = {
    "call": ('[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", {})),
    "bytes": (b'[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", {})),
    "id of 36 characters": (f'[2,"{LONG[:36]}","Reset",{{}}]', Call(LONG[:36], "Reset", {})),
    "null payload of a call": ('[2,"1","Heartbeat",null]', Call("1", "Heartbeat", {})),
    "result": ('[3,"1",{"status":"Accepted"}]', CallResult("1", {"status": "Accepted"})),
    "null payload of a result": ('[3,"1",null]', CallResult("1", {})),
    "error": (
        '[4,"1","NotSupported","no",{"a":1}]',
        CallError("1", "NotSupported", "no", {"a": 1}),
    ),
    "error without details": ('[4,"1","NotSupported","no"]', CallError("1", "NotSupported", "no")),
    "error without description": ('[4,"1","NotSupported"]', CallError("1", "NotSupported")),
    "error without anything": ('[4,"1"]', CallError("1", "GenericError")),
    "error of nulls": ('[4,"1",null,null,null]', CallError("1", "GenericError")),
    "error with details of another type": ('[4,"1","A",7,"b"]', CallError("1", "A", "7")),
    "error about an unreadable frame": (
        '[4,"-1","RpcFrameworkError","",{}]',
        CallError("-1", "RpcFrameworkError"),
    ),
    "result error of 2.1": (
        '[5,"1","FormatViolation","no",{}]',
        CallResultError("1", "FormatViolation", "no"),
    ),
    "send of 2.1": (
        '[6,"1","NotifyPeriodicEventStream",{"id":1}]',
        Send("1", "NotifyPeriodicEventStream", {"id": 1}),
    ),
    "the last of two equal keys": ('[3,"1",{"a":1,"a":2}]', CallResult("1", {"a": 2})),
}

REFUSED = {
    "nothing": ("", Fault.UNREADABLE, None),
    "half a frame": ('[2,"1","Heartb', Fault.UNREADABLE, None),
    "two frames": ('[3,"1",{}][3,"2",{}]', Fault.UNREADABLE, None),
    "not UTF-8": (b'[2,"\xff","Heartbeat",{}]', Fault.UNREADABLE, None),
    "not a number": ('[3,"1",{"a":NaN}]', Fault.UNREADABLE, None),
    "infinite": ('[3,"1",{"a":1e999}]', Fault.UNREADABLE, None),
    "nested without end": ("[" * 5000, Fault.UNREADABLE, None),
    "an object": ('{"a":1}', Fault.UNREADABLE, None),
    "an empty array": ("[]", Fault.UNREADABLE, None),
    "no id": ("[2]", Fault.UNREADABLE, None),
    "a number as id": ('[2,1,"Heartbeat",{}]', Fault.UNREADABLE, None),
    "unknown type": ('[7,"1",{}]', Fault.UNKNOWN_TYPE, "1"),
    "type as a string": ('["2","1","Heartbeat",{}]', Fault.UNKNOWN_TYPE, "1"),
    "type true": ('[true,"1","Heartbeat",{}]', Fault.UNKNOWN_TYPE, "1"),
    "id of 37 characters": (f'[2,"{LONG}","Heartbeat",{{}}]', Fault.LONG_ID, LONG),
    "no action": ('[2,"1"]', Fault.FORM, "1"),
    "a number as action": ('[2,"1",5,{}]', Fault.FORM, "1"),
    "no payload": ('[2,"1","Heartbeat"]', Fault.FORM, "1"),
    "too many elements": ('[2,"1","Heartbeat",{},{}]', Fault.FORM, "1"),
    "an array as payload": ('[2,"1","Heartbeat",[]]', Fault.PAYLOAD, "1"),
    "a result without payload": ('[3,"1"]', Fault.FORM, "1"),
    "a string as result": ('[3,"1","Accepted"]', Fault.PAYLOAD, "1"),
}


@pytest.mark.parametrize(("text", "frame"), READ.values(), ids=READ)
def test_frame_is_read(text, frame):
    assert parse(text) == frame


@pytest.mark.parametrize(("text", "fault", "unique_id"), REFUSED.values(), ids=REFUSED)
def test_broken_frame_tells_its_fault_and_its_id_if_one_could_be_read(text, fault, unique_id):
    with pytest.raises(FrameError) as refusal:
        parse(text)

    assert (refusal.value.fault, refusal.value.unique_id) == (fault, unique_id)


def test_description_quotes_nothing_of_a_corrupt_text():
    with pytest.raises(FrameError) as refusal:
        parse('[2,"1","Heartbeat",{"idTag":"SECRET"')

    assert "SECRET" not in str(refusal.value)


IDS = st.text(max_size=36)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(st.text(), VALUES, max_size=4)
CODES = st.text(min_size=1)
FRAMES = (
    st.builds(Call, IDS, st.text(), PAYLOADS)
    | st.builds(CallResult, IDS, PAYLOADS)
    | st.builds(CallError, IDS, CODES, st.text(), PAYLOADS)
    | st.builds(CallResultError, IDS, CODES, st.text(), PAYLOADS)
    | st.builds(Send, IDS, st.text(), PAYLOADS)
)


@given(FRAMES)
@settings(max_examples=150)
def test_what_was_serialized_is_parsed_as_it_was(frame):
    assert parse(serialize(frame)) == frame


@given(st.text() | st.binary() | VALUES.map(str) | st.lists(VALUES, max_size=5).map(str))
@settings(max_examples=150)
def test_any_text_is_a_frame_or_a_frame_error(text):
    try:
        parse(text)
    except FrameError as error:
        assert error.description
