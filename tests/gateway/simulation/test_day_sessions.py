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
        pytest.param("CP-1", "l1 l3", ("CP-1", 1), (0, 2), id="in small letters"),
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
        pytest.param(f"CP-1,L1,{NINE},2020-03-01T10:00Z,1,16", "departure", id="stays for a year"),
        pytest.param(f"CP-1,L1,{NINE},{TEN},4,2,16", "", id="a decimal comma"),
        pytest.param(f'CP-1,L1,{NINE},{TEN},"4,2",16', "energy_wh", id="one in quotation marks"),
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


def test_whoever_stays_long_is_in_the_way_of_everybody_after_him():
    assert mistakes(
        f"CP-1,L1,{NINE},2019-03-01T17:00Z,1,16",
        "CP-1,L1,2019-03-01T10:00Z,2019-03-01T11:00Z,1,16",
        "CP-1,L1,2019-03-01T12:00Z,2019-03-01T13:00Z,1,16",
    ) == [(3, "arrival"), (4, "arrival")]


def test_an_evse_that_is_not_there_is_told_once_with_its_lines():
    rows = [f"CP-7,L1,2019-03-0{day}T09:00Z,2019-03-0{day}T10:00Z,1,16" for day in range(1, 8)]

    with pytest.raises(SessionsError) as refusal:
        read(*rows)

    [mistake] = refusal.value.mistakes
    assert mistake.line == 2
    assert "nor has line 3, 4, 5 and 3 others" in mistake.message


def test_another_evse_of_the_same_station_is_offered():
    with pytest.raises(SessionsError, match="CP-1 has 1, 2: write CP-1/1"):
        read(f"CP-1/3,L1,{NINE},{TEN},1,16")


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheet_may_have_written_it(separator, end):
    rows = [HEADING.title(), f"CP-1,L1,{NINE},{TEN},5000,16", ",,,,,", ""]

    [session] = read_sessions(end.join(rows).replace(",", separator), GARAGE)

    assert (session.energy_wh, session.line) == (5000, 2)


def test_decimal_commas_stand_between_semicolons():
    row = f"CP-1,L1,{NINE},{TEN},5000.5,16".replace(",", ";").replace(".", ",")

    [session] = read_sessions(f"{HEADING.replace(',', ';')}\n{row}", GARAGE)

    assert session.energy_wh == 5000.5


def test_further_columns_and_another_order_do_no_harm():
    text = (
        f"note,max_current_a,energy_wh,departure,arrival,phases,evse\nx,16,5,{TEN},{NINE},L1,CP-1"
    )

    [session] = read_sessions(text, GARAGE)

    assert (session.energy_wh, session.max_current_a) == (5, 16)


def test_a_time_may_be_the_very_first():
    [session] = read("CP-1,L1,1970-01-01T00:00Z,1970-01-01T01:00Z,5,16")

    assert session.arrival == 0


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("evse,phases,arrival,departure,max_current_a", "no column energy_wh → let the first line"),
        (HEADING.replace("_wh", "_kwh"), "is 'energy_kwh' meant. In Wh, not in kWh"),
        (f"{HEADING},evse", "column evse is there twice"),
        ("", "no column evse"),
        (f'{HEADING}\n"CP-1,L1', "2: unexpected end of data → close the quotation mark"),
    ],
)
def test_what_is_wrong_with_the_table_is_named(heading, message):
    with pytest.raises(SessionsError, match=message):
        read_sessions(f"{heading}\n", GARAGE)


def test_a_file_without_sessions_is_a_mistake():
    assert mistakes() == [(2, "")]
