"""The cloud never receives a schema-invalid message, and what is written is read back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.commands import (
    ChangeConfiguration,
    CompositeAnswer,
    ConfigurationAnswer,
    ConfigurationKey,
    GetComposite,
    GetConfiguration,
    GetVariables,
    SetVariables,
    VariableRef,
    VariableResult,
    VariablesAnswer,
)
from gateway.errors import InvalidMessage
from gateway.events import (
    AuthorizeAsked,
    Booted,
    ChargingState,
    ConnectorStatus,
    DataAnswered,
    DataSent,
    Event,
    EventType,
    FirmwareStatusChanged,
    IdToken,
    LogStatusChanged,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.ocpp.codec import codec_for
from gateway.ocpp.measurands import CONTEXTS, LOCATIONS, MEASURANDS_1_6, MEASURANDS_2_0_1, PHASES
from gateway.ocpp.schemas import validate_request, validate_response
from gateway.ocpp.tokens import token_of_tag
from gateway.ocpp.v201_words import STOPPED_REASONS, TRIGGER_REASONS
from load_balancer.profiles import CompositeSchedule, RateUnit, SchedulePeriod

Version = Literal["ocpp1.6", "ocpp2.0.1"]
BOTH = pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE_TOO_MANY = [21, 26, 37, 51, 256, 501, 513, 1001, 2501]
"""One more than each length the schemas allow."""
texts = st.text(max_size=60) | st.sampled_from(["x" * length for length in ONE_TOO_MANY])
ints = st.integers(-(2**31), 2**31 - 1)
instants = st.datetimes(timezones=st.just(UTC))


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def words(known: frozenset[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(known)) | texts


values = (
    st.floats().map(str)
    | st.decimals(allow_nan=True).map(str)
    | st.integers().map(str)
    | st.sampled_from(["", "-", ".", "1.", ".5", "+7", "1e3", "1E-999", "9e999", "0x10", "١"])
    | texts
)
parts = st.dictionaries(
    st.sampled_from(["signedMeterData", "signingMethod", "encodingMethod", "publicKey", "odd"]),
    texts,
)
samples = st.builds(
    SampledValue,
    value=values,
    measurand=words(MEASURANDS_1_6 | MEASURANDS_2_0_1),
    phase=optional(words(PHASES)),
    location=optional(words(LOCATIONS)),
    context=words(CONTEXTS),
    unit=optional(st.sampled_from(["Wh", "kwh", "A", "Celsius", "Hertz", "MWh"]) | texts),
    multiplier=st.integers(-3, 3) | st.integers(),
    signed=optional(parts),
)
meter_values = st.lists(
    st.builds(MeterValue, instants, st.lists(samples, max_size=3).map(tuple)), max_size=3
).map(tuple)
id_tokens = st.builds(IdToken, texts, texts)
hostile_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        TransactionChanged,
        event_type=st.sampled_from(EventType),
        at=instants,
        transaction_id=optional(texts),
        trigger_reason=words(TRIGGER_REASONS),
        seq_no=ints,
        evse_id=optional(ints),
        connector_id=optional(ints),
        id_token=optional(id_tokens),
        is_offline=st.booleans(),
        charging_state=optional(st.sampled_from(ChargingState)),
        stopped_reason=optional(words(STOPPED_REASONS)),
        register_wh=optional(st.floats()),
        meter_values=meter_values,
        remote_start_id=optional(ints),
        reservation_id=optional(ints),
        number_of_phases=optional(ints),
        cable_max_current_a=optional(st.floats()),
    ),
    st.builds(MetersSampled, ints, ints, meter_values, optional(texts)),
    st.builds(
        StatusChanged,
        ints,
        ints,
        st.sampled_from(ConnectorStatus),
        optional(instants),
        optional(st.sampled_from(ChargingState)),
        optional(texts),
        optional(texts),
        optional(texts),
        optional(texts),
    ),
    st.builds(Booted, texts, texts, optional(texts), optional(texts), texts),
    st.builds(AuthorizeAsked, id_tokens),
    st.builds(DataSent, texts, optional(texts), optional(texts | st.lists(ints))),
    st.builds(SecurityEventOccurred, texts, instants, optional(texts)),
    st.builds(FirmwareStatusChanged, texts | st.just("Installed"), optional(ints)),
    st.builds(LogStatusChanged, texts | st.just("Uploading"), optional(ints)),
)


@BOTH
@settings(max_examples=150, deadline=None)
@given(event=hostile_events, number=optional(ints))
def test_the_cloud_never_receives_a_schema_invalid_message(
    version: Version, event: Event, number: int | None
) -> None:
    try:
        sent = codec_for(version).serialize_event(event, number)
    except InvalidMessage:
        return

    assert sent is None or validate_request(version, *sent) is None
    assert orjson.dumps(sent)


refs = st.builds(
    VariableRef,
    texts,
    texts,
    optional(texts),
    optional(texts),
    optional(ints),
    optional(ints),
    texts,
)
results = st.builds(VariableResult, refs, texts | st.just("Accepted"), optional(texts))
limits = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
periods = st.lists(st.builds(SchedulePeriod, ints, limits, optional(ints)), max_size=3).map(tuple)
hostile_answers = st.one_of(
    st.tuples(
        st.just("GetConfiguration"),
        st.just(GetConfiguration()),
        st.builds(
            ConfigurationAnswer,
            st.lists(st.builds(ConfigurationKey, texts, optional(texts), st.booleans())).map(tuple),
            st.lists(texts).map(tuple),
        ),
    ),
    st.tuples(
        st.just("GetVariables"),
        st.just(GetVariables(())),
        st.builds(VariablesAnswer, st.lists(results, min_size=1, max_size=3).map(tuple)),
    ),
    st.tuples(
        st.just("SetVariables"),
        st.just(SetVariables(())),
        st.builds(VariablesAnswer, st.lists(results, min_size=1, max_size=3).map(tuple)),
    ),
    st.tuples(
        st.just("GetCompositeSchedule"),
        st.builds(GetComposite, ints, ints),
        st.builds(
            CompositeAnswer,
            optional(
                st.builds(CompositeSchedule, instants, ints, st.sampled_from(RateUnit), periods)
            ),
            ints,
        ),
    ),
    st.tuples(
        st.just("DataTransfer"),
        st.builds(DataSent, texts),
        st.builds(DataAnswered, texts, optional(texts | st.lists(ints))),
    ),
)
ONLY_IN = {"GetConfiguration": "ocpp1.6", "GetVariables": "ocpp2.0.1", "SetVariables": "ocpp2.0.1"}


@BOTH
@settings(max_examples=150, deadline=None)
@given(case=hostile_answers)
def test_the_cloud_never_receives_a_schema_invalid_answer(version: Version, case: Any) -> None:
    action, command, answer = case
    if ONLY_IN.get(action, version) != version:
        return

    payload = codec_for(version).serialize_command_answer(command, answer)

    assert validate_response(version, action, payload) is None


# What a version can say comes back as it was.

millis = st.integers(0, 10**10).map(lambda ms: START + timedelta(milliseconds=ms))
short = st.text("abcXYZ059-", min_size=1, max_size=20)
decimals = st.decimals(-(10**6), 10**6, places=3).map(lambda value: f"{value:f}")


def honest_samples(measurands: frozenset[str], numbers: st.SearchStrategy[str]) -> Any:
    return st.lists(
        st.builds(
            SampledValue,
            value=numbers,
            measurand=st.sampled_from(sorted(measurands - {"Frequency"})),
            phase=optional(st.sampled_from(sorted(PHASES))),
            location=optional(st.sampled_from(sorted(LOCATIONS))),
            context=st.sampled_from(sorted(CONTEXTS)),
            unit=optional(st.sampled_from(["Wh", "kWh", "W", "A", "V", "Percent"])),
            multiplier=st.just(0),
            signed=st.none(),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple)


def honest_meter_values(of: Any) -> Any:
    return st.lists(st.builds(MeterValue, millis, of), min_size=1, max_size=3).map(tuple)


meters_of_1_6 = honest_meter_values(honest_samples(MEASURANDS_1_6, decimals))
meters_of_2_0_1 = honest_meter_values(
    honest_samples(MEASURANDS_2_0_1, st.integers(-(10**9), 10**9).map(str))
)


@settings(max_examples=50, deadline=None)
@given(meters=meters_of_1_6, evse_id=st.integers(1, 300), number=ints)
def test_meter_values_of_1_6_come_back_as_they_were(
    meters: tuple[MeterValue, ...], evse_id: int, number: int
) -> None:
    codec = codec_for("ocpp1.6")
    event = MetersSampled(evse_id, 1, meters, str(number))

    sent = codec.serialize_event(event, number)

    assert sent is not None
    assert codec.parse_event(*sent) == event


@settings(max_examples=50, deadline=None)
@given(
    at=millis,
    meters=st.just(()) | meters_of_1_6,
    stop_wh=st.integers(0, 10**9),
    number=ints,
    reason=st.sampled_from(["Local", "Remote", "EVDisconnected", "HardReset", "SoftReset"]),
)
def test_a_stop_of_1_6_comes_back_as_it_was(
    at: datetime, meters: tuple[MeterValue, ...], stop_wh: int, number: int, reason: str
) -> None:
    codec = codec_for("ocpp1.6")
    message = {"transactionId": number, "meterStop": stop_wh, "reason": reason}
    bare = codec.parse_event("StopTransaction", message | {"timestamp": at.isoformat()})
    assert isinstance(bare, TransactionChanged)
    event = replace(bare, meter_values=(*meters, *bare.meter_values))

    sent = codec.serialize_event(event, number)

    assert sent is not None
    read = codec.parse_event(*sent)
    assert isinstance(read, TransactionChanged)
    assert read.meter_values[: len(meters)] == meters
    assert replace(read, meter_values=()) == replace(event, meter_values=())


@settings(max_examples=50, deadline=None)
@given(
    event=st.builds(
        TransactionChanged,
        event_type=st.sampled_from(EventType),
        at=millis,
        transaction_id=short,
        trigger_reason=st.sampled_from(sorted(TRIGGER_REASONS)),
        seq_no=st.integers(0, 2**31 - 1),
        evse_id=st.just(3),
        connector_id=optional(st.integers(1, 9)),
        id_token=optional(short.map(token_of_tag)),
        is_offline=st.booleans(),
        charging_state=optional(st.sampled_from(ChargingState)),
        stopped_reason=optional(st.sampled_from(sorted(STOPPED_REASONS))),
        meter_values=st.just(()) | meters_of_2_0_1,
        remote_start_id=optional(ints),
        reservation_id=optional(ints),
        number_of_phases=optional(st.integers(1, 3)),
        cable_max_current_a=optional(st.integers(6, 500)),
    )
)
def test_a_transaction_event_comes_back_as_it_was(event: TransactionChanged) -> None:
    codec = codec_for("ocpp2.0.1")

    sent = codec.serialize_event(event)

    assert sent is not None
    assert codec.parse_event(*sent) == event


@settings(max_examples=50, deadline=None)
@given(start=st.integers(0, 2**31 - 1), stop=st.integers(0, 2**31 - 1))
def test_the_energy_of_a_1_6_station_is_the_same_in_2_0_1_to_the_watt_hour(
    start: int, stop: int
) -> None:
    began = {"connectorId": 1, "idTag": "X", "meterStart": start, "timestamp": START.isoformat()}
    ended = {"transactionId": 1, "meterStop": stop, "timestamp": START.isoformat()}
    told = []
    for action, payload in (("StartTransaction", began), ("StopTransaction", ended)):
        event = codec_for("ocpp1.6").parse_event(action, payload)
        assert isinstance(event, TransactionChanged)
        sent = codec_for("ocpp2.0.1").serialize_event(replace(event, transaction_id="uuid"))
        assert sent is not None
        told.append(sent[1]["meterValue"][-1]["sampledValue"][-1]["value"])

    assert told == [start, stop]


@settings(max_examples=50, deadline=None)
@given(value=texts)
def test_a_configuration_value_reaches_a_1_6_station_unchanged(value: str) -> None:
    sent = codec_for("ocpp1.6").serialize_command(ChangeConfiguration("key", value))

    assert sent == ("ChangeConfiguration", {"key": "key", "value": value})
