"""Between the read model and the balancer: what it is told, and who hears what it decided. Pure.

`inputs` is the site as the balancer sees it; `Deliveries` are the EVSEs' limits on their way.
Currents A RMS per phase; `now` is monotonic seconds, `at` the same instant as aware UTC.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.charging_wishes import ChargingWishes
from gateway.circuit_limits import CircuitLimits
from gateway.cloud_profiles import CloudProfiles, RunningTransaction
from gateway.commands import SetProfile
from gateway.commissioning.observation import EvseSight, Sight
from gateway.commissioning.procedure import Procedure
from gateway.events import ChargingState, ConnectorStatus
from gateway.limit_delivery import LimitDelivery
from gateway.limiters import Limiters
from gateway.profile_writes import ProfileWrites, kept_for
from gateway.site_state import EvseState, LimiterAtWork, SiteState
from gateway.station_forms import StationForms
from gateway.writes import SaveSetting
from load_balancer.decision import Decision, LimitCut, MeterBack, MeterLost
from load_balancer.inputs import Ceiling, CircuitInput, EvseInput, EvseKey, SiteInputs
from load_balancer.reasons import Rule
from site_config.model import Site

Running = Callable[[int], RunningTransaction | None]
"""The transaction that runs on an upstream EVSE number."""


class Deliveries:
    """The limit of every EVSE on its way to its station."""

    def __init__(self, site: Site) -> None:
        self.forms = {name: StationForms.of(station) for name, station in site.stations.items()}
        self.writes = {name: ProfileWrites() for name in site.stations}
        self._by_key = {
            EvseKey(name, evse_id): LimitDelivery(
                evse_id,
                evse,
                station.safe_current_a,
                site.site.voltage_v * evse.outlet_part,
                self.forms[name],
                site.csms.limit_refresh_s,
                self.writes[name],
            )
            for name, station in site.stations.items()
            for evse_id, evse in station.evses.items()
        }
        self._by_station: dict[str, list[LimitDelivery]] = {}
        for key, delivery in self._by_key.items():
            self._by_station.setdefault(key.station_id, []).append(delivery)

    def take_up(self, kept: Sequence[SaveSetting], now: float, at: datetime) -> None:
        """Go on counting what stations are sent from before a restart."""
        for name, writes in self.writes.items():
            counted = kept_for(name, kept)
            if counted is not None:
                writes.take_up(counted, now, at)

    def wear_to_keep(self, now: float, at: datetime) -> list[SaveSetting]:
        """Return the counts that are due to be committed."""
        rows = (writes.to_keep(name, now, at) for name, writes in self.writes.items())
        return [row for row in rows if row is not None]

    def __getitem__(self, key: EvseKey) -> LimitDelivery:
        return self._by_key[key]

    def of(self, station_id: str) -> Sequence[LimitDelivery]:
        return self._by_station[station_id]

    def want(self, decision: Decision) -> None:
        for key, limit in decision.limits.items():
            self._by_key[key].want(limit.limit_a)

    def due(self, now: float, at: datetime) -> Iterator[tuple[EvseKey, SetProfile]]:
        """Yield every profile that must leave now; each is taken as in flight."""
        for key, delivery in self._by_key.items():
            command = delivery.due(now, at)
            if command is not None:
                yield key, command


@dataclass(frozen=True, slots=True)
class Authorities:
    """Everybody who may lower a limit."""

    limits: CircuitLimits
    limiters: Limiters
    profiles: CloudProfiles
    running: Running
    is_held: Callable[[str, int], bool] = lambda *_: False
    """Whether what runs on a station's EVSE may take no more energy."""

    def ceiling_a(self, cloud_evse: int, at: datetime) -> float | None:
        """Return what the cloud allows an EVSE now, A per phase; None: it sets no limit."""
        if not self.profiles.may_limit(cloud_evse):
            return None
        return self.profiles.ceiling_a(cloud_evse, at, self.running(cloud_evse))

    def at_work(self, circuit: str, is_root: bool, at: datetime) -> tuple[LimiterAtWork, ...]:
        """Return everybody who may hold a circuit below its rating."""
        found = [*self.limits.at_work(circuit, at), *self.limiters.at_work(circuit)]
        ceiling_a = self.profiles.site_ceiling_a(at) if is_root else None
        if ceiling_a is not None:
            cloud = LimiterAtWork(Rule.CLOUD_PROFILE, ceiling_a, f"the cloud: {ceiling_a:g} A")
            found.append(cloud)
        return tuple(found)

    def in_words(self, circuit: str, rule: Rule, limit_a: float, at: datetime) -> str:
        """Say, for the page, what limits a circuit to so much."""
        if rule is Rule.DEMAND:
            return f"demand tariff: {limit_a:g} A for the rest of this quarter hour"
        if rule is Rule.CLOUD_PROFILE:
            return f"the cloud: {limit_a:g} A"
        return self.limits.in_words(circuit, at)


@dataclass(frozen=True, slots=True)
class SiteView:
    """The site as the balancer is told of it."""

    state: SiteState
    deliveries: Deliveries
    authorities: Authorities
    wishes: ChargingWishes
    commissioning: Procedure | None = None
    """An electrician finds out how the site is wired; None: it is in use."""

    def at(self, now: float, at: datetime) -> SiteInputs:
        self.authorities.limiters.observe(self.state, now, at)
        evses = tuple(
            self._evse(EvseKey(name, evse_id), evse, now, at)
            for name, evse_id, evse in self.state.evse_states()
        )
        return SiteInputs(evses, tuple(self._circuits(at)), at.timestamp())

    def _evse(self, key: EvseKey, evse: EvseState, now: float, at: datetime) -> EvseInput:
        is_running = evse.transaction_id is not None
        delivery = self.deliveries[key]
        evse.believed_a = delivery.believed_a(now)
        evse.wish = self.wishes.of(key)
        delivered_wh = (evse.energy_wh or 0.0) if is_running else 0.0
        need = self.wishes.need(key, delivered_wh, now, at)
        return EvseInput(
            key=key,
            is_reachable=self.state.stations[key.station_id].is_connected,
            wants_current=evse.wants_current,
            believed_a=evse.believed_a,
            measured=evse.measured,
            measured_at=evse.measured_at,
            ceilings=tuple(self._ceilings(key, evse, at)),
            energy_wh=delivered_wh,
            minimum_a=delivery.minimum_a,
            has_transaction=is_running and evse.charging_state is not ChargingState.IDLE,
            step_a=delivery.step_a,
            departs_at=need.departs_at,
            energy_wanted_wh=need.energy_wanted_wh,
        )

    def _ceilings(self, key: EvseKey, evse: EvseState, at: datetime) -> Iterable[Ceiling]:
        ceiling_a = self.authorities.ceiling_a(evse.cloud_evse, at)
        if ceiling_a is not None:
            yield Ceiling(Rule.CLOUD_PROFILE, ceiling_a)
        if self.authorities.is_held(*key):
            yield Ceiling(Rule.NOT_AUTHORIZED, 0.0)
        yield from self.authorities.limiters.on_evse(key)
        if self.commissioning is not None:
            yield Ceiling(Rule.COMMISSIONING, self.commissioning.ceiling_a(key))

    def sight(self) -> Sight:
        """Return the site as commissioning sees it."""
        circuits = self.state.site.circuits.items()
        meters = {name: self.state.meters[c.meter] for name, c in circuits if c.meter}
        return Sight(
            {name: m.reading for name, m in meters.items() if m.reading and m.is_healthy},
            {
                EvseKey(name, evse_id): EvseSight(
                    evse.wants_current,
                    evse.limit_a,
                    evse.measured,
                    evse.measured_at,
                    evse.believed_a,
                    self.deliveries[EvseKey(name, evse_id)].minimum_a,
                    evse.limited_by.sentence() if evse.limited_by else "",
                )
                for name, evse_id, evse in self.state.evse_states()
            },
        )

    def _circuits(self, at: datetime) -> Iterable[CircuitInput]:
        site_ceiling_a = self.authorities.profiles.site_ceiling_a(at)
        for name, circuit in self.state.site.circuits.items():
            limits = self.authorities.limits.ceilings(name, at)
            limits += self.authorities.limiters.on_circuit(name)
            if circuit.parent is None and site_ceiling_a is not None:
                limits = (*limits, Ceiling(Rule.CLOUD_PROFILE, site_ceiling_a))
            meter = self.state.meters.get(circuit.meter) if circuit.meter else None
            yield CircuitInput(name, meter.reading if meter else None, limits)


def is_plugged(status: ConnectorStatus | None) -> bool:
    """Whether a car may start at any moment; a status never heard of might hide one."""
    return status in (None, ConnectorStatus.OCCUPIED)


def log_line(event: LimitCut | MeterLost | MeterBack) -> str:
    """Say what the balancer found, with both numbers of the comparison and what was done.

    >>> log_line(MeterBack("grid", 5.04))
    'meter.back circuit=grid silent_s=5.0'
    """
    match event:
        case LimitCut():
            measured = "none" if event.measured_a is None else f"{event.measured_a:.1f}"
            return (
                f"limit.cut circuit={event.circuit} phase={event.phase} measured_a={measured} "
                f"allowed_a={event.allowed_a:.1f} evse={event.evse.station_id}/{event.evse.evse_id}"
                f" from_a={event.from_a:.1f} to_a={event.to_a:.1f} rule={event.rule}"
            )
        case MeterLost():
            silent = "unknown" if event.silent_s is None else f"{event.silent_s:.1f}"
            return f"meter.stale circuit={event.circuit} silent_s={silent} policy={event.policy}"
        case MeterBack():
            return f"meter.back circuit={event.circuit} silent_s={event.silent_s:.1f}"
