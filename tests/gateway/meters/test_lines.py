"""What no serial line can give is told before anything is opened."""

import pytest

from gateway.meters.lines import impossible_lines, round_s, slow_lines
from gateway.meters.model import meter_model
from site_config.addresses import SerialBus
from site_config.load import parse_site

SITE = """\
site: {{id: depot, name: Depot}}
cloud: {{url: "ws://127.0.0.1/ocpp", identity: DEPOT}}
meters:
{meters}
circuits: {{grid: {{rating_a: 100, meter: m0}}}}
stations: {{}}
"""


def site_with(count, baudrate=9600, model="eastron-sdm630", more=""):
    url = f"rtu:///dev/ttyUSB0?baudrate={baudrate}"
    meters = (
        f'  m{n}: {{model: {model}, url: "{url}", unit: {n + 1}{more}}}' for n in range(count)
    )
    return parse_site(SITE.format(meters="\n".join(meters)), {})


def test_a_meter_takes_the_time_of_its_characters_and_of_its_pauses():
    """165 bytes and 7 characters of silence of 11 bits each at 9600 baud, and 30 ms to think."""
    model = meter_model("eastron-sdm630")

    assert round_s(SerialBus("x", 9600), model) == pytest.approx(172 * 11 / 9600 + 0.03)


def test_a_meter_that_wants_rest_and_is_read_in_pieces_takes_longer():
    bus = SerialBus("x", 9600)

    assert round_s(bus, meter_model("abb-b23")) > 0.2
    assert round_s(bus, meter_model("carlo-gavazzi-em24-din")) > 4 * 0.06


@pytest.mark.parametrize(
    ("count", "baudrate", "more", "is_slow"),
    [
        (1, 9600, "", False),
        (10, 9600, "", False),
        (12, 9600, "", True),
        (12, 19200, "", False),
        (12, 9600, ", max_age_s: 10", False),
        (1, 9600, ", max_age_s: 0.3", True),
    ],
)
def test_line_on_which_a_round_takes_more_than_half_the_age_is_told(count, baudrate, more, is_slow):
    assert bool(slow_lines(site_with(count, baudrate, more=more))) is is_slow


def test_warning_says_what_takes_how_long_and_what_to_do():
    [warning] = slow_lines(site_with(20))

    assert "the 20 meters on /dev/ttyUSB0 once takes about 4.5 s at 9600 baud" in warning.message
    assert "higher baudrate" in warning.advice


def test_unknown_model_is_somebody_elses_mistake():
    assert slow_lines(site_with(2, model="no-such")) == []


def two_meters(url, unit=2):
    meters = (
        '  m0: {model: eastron-sdm630, url: "rtu:///dev/ttyUSB0"}\n'
        f'  m1: {{model: eastron-sdm630, url: "{url}", unit: {unit}}}'
    )
    return [
        str(mistake) for mistake in impossible_lines(parse_site(SITE.format(meters=meters), {}))
    ]


def test_a_line_has_one_speed():
    [mistake] = two_meters("rtu:///dev/ttyUSB0?baudrate=19200")

    assert mistake.startswith(
        "5: meters.m1.url: /dev/ttyUSB0 has other settings here than under m0"
    )
    assert two_meters("rtu:///dev/ttyUSB1?baudrate=19200") == []
    assert two_meters("rtu:///dev/ttyUSB0?baudrate=9600") == []


@pytest.mark.parametrize("unit", [0, 248, 255])
def test_units_that_nobody_on_a_serial_line_answers_to(unit):
    [mistake] = two_meters("rtu:///dev/ttyUSB0", unit)

    assert f"answers to unit {unit} → 1 to 247" in mistake
    assert len(two_meters("rtutcp://192.168.1.20", unit)) == 1
    assert two_meters("tcp://192.168.1.20", unit) == []
