"""`site-gateway meter …` says what a meter measures, or what to check."""

import asyncio
import io
from contextlib import asynccontextmanager

import pytest
from rich.console import Console

from gateway import meter_commands
from gateway.adapters.meter import open_meter
from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.simulation.meter import SimulatedMeter

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
        await meter_commands.watch(URL, "sunspec", 1, console, opened, sleep=nap, period_s=2.0)

    assert printed(console).count("10.50") == 2
    assert "no answer" in printed(console)
    assert naps == [2.0, 2.0, 2.0]
