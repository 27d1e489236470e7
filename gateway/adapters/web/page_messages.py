"""The OCPP frames that passed, of one station, of the cloud, or of all."""

from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.adapters.web.desk import Desk
from gateway.adapters.web.elements import MessageTrace
from gateway.operations import TraceEntry

REFRESH_S = 1.0
MOST_FRAMES = 200
ALL, CLOUD = "all", "cloud"


class MessagesPanel:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._zone = ZoneInfo(desk.state.site.site.timezone)
        self._last: TraceEntry | None = None
        with ui.element("div").classes("sg-card"):
            with ui.element("div").classes("sg-board-head"):
                ui.html("<h2>OCPP messages</h2>", sanitize=False)
                self._whose = ui.select([ALL, CLOUD, *desk.state.stations], value=ALL, label="of")
                self._whose.props("outlined dense").classes("sg-whose").on_value_change(
                    self._restart
                )
            self._trace = MessageTrace()

    def follow(self, tabs: ui.tabs, tab: ui.tab) -> None:
        """Keep it up to date for as long as its tab is open."""
        timer = ui.timer(REFRESH_S, self.refresh, active=False)
        tabs.on_value_change(lambda: setattr(timer, "active", tabs.value == tab._props["name"]))

    def refresh(self) -> None:
        whose = None if self._whose.value == ALL else self._whose.value
        entries = list(self._desk.operations.messages(whose, MOST_FRAMES))
        if not entries or entries[-1] is self._last:
            return
        known = next((n for n, entry in enumerate(entries) if entry is self._last), None)
        self._last = entries[-1]
        if known is None:
            self._trace.replace([self._row(entry) for entry in entries])
        else:
            self._trace.append([self._row(entry) for entry in entries[known + 1 :]])

    def _restart(self) -> None:
        self._last = None
        self._trace.replace([])
        self.refresh()

    def _row(self, entry: TraceEntry) -> dict[str, str]:
        at = entry.at.astimezone(self._zone)
        return {
            "at": f"{at:%H:%M:%S}.{at.microsecond // 1000:03}",
            "station": entry.station_id,
            "direction": entry.direction,
            "frame": entry.frame,
        }
