"""Listen for HTTP in the gateway's own event loop, until cancelled.

Browsers with open pages do not keep the gateway from stopping: they are told that we go, and
cut a second later.
"""

import asyncio
import importlib
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.adapters.web.desk import Desk
from gateway.errors import GatewayError
from site_config.addresses import host_and_port
from site_config.links import Web

if TYPE_CHECKING:
    from gateway.adapters.web.uvicorn_server import GuestServer

log = logging.getLogger(__name__)

BACKLOG = 128


class WebFailed(GatewayError):
    """The HTTP side could not start, or ended by itself."""


async def serve(
    web: Web, desk: Desk, *, on_listening: Callable[[str], None] = lambda url: None
) -> None:
    """Serve until cancelled; `on_listening` is told the address once it answers.

    Raises WebFailed when the address is taken or a certificate cannot be read.
    """
    listener = _listen(web)
    url = _url(web, listener)

    def started() -> None:
        log.info("web.listening url=%s", url)
        on_listening(url)

    try:
        server = await asyncio.to_thread(_build_server, web, desk, started)
    except BaseException:
        listener.close()
        raise
    serving = asyncio.create_task(_serve(server, listener), name="web")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        log.info("web.stopped url=%s", url)


async def _serve(server: "GuestServer", listener: socket.socket) -> None:
    try:
        await server.serve(sockets=[listener])
    except SystemExit as reason:  # uvicorn's word for a start that failed
        raise WebFailed("the page and the HTTP interface could not start") from reason


def _listen(web: Web) -> socket.socket:
    host, port = host_and_port(web.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as reason:
        raise WebFailed(f"web.listen {web.listen} cannot be used: {reason}") from reason


def _url(web: Web, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if web.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _build_server(web: Web, desk: Desk, started: Callable[[], None]) -> "GuestServer":
    """Import and build the HTTP side: takes a second, so it runs in a thread."""
    module = importlib.import_module("gateway.adapters.web.uvicorn_server")
    try:
        server: GuestServer = module.build_server(web, desk, started)
    except OSError as reason:  # ssl.SSLError is one
        raise WebFailed(f"web.tls cannot be used: {reason}") from reason
    return server
