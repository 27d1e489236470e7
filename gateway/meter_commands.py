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
from gateway.meter_scan import Ask, alike, parse_units, scan
from gateway.meter_tables import (
    Watched,
    as_json,
    found_object,
    found_table,
    line_of,
    model_object,
    models_table,
    values_object,
    values_table,
)
from gateway.meters.decode import DecodedValues
from gateway.meters.inspection import hints
from gateway.meters.model import MeterModel, UnknownMeterModel, known_models, meter_model
from gateway.meters.plausibility import Bounds, implausible
from site_config.addresses import Bus, RtuTcpBus, SerialBus, TlsBus, parse_bus

EXIT_OK = 0
EXIT_UNAVAILABLE = 1
EXIT_MISTAKE = 2
UNLIMITED = Bounds(max_current_a=100_000.0)
"""Nobody told which fuse this meter sits behind."""


class Reader(Protocol):
    async def read(self) -> DecodedValues:
        """Return what the meter says, or raise `Unavailable`."""


OpenMeter = Callable[[Bus, MeterModel, int], AbstractAsyncContextManager[Reader]]
OpenLine = Callable[[Bus, float], AbstractAsyncContextManager[Ask]]
"""Given how long a unit may take to answer, s."""


def models(console: Console, search: str = "", *, is_json: bool = False) -> int:
    """Print the meter library, or those models in which every word of `search` occurs."""
    words = search.lower().split()
    found = [
        model
        for model in known_models().values()
        if all(word in f"{model.name} {model.title}".lower() for word in words)
    ]
    if is_json:
        print_json(console, [model_object(model) for model in found])
    elif found:
        console.print(models_table(found))
        for note in (note for model in found for note in model.notes if len(found) == 1):
            console.print(f"· {note}", highlight=False)
    else:
        console.print(Text(f"no model is called {search!r}; a data file may name its registers"))
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
                print_json(console, {"error": error.reason, "advice": advice(error.reason, bus)})
            else:
                _print_failure(f"{url} unit {unit}", error.reason, bus, console)
                _print_notes(meter, console)
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
        told = doubt.told(meter.layouts[0])
        console.print(Text(f"the gateway would not use this reading: {told}", "bold red"))
        _print_notes(meter, console)
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
    """Show every reading until it is cancelled: a live table, or a line each into a pipe."""
    target = _target(url, model, console)
    if target is None:
        return EXIT_MISTAKE
    bus, meter = target
    watched, title = Watched(), f"{meter.title}, {url} unit {unit}"
    is_live = console.is_terminal and not is_json
    table = Live(console=console, auto_refresh=False) if is_live else None
    async with open_meter(bus, meter, unit) as reader:
        try:
            if table is not None:
                table.start()
            while True:
                line = await _watch_once(reader, watched, clock, is_json=is_json)
                if table is not None:
                    table.update(watched.table(title, clock()), refresh=True)
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
        watched.fail(error.reason)
        failed = as_json({"error": error.reason}) if is_json else error.reason
        return Text(failed, "" if is_json else "bold red")
    now = clock()
    watched.take(values, now - began, now)
    return Text(as_json(values_object(values)) if is_json else line_of(values))


async def find(
    url: str,
    units: str,
    console: Console,
    open_line: OpenLine,
    *,
    timeout_s: float = 0.3,
    is_json: bool = False,
) -> int:
    """Ask every unit whether it is there and what it is; progress with the time it still takes."""
    try:
        bus, asked = parse_bus(url), parse_units(units)
    except ValueError as error:
        console.print(Text(f"{url} {error}", "bold red"))
        return EXIT_MISTAKE
    bar = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    quiet = is_json or not console.is_terminal
    with Progress(*bar, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"asking {url}", total=len(asked))

        def on_progress(unit: int, found: int) -> None:
            progress.update(task, advance=1, description=f"unit {unit}, {found} found")

        try:
            async with open_line(bus, timeout_s) as ask:
                found = await scan(asked, ask, on_progress=on_progress)
        except Unavailable as error:
            _print_failure(url, error.reason, bus, console)
            return EXIT_UNAVAILABLE
    if is_json:
        print_json(console, [found_object(device) for device in found])
    elif found:
        console.print(found_table(found))
        for remark in alike(found, len(asked)):
            console.print(remark, highlight=False)
    else:
        _print_failure(f"{url} units {units}", "no answer", bus, console)
    return EXIT_OK if found else EXIT_UNAVAILABLE


def print_json(console: Console, content: object) -> None:
    console.print(Text(as_json(content)), soft_wrap=True)


def advice(reason: str, bus: Bus) -> str:
    """Return what to check, in the order in which it mostly is the cause."""
    is_serial = isinstance(bus, SerialBus)
    if "certificate files" in reason:
        return "the paths behind ca=, certificate= and key=, and that this user may read them"
    if reason.startswith("cannot connect"):
        if is_serial:
            return "that the adapter is plugged in, nobody else uses it and this user may open it"
        tls = "the authority in ca=, the host's name in the certificate, " * isinstance(bus, TlsBus)
        return f"{tls}address, port, cable and firewall; many meters take one connection only"
    if reason in ("no answer", "connection lost"):
        if is_serial:
            return (
                "unit, baudrate and parity (the meter's menu), whether A and B are swapped, "
                "termination, whether somebody else asks on this line; `meter scan` finds the unit"
            )
        if isinstance(bus, RtuTcpBus):
            return (
                "that the converter passes RTU frames on (else tcp://), its baudrate and parity, "
                "the unit, whether A and B are swapped"
            )
        return (
            "that this is a Modbus TCP port (a converter may want rtutcp://), the unit behind a "
            "converter; many meters take one client at a time"
        )
    return "unit, model and function code against the meter's label and manual; `meter scan` helps"


def _target(url: str, model: str, console: Console) -> tuple[Bus, MeterModel] | None:
    try:
        return parse_bus(url), meter_model(model)
    except ValueError as error:
        console.print(Text(f"{url} {error}", "bold red"))
    except UnknownMeterModel as error:
        console.print(Text(str(error), "bold red"))
    return None


def _print_failure(where: str, reason: str, bus: Bus, console: Console) -> None:
    console.print(Text(f"{where}: {reason}", "bold red"))
    console.print(f"check {advice(reason, bus)}", highlight=False)


def _print_notes(meter: MeterModel, console: Console) -> None:
    for note in meter.notes:
        console.print(f"{meter.name}: {note}", highlight=False)
