"""`site-gateway meter`: which meters there are, who answers, and what one says."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console

meter = typer.Typer(help="Modbus meters: which there are, who answers, and what one says.")

console = Console()

EXIT_INTERRUPTED = 130
"""As of a program that Ctrl-C ended."""

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
