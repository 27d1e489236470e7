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
from gateway.meters.model import meter_model
from gateway.simulation.meter import Address, SimulatedMeter

VALUES = DecodedValues(
    PhaseValues(10.5, 0.25, 3.0), PhaseValues(230, 231, 229), PhaseValues(2400, 50, 690), 3140, 99
)
URL = "tcp://192.168.1.20"


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def printed(console):
    return console.file.getvalue()


def meter_that(*outcomes):
    """Open a meter that gives these values or reasons, one after the other, and then ends."""
    script = list(outcomes)

    class Scripted:
        async def read(self):
            if not script:
                raise asyncio.CancelledError
            outcome = script.pop(0)
            if isinstance(outcome, str):
                raise Unavailable(outcome)
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


@pytest.mark.parametrize(
    ("url", "reason", "advice"),
    [
        (URL, "cannot connect to 192.168.1.20:502", "firewall"),
        (URL, "no answer", "behind a converter"),
        ("rtu:///dev/ttyUSB0", "no answer", "A and B are swapped"),
        ("rtu:///dev/ttyUSB0", "cannot connect to /dev/ttyUSB0", "plugged in"),
        (URL, "has no such registers (exception 2)", "label"),
    ],
)
async def test_failure_says_what_to_check(console, url, reason, advice):
    code = await meter_commands.read(url, "sunspec", 1, console, meter_that(reason))

    assert code == 1
    assert reason in printed(console)
    assert advice in printed(console)


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

    opened = meter_that(VALUES, "no answer", VALUES)
    with pytest.raises(asyncio.CancelledError):
        await meter_commands.watch(
            URL, "sunspec", 1, console, opened, sleep=nap, clock=lambda: 0.0, period_s=2.0
        )

    assert printed(console).count("10.50") == 2
    assert "no answer" in printed(console)
    assert naps == [2.0, 2.0, 2.0]
    assert "2 readings, 1 failed (no answer); reading takes p50 0 ms" in printed(console)


async def test_watch_into_a_pipe_of_a_script_is_an_object_a_line(console):
    opened = meter_that(VALUES, "no answer")

    async def nap(_seconds):
        """No time passes."""

    with pytest.raises(asyncio.CancelledError):
        await meter_commands.watch(
            URL, "sunspec", 1, console, opened, sleep=nap, clock=lambda: 0.0, is_json=True
        )

    reading, failure = map(json.loads, printed(console).splitlines())
    assert reading["currents_a"] == [10.5, 0.25, 3.0]
    assert failure == {"error": "no answer"}


def test_live_table_shows_extremes_age_and_how_long_readings_take():
    watched = Watched()
    for n in range(100):
        watched.take(replace(VALUES, currents=PhaseValues(n, -n, 5)), 0.010 + n / 1000, now=n)
    watched.fail("no answer")

    assert (watched.lowest, watched.highest) == ([0, -99, 5], [99, 0, 5])
    assert (watched.percentile_s(0.5), watched.percentile_s(0.99)) == (pytest.approx(0.06), 0.109)
    caption = watched.table("meter", now=101.5).caption
    assert "2.5 s old; 100 readings, 1 failed (no answer); reading takes p50 60 ms" in caption


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


def test_one_model_is_shown_with_its_notes(console):
    meter_commands.models(console, "abb")

    assert "terminals A and B" in printed(console)


async def test_read_for_a_script_is_one_object_with_what_is_odd(console):
    opened = meter_that(replace(VALUES, powers=PhaseValues(9000, 50, 690)))

    code = await meter_commands.read(URL, "sunspec", 1, console, opened, is_json=True)

    told = json.loads(printed(console))
    assert code == 0
    assert told["voltages_v"] == [230, 231, 229]
    assert "9000 W on L1" in told["hints"][0]


async def test_failure_for_a_script_is_one_object_with_advice(console):
    code = await meter_commands.read(
        URL, "sunspec", 1, console, meter_that("no answer"), is_json=True
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
    assert "firewall" in printed(console)


async def test_scan_that_finds_nobody_says_what_to_check(console):
    @asynccontextmanager
    async def deaf(_bus, _timeout_s):
        async def ask(*_question):
            raise Unavailable("no answer")

        yield ask

    code = await meter_commands.find("rtu:///dev/ttyUSB0", "1-247", console, deaf)

    assert code == 1
    assert "A and B" in printed(console)


@pytest.mark.parametrize("units", ["", "x", "1-", "5-3", "1-300", "-4"])
async def test_units_that_are_none_are_told(console, units):
    assert await meter_commands.find(URL, units, console, open_line) == 2
    assert "are no units" in printed(console)
