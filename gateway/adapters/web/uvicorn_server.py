"""uvicorn as a guest in the gateway's event loop: no signal handlers, no access log.

Imported late, with everything that is slow to import behind it.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from gateway.adapters.web.desk import Desk
from gateway.adapters.web.site_app import build
from site_config.links import Web

GRACE_S = 1
"""How long requests may still run when we stop."""


class GuestServer(uvicorn.Server):
    """Tells when it listens, and leaves the signals to the program."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


def build_server(web: Web, desk: Desk, on_started: Callable[[], None]) -> GuestServer:
    """Return the server, ready to `serve`. Raises OSError for a certificate it cannot read."""
    config = uvicorn.Config(
        build(web, desk),
        lifespan="on",
        log_config=None,
        access_log=False,  # addresses may hold a token
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=web.tls.certificate if web.tls else None,
        ssl_keyfile=web.tls.key if web.tls else None,
    )
    config.load()
    return GuestServer(config, on_started)
