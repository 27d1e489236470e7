"""A balancing round: look at the site, decide, tell the stations. Handed what it awaits.

Currents A RMS per phase; `now` is monotonic seconds.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.balancing import Deliveries, SiteView, log_line
from gateway.commands import CompositeAnswer, SetProfile, StatusAnswer, Trigger
from gateway.errors import GatewayError, Unavailable
from gateway.journal import Journal
from gateway.phase_findings import PhaseFindings
from gateway.routes import Stations
from gateway.site_state import SiteState
from load_balancer.balancer import Balancer
from load_balancer.decision import LimitCut
from load_balancer.inputs import EvseKey


@dataclass(frozen=True, slots=True)
class Rounds:
    """Every round of the site, one after the other."""

    balancer: Balancer
    view: SiteView
    state: SiteState
    deliveries: Deliveries
    stations: Stations
    phase_findings: PhaseFindings
    journal: Journal
    clock: Callable[[], float]
    clock_utc: Callable[[], datetime]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    log: Callable[[str], None]
    tell: Callable[[str], None]
    """The same, where nothing is wrong."""
    mute: dict[str, datetime | None] = field(default_factory=dict)
    """Stations that cannot be asked what they draw, and since when they have been connected: they
    are asked again when they come back."""

    def go(self) -> None:
        """Decide anew, and let go of every profile that is due."""
        now, at = self.clock(), self.clock_utc()
        decision = self.balancer.step(self.view.at(now, at), now)
        self.state.apply(decision, at)
        for line in self.phase_findings.note(decision.found, at):
            self.tell(line)
        for key in decision.phases:
            evse = self.state.stations[key.station_id].evses[key.evse_id]
            evse.found_phases = self.phase_findings.of(key)
        self.journal.note(decision, at)
        if self.view.commissioning is not None:
            self.view.commissioning.step(self.view.sight(), now)
        for name, circuit in self.state.circuits.items():
            authorities = self.view.authorities
            circuit.limited_by = authorities.in_words(
                name, decision.circuits[name].rule, min(circuit.limit), at
            )
            circuit.limiters = authorities.at_work(name, name == self.state.root, at)
        for event in decision.events:
            # Making room for who has come is everyday work, no reason to look up.
            is_work = isinstance(event, LimitCut) and not event.is_overload
            (self.tell if is_work else self.log)(log_line(event))
        self.deliveries.want(decision)
        for key, command in self.deliveries.due(now, at):
            self.spawn(self._deliver(key, command))
        for key in decision.doubtful:
            station = self.state.stations[key.station_id]
            if key.station_id not in self.mute or self.mute[key.station_id] != station.changed_at:
                self.spawn(self._ask_draw(key))

    async def _ask_draw(self, key: EvseKey) -> None:
        """Ask for meter values at once; they arrive as any others do."""
        try:
            answer = await self.stations.ask(key.station_id, Trigger("MeterValues", key.evse_id))
        except Unavailable:
            return
        except GatewayError as error:
            reason = str(error)
        else:
            reason = getattr(answer, "status", "nonsense")
        if reason != "Accepted":
            self.mute[key.station_id] = self.state.stations[key.station_id].changed_at
            self.log(f'station.cannot_be_asked station={key.station_id} reason="{reason}"')

    async def _deliver(self, key: EvseKey, first: SetProfile) -> None:
        """Send a profile, and at once whatever has become due for the EVSE meanwhile."""
        delivery = self.deliveries[key]
        command: SetProfile | None = first
        while command is not None:
            try:
                answer = await self.stations.ask(key.station_id, command)
            except Unavailable as error:
                delivery.unanswered(self.clock())
                self._complain(key, command, error.reason)
            except GatewayError as error:
                delivery.refused(self.clock())
                self._complain(key, command, str(error))
            else:
                if isinstance(answer, StatusAnswer) and answer.status == "Accepted":
                    delivery.accepted(self.clock())
                else:
                    delivery.refused(self.clock())
                    self._complain(key, command, getattr(answer, "status", "nonsense"))
            command = delivery.due(self.clock(), self.clock_utc())
        await self._read_back(key)

    async def _read_back(self, key: EvseKey) -> None:
        """Ask once what the station makes of its limits; who cannot tell is at no fault."""
        command = self.deliveries[key].read_back()
        if command is None:
            return
        try:
            answer = await self.stations.ask(key.station_id, command)
        except GatewayError as error:
            self.log(f'station.not_read_back station={key.station_id} reason="{error}"')
            return
        if not isinstance(answer, CompositeAnswer) or answer.schedule is None:
            return
        doubt = self.deliveries[key].doubt(answer.schedule)
        if doubt is not None:
            station = self.state.stations[key.station_id]
            station.safe_default_doubt = doubt
            station.note(doubt)
            self.log(f'station.note station={key.station_id} note="{doubt}"')

    def _complain(self, key: EvseKey, command: SetProfile, reason: str) -> None:
        period = command.profile.schedule.periods[0]
        unit = command.profile.schedule.unit.lower()
        self.log(
            f"limit.not_taken evse={key.station_id}/{key.evse_id} limit_{unit}={period.limit:g} "
            f'purpose={command.profile.purpose} reason="{reason}"'
        )
