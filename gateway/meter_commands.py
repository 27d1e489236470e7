"""`site-gateway meter …`: which meters are known, who answers, and what one of them says right now.

For the electrician in front of the cabinet: every failure comes with what to check. Opens nothing
itself; it is handed how to open a meter or a line. Commands return an exit code; with `is_json`
the answer is JSON on one line, for scripts.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gateway.errors import Unavailable
from gateway.meter_advice import advice
from gateway.meter_scan import Ask, Scan, alike, parse_units
from gateway.meter_tables import (
    Watched,
    as_json,
    found_object,
    found_table,
    line_of,
    model_details,
    model_object,
    models_table,
    values_object,
    values_table,
)
from gateway.meters.decode import DecodedValues
from gateway.meters.inspection import hints
from gateway.meters.model import Layout, MeterModel, UnknownMeterModel, known_models, meter_model
from gateway.meters.plausibility import Bounds, implausible
from gateway.meters.silence import NoAnswer, NotConnected, UnusableFiles
from gateway.meters.watch import MeterWatch
from site_config.addresses import Bus, parse_bus
from site_config.meters import Meter

EXIT_OK = 0
EXIT_UNAVAILABLE = 1
EXIT_MISTAKE = 2
UNLIMITED = Bounds(max_current_a=100_000.0)
"""Nobody told which fuse this meter sits behind."""
MAX_AGE_S: float = Meter.model_fields["max_age_s"].default


class Reader(Protocol):
    @property
    def layout(self) -> Layout:
        """Return the registers in use."""

    async def read(self) -> DecodedValues:
        """Return what the meter says, or raise `Unavailable`."""


OpenMeter = Callable[[Bus, MeterModel, int], AbstractAsyncContextManager[Reader]]
OpenLine = Callable[[Bus, float], AbstractAsyncContextManager[Ask]]
"""Given how long a unit may take to answer, s."""


def models(console: Console, search: str = "", *, is_json: bool = False) -> int:
    """Print the meter library, or those models in which every word of `search` occurs; one alone
    with its registers, to compare with its manual."""
    words = search.lower().split()
    found = [
        model
        for model in known_models().values()
        if all(word in f"{model.name} {model.title}".lower() for word in words)
    ]
    if is_json:
        print_json(console, [model_object(model) for model in found])
    elif len(found) == 1:
        console.print(*model_details(found[0]), sep="\n", highlight=False)
    elif found:
        console.print(models_table(found))
    else:
        console.print(Text(f"no model is called {search!r}: without a word all are listed"))
    return EXIT_OK if found else EXIT_UNAVAILABLE


async def read(
    url: str,
    model: str,
    unit: int,
    console: Console,
    open_meter: OpenMeter,
    *,
    is_json: bool = False,
) -> int:
    """Read a meter once and print everything it says, and what is odd about it."""
    target = _target(url, model, console)
    if target is None:
        return EXIT_MISTAKE
    bus, meter = target
    async with open_meter(bus, meter, unit) as reader:
        try:
            values = await reader.read()
        except Unavailable as error:
            if is_json:
                print_json(console, {"error": error.reason, "advice": advice(error, bus)})
            else:
                _print_failure(f"{url} unit {unit}", error, bus, console)
                _print_notes(meter, error, console)
            return EXIT_UNAVAILABLE
    doubt = implausible(values, UNLIMITED)
    odd = hints(values, meter)
    if is_json:
        refused = str(doubt) if doubt else None
        print_json(console, values_object(values) | {"refused": refused, "hints": odd})
        return EXIT_UNAVAILABLE if doubt else EXIT_OK
    console.print(values_table(values, f"{meter.title}, {url} unit {unit}"))
    for hint in odd:
        console.print(Text(f"look at: {hint}", "yellow"))
    if doubt:
        told = doubt.told(reader.layout)
        console.print(Text(f"the gateway would not use this reading: {told}", "bold red"))
        _print_notes(meter, None, console)
    return EXIT_UNAVAILABLE if doubt else EXIT_OK


async def watch(
    url: str,
    model: str,
    unit: int,
    console: Console,
    open_meter: OpenMeter,
    *,
    sleep: Callable[[float], Awaitable[None]],
    clock: Callable[[], float],
    period_s: float = 1.0,
    is_json: bool = False,
) -> int:
    """Show every reading until it is cancelled: a live table, or a line each into a pipe. Each is
    judged as the running gateway would, but for what its circuit and its EVSEs tell besides."""
    target = _target(url, model, console)
    if target is None:
        return EXIT_MISTAKE
    bus, meter = target
    judge = MeterWatch(UNLIMITED, frozen_s=meter.frozen_s, max_age_s=MAX_AGE_S)
    watched = Watched(meter, bus, judge)
    title = f"{meter.title}, {url} unit {unit}"
    is_live = console.is_terminal and not is_json
    table = Live(console=console, auto_refresh=False) if is_live else None
    async with open_meter(bus, meter, unit) as reader:
        try:
            if table is not None:
                table.start()
            while True:
                line = await _watch_once(reader, watched, clock, is_json=is_json)
                if table is not None:
                    table.update(watched.shown(title, clock()), refresh=True)
                else:
                    console.print(line, highlight=False, soft_wrap=True)
                await sleep(period_s)
        finally:
            if table is not None:
                table.stop()
            if not is_json:
                console.print(watched.summary(), highlight=False)


async def _watch_once(
    reader: Reader, watched: Watched, clock: Callable[[], float], *, is_json: bool
) -> Text:
    began = clock()
    try:
        values = await reader.read()
    except Unavailable as error:
        watched.fail(error)
        failed = as_json({"error": error.reason}) if is_json else error.reason
        return Text(failed, "" if is_json else "bold red")
    now = clock()
    watched.take(values, reader.layout, now - began, now)
    if is_json:
        return Text(as_json(values_object(values) | {"refused": watched.refusal}))
    refusal = f"   not used: {watched.refusal}" if watched.refusal else ""
    return Text(line_of(values)).append(refusal, "bold red")


async def find(
    url: str,
    units: str,
    console: Console,
    open_line: OpenLine,
    *,
    timeout_s: float = 0.3,
    is_json: bool = False,
) -> int:
    """Ask every unit whether it is there and what it is; progress with the time it still takes.

    Ended by Ctrl-C it tells what it has found so far.
    """
    try:
        bus, found = parse_bus(url), Scan(parse_units(units))
    except ValueError as error:
        console.print(Text(f"{url} {error}", "bold red"))
        return EXIT_MISTAKE
    bar = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    quiet = is_json or not console.is_terminal
    try:
        with Progress(*bar, console=console, transient=True, disable=quiet) as progress:
            task = progress.add_task(f"asking {url}", total=len(found.units))
            async with open_line(bus, timeout_s) as ask:
                await found.run(
                    ask,
                    on_progress=lambda words: progress.update(
                        task, completed=found.asked, description=words
                    ),
                )
    except Unavailable as error:
        if is_json:
            print_json(console, {"error": error.reason, "advice": advice(error, bus)})
        else:
            _print_failure(url, error, bus, console)
        return EXIT_UNAVAILABLE
    finally:
        if not is_json and 0 < found.asked < len(found.units):
            _print_found(found, f"{url} units {units}", bus, console)
            console.print(
                f"ended after unit {found.units[found.asked - 1]}, {found.asked} of "
                f"{len(found.units)} asked",
                highlight=False,
            )
    if is_json:
        print_json(console, [found_object(device) for device in found.found])
    else:
        _print_found(found, f"{url} units {units}", bus, console)
    return EXIT_OK if found.found else EXIT_UNAVAILABLE


def print_json(console: Console, content: object) -> None:
    console.print(Text(as_json(content)), soft_wrap=True)


def _print_found(scan: Scan, where: str, bus: Bus, console: Console) -> None:
    if scan.found:
        console.print(found_table(scan.found))
        for remark in alike(scan.found, len(scan.units)):
            console.print(remark, highlight=False)
    else:
        # A converter that answers for absent units tells more than silence.
        told = [absence for absence in scan.absences if not isinstance(absence, NoAnswer)]
        _print_failure(where, (told or scan.absences)[0], bus, console)


def _target(url: str, model: str, console: Console) -> tuple[Bus, MeterModel] | None:
    try:
        return parse_bus(url), meter_model(model)
    except ValueError as error:
        console.print(Text(f"{url} {error}", "bold red"))
    except UnknownMeterModel as error:
        console.print(Text(str(error), "bold red"))
    return None


def _print_failure(where: str, error: Unavailable, bus: Bus, console: Console) -> None:
    console.print(Text(f"{where}: {error.reason}", "bold red"))
    console.print(f"check {advice(error, bus)}", highlight=False)


def _print_notes(meter: MeterModel, error: Unavailable | None, console: Console) -> None:
    """Print what is peculiar to this model, once something answers or could."""
    if isinstance(error, NotConnected | UnusableFiles):
        return
    for note in meter.notes:
        console.print(f"{meter.name}: {note}", highlight=False)
