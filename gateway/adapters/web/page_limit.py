"""The dialog in which an operator lowers a circuit's limit, or gives the circuit back."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.adapters.web.desk import Desk
from gateway.adapters.web.wording import Clock, time_of_day
from gateway.errors import StoreFailed
from gateway.limit_wish import MAX_REASON_LENGTH
from gateway.operations import Caller, NotAllowed, NotFound
from gateway.records import CircuitLimit, LimitSource

MORNING = time(6)
HOUR, TOMORROW, FOREVER = "1 hour", "until tomorrow 06:00", "until I remove it"


def ends_at(choice: str, now_utc: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when a limit of this choice ends, aware UTC; None: when it is removed.

    >>> night = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
    >>> ends_at(TOMORROW, night, ZoneInfo("Europe/Berlin")).isoformat()
    '2026-06-03T04:00:00+00:00'
    """
    if choice == HOUR:
        return now_utc + timedelta(hours=1)
    if choice == TOMORROW:
        day = now_utc.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(day, MORNING, zone).astimezone(UTC)
    return None


class LimitDialog:
    def __init__(self, desk: Desk, caller: Caller) -> None:
        self._desk = desk
        self._caller = caller
        self._circuit = ""
        with ui.dialog() as self._dialog, ui.card().classes("sg-dialog"):
            self._title = ui.element("h2")
            self._present = ui.label().classes("sg-muted")
            with ui.element("div").classes("sg-amount"):
                self._slider = ui.slider(min=0, max=1, step=1)
                self._amount = ui.number(min=0, suffix="A", step=1).props("outlined dense")
                self._slider.bind_value(self._amount)
            self._reason = ui.input("Reason").props(f"outlined maxlength={MAX_REASON_LENGTH}")
            self._until = ui.radio([HOUR, TOMORROW, FOREVER], value=HOUR)
            with ui.element("div").classes("sg-actions"):
                self._remove = ui.button("Remove limit", on_click=self._clear)
                self._remove.props("flat no-caps color=negative").classes("sg-left")
                ui.button("Cancel", on_click=self._dialog.close).props("flat no-caps")
                ui.button("Set limit", on_click=self._set).props("unelevated no-caps")

    def open(self, circuit: str) -> None:
        """Show the dialog for a circuit, filled with what holds now."""
        state = self._desk.state.circuits.get(circuit)
        if state is None:
            return
        self._circuit = circuit
        present = [limit for limit in self._desk.operations.circuit_limits()
                   if limit.circuit == circuit]  # fmt: skip
        own = next((limit for limit in present if limit.source == LimitSource.OPERATOR), None)
        self._title.clear()
        with self._title:
            ui.label(f"Limit {circuit}")
        sentences = [f"The installer allows {state.rating_a:g} A on each phase."]
        self._present.set_text(" ".join(sentences + [self._in_words(limit) for limit in present]))
        self._slider.props(f"max={state.rating_a:g}")
        self._amount.max = state.rating_a
        self._amount.value = own.limit_a if own else min(state.limit)
        self._reason.value = own.reason if own else ""
        self._until.value = HOUR
        self._remove.set_visibility(own is not None)
        self._dialog.open()

    def _in_words(self, limit: CircuitLimit) -> str:
        clock = self._clock()
        until = f"until {time_of_day(limit.until, clock)}" if limit.until else "until removed"
        why = f" ({limit.reason})" if limit.reason else ""
        return f"{limit.set_by} allows {limit.limit_a:g} A{why}, {until}."

    def _clock(self) -> Clock:
        zone = ZoneInfo(self._desk.state.site.site.timezone)
        return Clock(self._desk.now(), self._desk.now_utc(), zone)

    async def _set(self) -> None:
        clock = self._clock()
        if self._amount.value is None:
            ui.notify("How many amperes?", type="warning")
            return
        try:
            limit = await self._desk.operations.set_circuit_limit(
                self._circuit,
                float(self._amount.value),
                reason=(self._reason.value or "").strip()[:MAX_REASON_LENGTH],
                until=ends_at(self._until.value, clock.utc, clock.zone),
                source=LimitSource.OPERATOR,
                caller=self._caller,
            )
        except (NotAllowed, NotFound, StoreFailed) as refusal:
            ui.notify(f"Not set: {refusal}", type="negative")
            return
        self._dialog.close()
        ui.notify(f"{limit.circuit} is limited to {limit.limit_a:g} A", type="positive")

    async def _clear(self) -> None:
        try:
            await self._desk.operations.clear_circuit_limit(
                self._circuit, source=LimitSource.OPERATOR, caller=self._caller
            )
        except (NotAllowed, NotFound, StoreFailed) as refusal:
            ui.notify(f"Not removed: {refusal}", type="negative")
            return
        self._dialog.close()
        ui.notify(f"The operator's limit of {self._circuit} is removed", type="positive")
