"""Where a station's call is answered, and what else it changes: the path station -> site.

Payload -> event -> `station_events` (one commit, then the answer) -> read model, status board,
limits on their way. What takes longer than an answer may (asking the cloud again, stopping a
transaction) is handed to `spawn`. Owns no socket, no clock, no task.

`now` is monotonic seconds; currents A RMS, energy Wh.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from gateway.abandoned import Abandoned, Patience
from gateway.balancing import Deliveries, is_plugged
from gateway.charging_wishes import VEHICLE, ChargingWish, ChargingWishes
from gateway.cloud_profiles import Change, CloudProfiles
from gateway.commands import Command, RequestStop, Trigger
from gateway.errors import GatewayError, StoreFailed
from gateway.events import (
    Booted,
    ChargingNeedsTold,
    ChargingState,
    ConnectorStatus,
    Event,
    EventType,
    IdToken,
    MetersSampled,
    StatusChanged,
    TransactionChanged,
)
from gateway.limit_delivery import LimitDelivery
from gateway.ocpp.codec import codec_for
from gateway.ocpp.frames import Payload
from gateway.records import Transaction
from gateway.routes import Stations
from gateway.site_state import EvseState, SiteState
from gateway.station_clocks import StationClocks
from gateway.station_events import (
    AskStatus,
    Followup,
    Log,
    NeedsHeard,
    RefreshAuthorization,
    ReportChargingState,
    ReportStatus,
    StopAtStation,
    Surroundings,
    TransactionMoved,
    answer_station,
    ask_about,
    settle,
)
from gateway.station_forms import ModelKey, StationModels
from gateway.station_samples import latest_draw
from gateway.status_board import StatusBoard
from gateway.writes import SaveSetting
from load_balancer.inputs import EvseKey
from site_config.links import Csms, OcppVersion

DRAWING_A = 1.0
"""Less on a conductor is the station's own meter, not a car."""
HINT_LENGTH = 4
"""Of a token that people may see."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Who must look again after something changed."""

    cloud: Callable[[], None]
    """There is something new to tell the cloud."""
    balancer: Callable[[], None]
    """An EVSE began, ended, changed its state or now draws too much; the rest can wait a second."""
    log: Callable[[str], None]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    """Run it beside; it handles its own refusals."""


class StationDesk:
    """Answers every station of the site."""

    def __init__(
        self,
        *,
        csms: Csms,
        around: Surroundings,
        state: SiteState,
        statuses: StatusBoard,
        deliveries: Deliveries,
        profiles: CloudProfiles,
        wishes: ChargingWishes,
        models: StationModels,
        stations: Stations,
        notify: Notify,
        clock: Callable[[], float],
        is_clock_sound: Callable[[], bool],
    ) -> None:
        self._abandoned = Abandoned(
            Patience(csms.close_free_after_s, csms.close_silent_after_s),
            running=around.books.running,
            running_at=around.books.running_at,
            is_here=lambda name: state.stations[name].is_connected,
            is_in_site=lambda name, evse: (
                name in state.stations and evse in state.stations[name].evses
            ),
            now=clock(),
        )
        self.clocks = StationClocks(around.books.running_at_event, is_clock_sound)
        self._around = around
        self._state = state
        self._statuses = statuses
        self._deliveries = deliveries
        self._profiles = profiles
        self._wishes = wishes
        self._models = models
        self._stations = stations
        self._notify = notify
        self._clock = clock

    def restore(self, told_a: Mapping[EvseKey, float]) -> None:
        """Show what ran before the restart: its stations will go on with it.

        Args:
            told_a: the highest limits that may still be in force; who is not in it: unknown.
        """
        now = self._clock()
        for transaction in self._around.books.running():
            self._show(transaction, EventType.UPDATED)
            if self._evse_state(transaction) is not None:
                key = EvseKey(transaction.station_id, transaction.evse_id)
                self._deliveries[key].went_on_without_us(now, told_a.get(key))

    async def answer(
        self,
        station_id: str,
        version: OcppVersion,
        action: str,
        payload: Payload,
        message_id: str | None = None,
    ) -> Payload:
        """Return the answer to one call, valid by its schema; all billable is on disk then.

        Raises:
            PeerError: the station's own mistake, for a CALLERROR.
            StoreFailed: it could not be kept, so it must not be answered.
        """
        codec = codec_for(version)
        event = self._placed(station_id, codec.parse_event(action, payload))
        reply = await answer_station(event, station_id, version, self._around, message_id)
        self._observe(station_id, event)
        for followup in reply.followups:
            await self.follow_up(followup)
        return codec.serialize_answer(event, reply.answer)

    def clock_set(self, by_s: float) -> None:
        """Our own clock was set: measure the stations' anew."""
        self._notify.log(f"clock.set by_s={by_s:.0f}")
        self.clocks.forget()

    def _placed(self, station_id: str, event: Event) -> Event:
        event, notes = self.clocks.placed(station_id, event, self._around.clock_utc())
        for note in notes:
            self._state.stations[station_id].note(note)
            self._notify.log(note)
        return event

    async def close_abandoned(self, now: float, at: datetime) -> None:
        """End what no station will end; what cannot be stored is tried again the next time."""
        around = self._around
        for transaction, why in tuple(self._abandoned.due(now, at)):
            close = partial(
                around.books.close_by_rule,
                transaction.number,
                why,
                now_utc=at,
                is_cloud_connected=around.is_cloud_connected(),
            )
            with suppress(StoreFailed):
                for followup in await settle(transaction.station_id, close, around):
                    await self.follow_up(followup)

    # The connection.

    def connected(self, station_id: str, version: OcppVersion) -> None:
        station = self._state.stations[station_id]
        station.is_connected, station.protocol = True, version
        station.changed_at = self._around.clock_utc()
        for delivery in self._deliveries.of(station_id):
            delivery.connected()
        self._statuses.station_back(self._numbers(station_id))
        self._notify.cloud()

    def disconnected(self, station_id: str) -> None:
        station = self._state.stations[station_id]
        station.is_connected = False
        station.changed_at = self._around.clock_utc()
        for delivery in self._deliveries.of(station_id):
            delivery.lost()
        self._statuses.station_lost(self._numbers(station_id), self._clock())
        self._notify.cloud()

    def _numbers(self, station_id: str) -> list[int]:
        return [evse.cloud_evse for evse in self._state.stations[station_id].evses.values()]

    # What it said.

    def _observe(self, station_id: str, event: Event) -> None:
        match event:
            case Booted():
                station = self._state.stations[station_id]
                station.vendor, station.model = event.vendor, event.model
                station.firmware = event.firmware_version
                model = ModelKey.of(event.vendor, event.model, event.firmware_version)
                self._deliveries.forms[station_id].remembered(self._models.of(model))
                for delivery in self._deliveries.of(station_id):
                    delivery.booted()
                self.clocks.forget(station_id)
                self._abandoned.booted(station_id, self._clock(), self._around.clock_utc())
            case StatusChanged():
                self._observe_status(station_id, event)
            case MetersSampled():
                self._observe_draw(station_id, event.evse_id, event)
            case TransactionChanged() if event.evse_id is not None:
                self._observe_draw(station_id, event.evse_id, event)
            case TransactionChanged():
                self._observe_draw(station_id, self._evse_of(station_id, event), event)

    def _evse_of(self, station_id: str, event: TransactionChanged) -> int:
        """Return the EVSE of an event that names none; 0 when nobody can tell."""
        for transaction in self._around.books.running_at(station_id):
            if transaction.station_transaction_id == event.transaction_id:
                return transaction.evse_id
        return 0

    def _observe_status(self, station_id: str, event: StatusChanged) -> None:
        evse = self._state.stations[station_id].evses.get(event.evse_id)
        if evse is None:
            return
        self._abandoned.status(station_id, event, self._clock(), self._around.clock_utc())
        before = evse.status, evse.charging_state
        evse.status, evse.connector_id = event.status, event.connector_id
        if event.charging_state is not None or event.status is not ConnectorStatus.OCCUPIED:
            evse.charging_state = event.charging_state
        evse.error = _error(event)
        key = EvseKey(station_id, event.evse_id)
        self._deliveries[key].is_plugged = is_plugged(event.status)
        if event.status is ConnectorStatus.AVAILABLE and evse.transaction_id is None:
            evse.measured = evse.measured_at = None
        if (evse.status, evse.charging_state) != before:
            self._notify.balancer()

    def _observe_draw(
        self, station_id: str, evse_id: int, event: MetersSampled | TransactionChanged
    ) -> None:
        evse = self._state.stations[station_id].evses.get(evse_id)
        if evse is None or not event.meter_values:
            return
        config = self._state.site.stations[station_id].evses[evse_id]
        delivery = self._deliveries[EvseKey(station_id, evse_id)]
        draw = latest_draw(
            event.meter_values,
            self._around.clock_utc(),
            phases=len(config.phases),
            voltage_v=self._state.site.site.voltage_v * config.outlet_part,
            is_dc=config.is_dc,
        )
        measured_at = self._clock() - draw.age_s if draw is not None else 0.0
        # A station that empties its queue may tell what was after what is.
        if draw is not None and measured_at >= (evse.measured_at or measured_at):
            was_above = _is_above_limit(evse)
            evse.measured = draw.currents
            evse.measured_at = measured_at
            highest_a = max(draw.currents)
            self._doubt_safe_default(station_id, delivery, highest_a, measured_at)
            if delivery.drew(highest_a, measured_at):
                self._notify.log(
                    f"station.does_not_pause station={station_id} evse={evse_id} limit_a=0.0 "
                    f'measured_a={highest_a:.1f} action="says 1 A instead"'
                )
            phases = sum([current_a >= DRAWING_A for current_a in draw.currents])
            if phases and evse.transaction_id is not None:
                delivery.drawn_on(phases)
            if _is_above_limit(evse) and not was_above:
                self._notify.balancer()

    def _doubt_safe_default(
        self, station_id: str, delivery: LimitDelivery, current_a: float, at: float
    ) -> None:
        station = self._state.stations[station_id]
        if station.safe_default_doubt is None and delivery.drew_above_safe(current_a, at):
            station.safe_default_doubt = (
                f"EVSE {delivery.evse_id} drew {current_a:.1f} A where only the safe current of "
                f"{delivery.safe_current_a:g} A was in force"
            )
            station.note(station.safe_default_doubt)
            self._notify.log(
                f"station.above_safe station={station_id} evse={delivery.evse_id} "
                f"measured_a={current_a:.1f} safe_a={delivery.safe_current_a:.1f}"
            )

    # What follows.

    async def follow_up(self, followup: Followup) -> None:
        """Do what an answer asks for; what takes long is spawned."""
        match followup:
            case ReportStatus(status):
                # 2.0.1 wants a time where 1.6 may leave it out: it is told as of now.
                at = status.at or self._around.clock_utc()
                self._statuses.changed(replace(status, at=at))
                self._notify.cloud()
            case ReportChargingState(number, state):
                self._statuses.charging_state_changed(number, state)
                self._notify.cloud()
            case AskStatus(station_id):
                for evse_id in self._state.stations[station_id].evses:
                    self._spawn_ask(station_id, Trigger("StatusNotification", evse_id, 1))
            case RefreshAuthorization(id_token):
                self._notify.spawn(self._refresh(id_token))
            case StopAtStation():
                self._stop(followup)
            case TransactionMoved(transaction, event_type):
                await self._moved(transaction, event_type)
            case NeedsHeard(station_id, needs):
                await self._take_needs(station_id, needs)
            case Log(line):
                self._notify.log(line)

    async def _take_needs(self, station_id: str, needs: ChargingNeedsTold) -> None:
        key = EvseKey(station_id, needs.evse_id)
        evse = self._state.stations[station_id].evses[needs.evse_id]
        before_wh = (evse.energy_wh or 0.0) if evse.transaction_id is not None else 0.0
        wish = ChargingWish(needs.energy_wh, needs.departs_at, VEHICLE, before_wh)
        await self._keep_wish(self._wishes.told(key, wish))
        self._deliveries[key].tell_again()
        self._notify.balancer()

    async def _keep_wish(self, rows: Sequence[SaveSetting]) -> None:
        """A wish is no bill: a full disk costs the memory of it over a restart, nothing else."""
        with suppress(StoreFailed):
            if rows:
                await self._around.commit(rows)
        self._wishes.take(rows)

    async def _refresh(self, id_token: IdToken) -> None:
        await ask_about(id_token, self._around)

    def _stop(self, stop: StopAtStation) -> None:
        self._notify.log(
            f"transaction.refused station={stop.station_id} "
            f"transaction={stop.transaction.number} verdict={stop.transaction.verdict} action=stop"
        )
        self._around.books.remote.stop_asked(stop.transaction.number)
        self._spawn_ask(stop.station_id, RequestStop(stop.transaction.station_transaction_id))

    def _spawn_ask(self, station_id: str, command: Command) -> None:
        self._notify.spawn(self._ask(station_id, command))

    async def _ask(self, station_id: str, command: Command) -> None:
        try:
            await self._stations.ask(station_id, command)
        except GatewayError as error:
            name = type(command).__name__
            self._notify.log(f'station.refused station={station_id} asked={name} reason="{error}"')

    async def _moved(self, transaction: Transaction, event_type: EventType) -> None:
        evse = self._evse_state(transaction)
        if evse is None:
            return  # no longer in the site file; it is billed all the same
        before, state_before = evse.transaction_id, evse.charging_state
        began = before != transaction.uuid and transaction.ended_at is None
        self._abandoned.heard(transaction)
        self._show(transaction, event_type)
        if began:
            now_utc = self._around.clock_utc()
            await self._take(self._profiles.transaction_began(transaction, now_utc))
        elif transaction.ended_at is not None:
            await self._take(self._profiles.transaction_ended(transaction.cloud_evse))
            key = EvseKey(transaction.station_id, transaction.evse_id)
            await self._keep_wish(self._wishes.ended(key))
        if (evse.transaction_id, evse.charging_state) != (before, state_before):
            self._notify.balancer()

    async def _take(self, changes: Sequence[Change]) -> None:
        if changes:
            await self._around.commit(changes)
            self._profiles.take(changes)

    def _show(self, transaction: Transaction, event_type: EventType) -> None:
        evse = self._evse_state(transaction)
        if evse is None:
            return
        key = EvseKey(transaction.station_id, transaction.evse_id)
        current = self._around.books.open_on(*key)
        if current is not None and current.number != transaction.number:
            return  # late news of an older one
        delivery = self._deliveries[key]
        _show_energy(evse, transaction)
        if transaction.ended_at is not None:
            evse.transaction_id = None
            evse.charging_state = None
            delivery.transaction_ended()
            return
        evse.transaction_id = transaction.uuid
        evse.started_at = transaction.started_at
        evse.charging_state = transaction.charging_state or ChargingState.CHARGING
        token = transaction.id_token
        evse.id_token_hint = token.value[-HINT_LENGTH:] if token and token.value else None
        delivery.transaction_began(transaction.station_transaction_id)
        if event_type is EventType.STARTED:
            evse.measured = evse.measured_at = None

    def _evse_state(self, transaction: Transaction) -> EvseState | None:
        station = self._state.stations.get(transaction.station_id)
        return station.evses.get(transaction.evse_id) if station else None


def _is_above_limit(evse: EvseState) -> bool:
    return (
        evse.measured is not None and evse.limit_a is not None and max(evse.measured) > evse.limit_a
    )


def _show_energy(evse: EvseState, transaction: Transaction) -> None:
    start_wh, last_wh = transaction.register_start_wh, transaction.register_last_wh
    if start_wh is not None and last_wh is not None:
        evse.energy_wh = max(0.0, last_wh - start_wh)
    else:
        evse.energy_wh = 0.0


def _error(event: StatusChanged) -> str | None:
    if event.error_code is None and event.status is not ConnectorStatus.FAULTED:
        return None
    words = (event.error_code, event.info, event.vendor_error_code)
    return " ".join(word for word in words if word) or "Faulted"
