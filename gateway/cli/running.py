"""How a command that goes on runs: until it is told to stop, and what is said when it cannot."""

import asyncio
import errno
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import typer
from rich.console import Console

EXIT_SITE_FILE = 2

log = logging.getLogger("gateway")


async def first_of(*works: Awaitable[Any]) -> None:
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


def run_until_signalled(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
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
