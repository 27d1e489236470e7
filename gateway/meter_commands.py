"""`site-gateway meter …`: which meters are known, and what one of them says right now.

For the electrician in front of the cabinet: every failure comes with what to check. Opens nothing
itself; it is handed how to open a meter. Commands return an exit code.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues
from gateway.meters.model import MeterModel, UnknownMeterModel, known_models, meter_model
from gateway.meters.plausibility import Bounds, implausible
from site_config.addresses import Bus, SerialBus, parse_bus

EXIT_OK = 0
EXIT_UNAVAILABLE = 1
EXIT_MISTAKE = 2
UNLIMITED = Bounds(max_current_a=100_000.0)
"""Nobody told which fuse this meter sits behind."""


class Reader(Protocol):
    async def read(self) -> DecodedValues:
        """Return what the meter says, or raise `Unavailable`."""


OpenMeter = Callable[[Bus, MeterModel, int], AbstractAsyncContextManager[Reader]]


def models(console: Console) -> int:
    """Print the meter library."""
    table = Table("model", "meter", "read", title="Meters this gateway can read")
    for model in known_models().values():
        functions = {layout.function for layout in model.layouts}
        kinds = {3: "holding registers", 4: "input registers"}
        read = "SunSpec" if model.sunspec_bases else ", ".join(kinds[n] for n in functions)
        table.add_row(model.name, model.title, read)
    console.print(table)
    return EXIT_OK


async def read(url: str, model: str, unit: int, console: Console, open_meter: OpenMeter) -> int:
    """Read a meter once and print everything it says."""
    target = _target(url, model, console)
    if target is None:
        return EXIT_MISTAKE
    bus, meter = target
    async with open_meter(bus, meter, unit) as reader:
        try:
            values = await reader.read()
        except Unavailable as error:
            _print_failure(url, unit, error.reason, bus, console)
            return EXIT_UNAVAILABLE
    console.print(_table(values, f"{meter.title}, {url} unit {unit}"))
    if doubt := implausible(values, UNLIMITED):
        console.print(Text(f"the gateway would not use this reading: {doubt}", "bold red"))
        return EXIT_UNAVAILABLE
    return EXIT_OK


async def watch(
    url: str,
    model: str,
    unit: int,
    console: Console,
    open_meter: OpenMeter,
    *,
    sleep: Callable[[float], Awaitable[None]],
    period_s: float = 1.0,
) -> int:
    """Print a line for every reading until it is cancelled."""
    target = _target(url, model, console)
    if target is None:
        return EXIT_MISTAKE
    bus, meter = target
    console.print(f"{meter.title}, {url} unit {unit}; Ctrl-C ends")
    async with open_meter(bus, meter, unit) as reader:
        while True:
            try:
                console.print(_line(await reader.read()))
            except Unavailable as error:
                console.print(Text(error.reason, "bold red"))
            await sleep(period_s)


def _target(url: str, model: str, console: Console) -> tuple[Bus, MeterModel] | None:
    try:
        return parse_bus(url), meter_model(model)
    except ValueError as error:
        console.print(Text(f"{url} {error}", "bold red"))
    except UnknownMeterModel as error:
        console.print(Text(str(error), "bold red"))
    return None


def _print_failure(url: str, unit: int, reason: str, bus: Bus, console: Console) -> None:
    console.print(Text(f"{url} unit {unit}: {reason}", "bold red"))
    if reason.startswith("cannot connect"):
        serial = "that the adapter is plugged in and this user may open it"
        network = "address, port, cable and firewall; many meters take one connection only"
        console.print(f"check {serial if isinstance(bus, SerialBus) else network}")
    elif reason in ("no answer", "connection lost"):
        serial = "unit, baudrate, parity, termination, and whether A and B are swapped"
        network = "that this is a Modbus TCP port, and the unit behind a converter"
        console.print(f"check {serial if isinstance(bus, SerialBus) else network}")
    else:
        console.print("compare unit and model with the meter's label and menu")


def _table(values: DecodedValues, title: str) -> Table:
    table = Table("", "L1", "L2", "L3", "total", title=title)
    table.add_row("current A", *(_shown(value, 2) for value in values.currents), "")
    table.add_row("voltage V", *(_shown(value, 1) for value in values.voltages), "")
    powers = [_shown(value, 0) for value in values.powers]
    table.add_row("power W", *powers, _shown(values.power_w, 0))
    table.add_row("import Wh", "", "", "", _shown(values.energy_import_wh, 0))
    table.add_row("export Wh", "", "", "", _shown(values.energy_export_wh, 0))
    table.add_row("frequency Hz", "", "", "", _shown(values.frequency_hz, 2))
    return table


def _line(values: DecodedValues) -> str:
    currents = "  ".join(f"{_shown(value, 2):>8}" for value in values.currents)
    voltages = "  ".join(f"{_shown(value, 1):>6}" for value in values.voltages)
    return f"{currents} A   {voltages} V   {_shown(values.power_w, 0):>8} W"


def _shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
