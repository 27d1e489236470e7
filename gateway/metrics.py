"""The site in Prometheus' words: a pure mapping from `SiteState` to text.

Every name begins with `site_gateway_` and ends in its unit. Nothing is kept between two calls
but the `Counters`, which the app increments. Currents A RMS per phase, power W, energy Wh.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.ocpp.error_codes import KNOWN
from gateway.ocpp.frames import CALL, CALL_ERROR
from gateway.site_state import SiteState
from gateway.trace import CLOUD
from gateway.trace_search import head_of
from load_balancer.phases import PhaseCurrents

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

PREFIX = "site_gateway_"
PHASES = ("L1", "L2", "L3")


@dataclass(slots=True)
class Counters:
    """What only ever grows, since the process started."""

    messages: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """OCPP CALLs by (`station` or `cloud`, `in` or `out`, action)."""
    call_errors: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """CALLERRORs by (`station` or `cloud`, `in` or `out`, error code)."""
    meter_failures: Counter[str] = field(default_factory=Counter)
    """Polls without a reading, by meter."""

    def count_message(self, peer: str, direction: str, action: str) -> None:
        self.messages[peer, direction, action] += 1

    def count_call_error(self, peer: str, direction: str, code: str) -> None:
        self.call_errors[peer, direction, code] += 1

    def count_frame(self, name: str, direction: str, text: str) -> None:
        """Count what passed a socket, except what whoever answers it counts: the peers' CALLs."""
        kind = text[1:2]
        if kind == "3" or (kind == "2" and direction == "in"):
            return
        head = head_of(text)
        if head is None:
            return
        peer = "cloud" if name == CLOUD else "station"
        if head.kind == CALL and direction == "out":
            self.count_message(peer, direction, head.word)
        elif head.kind == CALL_ERROR:
            # Any word of a peer's would be a time series of its own.
            self.count_call_error(peer, direction, head.word if head.word in KNOWN else "other")

    def count_meter_failure(self, meter: str) -> None:
        self.meter_failures[meter] += 1


def render(state: SiteState, counters: Counters, now: float, now_utc: datetime) -> bytes:
    """Return the text of `GET /metrics`. What is unknown is left out, never shown as zero."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SiteCollector(state, counters, now, now_utc))
    return generate_latest(registry)


@dataclass(frozen=True, eq=False)
class _SiteCollector(Collector):
    state: SiteState
    counters: Counters
    now: float
    now_utc: datetime

    def collect(self) -> Iterable[Metric]:
        yield from _cloud(self.state, self.now_utc)
        yield from _storage(self.state)
        yield from _meters(self.state, self.now)
        yield from _circuits(self.state)
        yield from _stations(self.state)
        yield from _evses(self.state)
        yield from _counters(self.counters)


def _gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=list(labels))


def _per_phase(
    family: GaugeMetricFamily, labels: list[str], currents: PhaseCurrents | None
) -> None:
    for phase, current_a in zip(PHASES, currents or (), strict=False):
        family.add_metric([*labels, phase], current_a)


def _cloud(state: SiteState, now_utc: datetime) -> Iterator[Metric]:
    cloud = state.cloud
    connected = _gauge("cloud_connected", "1 while the socket to the cloud is open")
    connected.add_metric([], cloud.is_connected)
    registered = _gauge("cloud_registered", "1 once the cloud accepted our BootNotification")
    registered.add_metric([], cloud.is_registered)
    pending = _gauge("outbox_pending_messages", "Messages that wait for the cloud")
    pending.add_metric([], cloud.pending)
    quarantined = _gauge("outbox_quarantined_messages", "Messages the cloud will never accept")
    quarantined.add_metric([], cloud.quarantined)
    oldest = _gauge("outbox_oldest_age_seconds", "Age of the oldest message that waits; 0: none")
    age_s = (now_utc - cloud.oldest_at).total_seconds() if cloud.oldest_at else 0.0
    oldest.add_metric([], max(0.0, age_s))
    drain = _gauge("outbox_drain_seconds", "Until all that waits has left; absent: unknown")
    if cloud.drain_s is not None:
        drain.add_metric([], cloud.drain_s)
    problems = _gauge("problem", "1 for each reason why the site is degraded", ["kind"])
    for kind in sorted(state.problems):
        problems.add_metric([kind], 1)
    yield from (connected, registered, pending, quarantined, oldest, drain, problems)


def _storage(state: SiteState) -> Iterator[Metric]:
    storage = state.storage
    fill = _gauge("storage_fill_ratio", "How full the fullest bound of the store is; 1: reached")
    fill.add_metric([], storage.share)
    used = _gauge("storage_used_bytes", "Size of the database, without what is free inside it")
    used.add_metric([], storage.used_bytes)
    thinned = CounterMetricFamily(
        PREFIX + "storage_thinned_rows", "Meter values given up for want of room"
    )
    thinned.add_metric([], storage.thinned_rows)
    yield from (fill, used, thinned)


def _meters(state: SiteState, now: float) -> Iterator[Metric]:
    healthy = _gauge("meter_healthy", "1 while the meter answers in time", ["meter"])
    age = _gauge("meter_age_seconds", "Age of the last reading", ["meter"])
    power = _gauge("meter_power_watts", "Active power, positive is import", ["meter"])
    energy = _gauge("meter_energy_import_watt_hours", "Import register of the meter", ["meter"])
    current = _gauge("meter_current_amperes", "Current of a phase", ["meter", "phase"])
    for name, meter in state.meters.items():
        healthy.add_metric([name], meter.is_healthy)
        if meter.energy_import_wh is not None:
            energy.add_metric([name], meter.energy_import_wh)
        if meter.reading is None:
            continue
        age.add_metric([name], max(0.0, now - meter.reading.taken_at))
        if meter.reading.power_w is not None:
            power.add_metric([name], meter.reading.power_w)
        _per_phase(current, [name], meter.reading.currents)
    yield from (healthy, age, power, energy, current)


def _circuits(state: SiteState) -> Iterator[Metric]:
    labels = ["circuit", "phase"]
    rating = _gauge("circuit_rating_amperes", "What the fuse allows on a phase", ["circuit"])
    limit = _gauge("circuit_limit_amperes", "Lowest of rating and every limit set", labels)
    measured = _gauge("circuit_measured_amperes", "Current measured", labels)
    allocated = _gauge("circuit_allocated_amperes", "Current given to charging EVSEs", labels)
    for name, circuit in state.circuits.items():
        rating.add_metric([name], circuit.rating_a)
        _per_phase(limit, [name], circuit.limit)
        _per_phase(measured, [name], circuit.measured)
        _per_phase(allocated, [name], circuit.allocated)
    yield from (rating, limit, measured, allocated)


def _stations(state: SiteState) -> Iterator[Metric]:
    connected = _gauge("station_connected", "1 while the station is connected", ["station"])
    for name, station in state.stations.items():
        connected.add_metric([name], station.is_connected)
    doubted = _gauge(
        "station_safe_default_problem", "1 if it may not fall to its safe current", ["station"]
    )
    for name, station in state.stations.items():
        doubted.add_metric([name], station.safe_default_doubt is not None)
    writes = _gauge("station_profile_messages", "Profiles sent within a day; flash", ["station"])
    for name, station in state.stations.items():
        writes.add_metric([name], station.profile_writes)
    yield from (connected, doubted, writes)


def _evses(state: SiteState) -> Iterator[Metric]:
    labels = ["station", "evse"]
    active = _gauge("evse_transaction_active", "1 while a transaction runs", labels)
    limit = _gauge("evse_limit_amperes", "What the EVSE may draw on each phase", labels)
    measured = _gauge("evse_measured_amperes", "Current of a conductor", [*labels, "phase"])
    energy = _gauge("evse_transaction_energy_watt_hours", "Energy of the transaction", labels)
    queue = _gauge("evse_queue_place", "Place in the queue; absent: waits for nobody", labels)
    status = _gauge("evse_status", "1 for the status reported", [*labels, "status"])
    for name, number, evse in state.evse_states():
        key = [name, str(number)]
        active.add_metric(key, evse.transaction_id is not None)
        if evse.limit_a is not None:
            limit.add_metric(key, evse.limit_a)
        if evse.turn is not None:
            queue.add_metric(key, evse.turn.place)
        if evse.energy_wh is not None:
            energy.add_metric(key, evse.energy_wh)
        if evse.status is not None:
            status.add_metric([*key, evse.status], 1)
        _per_phase(measured, key, evse.measured)
    yield from (active, limit, measured, energy, queue, status)


def _counters(counters: Counters) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        PREFIX + "messages", "OCPP calls", labels=["peer", "direction", "action"]
    )
    for message, count in sorted(counters.messages.items()):
        messages.add_metric(message, count)
    errors = CounterMetricFamily(
        PREFIX + "call_errors", "OCPP errors", labels=["peer", "direction", "code"]
    )
    for error, count in sorted(counters.call_errors.items()):
        errors.add_metric(error, count)
    failures = CounterMetricFamily(
        PREFIX + "meter_failures", "Polls without a reading", labels=["meter"]
    )
    for meter, count in sorted(counters.meter_failures.items()):
        failures.add_metric([meter], count)
    yield from (messages, errors, failures)
