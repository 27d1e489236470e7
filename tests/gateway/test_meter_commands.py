"""`site-gateway meter …` says what a meter measures, or what to check."""

import asyncio
import io
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from rich.console import Console

from gateway import meter_commands
from gateway.adapters.meter import open_meter
from gateway.adapters.meter_line import open_line
from gateway.errors import Unavailable
from gateway.meter_tables import Watched
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import known_models, meter_model
from gateway.meters.plausibility import Bounds
from gateway.meters.silence import (
    ConnectionLost,
    NoAnswer,
    NotConnected,
    Obstacle,
    Refused,
    UnusableFiles,
)
from gateway.meters.watch import MeterWatch
from gateway.simulation.meter import Address, Fault, SimulatedMeter
from site_config.addresses import parse_bus

VALUES = DecodedValues(
    PhaseValues(10.5, 0.25, 3.0), PhaseValues(230, 231, 229), PhaseValues(2400, 50, 690), 3140, 99
)
URL = "tcp://192.168.1.20"
SDM630 = meter_model("eastron-sdm630")


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def printed(console):
    return console.file.getvalue()


def meter_that(*outcomes):
    """Open a meter that gives these values or failures, one after the other, and then ends."""
    script = list(outcomes)

    class Scripted:
        layout = SDM630.layouts[0]

        async def read(self):
            if not script:
                raise asyncio.CancelledError
            outcome = script.pop(0)
            if isinstance(outcome, Unavailable):
                raise outcome
            return outcome

    @asynccontextmanager
    async def opened(_bus, _model, _unit):
        yield Scripted()

    return opened


def test_models_lists_the_library(console):
    assert meter_commands.models(console) == 0
    for name in ("eastron-sdm630", "carlo-gavazzi-em340", "sunspec"):
        assert name in printed(console)


async def test_read_prints_what_a_real_meter_says(console):
    async with SimulatedMeter(meter_model("eastron-sdm630"), lambda: VALUES) as meter:
        url = f"tcp://127.0.0.1:{meter.port}"
        code = await meter_commands.read(url, "eastron-sdm630", 1, console, open_meter)

    assert code == 0
    for text in ("10.50", "0.25", "230.0", "3140", "99"):
        assert text in printed(console)


NOBODY = NotConnected("192.168.1.20:502", Obstacle.HOST, "nobody answers there")
NO_PORT = NotConnected("192.168.1.20:502", Obstacle.PORT, "refused")
NO_DEVICE = NotConnected("/dev/ttyUSB0", Obstacle.DEVICE, "no such file or directory")
NO_NAME = NotConnected("meter:502", Obstacle.NAME, "nobody knows this name")
NO_TRUST = NotConnected("meter:802 with TLS", Obstacle.CERTIFICATE, "its certificate is not …")
SERIAL, RTU_TCP, TLS = "rtu:///dev/ttyUSB0", "rtutcp://192.168.1.20:4196", "tls://192.168.1.20"


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        (URL, NOBODY, "this PC is in the meter's network"),
        (TLS, NOBODY, "a meter without TLS is read with tcp://"),
        (URL, NO_PORT, "one client at a time"),
        (URL, NO_NAME, "spelled"),
        (TLS, NO_TRUST, "the very name or address"),
        (TLS, UnusableFiles("No such file or directory"), "this user may read them"),
        (TLS, ConnectionLost(), "certificate of ours"),
        (URL, ConnectionLost(), "one client at a time"),
        (URL, NoAnswer(), "rtutcp://"),
        (RTU_TCP, NoAnswer(), "else tcp://"),
        (SERIAL, NoAnswer(), "A and B are swapped"),
        (SERIAL, ConnectionLost(), "A and B are swapped"),
        (SERIAL, NO_DEVICE, "plugged in"),
        (URL, Refused(2), "label"),
        (URL, Refused(4), "switch it off and on"),
        (URL, Refused(6), "poll_s"),
        (URL, Refused(11), "the line behind the converter"),
        (URL, Unavailable('has no mark "SunS" at 40000'), "label"),
    ],
)
async def test_failure_says_what_to_check(console, url, error, words):
    code = await meter_commands.read(url, "sunspec", 1, console, meter_that(error))

    assert code == 1
    told = " ".join(printed(console).split())
    assert error.reason in told
    assert words in told


@pytest.mark.parametrize(("error", "is_told"), [(NOBODY, False), (NoAnswer(), True)])
async def test_what_is_peculiar_to_a_model_is_told_where_something_may_answer(
    console, error, is_told
):
    await meter_commands.read(URL, "abb-b23", 1, console, meter_that(error))

    assert ("terminals A and B" in printed(console)) is is_told


@pytest.mark.parametrize(
    ("url", "model", "words"),
    [("http://x", "sunspec", "neither with tcp://"), (URL, "sdm", "did you mean eastron-sdm54 or")],
)
async def test_slip_on_the_command_line_is_told(console, url, model, words):
    for command in (meter_commands.read(url, model, 1, console, meter_that()),):
        assert await command == 2

    assert words in printed(console)


async def test_reading_the_gateway_would_refuse_is_shown_and_named(console):
    nothing = DecodedValues(voltages=PhaseValues(230, 230, 230))

    code = await meter_commands.read(URL, "sunspec", 1, console, meter_that(nothing))

    assert code == 1
    assert "no current on L1" in printed(console)


async def test_watch_goes_on_through_an_outage(console):
    naps = []

    async def nap(seconds):
        naps.append(seconds)

    opened = meter_that(VALUES, NoAnswer(), VALUES)
    with pytest.raises(asyncio.CancelledError):
        await meter_commands.watch(
            URL, "sunspec", 1, console, opened, sleep=nap, clock=lambda: 0.0, period_s=2.0
        )

    assert printed(console).count("10.50") == 2
    assert "no answer" in printed(console)
    assert naps == [2.0, 2.0, 2.0]
    assert "2 readings, 1 failed (no answer); reading takes p50 0 ms" in printed(console)


async def test_watch_into_a_pipe_of_a_script_is_an_object_a_line(console):
    opened = meter_that(VALUES, NoAnswer())

    async def nap(_seconds):
        """No time passes."""

    with pytest.raises(asyncio.CancelledError):
        await meter_commands.watch(
            URL, "sunspec", 1, console, opened, sleep=nap, clock=lambda: 0.0, is_json=True
        )

    reading, failure = map(json.loads, printed(console).splitlines())
    assert (reading["currents_a"], reading["refused"]) == ([10.5, 0.25, 3.0], None)
    assert failure == {"error": "no answer"}


NO_CURRENT_ON_L2 = replace(VALUES, currents=PhaseValues(10, None, 3))


def looked_at(bus=URL):
    judge = MeterWatch(Bounds(1000), frozen_s=SDM630.frozen_s, max_age_s=5)
    return Watched(SDM630, parse_bus(bus), judge)


def on_screen(watched, now, width=80):
    screen = Console(file=io.StringIO(), width=width)
    screen.print(watched.shown("meter", now))
    return " ".join(printed(screen).split())


def take(watched, values, took_s=0.01, now=0.0):
    watched.take(values, SDM630.layouts[0], took_s, now)


def test_live_table_shows_extremes_age_and_how_long_readings_take():
    watched = looked_at()
    for n in range(100):
        take(watched, replace(VALUES, currents=PhaseValues(n, -n, 5)), 0.010 + n / 1000, now=n)
    watched.fail(NoAnswer())

    assert (watched.lowest, watched.highest) == ([0, -99, 5], [99, 0, 5])
    assert (watched.percentile_s(0.5), watched.percentile_s(0.99)) == (pytest.approx(0.06), 0.109)
    screen = on_screen(watched, now=101.5)
    assert "2.5 s old; 100 readings, 1 failed (no answer); reading takes p50 60 ms" in screen


def test_current_that_was_not_told_is_no_extreme():
    watched = looked_at()

    take(watched, NO_CURRENT_ON_L2)

    assert (watched.lowest, watched.highest) == ([10, None, 3], [10, None, 3])


def test_live_table_says_what_the_gateway_would_not_use_and_counts_it():
    watched = looked_at()

    take(watched, NO_CURRENT_ON_L2)
    take(watched, NO_CURRENT_ON_L2)

    screen = on_screen(watched, now=0.0)
    assert "would not use this reading: no current on L2 (input register 8 (0x0008))" in screen
    assert "2 readings, 2 of them not to be used" in screen
    take(watched, VALUES)
    assert "would not use" not in on_screen(watched, now=0.0)


def test_live_table_notices_a_meter_that_repeats_itself():
    watched = looked_at()

    for second in range(150):
        take(watched, VALUES, now=second)

    assert "identical readings" in on_screen(watched, now=150)


def test_live_table_of_a_meter_that_never_answered_says_what_to_check():
    watched = looked_at("rtu:///dev/ttyUSB0")

    watched.fail(NoAnswer())

    screen = on_screen(watched, now=0.0)
    assert screen.startswith("meter no answer check unit, baudrate and parity")
    assert "nothing read yet; 0 readings, 1 failed (no answer); Ctrl-C ends" in screen


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("em24", {"carlo-gavazzi-em24-din", "carlo-gavazzi-em24-e1"}),
        ("schneider 5100", {"schneider-pm5000"}),
        ("no such", set()),
    ],
)
def test_models_are_searched_by_every_word(console, search, names):
    code = meter_commands.models(console, search, is_json=True)

    assert {model["model"] for model in json.loads(printed(console))} == names
    assert code == (0 if names else 1)


def test_one_model_is_shown_with_registers_timing_mark_sources_and_notes(console):
    meter_commands.models(console, "abb")

    told = " ".join(printed(console).split())
    for words in (
        "high word first, at most 50 at a time; answers within 0.5 s, rests 0.1 s",
        "'B23' in register 0x8960",
        "23308 │ 0x5B0C │ uint32 │ 0.01 A",
        "meters/rs485/abb.go",
        "terminals A and B",
    ):
        assert words in told


def test_no_name_of_a_model_is_cut_on_the_smallest_terminal():
    small = Console(file=io.StringIO(), width=80)

    meter_commands.models(small)

    for name in known_models():
        assert f" {name} " in printed(small)
    assert max(map(len, printed(small).splitlines())) <= 80


async def test_read_for_a_script_is_one_object_with_what_is_odd(console):
    opened = meter_that(replace(VALUES, powers=PhaseValues(9000, 50, 690)))

    code = await meter_commands.read(URL, "sunspec", 1, console, opened, is_json=True)

    told = json.loads(printed(console))
    assert code == 0
    assert told["voltages_v"] == [230, 231, 229]
    assert "9000 W on L1" in told["hints"][0]


async def test_failure_for_a_script_is_one_object_with_advice(console):
    code = await meter_commands.read(
        URL, "sunspec", 1, console, meter_that(NoAnswer()), is_json=True
    )

    told = json.loads(printed(console))
    assert code == 1
    assert told["error"] == "no answer"
    assert "one client" in told["advice"]


# Scanning.


def behind_a_converter():
    measured = replace(VALUES, frequency_hz=50.0)
    neighbours = [
        SimulatedMeter(meter_model(name), lambda: measured, Address(unit=unit))
        for unit, name in ((2, "abb-b23"), (3, "carlo-gavazzi-em340"), (9, "sunspec"))
    ]
    return SimulatedMeter(
        meter_model("janitza-umg96rm"),
        lambda: measured,
        Address(unit=5, is_rtu=True),
        neighbours=neighbours,
    )


async def test_scan_finds_every_meter_behind_a_converter_and_what_it_is(console):
    async with behind_a_converter() as meter:
        url = f"rtutcp://127.0.0.1:{meter.port}"
        code = await meter_commands.find(
            url, "2-3,5,8-9", console, open_line, timeout_s=5.0, is_json=True
        )

    found = {device["unit"]: device for device in json.loads(printed(console))}
    assert code == 0
    assert {unit: device["models"] for unit, device in found.items()} == {
        2: ["abb-b23"],
        3: ["carlo-gavazzi-em24-din", "carlo-gavazzi-em340", "phoenix-contact-eem-350"],
        5: ["janitza-umg96rm"],
        9: ["sunspec"],
    }
    assert [found[unit]["confidence"] for unit in (2, 3, 5, 9)] == [
        "certain",
        "likely",
        "likely",
        "certain",
    ]
    assert found[3]["values"]["voltages_v"] == pytest.approx([230, 231, 229], abs=0.2)


async def test_scan_prints_a_table(console):
    async with behind_a_converter() as meter:
        url = f"rtutcp://127.0.0.1:{meter.port}"
        await meter_commands.find(url, "2,5", console, open_line, timeout_s=5.0)

    assert "abb-b23" in printed(console)
    assert "certain" in printed(console)


async def test_scan_that_cannot_connect_says_what_to_check_at_once(console):
    code = await meter_commands.find("tcp://127.0.0.1:1", "1-247", console, open_line)

    assert code == 1
    assert "that Modbus is switched on" in printed(console)
    assert "ended after" not in printed(console)


async def test_scan_that_finds_nobody_says_what_to_check(console):
    @asynccontextmanager
    async def deaf(_bus, _timeout_s):
        async def ask(*_question):
            raise NoAnswer

        yield ask

    code = await meter_commands.find("rtu:///dev/ttyUSB0", "1-247", console, deaf)

    assert code == 1
    assert "A and B" in printed(console)


async def test_scan_behind_a_converter_that_answers_for_absent_units_says_so(console):
    async with behind_a_converter() as meter:
        url = f"rtutcp://127.0.0.1:{meter.port}"
        code = await meter_commands.find(url, "20-22", console, open_line, timeout_s=5.0)

    assert code == 1
    assert "exception 11" in printed(console)
    assert "the line behind the converter" in printed(console)


async def test_scan_that_is_ended_tells_what_it_has_found_so_far(console):
    @asynccontextmanager
    async def ended_at_three(_bus, _timeout_s):
        async def ask(unit, *_question):
            if unit == 3:
                raise asyncio.CancelledError
            raise NoAnswer

        yield ask

    with pytest.raises(asyncio.CancelledError):
        await meter_commands.find(URL, "1-247", console, ended_at_three)

    assert "ended after unit 2, 2 of 247 asked" in printed(console)


async def test_device_that_is_always_busy_is_found_all_the_same(console):
    async with SimulatedMeter(SDM630, lambda: VALUES) as meter:
        meter.fault = Fault.BUSY
        url = f"tcp://127.0.0.1:{meter.port}"
        code = await meter_commands.find(url, "1", console, open_line, is_json=True)

    assert code == 0
    assert [device["confidence"] for device in json.loads(printed(console))] == ["unknown"]


@pytest.mark.parametrize("units", ["", "x", "1-", "5-3", "1-300", "-4"])
async def test_units_that_are_none_are_told(console, units):
    assert await meter_commands.find(URL, units, console, open_line) == 2
    assert "are no units" in printed(console)
