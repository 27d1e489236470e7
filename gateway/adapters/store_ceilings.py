"""What the cloud's profiles, operators and MQTT allow, as statements and read back."""

import sqlite3
from datetime import datetime

from gateway.adapters.store_statements import Statement, instant, maybe_at, maybe_instant, upsert
from gateway.bodies import parse_profile, serialize_profile
from gateway.records import CircuitLimit, LimitSource, StoredProfile

_COLUMNS = ("circuit", "source", "limit_a", "reason", "set_by", "set_at", "until")
_SAVE_PROFILE = upsert("profiles", ("profile_id", "cloud_evse", "body"), ("profile_id",))
_SAVE_LIMIT = upsert("circuit_limits", _COLUMNS, ("circuit", "source"))


def profile_saved(stored: StoredProfile) -> Statement:
    profile = stored.profile
    return _SAVE_PROFILE, (profile.id, stored.cloud_evse, serialize_profile(profile))


def profile_deleted(profile_id: int) -> Statement:
    return "DELETE FROM profiles WHERE profile_id = ?", (profile_id,)


def limit_saved(limit: CircuitLimit) -> Statement:
    values = (
        limit.circuit,
        limit.source,
        limit.limit_a,
        limit.reason,
        limit.set_by,
        instant(limit.set_at),
        maybe_instant(limit.until),
    )
    return _SAVE_LIMIT, values


def limit_deleted(circuit: str, source: LimitSource) -> Statement:
    return "DELETE FROM circuit_limits WHERE circuit = ? AND source = ?", (circuit, source)


def profiles(connection: sqlite3.Connection) -> tuple[StoredProfile, ...]:
    return tuple(
        StoredProfile(cloud_evse, parse_profile(body))
        for cloud_evse, body in connection.execute(
            "SELECT cloud_evse, body FROM profiles ORDER BY profile_id"
        )
    )


def circuit_limits(connection: sqlite3.Connection) -> tuple[CircuitLimit, ...]:
    cursor = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM circuit_limits ORDER BY circuit, source"  # noqa: S608 - constants
    )
    return tuple(
        CircuitLimit(
            circuit,
            LimitSource(source),
            limit_a,
            reason,
            set_by,
            datetime.fromisoformat(set_at),
            maybe_at(until),
        )
        for circuit, source, limit_a, reason, set_by, set_at, until in cursor
    )
