"""`site-gateway`: the command line. Parses words, calls what does the work, returns its exit code.

0: done. 1: it failed while running. 2: the words or the site file are wrong; every mistake is told.
"""

import asyncio
import errno
import gc
import json
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.adapters.store_cli import outbox, transactions
from site_config.model import Site

app = typer.Typer(
    help="The gateway of an EV charging site: CSMS to its stations, one station to the cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
simulate = typer.Typer(help="Stations, a meter or a cloud for whoever has no hardware.")
meter = typer.Typer(help="Modbus meters: which there are, who answers, and what one says.")
app.add_typer(simulate, name="simulate", no_args_is_help=True)
app.add_typer(meter, name="meter", no_args_is_help=True)
app.add_typer(outbox, name="outbox")
app.add_typer(transactions, name="transactions")

SiteFile = Annotated[Path, typer.Argument(metavar="SITE.yaml", help="The site file.")]
DataDir = Annotated[Path, typer.Option("--data", help="Where the gateway keeps its database.")]
DEFAULT_DATA = Path("data")
EXIT_SITE_FILE = 2
EXIT_INTERRUPTED = 130
"""As of a program that Ctrl-C ended."""

console = Console()
log = logging.getLogger("gateway")


class SimulatedVersion(StrEnum):
    V16 = "1.6"
    V201 = "2.0.1"
    MIXED = "mixed"


@app.command()
def check(site_file: SiteFile) -> None:
    """Tell every mistake of a site file with its line, prove it, print the site as a tree."""
    from gateway.check import run_check

    raise typer.Exit(run_check(site_file, console))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the site file, for editors."""
    from site_config.schema import site_schema

    typer.echo(json.dumps(site_schema(), indent=2))


@app.command()
def run(
    site_file: SiteFile,
    data: DataDir = DEFAULT_DATA,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every OCPP frame.")] = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    site = _proved_site(site_file)
    _log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    data.mkdir(parents=True, exist_ok=True)
    _run_until_signalled(lambda stop: _gateway(site, data, stop=stop))


@app.command()
def commission(
    site_file: SiteFile,
    station: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
    high_a: Annotated[float, typer.Option(help="What a vehicle is offered at most, A.")] = 16.0,
    patience_min: Annotated[float, typer.Option(help="Ends when no vehicle came so long.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="The report for scripts.")] = False,
    data: DataDir = DEFAULT_DATA,
) -> None:
    """Find out how the site is wired: one vehicle at a time is given more and less current.

    Plug a vehicle in, one-phase if you can, and show any card. Nothing is billed, no limit of the
    site file is exceeded, the cloud is not called; the gateway itself must not be running, nor any
    transaction by its books.
    """
    from gateway.app import run as run_gateway
    from gateway.commissioning import command
    from gateway.commissioning.procedure import Procedure

    output = Console(stderr=True) if as_json else console
    site = _proved_site(site_file)
    if missing := command.what_is_missing(site):
        output.print(f"[bold red]{missing}[/]")
        raise typer.Exit(EXIT_SITE_FILE)
    if unknown := set(station or ()) - site.stations.keys():
        output.print(f"[bold red]no such station: {', '.join(sorted(unknown))}[/]")
        raise typer.Exit(EXIT_SITE_FILE)
    if charging := _charging(data):
        output.print(
            f"[bold red]{', '.join(charging)} charge by the books in {data}[/]: what they end with "
            "would be lost here. Start the gateway, have them unplugged, stop it, and try again."
        )
        raise typer.Exit(EXIT_SITE_FILE)
    procedure = Procedure(site, high_a=high_a, only=frozenset(station or ()), told=output.print)

    async def commissioned(stop: asyncio.Event, scratch: Path) -> None:
        trial, is_done = command.for_trial(site), asyncio.Event()
        running = run_gateway(trial, scratch, stop=is_done, commissioning=procedure)
        watching = command.watch(
            procedure,
            output,
            pause=asyncio.sleep,
            clock=time.monotonic,
            patience_s=60 * patience_min,
            stop=stop,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(running)
            await watching
            is_done.set()

    with TemporaryDirectory() as scratch:
        _run_until_signalled(lambda stop: commissioned(stop, Path(scratch)))
    raise typer.Exit(command.report(procedure, site, output, is_json=as_json))


@app.command()
def demo() -> None:
    """Run a whole simulated site (stations, cars, meter, cloud) through the real gateway."""
    from gateway.simulation.demo import run_demo

    logging.getLogger().addHandler(logging.NullHandler())  # the demo tells its own story
    _run_until_signalled(lambda stop: _first_of(run_demo(_gateway, console=console), stop.wait()))


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Written whole or not at all.")],
    data: DataDir = DEFAULT_DATA,
) -> None:
    """Copy the database as it is at one instant; the gateway may be running."""
    from gateway.adapters.store_commands import write_backup

    raise typer.Exit(write_backup(_database(data), target, console))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file made by `backup`.")],
    data: DataDir = DEFAULT_DATA,
) -> None:
    """Put a backup in place; the gateway must not be running, what was there is kept aside."""
    from gateway.adapters.store_commands import restore_backup

    raise typer.Exit(restore_backup(source, data, console))


# Parts of a site, simulated.


@simulate.command()
def stations(
    url: Annotated[str, typer.Option(help="The CSMS, e.g. ws://127.0.0.1:9000/ocpp")],
    count: Annotated[int, typer.Option(help="How many.")] = 10,
    version: SimulatedVersion = SimulatedVersion.MIXED,
    evses: Annotated[int, typer.Option(help="EVSEs of each.")] = 1,
    prefix: Annotated[str, typer.Option(help="Identities are PREFIX-01, -02, …")] = "SIM",
    password: Annotated[str | None, typer.Option(envvar="STATION_PASSWORD")] = None,
) -> None:
    """Connect charging stations to a CSMS; cars come and go."""
    from gateway.simulation.commands import simulate_stations

    _run_until_signalled(
        lambda stop: _first_of(
            simulate_stations(
                url,
                count,
                version.value,
                console=console,
                evses=evses,
                prefix=prefix,
                password=password,
            ),
            stop.wait(),
        )
    )


@simulate.command(name="meter")
def simulated_meter(
    model: Annotated[str, typer.Option(help="A name of `meter models`.")] = "eastron-sdm630",
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:5020",
) -> None:
    """Serve a Modbus TCP meter with the load of an office building."""
    from gateway.simulation.commands import simulate_meter

    _run_until_signalled(
        lambda stop: _first_of(simulate_meter(model, listen, console=console), stop.wait())
    )


@simulate.command()
def cloud(
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:9100",
) -> None:
    """Serve a schema-strict cloud CSMS of both versions; tells what it books."""
    from gateway.simulation.commands import simulate_cloud

    _run_until_signalled(
        lambda stop: _first_of(simulate_cloud(listen, console=console), stop.wait())
    )


class DayPolicy(StrEnum):
    FAIR = "fair"
    DEPARTURE = "departure"


@simulate.command()
def day(
    site_file: Annotated[Path, typer.Option("--site", help="The site file.")],
    sessions: Annotated[
        Path,
        typer.Option(help="CSV: evse,phases,arrival,departure,energy_wh,max_current_a"),
    ],
    policy: Annotated[
        DayPolicy, typer.Option(help="What is known of the cars: who draws, or departures too.")
    ] = DayPolicy.FAIR,
    departure_error_s: Annotated[
        float, typer.Option(min=0, help="Told departures are wrong by this, RMS.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same day.")] = 1,
    step_s: Annotated[
        float | None, typer.Option(min=0.5, help="Between two steps; 60, or 5 with --realistic.")
    ] = None,
    realistic: Annotated[
        bool, typer.Option("--realistic", help="Delays, tapering cars, rises as slow as live.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Save a picture, such as day.png.")] = None,
) -> None:
    """Charge the cars of a CSV file on a site, in virtual time: what can its connection carry?"""
    from gateway.simulation.day import Weather
    from gateway.simulation.day_command import Outputs, simulate_day

    weather = Weather(
        policy=policy.value,
        departure_error_s=departure_error_s,
        seed=seed,
        step_s=step_s or (5.0 if realistic else 60.0),
        is_realistic=realistic,
    )
    outputs = Outputs(console, Console(stderr=True), as_json, plot)
    raise typer.Exit(simulate_day(site_file, sessions, weather, outputs))


# Meters.

Unit = Annotated[int, typer.Option(help="Modbus unit id.", min=0, max=255)]
Model = Annotated[str, typer.Option(help="A name of `meter models`, or a data file of your own.")]
Url = Annotated[
    str,
    typer.Argument(
        help="tcp://HOST:PORT, rtu:///dev/ttyUSB0?baudrate=9600&parity=N, rtutcp://HOST:PORT or "
        "tls://HOST:802?ca=FILE"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON, for scripts.")]


@meter.command()
def models(
    search: Annotated[str, typer.Argument(help="Words of name or maker; all of them.")] = "",
    is_json: Json = False,
) -> None:
    """List the meters this gateway can read, what each tells and where its registers come from."""
    from gateway.meter_commands import models as print_models

    raise typer.Exit(print_models(console, search, is_json=is_json))


@meter.command()
def scan(
    url: Url,
    units: Annotated[str, typer.Option(help="Which to ask: 1-247, or 1,2,71.")] = "1-247",
    timeout: Annotated[float, typer.Option(help="How long a unit may take, s.", min=0.05)] = 0.3,
    is_json: Json = False,
) -> None:
    """Find who answers on a bus or host, and what he probably is. Reads only."""
    from gateway.adapters.meter_line import open_line
    from gateway.meter_commands import find

    raise typer.Exit(
        _run_meter(find(url, units, console, open_line, timeout_s=timeout, is_json=is_json))
    )


@meter.command()
def read(url: Url, model: Model, unit: Unit = 1, is_json: Json = False) -> None:
    """Read a meter once and print everything it says, and what is odd about it."""
    from gateway.adapters.meter import open_meter
    from gateway.meter_commands import read as read_meter

    raise typer.Exit(_run_meter(read_meter(url, model, unit, console, open_meter, is_json=is_json)))


@meter.command()
def watch(url: Url, model: Model, unit: Unit = 1, is_json: Json = False) -> None:
    """Show a meter every second until Ctrl-C: values, extremes, age, reading times, failures."""
    from gateway.adapters.meter import open_meter
    from gateway.meter_commands import watch as watch_meter

    watching = watch_meter(
        url,
        model,
        unit,
        console,
        open_meter,
        sleep=asyncio.sleep,
        clock=time.monotonic,
        is_json=is_json,
    )
    # Ctrl-C is how a watch ends.
    raise typer.Exit(_run_meter(watching, interrupted=0))


def _run_meter(work: Coroutine[Any, Any, int], *, interrupted: int = EXIT_INTERRUPTED) -> int:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return interrupted


# The journal.


@app.command()
def why(
    evse: Annotated[str, typer.Argument(metavar="STATION[/EVSE]")],
    at: Annotated[str | None, typer.Option(help="18:04, or an RFC 3339 instant.")] = None,
    data: DataDir = DEFAULT_DATA,
    csv: Annotated[Path | None, typer.Option(help="Write the whole day's entries.")] = None,
) -> None:
    """Say why an EVSE was limited as it was, today or within the last 24 hours."""
    from gateway.adapters.store_why import why as say_why

    raise typer.Exit(say_why(_database(data), evse, at, csv, console))


# How things run.


def _proved_site(path: Path) -> Site:
    from gateway.check import print_mistakes, proved_site
    from site_config.errors import SiteConfigError

    try:
        return proved_site(path)
    except SiteConfigError as error:
        print_mistakes(path, error, Console(stderr=True))
        raise typer.Exit(EXIT_SITE_FILE) from None


async def _gateway(site: Site, data_dir: Path, *, stop: asyncio.Event) -> None:
    from gateway.app import run as run_gateway

    # What is loaded by now lives as long as the program: not looked at again, and what comes
    # after is looked at more rarely. Measured: a tenth less CPU per message.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    await run_gateway(site, data_dir, stop=stop)


def _charging(data: Path) -> list[str]:
    """Return where somebody charges by the books of a gateway that was here before."""
    from gateway.adapters.store_transactions import running
    from gateway.errors import StoreFailed

    if not (data / "gateway.db").exists():
        return []
    try:
        return running(data / "gateway.db")
    except StoreFailed as error:
        Console(stderr=True).print(f"[bold red]{error}[/]")
        raise typer.Exit(1) from None


async def _first_of(*works: Awaitable[Any]) -> None:
    """Run until the first of them ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _run_until_signalled(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run with the fast event loop; SIGTERM and Ctrl-C set the event, and the exit code is 0."""
    import uvloop

    from gateway.errors import GatewayError
    from gateway.slots import SlotConflict

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await work(stop)

    try:
        uvloop.run(main())
    except (GatewayError, OSError, ExceptionGroup) as error:
        cause = _first_cause(error)
        if not isinstance(cause, GatewayError | OSError):
            raise
        log.error('gateway.failed reason="%s"', cause)
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            Console(stderr=True).print(
                "[bold red]the address is taken[/]: stop the gateway, or whoever listens there, "
                "or change `listen` in the site file"
            )
        Console(stderr=True).print(f"[bold red]{type(cause).__name__}[/]: {cause}")
        # A conflict is in the site file: starting again would not help.
        raise typer.Exit(EXIT_SITE_FILE if isinstance(cause, SlotConflict) else 1) from None


def _first_cause(error: BaseException) -> BaseException:
    """Return what brought down the tasks that ran side by side."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)-7s %(message)s"
    )
    for noisy in ("pymodbus", "apscheduler", "asyncio", "websockets", "uvicorn", "nicegui"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _database(data: Path) -> Path:
    database = data / "gateway.db"
    if not database.exists():
        console.print(f"[bold red]no database at {database}[/]: name the directory with --data")
        raise typer.Exit(2)
    return database


def main() -> None:
    app()


if __name__ == "__main__":
    main()
