"""The OCPP frames that passed, of one station, of the cloud, or of all: to search and take away."""

import asyncio
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.adapters.web.access import may
from gateway.adapters.web.desk import Desk
from gateway.adapters.web.elements import MessageTrace
from gateway.operations import Caller, TraceEntry, TraceQuery
from site_config.links import Role

REFRESH_S = 1.0
SEARCH_AGAIN_S = 5.0
MOST_FRAMES = 200
FILE_FRAMES = 50_000
ALL, CLOUD = "all", "cloud"
DIRECTIONS = {"both ways": None, "→ in": "in", "← out": "out"}


class MessagesPanel:
    def __init__(self, desk: Desk, caller: Caller) -> None:
        self._desk = desk
        self._caller = caller
        self._zone = ZoneInfo(desk.state.site.site.timezone)
        self._last: TraceEntry | None = None
        self._looked_at = 0.0
        with ui.element("div").classes("sg-card"):
            with ui.element("div").classes("sg-board-head"):
                ui.html("<h2>OCPP messages</h2>", sanitize=False)
                self._whose = ui.select([ALL, CLOUD, *desk.state.stations], value=ALL, label="of")
                self._direction = ui.select(list(DIRECTIONS), value="both ways", label="direction")
                self._action = ui.input("action").props("debounce=400 clearable")
                self._text = ui.input("text").props("debounce=400 clearable")
                for field in (self._whose, self._direction, self._action, self._text):
                    field.props("outlined dense").classes("sg-field")
                    field.on_value_change(self._restart)
                self._file = (
                    ui.link("Download", "/").classes("sg-button sg-download").props("download")
                )
            self._trace = MessageTrace()
        self._name_file()

    def follow(self, tabs: ui.tabs, tab: ui.tab) -> None:
        """Keep it up to date for as long as its tab is open."""
        timer = ui.timer(REFRESH_S, self.refresh, active=False)
        tabs.on_value_change(lambda: setattr(timer, "active", tabs.value == tab._props["name"]))

    async def refresh(self) -> None:
        """Look again; seldom where all that is kept is searched."""
        is_search = bool(self._text.value or self._action.value)
        if not is_search or self._desk.now() - self._looked_at >= SEARCH_AGAIN_S:
            await self._look()

    async def _look(self) -> None:
        query = self._query()
        self._looked_at = self._desk.now()
        # On a thread: to search all that is kept takes longer than a station may wait.
        entries = list(await asyncio.to_thread(self._desk.operations.messages, query))
        if query != self._query():
            return  # somebody types on: the next look finds it
        if not entries or entries[-1] == self._last:
            return
        known = next((n for n, entry in enumerate(entries) if entry == self._last), None)
        self._last = entries[-1]
        if known is None:
            self._trace.replace([self._row(entry) for entry in entries])
        else:
            self._trace.append([self._row(entry) for entry in entries[known + 1 :]])

    def _query(self) -> TraceQuery:
        return TraceQuery(
            None if self._whose.value == ALL else self._whose.value,
            MOST_FRAMES,
            text=(self._text.value or "").strip(),
            action=(self._action.value or "").strip() or None,
            direction=DIRECTIONS[self._direction.value],
            has_tokens=may(self._caller, Role.OPERATOR),
        )

    def _name_file(self) -> None:
        query = self._query()
        words = {
            "format": "jsonl",
            "limit": FILE_FRAMES,
            "station": query.station,
            "text": query.text,
            "action": query.action,
            "direction": query.direction,
        }
        asked = urlencode({name: word for name, word in words.items() if word})
        self._file.props(f'href="/api/v1/messages?{asked}"')

    async def _restart(self) -> None:
        self._last = None
        self._trace.replace([])
        self._name_file()
        await self._look()

    def _row(self, entry: TraceEntry) -> dict[str, str]:
        at = entry.at.astimezone(self._zone)
        return {
            "at": f"{at:%H:%M:%S}.{at.microsecond // 1000:03}",
            "station": entry.station_id,
            "direction": entry.direction,
            "frame": entry.frame,
        }
