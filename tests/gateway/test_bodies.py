"""An event comes back from its bytes as it was: every field, every digit, every instant."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bodies import (
    UnreadableBody,
    parse_event,
    parse_profile,
    serialize_event,
    serialize_profile,
    squeezed,
)
from gateway.events import (
    ChargingState,
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from load_balancer.profiles import ChargingProfile, ChargingSchedule, Recurrency, SchedulePeriod

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SIGNED = {"signedMeterData": "T0NNRnx7fQ==", "encodingMethod": "OCMF", "signingMethod": "", "z": 1}

json_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
instants = st.datetimes(timezones=st.just(UTC))
integers = st.integers(-(2**31), 2**31 - 1)
maybe_text = st.none() | json_text
signed_data = st.dictionaries(json_text, json_text | integers | st.none(), max_size=3)
samples = st.builds(
    SampledValue,
    value=json_text,
    measurand=json_text,
    phase=maybe_text,
    location=maybe_text,
    context=json_text,
    unit=maybe_text,
    multiplier=integers,
    signed=st.none() | signed_data,
)
meter_values = st.lists(
    st.builds(MeterValue, instants, st.lists(samples, max_size=3).map(tuple)), max_size=3
).map(tuple)
amounts = st.none() | st.floats(allow_nan=False, allow_infinity=False)
events = st.one_of(
    st.builds(
        TransactionChanged,
        event_type=st.sampled_from(EventType),
        at=instants,
        transaction_id=maybe_text,
        trigger_reason=json_text,
        seq_no=integers,
        evse_id=st.none() | integers,
        connector_id=st.none() | integers,
        id_token=st.none() | st.builds(IdToken, json_text, json_text),
        is_offline=st.booleans(),
        charging_state=st.none() | st.sampled_from(ChargingState),
        stopped_reason=maybe_text,
        register_wh=amounts,
        meter_values=meter_values,
        remote_start_id=st.none() | integers,
        reservation_id=st.none() | integers,
        number_of_phases=st.none() | integers,
        cable_max_current_a=amounts,
    ),
    st.builds(MetersSampled, integers, integers, meter_values, maybe_text),
    st.builds(SecurityEventOccurred, json_text, instants, maybe_text),
)

periods = st.builds(SchedulePeriod, integers, st.floats(0, 1e6), st.none() | st.integers(1, 3))
profiles = st.builds(
    ChargingProfile,
    id=integers,
    stack_level=integers,
    schedule=st.builds(
        ChargingSchedule,
        periods=st.lists(periods, max_size=3).map(tuple),
        start_at=st.none() | instants,
        duration_s=st.none() | integers,
        min_rate=amounts,
    ),
    valid_from=st.none() | instants,
    valid_to=st.none() | instants,
    recurrency=st.none() | st.sampled_from(Recurrency),
    transaction=maybe_text,
)


@given(events)
def test_every_event_comes_back_equal(event):
    assert parse_event(serialize_event(event)) == event


@given(profiles)
def test_every_profile_comes_back_equal(profile):
    assert parse_profile(serialize_profile(profile)) == profile


def test_signed_data_keeps_its_order_and_its_digits():
    sample = SampledValue("0012.50", signed=SIGNED)
    event = MetersSampled(1, 1, (MeterValue(NOON, (sample,)),))

    returned = parse_event(serialize_event(event)).meter_values[0].samples[0]

    assert returned.value == "0012.50"
    assert list(returned.signed.items()) == list(SIGNED.items())


@given(events)
def test_a_squeezed_body_says_the_same(event):
    assert parse_event(squeezed(serialize_event(event))) == event


def test_a_squeezed_body_is_a_quarter_of_the_plain_one():
    kinds = ("Current.Import", "A"), ("Voltage", "V"), ("Power.Active.Import", "W")
    samples = tuple(
        SampledValue(f"{n * 173.1 + len(unit):.1f}", measurand, phase=f"L{n % 3 + 1}", unit=unit)
        for n, (measurand, unit) in enumerate(kinds * 4)
    )
    event = MetersSampled(7, 1, (MeterValue(NOON, samples),), "4711")
    body = serialize_event(event)

    assert len(squeezed(body)) < len(body) / 3.5


def test_what_an_earlier_version_squeezed_is_readable_for_ever():
    kept = bytes.fromhex("018b0615ba46c8510b8add104323e4a805ba0594ab71c609d01c1d254ba55800")

    assert parse_event(kept) == MetersSampled(
        2, 1, (MeterValue(NOON, (SampledValue("16.1", "Current.Import", "L1", unit="A"),)),), "9"
    )


def test_a_body_is_half_the_size_of_the_plain_object():
    phases = tuple(
        SampledValue("16.1", "Current.Import", phase=phase, unit="A")
        for phase in ("L1", "L2", "L3")
    )
    event = TransactionChanged(
        EventType.UPDATED,
        NOON,
        "t",
        "MeterValuePeriodic",
        0,
        meter_values=(MeterValue(NOON, (SampledValue("1234"), *phases)),),
    )

    plain = orjson.dumps(event, default=SampledValue._asdict)
    assert len(serialize_event(event)) < len(plain) / 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="an object"),
        pytest.param(b"[]", id="an empty array"),
        pytest.param(b'["X",1]', id="an unknown tag"),
        pytest.param(b'["S","Reboot"]', id="an instant missing"),
        pytest.param(b'["M",1,1,7]', id="meter values that are a number"),
        pytest.param(b'["T","Begun","2026-06-01T12:00:00Z"]', id="an unknown event type"),
        pytest.param(b'["S","Reboot","2026-06', id="cut in the middle"),
        pytest.param(b"\x01", id="nothing squeezed"),
        pytest.param(b"\x01\xff\xff", id="not what was squeezed"),
        pytest.param(squeezed(b'["S","Reboot"]')[:-4], id="squeezed and cut"),
    ],
)
def test_what_was_never_written_is_unreadable_and_nothing_worse(body):
    with pytest.raises(UnreadableBody):
        parse_event(body)


def test_fields_that_a_newer_version_added_are_left_alone():
    assert parse_event(
        b'["S","Reboot","2026-06-01T12:00:00Z",null,"new"]'
    ) == SecurityEventOccurred("Reboot", NOON)


def test_half_a_profile_is_unreadable():
    with pytest.raises(UnreadableBody):
        parse_profile(b'{"id":1}')
