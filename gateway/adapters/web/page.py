"""The operators' page: what stands where. Built once per browser, kept up to date by `Live`."""

from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import Client, ui

from gateway.adapters.web.access import may
from gateway.adapters.web.door import CALLER_KEY
from gateway.adapters.web.elements import (
    CircuitBars,
    CurrentPlot,
    EvseBoard,
    SiteHeader,
    TransactionTable,
)
from gateway.adapters.web.live import Live
from gateway.adapters.web.page_limit import LimitDialog
from gateway.adapters.web.page_messages import MessagesPanel
from gateway.adapters.web.page_outbox import OutboxPanel
from gateway.adapters.web.page_wish import WishDialog
from gateway.operations import Caller
from site_config.links import Role

STATIC = Path(__file__).parent / "static"
LIVE_KEY = "live"
"""Where the application keeps its `Live` in the state every request carries."""

BRAND = "#14604f"

shell = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
"""NiceGUI is one per process; so is the application it lives in."""

ui.run_with(
    shell,
    title="site-gateway",
    favicon=STATIC / "favicon.svg",
    language="en-US",
    tailwind=False,
    binding_refresh_interval=None,
    show_welcome_message=False,
)


@ui.page("/")
async def site_page(request: Request, client: Client) -> None:
    """Build the page for whoever the door has let in."""
    caller: Caller = request.scope[CALLER_KEY]
    live: Live = request.scope["state"][LIVE_KEY]
    client.title = live.desk.state.site.site.name
    ui.colors(primary=BRAND)
    ui.dark_mode(None)  # as the device has it
    style = STATIC / "site.css"
    ui.add_head_html(
        f'<link rel="stylesheet" href="/static/site.css?{style.stat().st_mtime_ns}">'
        + live.embedded(caller.name)
    )
    SiteHeader()
    with ui.tabs().classes("sg-tabs").props("align=left no-caps") as tabs:
        site, charged = ui.tab("Site"), ui.tab("Transactions")
        cloud, messages = ui.tab("Cloud"), ui.tab("Messages")
    with ui.tab_panels(tabs, value=site, animated=False).classes("sg-panels"):
        with ui.tab_panel(site):
            _site_panel(live, caller)
        with ui.tab_panel(charged), ui.element("div").classes("sg-card"):
            TransactionTable()
        with ui.tab_panel(cloud):
            outbox = OutboxPanel(live.desk, caller)
        with ui.tab_panel(messages):
            trace = MessagesPanel(live.desk, caller)
    outbox.follow(tabs, cloud)
    trace.follow(tabs, messages)
    client.on_connect(lambda: live.join(client))


def _site_panel(live: Live, caller: Caller) -> None:
    is_operator = may(caller, Role.OPERATOR)
    dialog = LimitDialog(live.desk, caller) if is_operator else None
    wish = WishDialog(live.desk, caller) if is_operator else None
    with ui.element("div").classes("sg-overview"):
        with ui.element("div").classes("sg-card sg-plot-card"):
            CurrentPlot()
        with ui.element("div").classes("sg-card"):
            CircuitBars(dialog.open if dialog else None)
    EvseBoard(wish.open if wish else None)
