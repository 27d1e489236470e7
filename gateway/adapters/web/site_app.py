"""Put REST interface, metrics and page together into one ASGI application.

Importing this module is what takes the time.
"""

import contextlib
from collections.abc import AsyncIterator

import nicegui
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from gateway.adapters.web.access import Access
from gateway.adapters.web.api import api, open_to_all
from gateway.adapters.web.api_evses import evses
from gateway.adapters.web.desk import Desk
from gateway.adapters.web.door import Door, door
from gateway.adapters.web.live import REFRESH_S, Live
from gateway.adapters.web.page import LIVE_KEY, STATIC, shell
from gateway.adapters.web.refusals import speak_plainly
from site_config.links import Web

DESCRIPTION = """\
State and limits of one charging site. Send `Authorization: Bearer TOKEN` with a token of the
site file; its role says what you may do: a viewer looks, an operator also lowers limits and
decides about quarantined messages, an installer may do all of it. Every error is
`{"error": what is wrong, "advice": what to do about it}`.
"""


def build(web: Web, desk: Desk) -> FastAPI:
    """Return the application. One at a time may run in a process, for NiceGUI's sake."""
    access = Access(web.tokens)
    live = Live(desk)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Live]]:
        async with shell.router.lifespan_context(shell):
            timer = nicegui.app.timer(REFRESH_S, live.refresh)
            yield {LIVE_KEY: live}
            timer.cancel()
            live.close()

    app = FastAPI(
        title="site-gateway",
        description=DESCRIPTION,
        version="1",
        # the interactive documentation would load scripts from a foreign host
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.state.access = access
    app.include_router(open_to_all)
    app.include_router(evses)
    app.include_router(api)
    app.include_router(door)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.mount("/", shell)
    app.add_middleware(Door, access=access, desk=desk)
    speak_plainly(app)
    return app
