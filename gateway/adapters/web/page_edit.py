"""The dialogs in which an operator mends a quarantined message, or gives it up."""

from collections.abc import Awaitable, Callable

import orjson
from nicegui import ui

from gateway.adapters.web.desk import Desk
from gateway.errors import StoreFailed
from gateway.exports import event_in_words, event_json
from gateway.operations import Caller, NotAllowed, NotFound
from gateway.quarantine import EditRefused
from gateway.quarantine_edits import edit_json
from gateway.records import QuarantinedRow

MAX_NOTE_LENGTH = 500


class EditDialog:
    """`changed` is awaited after the message was changed."""

    def __init__(self, desk: Desk, caller: Caller, changed: Callable[[], Awaitable[None]]) -> None:
        self._desk = desk
        self._caller = caller
        self._changed = changed
        self._row_id = 0
        with ui.dialog() as self._dialog, ui.card().classes("sg-dialog sg-wide"):
            self._title = ui.label().classes("sg-dialog-title")
            self._said = ui.label().classes("sg-muted")
            self._event = ui.textarea("What it tells the cloud").props("outlined autogrow")
            self._event.classes("sg-code")
            self._note = ui.input("Why").props(f"outlined maxlength={MAX_NOTE_LENGTH}")
            self._refusal = ui.label().classes("sg-note sg-bad")
            self._edits = ui.element("div").classes("sg-edits")
            with ui.element("div").classes("sg-actions"):
                ui.button("Cancel", on_click=self._dialog.close).props("flat no-caps")
                ui.button("Save", on_click=self._save).props("unelevated no-caps")

    async def open(self, found: QuarantinedRow) -> None:
        """Show what a message tells, what the cloud said to it, and who has changed it before."""
        self._row_id = found.row.id
        self._title.set_text(f"#{found.row.id}: {event_in_words(found.row.event)}")
        self._said.set_text(f"The cloud said: {found.code} {found.description}".rstrip())
        told = orjson.dumps(event_json(found.row.event), option=orjson.OPT_INDENT_2)
        self._event.value = told.decode()
        self._note.value = ""
        self._refuse("")
        self._edits.clear()
        with self._edits:
            for edit in await self._desk.operations.quarantine_edits(found.row.id):
                line = edit_json(edit)
                ui.label(f"{line['edited_at']} {line['edited_by']}: {line['note']}")
                for change in line["changes"]:
                    moved = f"{change['path']}: {change['old']} → {change['new']}"
                    ui.label(moved).classes("sg-muted")
        self._dialog.open()

    async def _save(self) -> None:
        note = (self._note.value or "").strip()
        if not note:
            self._refuse("Say why: it is kept with the change.")
            return
        try:
            event = orjson.loads(self._event.value or "")
            await self._desk.operations.edit(
                self._row_id, changes=None, event=event, note=note, caller=self._caller
            )
        except orjson.JSONDecodeError as error:
            self._refuse(f"Not JSON: {error}")
        except (EditRefused, NotAllowed, NotFound, StoreFailed) as refusal:
            self._refuse(f"Not changed: {refusal}")
        else:
            self._dialog.close()
            ui.notify("Changed. Retry sends it.", type="positive")
            await self._changed()

    def _refuse(self, why: str) -> None:
        self._refusal.set_text(why)
        self._refusal.set_visibility(bool(why))
