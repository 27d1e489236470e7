"""The HTTP side of a gateway on a free port of loopback, for the length of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway.adapters.web import Desk, serve
from site_config.links import Web


@contextlib.asynccontextmanager
async def serving(web: Web, desk: Desk) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(web, desk, on_listening=address.set_result))
    await asyncio.wait([task, address], return_when=asyncio.FIRST_COMPLETED)
    if not address.done():
        await task
    try:
        yield address.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
