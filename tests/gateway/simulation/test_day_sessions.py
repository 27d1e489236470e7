"""What a file of sessions may say, and that every mistake in it is told at once."""

from datetime import UTC, datetime

import pytest

from gateway.simulation.day_sessions import SessionsError, read_sessions
from tests.load_balancer.plant import site

HEADING = "evse,phases,arrival,departure,energy_wh,max_current_a"
NINE, TEN = "2019-03-01T09:00:00+00:00", "2019-03-01T10:00:00+00:00"
GARAGE = site(
    {"grid": {"rating_a": 63}},
    {
        "CP-1": {"circuit": "grid", "evses": {1: {}, 2: {"phases": ["L2", "L3", "L1"]}}},
        "CP-2": {"circuit": "grid", "evses": {1: {"phases": ["L3"]}}},
    },
)


def read(*rows):
    return read_sessions("\n".join([HEADING, *rows]), GARAGE)


def mistakes(*rows):
    with pytest.raises(SessionsError) as refusal:
        read(*rows)
    return [(mistake.line, mistake.path) for mistake in refusal.value.mistakes]


def test_a_row_is_a_session():
    [session] = read(f"CP-1,L1 L2 L3,{NINE},{TEN},5000,16")

    assert session.key == ("CP-1", 1)
    assert session.conductors == (0, 1, 2)
    assert session.departure - session.arrival == 3600
    assert (session.energy_wh, session.max_current_a, session.line) == (5000, 16, 2)


@pytest.mark.parametrize(
    ("evse", "phases", "key", "conductors"),
    [
        pytest.param("CP-1/2", "L2", ("CP-1", 2), (0,), id="the circuit's phase, rotated"),
        pytest.param("CP-1/2", "L1", ("CP-1", 2), (2,), id="its last conductor"),
        pytest.param("CP-1", "L1+L2", ("CP-1", 1), (0, 1), id="two-phase"),
        pytest.param("CP-1", "L1L2L3", ("CP-1", 1), (0, 1, 2), id="written in one word"),
        pytest.param("CP-2", "L3", ("CP-2", 1), (0,), id="single-phase EVSE"),
    ],
)
def test_where_a_car_draws(evse, phases, key, conductors):
    [session] = read(f"{evse},{phases},{NINE},{TEN},5000,16")

    assert (session.key, session.conductors) == (key, conductors)


def test_a_time_without_offset_is_the_clock_of_the_site():
    config = GARAGE.model_copy(
        update={"site": GARAGE.site.model_copy(update={"timezone": "Europe/Berlin"})}
    )

    [session] = read_sessions(
        f"{HEADING}\nCP-1,L1,2019-07-01T09:00,2019-07-01T10:00,5000,16", config
    )

    assert datetime.fromtimestamp(session.arrival, UTC).hour == 7


def test_sessions_come_in_the_order_of_their_arrival():
    late, early = f"CP-1,L1,{TEN},2019-03-01T12:00Z,1,16", f"CP-2,L3,{NINE},{TEN},1,16"

    assert [session.key.station_id for session in read(late, early)] == ["CP-2", "CP-1"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        pytest.param(f"CP-9,L1,{NINE},{TEN},1,16", "evse", id="unknown station"),
        pytest.param(f"CP-2/2,L1,{NINE},{TEN},1,16", "evse", id="unknown EVSE"),
        pytest.param(f"CP-2/x,L1,{NINE},{TEN},1,16", "evse", id="no number"),
        pytest.param(f"CP-1,L4,{NINE},{TEN},1,16", "phases", id="no phase"),
        pytest.param(f"CP-1,L1 L1,{NINE},{TEN},1,16", "phases", id="a phase twice"),
        pytest.param(f"CP-2,L1,{NINE},{TEN},1,16", "phases", id="not connected to it"),
        pytest.param(f"CP-1,L1,nine,{TEN},1,16", "arrival", id="no time"),
        pytest.param(f"CP-1,L1,{TEN},{NINE},1,16", "departure", id="leaves before it comes"),
        pytest.param(f"CP-1,L1,{NINE},{TEN},0,16", "energy_wh", id="wants nothing"),
        pytest.param(f"CP-1,L1,{NINE},{TEN},nan,16", "energy_wh", id="not a number"),
        pytest.param(f"CP-1,L1,{NINE},{TEN},1,5", "max_current_a", id="below what any car takes"),
        pytest.param(f"CP-1,L1,{NINE}", "departure", id="a line cut short"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(row, column):
    assert (3, column) in mistakes(f"CP-1,L1,{NINE},{TEN},1,16", row)


def test_all_mistakes_are_told_at_once():
    assert mistakes(
        f"CP-9,L1,{NINE},{TEN},1,16",
        f"CP-1,L9,{NINE},{TEN},1,16",
        f"CP-1,L1,{NINE},soon,none,16",
    ) == [(2, "evse"), (3, "phases"), (4, "departure"), (4, "energy_wh")]


def test_one_evse_feeds_one_car_at_a_time():
    first = f"CP-1,L1,{NINE},{TEN},1,16"

    assert mistakes(first, "CP-1,L1,2019-03-01T09:30Z,2019-03-01T11:00Z,1,16") == [(3, "arrival")]
    assert len(read(first, f"CP-1,L1,{TEN},2019-03-01T11:00Z,1,16")) == 2


def test_a_missing_column_is_named():
    with pytest.raises(SessionsError, match="no column energy_wh"):
        read_sessions("evse,phases,arrival,departure,max_current_a\n", GARAGE)


def test_a_file_without_sessions_is_a_mistake():
    assert mistakes() == [(2, "")]
