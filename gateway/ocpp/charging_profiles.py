"""Charging profiles and composite schedules: payloads of both versions <-> `profiles`. Pure.

Limits are written with one decimal at most (1.6 §7.14, 2.0.1 ChargingSchedulePeriodType) and
rounded down: no rounding raises a limit. Of the up to three schedules a 2.0.1 profile may hold,
the first is taken; more than one is for ISO 15118 only (K01.FR.34).
"""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.errors import InvalidMessage, PeerError
from gateway.ocpp.error_codes import ErrorCode
from gateway.ocpp.frames import Payload
from gateway.ocpp.times import format_time, format_time_for_station, parse_optional_time, parse_time
from gateway.ocpp.v16_words import PURPOSE, PURPOSE_IN_1_6
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    CompositeSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    SchedulePeriod,
)

ROUNDING_SLACK = 1e-6
"""In tenths: 16.1 is 160.99999999999997 tenths and means 161."""


def parse_profile_v16(payload: Payload) -> ChargingProfile:
    transaction = payload.get("transactionId")
    return _profile(
        payload,
        profile_id=payload["chargingProfileId"],
        purpose=ProfilePurpose(PURPOSE[payload["chargingProfilePurpose"]]),
        schedule=_schedule(payload["chargingSchedule"]),
        transaction=None if transaction is None else str(transaction),
    )


def parse_profile_v201(payload: Payload) -> ChargingProfile:
    """Raises `PeerError` for ChargingStationExternalConstraints, no CSMS may set it (K01.FR.22)."""
    purpose = payload["chargingProfilePurpose"]
    if purpose not in frozenset(ProfilePurpose):
        raise PeerError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"a CSMS does not set a {purpose}")
    return _profile(
        payload,
        profile_id=payload["id"],
        purpose=ProfilePurpose(purpose),
        schedule=_schedule(payload["chargingSchedule"][0]),
        transaction=payload.get("transactionId"),
    )


def _profile(
    payload: Payload,
    profile_id: int,
    purpose: ProfilePurpose,
    schedule: ChargingSchedule,
    transaction: str | None,
) -> ChargingProfile:
    get = payload.get
    recurrency = get("recurrencyKind")
    return ChargingProfile(
        id=profile_id,
        purpose=purpose,
        kind=ProfileKind(payload["chargingProfileKind"]),
        stack_level=payload["stackLevel"],
        schedule=schedule,
        valid_from=parse_optional_time(get("validFrom")),
        valid_to=parse_optional_time(get("validTo")),
        recurrency=None if recurrency is None else Recurrency(recurrency),
        transaction=transaction,
    )


def _schedule(payload: Payload) -> ChargingSchedule:
    get = payload.get
    return ChargingSchedule(
        unit=RateUnit(payload["chargingRateUnit"]),
        periods=_periods(payload["chargingSchedulePeriod"]),
        start_at=parse_optional_time(get("startSchedule")),
        duration_s=get("duration"),
        min_rate=get("minChargingRate"),
    )


def _periods(entries: Iterable[Payload]) -> tuple[SchedulePeriod, ...]:
    return tuple(
        SchedulePeriod(entry["startPeriod"], entry["limit"], entry.get("numberPhases"))
        for entry in entries
    )


def serialize_profile_v16(profile: ChargingProfile) -> Payload:
    """Write for a station. Raises `InvalidMessage` when its transaction is no number."""
    payload = _profile_payload(profile) | {
        "chargingProfileId": profile.id,
        "chargingProfilePurpose": PURPOSE_IN_1_6[profile.purpose],
        "chargingSchedule": _schedule_payload(profile.schedule),
    }
    if profile.transaction is not None:
        payload["transactionId"] = transaction_number(profile.transaction)
    return payload


def serialize_profile_v201(profile: ChargingProfile) -> Payload:
    """Write for a station; the schedule goes under the id of its profile."""
    payload = _profile_payload(profile) | {
        "id": profile.id,
        "chargingProfilePurpose": str(profile.purpose),
        "chargingSchedule": [{"id": profile.id, **_schedule_payload(profile.schedule)}],
    }
    if profile.transaction is not None:
        payload["transactionId"] = profile.transaction
    return payload


def transaction_number(text: str) -> int:
    """Return a 1.6 transactionId; raises `InvalidMessage` for an id of another version."""
    try:
        return int(text)
    except ValueError as error:
        raise InvalidMessage("a transactionId of 1.6 is a number") from error


def _profile_payload(profile: ChargingProfile) -> Payload:
    payload: Payload = {
        "stackLevel": profile.stack_level,
        "chargingProfileKind": str(profile.kind),
    }
    if profile.recurrency is not None:
        payload["recurrencyKind"] = str(profile.recurrency)
    if profile.valid_from is not None:
        payload["validFrom"] = format_time_for_station(profile.valid_from)
    if profile.valid_to is not None:
        payload["validTo"] = format_time_for_station(profile.valid_to)
    return payload


def _schedule_payload(schedule: ChargingSchedule) -> Payload:
    payload: Payload = {
        "chargingRateUnit": str(schedule.unit),
        "chargingSchedulePeriod": _period_payloads(schedule.periods),
    }
    if schedule.start_at is not None:
        payload["startSchedule"] = format_time_for_station(schedule.start_at)
    if schedule.duration_s is not None:
        payload["duration"] = schedule.duration_s
    if schedule.min_rate is not None:
        payload["minChargingRate"] = tenths(schedule.min_rate)
    return payload


def _period_payloads(periods: Iterable[SchedulePeriod]) -> list[dict[str, Any]]:
    return [
        {"startPeriod": period.start_s, "limit": tenths(period.limit)}
        | ({} if period.number_phases is None else {"numberPhases": period.number_phases})
        for period in periods
    ]


def tenths(limit: float) -> float:
    """Return the limit rounded down to one decimal. Raises `InvalidMessage` if it is no number."""
    if not math.isfinite(limit * 10):
        raise InvalidMessage("a limit that is no number")
    return math.floor(limit * 10 + ROUNDING_SLACK) / 10


def parse_composite_v16(payload: Payload, duration_s: int) -> CompositeSchedule | None:
    """Read GetCompositeSchedule.conf; None: Rejected, or Accepted without saying when or what.

    `duration_s` was asked for, and holds where the answer leaves it out.
    """
    schedule = payload.get("chargingSchedule")
    if payload["status"] != "Accepted" or schedule is None:
        return None
    start = payload.get("scheduleStart") or schedule.get("startSchedule")
    if start is None:
        return None
    return _composite({"duration": duration_s, **schedule}, parse_time(start))


def parse_composite_v201(payload: Payload) -> CompositeSchedule | None:
    """Read GetCompositeScheduleResponse; None: Rejected, or Accepted without a schedule."""
    schedule = payload.get("schedule")
    if payload["status"] != "Accepted" or schedule is None:
        return None
    return _composite(schedule, parse_time(schedule["scheduleStart"]))


def _composite(schedule: Payload, start_at: datetime) -> CompositeSchedule:
    return CompositeSchedule(
        start_at,
        schedule["duration"],
        RateUnit(schedule["chargingRateUnit"]),
        _periods(schedule["chargingSchedulePeriod"]),
    )


def serialize_composite_v16(composite: CompositeSchedule | None, evse_id: int) -> Payload:
    """Write for the central system; Accepted without schedule where nothing limits."""
    if composite is None:
        return {"status": "Rejected"}
    start = format_time(composite.start_at)
    payload: Payload = {"status": "Accepted", "connectorId": evse_id, "scheduleStart": start}
    if composite.periods:
        payload["chargingSchedule"] = _composite_payload(composite) | {"startSchedule": start}
    return payload


def serialize_composite_v201(composite: CompositeSchedule | None, evse_id: int) -> Payload:
    """Write for the CSMS; Accepted without schedule where nothing limits."""
    if composite is None:
        return {"status": "Rejected"}
    if not composite.periods:
        return {"status": "Accepted"}
    schedule = _composite_payload(composite) | {
        "evseId": evse_id,
        "scheduleStart": format_time(composite.start_at),
    }
    return {"status": "Accepted", "schedule": schedule}


def _composite_payload(composite: CompositeSchedule) -> Payload:
    return {
        "duration": composite.duration_s,
        "chargingRateUnit": str(composite.unit),
        "chargingSchedulePeriod": _period_payloads(composite.periods),
    }
