"""Instants on the wire are RFC 3339; ours are aware and UTC."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PeerError
from gateway.ocpp.times import FIRST, LAST, format_time, format_time_for_station, parse_time

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

READ = {
    "Z": ("2026-11-22T12:00:00Z", NOON),
    "small z": ("2026-11-22t12:00:00z", NOON),
    "milliseconds": ("2026-11-22T12:00:00.371Z", NOON + timedelta(milliseconds=371)),
    "nanoseconds": ("2026-11-22T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
    "offset": ("2026-11-22T14:00:00+02:00", NOON),
    "no zone is UTC": ("2026-11-22T12:00:00", NOON),
    "leap second": ("2026-11-22T11:59:60Z", NOON - timedelta(seconds=1)),
    "for ever, west of Greenwich": ("9999-12-31T23:59:59-05:00", LAST),
    "year 0": ("0000-01-01T00:00:00Z", FIRST),
    "never, east of Greenwich": ("0001-01-01T00:00:00+01:00", FIRST),
    "1970": ("1970-01-01T00:00:00.000Z", datetime(1970, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize(("text", "instant"), READ.values(), ids=READ)
def test_an_instant_is_read_as_utc(text: str, instant: datetime) -> None:
    read = parse_time(text)

    assert read == instant
    assert read.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-22T25:00Z"])
def test_what_is_no_instant_is_the_peers_error(text: str) -> None:
    with pytest.raises(PeerError):
        parse_time(text)


WRITTEN = {
    "whole second": (NOON, "2026-11-22T12:00:00Z"),
    "milliseconds": (NOON + timedelta(milliseconds=5), "2026-11-22T12:00:00.005Z"),
    "finer is cut off": (NOON + timedelta(microseconds=5999), "2026-11-22T12:00:00.005Z"),
    "microseconds only": (NOON + timedelta(microseconds=999), "2026-11-22T12:00:00Z"),
    "early year": (datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00Z"),
}


@pytest.mark.parametrize(("at", "text"), WRITTEN.values(), ids=WRITTEN)
def test_milliseconds_are_written_only_where_there_are_any(at: datetime, text: str) -> None:
    assert format_time(at) == text


def test_a_station_is_never_told_fractions_of_a_second() -> None:
    assert format_time_for_station(NOON + timedelta(milliseconds=999)) == "2026-11-22T12:00:00Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back_to_the_millisecond(at: datetime) -> None:
    assert timedelta() <= at - parse_time(format_time(at)) < timedelta(milliseconds=1)
