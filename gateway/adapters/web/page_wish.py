"""The dialog in which an operator says what a driver wants: energy, and when he leaves."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.adapters.web.desk import Desk
from gateway.errors import StoreFailed
from gateway.operations import Caller, NotAllowed, NotFound
from load_balancer.inputs import EvseKey


def next_time(text: str, now_utc: datetime, zone: ZoneInfo) -> datetime:
    """Return when a time of day comes next on the site's wall, aware UTC.

    Raises ValueError for what is no time.

    >>> evening = datetime(2026, 6, 1, 20, tzinfo=UTC)
    >>> next_time("07:30", evening, ZoneInfo("Europe/Berlin")).isoformat()
    '2026-06-02T05:30:00+00:00'
    """
    clock = time.fromisoformat(text)
    local = now_utc.astimezone(zone)
    day = local.date() + timedelta(days=0 if clock > local.time() else 1)
    return datetime.combine(day, clock, zone).astimezone(UTC)


class WishDialog:
    def __init__(self, desk: Desk, caller: Caller) -> None:
        self._desk = desk
        self._caller = caller
        self._key = EvseKey("", 0)
        self._zone = ZoneInfo(desk.state.site.site.timezone)
        with ui.dialog() as self._dialog, ui.card().classes("sg-dialog sg-wish-dialog"):
            self._title = ui.label().classes("sg-dialog-title")
            hint = "It orders the fair shares, outranks what the car says, ends with the charge."
            ui.label(hint).classes("sg-muted")
            self._energy = ui.number("Energy from now on", min=0, suffix="kWh", step=1)
            self._departs = ui.input("Leaves at").props("outlined type=time stack-label")
            self._energy.props("outlined")
            with ui.element("div").classes("sg-actions"):
                self._remove = ui.button("Remove wish", on_click=self._clear)
                self._remove.props("flat no-caps color=negative").classes("sg-left")
                ui.button("Cancel", on_click=self._dialog.close).props("flat no-caps")
                ui.button("Set wish", on_click=self._set).props("unelevated no-caps")

    def open(self, station_id: str, evse_id: int) -> None:
        """Show the dialog for an EVSE, filled with what is wished there."""
        station = self._desk.state.stations.get(station_id)
        evse = station.evses.get(evse_id) if station else None
        if evse is None:
            return
        self._key, wish = EvseKey(station_id, evse_id), evse.wish
        self._title.set_text(f"What the driver at {station_id}/{evse_id} wants")
        energy_wh = wish.energy_wh if wish else None
        departs_at = wish.departs_at if wish else None
        self._energy.value = None if energy_wh is None else energy_wh / 1000
        self._departs.value = f"{departs_at.astimezone(self._zone):%H:%M}" if departs_at else ""
        self._remove.set_visibility(wish is not None)
        self._dialog.open()

    async def _set(self) -> None:
        text = self._departs.value or ""
        energy_kwh = self._energy.value
        try:
            departs_at = next_time(text, self._desk.now_utc(), self._zone) if text else None
            await self._desk.operations.set_wish(
                self._key,
                energy_wh=None if energy_kwh is None else float(energy_kwh) * 1000,
                departs_at=departs_at,
                caller=self._caller,
            )
        except (ValueError, NotAllowed, NotFound, StoreFailed) as refusal:
            ui.notify(f"Not set: {refusal}", type="negative")
            return
        self._dialog.close()
        ui.notify("The wish is noted", type="positive")

    async def _clear(self) -> None:
        try:
            await self._desk.operations.clear_wish(self._key, self._caller)
        except (NotAllowed, NotFound, StoreFailed) as refusal:
            ui.notify(f"Not removed: {refusal}", type="negative")
            return
        self._dialog.close()
        ui.notify("The wish is removed", type="positive")
