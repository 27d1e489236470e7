"""`site-gateway`: the command line. Parses words, calls what does the work, returns its exit code.

0: done. 1: it failed while running. 2: the words or the site file are wrong; every mistake is told.
"""

import asyncio
import gc
import json
import logging
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from gateway.adapters.store_cli import outbox, transactions
from gateway.cli.metering import meter
from gateway.cli.running import EXIT_SITE_FILE, first_of, run_until_signalled
from gateway.cli.simulating import simulate
from site_config.model import Site

app = typer.Typer(
    help="The gateway of an EV charging site: CSMS to its stations, one station to the cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.add_typer(simulate, name="simulate", no_args_is_help=True)
app.add_typer(meter, name="meter", no_args_is_help=True)
app.add_typer(outbox, name="outbox")
app.add_typer(transactions, name="transactions")

SiteFile = Annotated[Path, typer.Argument(metavar="SITE.yaml", help="The site file.")]
DataDir = Annotated[Path, typer.Option("--data", help="Where the gateway keeps its database.")]
DEFAULT_DATA = Path("data")

console = Console()


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
    run_until_signalled(lambda stop: _gateway(site, data, stop=stop))


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
        run_until_signalled(lambda stop: commissioned(stop, Path(scratch)))
    raise typer.Exit(command.report(procedure, site, output, is_json=as_json))


@app.command()
def demo() -> None:
    """Run a whole simulated site (stations, cars, meter, cloud) through the real gateway."""
    from gateway.simulation.demo import run_demo

    logging.getLogger().addHandler(logging.NullHandler())  # the demo tells its own story
    run_until_signalled(lambda stop: first_of(run_demo(_gateway, console=console), stop.wait()))


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
