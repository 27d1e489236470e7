"""Put REST interface, metrics and page together into one ASGI application."""

from fastapi import FastAPI

from gateway.adapters.web.access import Access
from gateway.adapters.web.api import api, open_to_all
from gateway.adapters.web.desk import Desk
from gateway.adapters.web.refusals import speak_plainly
from site_config.model import Web

DESCRIPTION = """\
State and limits of one charging site. Send `Authorization: Bearer TOKEN` with a token of the
site file; its role says what you may do: a viewer looks, an operator also lowers limits and
decides about quarantined messages, an installer may do all of it. Every error is
`{"error": what is wrong, "advice": what to do about it}`.
"""


def build(web: Web, desk: Desk) -> FastAPI:
    """Return the application; importing this module is what takes the time."""
    app = FastAPI(
        title="site-gateway",
        description=DESCRIPTION,
        version="1",
        # the interactive documentation would load scripts from a foreign host
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.desk = desk
    app.state.access = Access(web.tokens)
    app.include_router(open_to_all)
    app.include_router(api)
    speak_plainly(app)
    return app
