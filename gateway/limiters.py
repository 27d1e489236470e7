"""What tariffs and grid codes allow now, as ceilings for the balancer. Pure.

Looks at the read model once a round (`observe`) and is asked then. What people and contracts
allow is in `circuit_limits`, what the cloud allows in `cloud_profiles`. Currents A RMS per phase;
`now` is monotonic seconds, `at` the same instant as aware UTC.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.site_state import EvseState, LimiterAtWork, SiteState
from load_balancer.inputs import Ceiling, EvseKey, MeterReading
from load_balancer.limiters.dimming import Dimming
from load_balancer.limiters.phase_balance import DRAWN_FROM_A, PhaseBalance
from load_balancer.limiters.quarter_hour import QUARTER_S, QuarterEnergy, QuarterHour
from load_balancer.limiters.total_share import Sharer, TotalShare
from load_balancer.phases import PhaseCurrents, amperes, on_circuit, rotation, watts
from load_balancer.reasons import Rule
from site_config.circuit_tree import Feed, dimmed_feeds, upwards
from site_config.model import Site

PHASE_COUNT = 3
REPORTS_KEPT = 2
"""What a station reports stands for so many intervals."""
Wired = dict[EvseKey, tuple[int, ...]]
"""The circuit's phases to which somebody is wired."""


class Limiters:
    """Every limiter that depends on what flows."""

    def __init__(
        self, site: Site, kept: Iterable[QuarterEnergy] = (), dimming: Dimming | None = None
    ) -> None:
        self._site, self._zone = site, ZoneInfo(site.site.timezone)
        self._dimming, self._dimmed = dimming, dimmed_feeds(site)
        self._total = TotalShare()
        self._quarters = {
            name: QuarterHour(name, circuit.demand_w, site.site.voltage_v)
            for name, circuit in site.circuits.items()
            if circuit.demand_w is not None
        }
        self._balances = {
            name: PhaseBalance(circuit.unbalance_a)
            for name, circuit in site.circuits.items()
            if circuit.unbalance_a is not None
        }
        self._below = {name: list(_stations_below(site, name)) for name in self._balances}
        self._spread_a: dict[str, float | None] = dict.fromkeys(self._balances)
        self._on_circuit: dict[str, tuple[Ceiling, ...]] = {}
        self._on_evse: dict[EvseKey, tuple[Ceiling, ...]] = {}
        for quarter in kept:
            if quarter.circuit in self._quarters:
                self._quarters[quarter.circuit].take_up(quarter)

    def observe(self, state: SiteState, now: float, at: datetime) -> None:
        """Look at the meters and the vehicles, once a round."""
        for name, quarter in self._quarters.items():
            reading = self._reading(state, name, now)
            power_w = None if reading is None else self._power_w(reading)
            quarter.observe(power_w, reading.taken_at if reading else None, now, at)
            self._on_circuit[name] = (Ceiling(Rule.DEMAND, quarter.limit_a(now)),)
        self._on_evse = {}
        for name, balance in self._balances.items():
            reading = self._reading(state, name, now)
            measured = None if reading is None else PhaseCurrents(*map(abs, reading.currents))
            self._spread_a[name] = None if measured is None else max(measured) - min(measured)
            singles, idle, asleep = self._few_phases(state, name)
            found = balance.observe(measured, singles, idle, now, asleep)
            for key, ceiling_a in found.items():
                ceiling = Ceiling(Rule.UNBALANCE, ceiling_a)
                self._on_evse[key] = (*self._on_evse.get(key, ()), ceiling)
        self._dim(state, now, at)

    def _dim(self, state: SiteState, now: float, at: datetime) -> None:
        dimmed = self._dimming.state(now, at) if self._dimming else None
        if dimmed is None or dimmed.total_w is None:
            self._total = TotalShare()
        elif dimmed.point_w is not None:
            for feed in self._dimmed:
                self._dim_one(state, EvseKey(feed.station_id, feed.evse_id), dimmed.point_w)
        else:
            sharers = [s for feed in self._dimmed if (s := self._sharer(state, feed, now))]
            shares_w = self._total.shares_w(dimmed.total_w, sharers, at.timestamp(), now)
            for key, share_w in shares_w.items():
                self._dim_one(state, key, share_w)

    def _dim_one(self, state: SiteState, key: EvseKey, power_w: float) -> None:
        evse = state.stations[key.station_id].evses[key.evse_id]
        ceiling_a = amperes(power_w, self._site.site.voltage_v, _conductors(evse))
        ceiling = Ceiling(Rule.GRID_OPERATOR, ceiling_a)
        self._on_evse[key] = (*self._on_evse.get(key, ()), ceiling)

    def _sharer(self, state: SiteState, feed: Feed, now: float) -> Sharer | None:
        """Return an EVSE as the total's share sees it; None: nobody charges there."""
        station, config = state.stations[feed.station_id], feed.evse
        evse = station.evses[feed.evse_id]
        if evse.transaction_id is None:
            return None
        a_w = watts(1, self._site.site.voltage_v, _conductors(evse))
        held_a = config.max_current_a if evse.believed_a is None else evse.believed_a
        drawn = evse.drawn(now, REPORTS_KEPT * self._site.csms.meter_interval_s)
        return Sharer(
            key=EvseKey(feed.station_id, feed.evse_id),
            minimum_w=config.min_current_a * a_w,
            maximum_w=config.max_current_a * a_w,
            held_w=held_a * a_w,
            is_reachable=station.is_connected,
            wants=evse.wants_current,
            drawn_w=None if drawn is None else sum(drawn) * self._site.site.voltage_v,
            energy_wh=evse.energy_wh or 0.0,
            weight=config.priority,
        )

    def at_work(self, circuit: str) -> list[LimiterAtWork]:
        """Name the tariff and the bound of a circuit as of the last look, for the page."""
        found = []
        if (quarter := self._quarters.get(circuit)) and (ceilings := self.on_circuit(circuit)):
            limit_a = ceilings[0].value_a
            ends_at = (quarter.begins_at + timedelta(seconds=QUARTER_S)).astimezone(self._zone)
            found.append(
                LimiterAtWork(
                    Rule.DEMAND,
                    limit_a,
                    f"demand tariff, {quarter.limit_w / 1000:g} kW: {quarter.rest_wh / 1000:.1f} "
                    f"kWh left until {ends_at:%H:%M}, so {limit_a:g} A",
                )
            )
        if (balance := self._balances.get(circuit)) is not None:
            spread_a = self._spread_a[circuit]
            apart = "how far is not known" if spread_a is None else f"{spread_a:.0f} A now"
            text = f"unbalance: phases at most {balance.limit_a:g} A apart, {apart}"
            found.append(LimiterAtWork(Rule.UNBALANCE, None, text))
        return found

    def on_circuit(self, circuit: str) -> tuple[Ceiling, ...]:
        return self._on_circuit.get(circuit, ())

    def on_evse(self, key: EvseKey) -> tuple[Ceiling, ...]:
        return self._on_evse.get(key, ())

    def kept(self) -> list[QuarterEnergy]:
        """Return what has to survive a restart."""
        return [kept for quarter in self._quarters.values() if (kept := quarter.kept())]

    def _reading(self, state: SiteState, circuit: str, now: float) -> MeterReading | None:
        """Return the newest reading of a circuit's meter, unless it is stale."""
        name = self._site.circuits[circuit].meter
        reading = state.meters[name].reading if name is not None else None
        if name is None or reading is None:
            return None
        return reading if now - reading.taken_at <= self._site.meters[name].max_age_s else None

    def _power_w(self, reading: MeterReading) -> float:
        if reading.power_w is not None:
            return reading.power_w
        return sum(reading.currents) * self._site.site.voltage_v

    def _few_phases(
        self, state: SiteState, circuit: str
    ) -> tuple[dict[EvseKey, PhaseCurrents], Wired, Wired]:
        """Return who draws on fewer than three phases, who is about to, and who may wake up."""
        singles: dict[EvseKey, PhaseCurrents] = {}
        idle: Wired = {}
        asleep: Wired = {}
        for station_id in self._below[circuit]:
            for evse_id, evse in state.stations[station_id].evses.items():
                key = EvseKey(station_id, evse_id)
                if None in evse.phases:
                    continue  # nobody knows yet which phase it unbalances
                wired = rotation([phase for phase in evse.phases if phase is not None])
                live = _live_conductors(evse)
                if evse.measured is not None and 0 < live < PHASE_COUNT:
                    singles[key] = _on_wires(evse.measured, wired)
                elif live == 0 and len(wired) < PHASE_COUNT and evse.transaction_id is not None:
                    (idle if evse.wants_current else asleep)[key] = wired
        return singles, idle, asleep


def _conductors(evse: EvseState) -> int:
    """Return over how many conductors a vehicle draws: fewer carry more each, and until they are
    seen all of them count."""
    return _live_conductors(evse) or len(evse.phases)


def _live_conductors(evse: EvseState) -> int:
    if evse.transaction_id is None or evse.measured is None:
        return 0
    return sum(current_a >= DRAWN_FROM_A for current_a in evse.measured)


def _on_wires(measured: PhaseCurrents, wired: tuple[int, ...]) -> PhaseCurrents:
    """Return what an EVSE draws, in its circuit's order; never nothing where it draws."""
    drawn = on_circuit(measured, wired)
    if max(drawn) >= DRAWN_FROM_A:
        return drawn
    # A station with one conductor on L2 may call it L2, not L1: it draws on what it has.
    return on_circuit(PhaseCurrents(*[max(measured)] * 3), wired)


def _stations_below(site: Site, circuit: str) -> Iterator[str]:
    for name, station in site.stations.items():
        if circuit in upwards(site, station.circuit):
            yield name
