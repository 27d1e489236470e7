"""The live parts of the page: Vue components under `static/`, as NiceGUI elements.

They show the site store, which `Live` feeds once a second; none is told anything by itself.
"""

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element


class SiteHeader(
    Element,
    component="static/site_header.js",
    esm={"site-gateway-store": "static/site_store"},
):
    """Name, clock, power, cloud and outbox; what is wrong, if anything is."""


class CircuitBars(Element, component="static/circuit_bars.js"):
    """Every circuit with a bar per phase."""

    def __init__(self, on_limit: Callable[[str], None] | None) -> None:
        """`on_limit` is told the circuit whose limit shall change; None: it may not."""
        super().__init__()
        self._props["mayChange"] = on_limit is not None
        if on_limit is not None:
            self.on("limit", lambda event: on_limit(str(event.args)))


class EvseBoard(
    Element,
    component="static/evse_board.js",
    esm={"site-gateway-day": "static/evse_day"},
):
    """Every EVSE as a card; as a row where there are many."""

    def __init__(self, on_wish: Callable[[str, int], None] | None) -> None:
        """`on_wish` is told the EVSE whose driver wants something; None: nobody may say so."""
        assert ui.echart is not None  # brings the plotting library into the page
        super().__init__()
        self._props["mayChange"] = on_wish is not None
        if on_wish is not None:
            self.on("wish", lambda event: on_wish(str(event.args[0]), int(event.args[1])))


class CurrentPlot(Element, component="static/current_plot.js"):
    """The grid connection point's currents against its limit."""

    def __init__(self) -> None:
        assert ui.echart is not None  # brings the plotting library into the page
        super().__init__()


class TransactionTable(Element, component="static/transaction_table.js"):
    """What was charged, and the way of each of its messages."""


class DepthPlot(Element, component="static/depth_plot.js"):
    """How many messages have waited for the cloud over the last hours."""


class MessageTrace(Element, component="static/message_trace.js"):
    """OCPP frames, newest first."""

    def replace(self, entries: list[dict[str, Any]]) -> None:
        self.run_method("replace", entries)

    def append(self, entries: list[dict[str, Any]]) -> None:
        self.run_method("append", entries)
