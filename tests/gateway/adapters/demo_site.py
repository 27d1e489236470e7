"""A site that a visitor believes, made of nothing but state: for page, REST, MQTT and metrics."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any
from zoneinfo import ZoneInfo

from gateway.charging_wishes import VEHICLE, ChargingWish
from gateway.dimming_desk import DimmingDesk
from gateway.events import (
    ChargingState,
    ConnectorStatus,
    EventType,
    IdToken,
    TransactionChanged,
)
from gateway.journal import JournalEntry, JournalQuery, moment
from gateway.journey import Journey, JourneyStep, StepState
from gateway.limit_wish import NotAWish
from gateway.metrics import Counters
from gateway.operations import Caller, NotAllowed, NotFound, TraceEntry, TraceQuery
from gateway.quarantine_edits import mended
from gateway.records import (
    CircuitLimit,
    LimitSource,
    OutboxRow,
    QuarantinedRow,
    QuarantineEdit,
    Transaction,
)
from gateway.site_state import EvseState, HistoryPoint, LimiterAtWork, SiteState
from gateway.trace_search import wanted
from gateway.writes import LogDimming, Write
from load_balancer.decision import Turn
from load_balancer.inputs import EvseKey, MeterReading
from load_balancer.limiters.dimming import Dimming, DimmingEvidence
from load_balancer.phases import ZERO, PhaseCurrents
from load_balancer.reasons import Reason, Rule
from site_config.circuit_tree import dimmed_feeds
from site_config.grid_operator import GridOperator
from site_config.links import Role
from site_config.model import Site

NOW = 10_000.0
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

VIEWER, OPERATOR, INSTALLER = "viewer-secret", "operator-secret", "installer-secret"


def demo_config(stations: int = 8) -> Site:
    """Return a depot with two circuits below the grid connection point."""
    return Site.model_validate(
        {
            "site": {"id": "depot-north", "name": "Depot North", "timezone": "Europe/Berlin"},
            "cloud": {"url": "ws://127.0.0.1:9100/ocpp", "identity": "DEPOT-NORTH"},
            "meters": {"grid": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:5020"}},
            "circuits": {
                "grid": {"rating_a": 100, "meter": "grid"},
                "garage": {"parent": "grid", "rating_a": 63},
                "yard": {"parent": "grid", "rating_a": 50},
            },
            "stations": {
                f"CP-{number:02}": {
                    "circuit": "garage" if number % 2 else "yard",
                    "safe_current_a": 6,
                    "evses": {1: {}, 2: {}} if number % 4 == 2 else {1: {}},
                }
                for number in range(1, stations + 1)
            },
            "web": {
                "listen": "127.0.0.1:0",
                "tokens": [
                    {"name": "wall-display", "role": "viewer", "token": VIEWER},
                    {"name": "operator-tablet", "role": "operator", "token": OPERATOR},
                    {"name": "installer-laptop", "role": "installer", "token": INSTALLER},
                ],
            },
        }
    )


def quiet_state(stations: int = 8) -> SiteState:
    """Return the state of a site nobody has spoken to yet."""
    site = demo_config(stations)
    evses = [(name, evse) for name, station in site.stations.items() for evse in station.evses]
    return SiteState.of(site, {key: number for number, key in enumerate(evses, start=1)})


def busy_state(stations: int = 8) -> SiteState:
    """Return a working day at noon: cars charge, one waits, one station is away."""
    state = quiet_state(stations)
    cloud = state.cloud
    cloud.is_connected = cloud.is_registered = True
    cloud.protocol, cloud.changed_at = "ocpp2.0.1", NOON - timedelta(hours=5)
    for number, station in enumerate(state.stations.values()):
        station.is_connected, station.changed_at = True, NOON - timedelta(hours=7)
        station.protocol = "ocpp1.6" if number % 3 == 0 else "ocpp2.0.1"
        station.vendor, station.model, station.firmware = "Alpen", "Duo 22", "3.4.1"
    for number, (name, _, evse) in enumerate(state.evse_states()):
        _occupy(evse, number, state.site.stations[name].circuit)
    last = state.stations[f"CP-{stations:02}"]
    last.is_connected, last.changed_at = False, NOON - timedelta(minutes=42)
    for evse in last.evses.values():
        evse.measured, evse.charging_state = None, None
    _measure(state)
    return state


def _occupy(evse: EvseState, number: int, circuit: str) -> None:
    kind = number % 6
    evse.status = ConnectorStatus.AVAILABLE
    if kind == 3:
        return
    if kind == 5:
        evse.status, evse.error = ConnectorStatus.FAULTED, "GroundFailure"
        return
    evse.status = ConnectorStatus.OCCUPIED
    evse.transaction_id = f"0f7c2f6e-0000-4000-8000-{number:012}"
    evse.started_at = NOON - timedelta(minutes=17 + 11 * (number % 9))
    evse.id_token_hint = f"{1000 + 37 * number}"[-4:]
    evse.energy_wh = 2150.0 + 1630.0 * (number % 7)
    if kind == 2:
        evse.charging_state, evse.limit_a, evse.measured = ChargingState.SUSPENDED_EVSE, 0.0, ZERO
        evse.limited_by = Reason(Rule.MINIMUM_UNAVAILABLE, circuit, "L2", 4.2, 6.0, NOW - 95)
        evse.turn = Turn(1, NOW + 540)
        return
    if kind == 4:
        evse.charging_state, evse.limit_a, evse.measured = ChargingState.SUSPENDED_EV, 16.0, ZERO
        return
    if number == 0:
        _draw_for_a_day(evse)
        evse.wish = ChargingWish(12_000.0, NOON + timedelta(hours=3, minutes=30), VEHICLE, 2150.0)
    limit_a = (16.0, 11.6)[kind % 2]
    drawn_a = limit_a - 0.3
    evse.charging_state, evse.limit_a, evse.believed_a = ChargingState.CHARGING, limit_a, limit_a
    evse.measured = PhaseCurrents(drawn_a, drawn_a - 0.1, drawn_a - 0.2 if kind else 0.0)
    evse.limited_by = Reason(Rule.FAIR_SHARE, circuit, "L2", limit_a, 63.0, NOW - 340)


def _measure(state: SiteState) -> None:
    """Let the meter and the circuits show an hour that ends at noon."""
    for name, circuit in state.circuits.items():
        share = {"grid": 0.83, "garage": 0.91, "yard": 0.4}[name]
        rating_a = circuit.rating_a
        circuit.measured = PhaseCurrents(*(rating_a * share * f for f in (0.93, 1.0, 0.88)))
        circuit.allocated = PhaseCurrents(*(rating_a * share * f for f in (0.8, 0.9, 0.8)))
    grid = state.circuits["grid"]
    assert grid.measured is not None
    meter = state.meters["grid"]
    meter.reading = MeterReading(NOW - 0.4, grid.measured, 54_200.0)
    meter.is_healthy, meter.energy_import_wh = True, 184_311_200.0
    state.history = deque((_history_point(second) for second in range(-3600, 1)), maxlen=3600)


def _history_point(second: int) -> HistoryPoint:
    wave = 70 + 10 * sin(second / 400) + 3 * sin(second / 37)
    measured = PhaseCurrents(wave, wave + 7 * sin(second / 90 + 1), wave - 9)
    limit_a = 80.0 if -2400 < second < -1500 else 100.0
    return HistoryPoint(
        NOON + timedelta(seconds=second), measured, PhaseCurrents(*[limit_a] * 3), measured
    )


def cloud_away(state: SiteState) -> SiteState:
    """The cloud has been silent for an hour and things pile up."""
    state.cloud.is_connected = state.cloud.is_registered = False
    state.cloud.changed_at = NOON - timedelta(minutes=63)
    state.cloud.pending, state.cloud.quarantined = 412, 1
    state.cloud.oldest_at = NOON - timedelta(minutes=63)
    state.problems["cloud"] = "the cloud is silent since 12:57"
    return state


def meter_lost(state: SiteState) -> SiteState:
    """The meter at the grid connection point does not answer: safe currents."""
    meter = state.meters["grid"]
    assert meter.reading is not None
    meter.is_healthy = False
    meter.reading = MeterReading(NOW - 73, meter.reading.currents, 54_200.0)
    state.circuits["grid"].measured = None
    state.problems["meter.grid"] = "meter grid does not answer since 13:58; safe currents hold"
    for *_, evse in state.evse_states():
        if evse.charging_state == ChargingState.CHARGING:
            evse.limit_a = 6.0
            evse.limited_by = Reason(Rule.METER_STALE, "grid", None, 6.0, 16.0, NOW - 68)
            evse.measured = PhaseCurrents(5.9, 5.8, 5.8)
    return state


def limited(state: SiteState) -> SiteState:
    """An operator has lowered a circuit, and one is measured above its limit."""
    garage = state.circuits["garage"]
    garage.limit = PhaseCurrents(40, 40, 40)
    garage.limited_by = "operator-tablet: 40 A until Mon 18:00 (party next door)"
    garage.limiters = (
        LimiterAtWork(Rule.CONTRACT, 50.0, "contract: 50 A"),
        LimiterAtWork(Rule.OPERATOR, 40.0, garage.limited_by),
    )
    garage.measured = PhaseCurrents(38.2, 42.6, 37.0)
    return state


@dataclass
class DemoOperations:
    """Grants and keeps what the real ones would, in memory."""

    state: SiteState
    limits: dict[tuple[str, LimitSource], CircuitLimit] = field(default_factory=dict)
    quarantine: list[QuarantinedRow] = field(default_factory=list)
    trace: list[TraceEntry] = field(default_factory=list)
    edits: list[QuarantineEdit] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    grid_operator: DimmingDesk | None = None

    async def set_circuit_limit(
        self,
        circuit: str,
        limit_a: float,
        *,
        reason: str,
        until: datetime | None,
        source: LimitSource,
        caller: Caller,
    ) -> CircuitLimit:
        self.asked.append(("set", circuit, limit_a, reason, until, source, caller))
        if circuit not in self.state.circuits:
            raise NotFound(f"no circuit {circuit}; there are {', '.join(self.state.circuits)}")
        if caller.role == Role.VIEWER:
            raise NotAllowed("a viewer may not set limits")
        rating_a = self.state.circuits[circuit].rating_a
        if not 0 <= limit_a <= rating_a:
            raise NotAllowed(f"{limit_a:g} A is above the installer's rating of {rating_a:g} A")
        if until is not None and until <= NOON:
            raise NotAllowed("until is in the past")
        limit = CircuitLimit(circuit, source, limit_a, reason, caller.name, NOON, until)
        self.limits[circuit, source] = limit
        self.state.circuits[circuit].limit = PhaseCurrents(limit_a, limit_a, limit_a)
        return limit

    async def clear_circuit_limit(
        self, circuit: str, *, source: LimitSource, caller: Caller
    ) -> None:
        self.asked.append(("clear", circuit, source, caller))
        if circuit not in self.state.circuits:
            raise NotFound(f"no circuit {circuit}; there are {', '.join(self.state.circuits)}")
        self.limits.pop((circuit, source), None)

    async def set_wish(
        self,
        key: EvseKey,
        *,
        energy_wh: float | None,
        departs_at: datetime | None,
        caller: Caller,
    ) -> ChargingWish:
        evse = self._evse(key)
        if departs_at is not None and departs_at <= NOON:
            raise NotAWish("departs_at is in the past")
        evse.wish = ChargingWish(energy_wh, departs_at, caller.name)
        return evse.wish

    async def clear_wish(self, key: EvseKey, caller: Caller) -> None:
        self._evse(key).wish = None

    def _evse(self, key: EvseKey) -> EvseState:
        station = self.state.stations.get(key.station_id)
        if station is None or key.evse_id not in station.evses:
            raise NotFound(f"no EVSE {key.station_id}/{key.evse_id}")
        return station.evses[key.evse_id]

    def circuit_limits(self) -> Sequence[CircuitLimit]:
        return tuple(self.limits.values())

    async def transactions(
        self, since: datetime | None, until: datetime | None
    ) -> Sequence[Transaction]:
        self.asked.append(("transactions", since, until))
        return [a_transaction()]

    async def journey(self, number: int) -> Journey:
        if number != a_transaction().number:
            raise NotFound(f"there is no transaction {number}")
        return Journey(a_transaction(), a_way())

    async def outbox(self, limit: int) -> Sequence[OutboxRow]:
        return [an_outbox_row(number) for number in range(1, 4)][:limit]

    async def quarantined(self) -> Sequence[QuarantinedRow]:
        return tuple(self.quarantine)

    def by_number(self, number: int) -> Transaction | None:
        return a_transaction() if number == a_transaction().number else None

    async def quarantine_edits(self, row_id: int) -> Sequence[QuarantineEdit]:
        return [edit for edit in self.edits if edit.row_id == row_id]

    async def edit(
        self,
        row_id: int,
        *,
        changes: Mapping[str, Any] | None,
        event: Any,
        note: str,
        caller: Caller,
    ) -> QuarantinedRow:
        self.asked.append(("edit", row_id, note, caller))
        for place, found in enumerate(self.quarantine):
            if found.row.id == row_id:
                row = mended(found.row, changes, event, books=self, version=None)
                self.edits.append(
                    QuarantineEdit(row_id, NOON, caller.name, note, found.row.event, row.event)
                )
                self.quarantine[place] = replace(found, row=row)
                return self.quarantine[place]
        raise NotFound(f"no quarantined row {row_id}")

    async def release(self, row_id: int, *, is_retried: bool, caller: Caller) -> None:
        self.asked.append(("release", row_id, is_retried, caller))
        kept = [quarantined for quarantined in self.quarantine if quarantined.row.id != row_id]
        if len(kept) == len(self.quarantine):
            raise NotFound(f"no quarantined row {row_id}")
        self.quarantine = kept

    async def journal(self, query: JournalQuery) -> Sequence[JournalEntry]:
        if query.of.station_id not in (None, *self.state.stations):
            raise NotFound(f"no station {query.of.station_id!r}")
        if query.at is not None:
            moment(query.at, ZoneInfo("Europe/Berlin"), NOON)
            return [JournalEntry(NOON, "CP-01", 1, 16.0, 6.0, "fuse", "garage", "L2", 63.0, 67.4)]
        return a_day_of_limits()

    def messages(self, query: TraceQuery) -> Sequence[TraceEntry]:
        own = [entry for entry in self.trace if query.station in (None, entry.station_id)]
        return list(wanted(query, [own], own))[-query.limit :]

    def health(self) -> dict[str, Any]:
        reasons = list(self.state.problems.values())
        return {"status": "degraded" if reasons else "ok", "reasons": reasons}


class EvidenceInMemory:
    """A store that keeps nothing but evidence."""

    def __init__(self) -> None:
        self.kept: list[DimmingEvidence] = []

    async def commit(self, writes: Sequence[Write]) -> None:
        self.kept += [write.evidence for write in writes if isinstance(write, LogDimming)]

    async def dimming_evidence(self, since: datetime, until: datetime) -> list[DimmingEvidence]:
        return [evidence for evidence in self.kept if since <= evidence.at < until]


def a_day_of_limits() -> list[JournalEntry]:
    """Return the journal of CP-01/1: pushed down by others, dimmed in the evening."""
    changes: list[tuple[float, float, Rule, float, float]] = [
        (1380, 16.0, Rule.FAIR_SHARE, 16.0, 63.0),
        (1210, 6.1, Rule.GRID_OPERATOR, 6.1, 16.0),
        (1140, 16.0, Rule.FAIR_SHARE, 16.0, 63.0),
        (905, 32.0, Rule.EVSE_MAXIMUM, 32.0, 63.0),
        (640, 6.0, Rule.NO_DEMAND, 6.0, 0.3),
        (420, 9.3, Rule.FUSE, 63.0, 71.2),
        (395, 11.6, Rule.RISING, 11.6, 20.0),
        (260, 0.0, Rule.MINIMUM_UNAVAILABLE, 4.2, 6.0),
        (230, 16.0, Rule.FAIR_SHARE, 16.0, 63.0),
        (0, 6.0, Rule.FUSE, 63.0, 67.4),
    ]
    entries, before_a = [], 6.0
    for minutes, limit_a, rule, value_a, compared_a in changes:
        at = NOON - timedelta(minutes=minutes)
        entries.append(
            JournalEntry(
                at, "CP-01", 1, before_a, limit_a, rule, "garage", "L2", value_a, compared_a
            )
        )
        before_a = limit_a
    return entries


def _draw_for_a_day(evse: EvseState) -> None:
    """Let an EVSE have drawn a little less than it was allowed, but for a pause at night."""
    limit_a, changes = 0.0, {entry.at: entry.to_a for entry in a_day_of_limits()}
    for minutes in range(1430, -1, -1):
        at = NOON - timedelta(minutes=minutes)
        limit_a = changes.get(at, limit_a)
        is_charging = not 425 < minutes < 640
        evse.draws.note(max(0.0, limit_a - 0.4 * (1 + sin(minutes))) * is_charging, at)


def demo_grid_operator(state: SiteState) -> DimmingDesk:
    """Return the desk of a grid operator who may dim the nine charge points of the depot."""
    shelf = EvidenceInMemory()
    operator = GridOperator()
    state.site = state.site.model_copy(update={"grid_operator": operator})
    return DimmingDesk(
        Dimming(operator, len(dimmed_feeds(state.site))),
        state,
        shelf,
        shelf.commit,
        lambda: NOW,
        lambda: NOON,
        lambda: None,
        lambda line: None,
    )


def demo_operations(state: SiteState) -> DemoOperations:
    """Return operations with one quarantined row and a short message trace."""
    poison = QuarantinedRow(
        an_outbox_row(17), NOON - timedelta(minutes=9), "FormationViolation", "timestamp malformed"
    )
    return DemoOperations(state, quarantine=[poison], trace=a_trace(state))


def demo_counters() -> Counters:
    counters = Counters()
    counters.count_message("station", "in", "MeterValues")
    counters.count_message("station", "in", "MeterValues")
    counters.count_call_error("cloud", "in", "FormationViolation")
    counters.count_meter_failure("grid")
    return counters


def a_transaction() -> Transaction:
    return Transaction(
        number=7,
        uuid="0f7c2f6e-0000-4000-8000-000000000007",
        station_id="CP-01",
        evse_id=1,
        connector_id=1,
        cloud_evse=1,
        started_at=NOON - timedelta(hours=1),
        station_transaction_id="7",
        id_token=IdToken("04A2B3C4D5E6F7"),
        register_start_wh=1000.0,
        register_last_wh=8250.0,
        is_start_queued=True,
    )


def a_way() -> tuple[JourneyStep, ...]:
    """Return what became of the messages of `a_transaction`."""
    began = NOON - timedelta(hours=1)

    def step(row_id: int, kind: str, minutes: float, **fields: Any) -> JourneyStep:
        at = began + timedelta(minutes=minutes)
        told = JourneyStep(
            row_id, kind, at, f"s-{row_id}", at + timedelta(milliseconds=40), False, 0,
            f"c-{row_id}", at + timedelta(milliseconds=60), None, StepState.CONFIRMED,
            at + timedelta(milliseconds=210), "",
        )  # fmt: skip
        return replace(told, **fields)

    waiting: dict[str, Any] = {"message_id": None, "sent_at": None, "settled_at": None}
    return (
        step(3, "Started", 0),
        step(4, "MeterValues", 1),
        step(5, "MeterValues", 2, message_id="c-4", sent_with=4),
        step(6, "ChargingStateChanged", 3, attempts=2, state=StepState.QUARANTINED,
             note="FormationViolation timestamp malformed"),
        step(9, "MeterValues", 59, state=StepState.WAITING, is_offline=True, **waiting),
    )  # fmt: skip


def an_outbox_row(number: int) -> OutboxRow:
    event = TransactionChanged(
        EventType.UPDATED, NOON, "0f7c", "MeterValuePeriodic", 3, evse_id=2,
        id_token=IdToken("04A2B3C4D5E6F7"),
    )  # fmt: skip
    return OutboxRow(number, "evse/2", event, transaction=7, enqueued_at=NOON, attempts=1)


def a_trace(state: SiteState) -> list[TraceEntry]:
    stations = list(state.stations)
    heartbeat = TraceEntry(NOON, stations[0], "in", '[2,"h1","Heartbeat",{}]')
    answer = replace(
        heartbeat, direction="out", frame='[3,"h1",{"currentTime":"2026-06-01T12:00:00Z"}]'
    )
    other = replace(
        heartbeat,
        station_id=stations[1],
        frame='[2,"s1","StatusNotification",{"connectorStatus":"Occupied","evseId":1}]',
    )
    return [heartbeat, answer, other, replace(heartbeat, station_id="cloud", direction="out")]
