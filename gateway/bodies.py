"""What a row of the outbox says: an event as compact bytes, and back. Pure.

JSON arrays `[tag, field, …]` in the order of the fields below, without the trailing ones that
hold their default: half the size of objects, and a field that is added at the end later on leaves
old rows readable. A sampled value keeps its text digit by digit, and signed data its own JSON.

On disk an array is squeezed to a quarter: deflated, with the words of meter values as dictionary,
behind one byte that names the dictionary. What begins with `[` is not squeezed.
"""

import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway.events import (
    ENERGY_REGISTER,
    ChargingState,
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.records import OutboxEvent, Unreadable
from load_balancer.profiles import ChargingProfile

_SQUEEZED = b"\x01"
"""Before what was deflated with `_WORDS`. Other words need another byte: rows outlive programs."""
_WORDS = (
    b'["S","S","M",null,true,false,"kWh","varh","kW","VA","var","Percent","Celsius","Hertz","SoC",'
    b'"Frequency","Temperature","Power.Factor","Power.Offered","Current.Offered","Current.Export",'
    b'"Power.Active.Export","Energy.Active.Export.Register","Energy.Active.Import.Interval",'
    b'"Energy.Reactive.Import.Register","Power.Reactive.Import","Interruption.Begin",'
    b'"Interruption.End","Other","Sample.Clock","Trigger","Cable","EV","Inlet","Body","Outlet","N",'
    b'"L1-L2","L2-L3","L3-L1","L1-N","L2-N","L3-N","Transaction.End","Transaction.Begin",'
    b'"ISO14443","eMAID","Central","Authorized","Deauthorized","StopAuthorized","EVDeparted",'
    b'"Local","Remote","RemoteStop","RemoteStart","CablePluggedIn","ChargingStateChanged",'
    b'"MeterValueClock","EVConnected","SuspendedEVSE","SuspendedEV","Charging","Idle",["T","Ended",'
    b'["T","Started","2026-01-01T00:00:00Z",null,"ChargingStateChanged",0,1,1,[["T","Updated",'
    b'"2026-01-01T00:00:00.000000Z",null,"MeterValuePeriodic",0,1,1,[["2026-01-01T00:00:00Z",'
    b'[["0.0",null,"Wh"],["0.0","SoC","Percent"],["230.0","Voltage","V","L1"],'
    b'["16.0","Current.Import","A","L1"],["3500.0","Power.Active.Import","W","L1"],'
    b'["1000.0",null,"Wh","L1"],["230.0","Voltage","V","L2"],["16.0","Current.Import","A","L2"],'
    b'["3500.0","Power.Active.Import","W","L2"],["1000.0",null,"Wh","L2"],'
    b'["230.0","Voltage","V","L3"],["16.0","Current.Import","A","L3"],'
    b'["3500.0","Power.Active.Import","W","L3"],["1000.0",null,"Wh","L3"]]]]'
)
_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 3, -12, 4
"""A window of 4 kB holds the words and most rows; negative: no header, no checksum."""
_DEFLATE = zlib.compressobj(
    _LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, _WORDS
)
_TRANSACTION, _METERS, _SECURITY = "T", "M", "S"
_PERIODIC = "Sample.Periodic"
_PROFILE = TypeAdapter(ChargingProfile)


class UnreadableBody(ValueError):
    """Bytes that no version of this program has written."""


def serialize_event(event: OutboxEvent) -> bytes:
    """Return the event as bytes from which `parse_event` makes an equal one."""
    if isinstance(event, Unreadable):
        return event.raw
    return orjson.dumps(_array(event), option=orjson.OPT_UTC_Z)


def squeezed(body: bytes) -> bytes:
    """Return the body as it is kept; other threads run meanwhile."""
    deflate = _DEFLATE.copy()
    return _SQUEEZED + deflate.compress(body) + deflate.flush()


def parse_event(body: bytes) -> OutboxEvent:
    """Return the event `serialize_event` was given, squeezed or not; raises `UnreadableBody`."""
    try:
        if body[:1] == _SQUEEZED:
            inflate = zlib.decompressobj(_WINDOW_BITS, zdict=_WORDS)
            body = inflate.decompress(body[1:]) + inflate.flush()
        tag, *fields = orjson.loads(body)
        return _PARSERS[tag](fields)
    except (ValueError, TypeError, KeyError, IndexError, zlib.error) as error:
        raise UnreadableBody(f"outbox body of {len(body)} bytes: {error!r}") from error


def serialize_profile(profile: ChargingProfile) -> bytes:
    """Return a charging profile as a JSON object; few and rarely written, so readable."""
    return orjson.dumps(profile, option=orjson.OPT_UTC_Z)


def parse_profile(body: bytes) -> ChargingProfile:
    """Return the profile `serialize_profile` was given; raises `UnreadableBody`."""
    try:
        return _PROFILE.validate_json(body)
    except ValidationError as error:
        raise UnreadableBody(f"profile body of {len(body)} bytes: {error!r}") from error


def _array(event: TransactionChanged | MetersSampled | SecurityEventOccurred) -> list[Any]:
    if isinstance(event, TransactionChanged):
        token = event.id_token
        return _trimmed(
            [
                _TRANSACTION,
                event.event_type,
                event.at,
                event.transaction_id,
                event.trigger_reason,
                event.seq_no,
                event.evse_id,
                event.connector_id,
                _meter_arrays(event.meter_values),
                event.register_wh,
                event.charging_state,
                event.is_offline or None,
                None if token is None else [token.value, token.type],
                event.stopped_reason,
                event.remote_start_id,
                event.reservation_id,
                event.number_of_phases,
                event.cable_max_current_a,
                event.is_estimated or None,
                event.clock_shift_s or None,
            ]
        )
    if isinstance(event, MetersSampled):
        meters = _meter_arrays(event.meter_values)
        about = [event.transaction_id, event.clock_shift_s or None]
        return _trimmed([_METERS, event.evse_id, event.connector_id, meters, *about])
    return _trimmed([_SECURITY, event.type, event.at, event.tech_info])


def _trimmed(fields: list[Any]) -> list[Any]:
    while fields[-1] is None:
        fields.pop()
    return fields


def _meter_arrays(meter_values: tuple[MeterValue, ...]) -> list[Any]:
    return [[mv.at, [_sample_array(sample) for sample in mv.samples]] for mv in meter_values]


def _sample_array(sample: SampledValue) -> list[Any]:
    value, measurand, phase, location, context, unit, multiplier, signed = sample
    fields: list[Any] = [value, None if measurand == ENERGY_REGISTER else measurand, unit, phase]
    if context != _PERIODIC or location or multiplier or signed is not None:
        fields += (
            None if context == _PERIODIC else context,
            location,
            multiplier or None,
            signed,
        )
    return _trimmed(fields)


def _padded(fields: list[Any], size: int) -> list[Any]:
    """Bring back the trailing fields that were left out; those of a newer version are dropped."""
    return (fields + [None] * (size - len(fields)))[:size]


def _transaction_changed(fields: list[Any]) -> TransactionChanged:
    (
        event_type,
        at,
        transaction_id,
        trigger_reason,
        seq_no,
        evse_id,
        connector_id,
        meter_values,
        register_wh,
        charging_state,
        is_offline,
        token,
        stopped_reason,
        remote_start_id,
        reservation_id,
        number_of_phases,
        cable_max_current_a,
        is_estimated,
        clock_shift_s,
    ) = _padded(fields, 19)
    return TransactionChanged(
        event_type=EventType(event_type),
        at=datetime.fromisoformat(at),
        transaction_id=transaction_id,
        trigger_reason=trigger_reason,
        seq_no=seq_no,
        evse_id=evse_id,
        connector_id=connector_id,
        id_token=None if token is None else IdToken(*token),
        is_offline=bool(is_offline),
        charging_state=None if charging_state is None else ChargingState(charging_state),
        stopped_reason=stopped_reason,
        register_wh=register_wh,
        meter_values=_meter_values(meter_values),
        remote_start_id=remote_start_id,
        reservation_id=reservation_id,
        number_of_phases=number_of_phases,
        cable_max_current_a=cable_max_current_a,
        is_estimated=bool(is_estimated),
        clock_shift_s=clock_shift_s or 0.0,
    )


def _meters_sampled(fields: list[Any]) -> MetersSampled:
    evse_id, connector_id, arrays, transaction_id, clock_shift_s = _padded(fields, 5)
    values = _meter_values(arrays)
    return MetersSampled(evse_id, connector_id, values, transaction_id, clock_shift_s or 0.0)


def _security_event(fields: list[Any]) -> SecurityEventOccurred:
    type_, at, tech_info = _padded(fields, 3)
    return SecurityEventOccurred(type_, datetime.fromisoformat(at), tech_info)


def _meter_values(arrays: list[Any]) -> tuple[MeterValue, ...]:
    return tuple(
        MeterValue(datetime.fromisoformat(at), tuple(_sample(fields) for fields in samples))
        for at, samples in arrays
    )


def _sample(fields: list[Any]) -> SampledValue:
    value, measurand, unit, phase, context, location, multiplier, signed = _padded(fields, 8)
    return SampledValue(
        value=value,
        measurand=ENERGY_REGISTER if measurand is None else measurand,
        phase=phase,
        location=location,
        context=_PERIODIC if context is None else context,
        unit=unit,
        multiplier=multiplier or 0,
        signed=signed,
    )


_PARSERS: dict[str, Callable[[list[Any]], OutboxEvent]] = {
    _TRANSACTION: _transaction_changed,
    _METERS: _meters_sampled,
    _SECURITY: _security_event,
}
