"""What the cloud has not confirmed, and what it will never accept as it is."""

from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.adapters.web.access import may
from gateway.adapters.web.desk import Desk
from gateway.adapters.web.elements import DepthPlot
from gateway.adapters.web.page_edit import EditDialog
from gateway.adapters.web.wording import duration
from gateway.errors import StoreFailed
from gateway.exports import event_in_words
from gateway.operations import Caller, NotAllowed, NotFound
from gateway.records import OutboxRow, QuarantinedRow
from site_config.links import Role

REFRESH_S = 2.0
MOST_ROWS = 50


class OutboxPanel:
    def __init__(self, desk: Desk, caller: Caller) -> None:
        self._desk = desk
        self._caller = caller
        self._zone = ZoneInfo(desk.state.site.site.timezone)
        is_operator = may(caller, Role.OPERATOR)
        self._dialog = EditDialog(desk, caller, self.refresh) if is_operator else None
        self._shown: tuple[list[OutboxRow], list[QuarantinedRow]] | None = None
        cloud = desk.state.site.cloud
        with ui.element("div").classes("sg-card"):
            ui.html("<h2>Cloud</h2>", sanitize=False)
            host = urlsplit(cloud.url).hostname  # the rest of an address may hold a secret
            ui.label(f"This site is known as {cloud.identity} at {host}.")
            self._facts = ui.label()
            DepthPlot()
        with ui.element("div").classes("sg-card"):
            with ui.element("div").classes("sg-board-head"):
                ui.html("<h2>In quarantine</h2>", sanitize=False)
                for form in ("csv", "jsonl"):
                    address = f"/api/v1/outbox?limit=10000&format={form}"
                    ui.link(form.upper(), address).classes("sg-button").props("download")
            self._quarantine = ui.element("div")
        with ui.element("div").classes("sg-card"):
            ui.html("<h2>Waiting for the cloud</h2>", sanitize=False)
            self._pending = ui.element("div")

    def follow(self, tabs: ui.tabs, tab: ui.tab) -> None:
        """Keep it up to date for as long as its tab is open; the disk is asked no oftener."""
        timer = ui.timer(REFRESH_S, self.refresh, active=False)
        tabs.on_value_change(lambda: setattr(timer, "active", tabs.value == tab._props["name"]))

    async def refresh(self) -> None:
        self._facts.set_text(self._in_words())
        operations = self._desk.operations
        pending = list(await operations.outbox(MOST_ROWS))
        quarantined = list(await operations.quarantined())
        if (pending, quarantined) == self._shown:
            return
        self._shown = pending, quarantined
        self._show_pending(pending)
        self._show_quarantined(quarantined)

    def _in_words(self) -> str:
        cloud = self._desk.state.cloud
        if not cloud.pending:
            return "Nothing waits: the cloud has confirmed everything."
        age = self._desk.now_utc() - cloud.oldest_at if cloud.oldest_at else timedelta()
        drain_s = cloud.drain_s
        if drain_s is None:
            end = "It is not known how long they will take."
        else:
            end = f"They will take about {duration(timedelta(seconds=drain_s))}."
        return f"{cloud.pending} messages wait, the oldest for {duration(age)}. {end}"

    def _show_pending(self, rows: list[OutboxRow]) -> None:
        self._pending.clear()
        with self._pending:
            total = self._desk.state.cloud.pending
            if total > len(rows):
                ui.label(f"The oldest {len(rows)} of {total}.").classes("sg-muted")
            if not rows:
                ui.label("Nothing: the cloud has confirmed everything.").classes("sg-muted")
            for row in rows:
                self._line(row, "offline" if row.is_offline else "")

    def _show_quarantined(self, rows: list[QuarantinedRow]) -> None:
        self._quarantine.clear()
        with self._quarantine:
            if not rows:
                ui.label("Nothing.").classes("sg-muted")
            for quarantined in rows:
                with self._line(quarantined.row, f"{quarantined.code}: {quarantined.description}"):
                    if self._dialog is not None:
                        self._buttons(quarantined, self._dialog)

    def _buttons(self, found: QuarantinedRow, dialog: EditDialog) -> None:
        row_id = found.row.id
        retry, discard = (partial(self._release, row_id, is_retried=each) for each in (True, False))
        with ui.element("div").classes("sg-actions"):
            ui.button("Retry", on_click=retry).props("outline dense no-caps")
            ui.button("Edit…", on_click=partial(dialog.open, found)).props("flat dense no-caps")
            with ui.button("Discard…").props("flat dense no-caps color=negative"), ui.menu():
                ui.menu_item("Give it up for good: it will never be billed", on_click=discard)

    async def _release(self, row_id: int, *, is_retried: bool) -> None:
        try:
            await self._desk.operations.release(row_id, is_retried=is_retried, caller=self._caller)
        except (NotAllowed, NotFound, StoreFailed) as refusal:
            ui.notify(str(refusal), type="negative")
        await self.refresh()

    def _line(self, row: OutboxRow, remark: str) -> ui.element:
        at = row.enqueued_at.astimezone(self._zone) if row.enqueued_at else None
        line = ui.element("div").classes("sg-line")
        with line:
            ui.label(f"#{row.id}").classes("sg-muted")
            ui.label(event_in_words(row.event))
            ui.label(f"{at:%-d %b %H:%M:%S}" if at else "")
            ui.label(remark).classes("sg-muted")
        return line
