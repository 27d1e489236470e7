"""What the site looks like now: the read model that page, MQTT, metrics and balancer look at.

The app writes it as things happen; everybody else only reads. Decides nothing. `snapshot` is the
JSON of `GET /api/v1/site`. Currents are A RMS per phase, power W, energy Wh, positive = import;
`…_at` without a time zone is monotonic seconds.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.charging_wishes import ChargingWish
from gateway.draws import Draws
from gateway.events import NOT_WANTING, ChargingState, ConnectorStatus
from gateway.records import FoundPhases
from load_balancer.decision import Decision, Turn
from load_balancer.inputs import MeterReading
from load_balancer.phases import PHASES, ZERO, Phase, PhaseCurrents
from load_balancer.reasons import Reason, Rule
from site_config.fields import UNKNOWN
from site_config.model import Site
from site_config.stations import Evse

HISTORY_LENGTH = 3600
"""Points kept for the page's plot: an hour at one reading a second."""

DEPTH_STEP = timedelta(seconds=30)
DEPTH_LENGTH = 720
"""Six hours."""
NOTES_KEPT = 20
"""Of each station."""


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """How many rows were in the outbox at an instant."""

    at: datetime
    pending: int
    quarantined: int


@dataclass(slots=True)
class CloudState:
    is_connected: bool = False
    is_registered: bool = False
    """The cloud accepted our BootNotification."""
    protocol: str | None = None
    changed_at: datetime | None = None
    """When it last came or went; None: it never has been connected."""
    pending: int = 0
    """Rows in the outbox."""
    quarantined: int = 0
    oldest_at: datetime | None = None
    """When the oldest row waiting was enqueued."""
    drain_s: float | None = None
    """Until all that waits has left, at the present pace; None: nobody knows."""
    depths: deque[DepthPoint] = field(default_factory=lambda: deque(maxlen=DEPTH_LENGTH))
    """How much waited, every `DEPTH_STEP`, the newest last."""

    def note_depth(self, depth: DepthPoint) -> None:
        """Take over how much waits now; it is remembered from time to time."""
        self.pending, self.quarantined = depth.pending, depth.quarantined
        if not self.depths or depth.at - self.depths[-1].at >= DEPTH_STEP:
            self.depths.append(depth)


@dataclass(slots=True)
class StorageState:
    share: float = 0.0
    """How full the fullest bound of the store is; 1: reached."""
    used_bytes: int = 0
    thinned_rows: int = 0
    """Meter values given up for want of room, since the start."""
    is_alarm: bool = False


@dataclass(slots=True)
class MeterState:
    reading: MeterReading | None = None
    is_healthy: bool = False
    energy_import_wh: float | None = None


@dataclass(frozen=True, slots=True)
class LimiterAtWork:
    """One of those that may hold a circuit below its rating, in words for people."""

    rule: Rule
    limit_a: float | None
    """On each phase; None: it does not limit the circuit as a whole."""
    text: str


@dataclass(slots=True)
class CircuitState:
    rating: PhaseCurrents
    limit: PhaseCurrents
    """The lowest of rating, operator, schedule, MQTT and cloud."""
    measured: PhaseCurrents | None = None
    allocated: PhaseCurrents = ZERO
    limited_by: str = "rating"
    """Which of them it is, with who set it and until when, in words."""
    limiters: tuple[LimiterAtWork, ...] = ()
    """All of them beside the fuse, whether they bind or not."""

    @property
    def rating_a(self) -> float:
        """What every phase may carry: the rating of the weakest."""
        return min(self.rating)


@dataclass(slots=True)
class EvseState:
    cloud_evse: int
    phases: tuple[Phase | None, ...] = PHASES
    """The circuit's phases on its conductors, as the site file says or as they were found; None:
    nobody knows yet."""
    found_phases: FoundPhases | None = None
    """What the meter has shown of them; None: nothing yet, or the site file says them."""
    status: ConnectorStatus | None = None
    """None: never reported."""
    charging_state: ChargingState | None = None
    connector_id: int = 1
    transaction_id: str | None = None
    """The gateway's UUID of the running transaction."""
    id_token_hint: str | None = None
    """Last four characters of the token, for people; never the whole."""
    started_at: datetime | None = None
    limit_a: float | None = None
    believed_a: float | None = None
    """The highest limit the station may be acting upon."""
    measured: PhaseCurrents | None = None
    """In the EVSE's own conductor order."""
    measured_at: float | None = None
    draws: Draws = field(default_factory=Draws)
    """The last day of it."""
    energy_wh: float | None = None
    """Delivered in the running transaction, else in the last one."""
    limited_by: Reason | None = None
    turn: Turn | None = None
    """Its place among those who wait for current; None: it does not wait."""
    wish: ChargingWish | None = None
    """What its driver wants; None: unknown."""
    error: str | None = None
    """What the station says is wrong, None: nothing."""

    @property
    def wants_current(self) -> bool:
        return self.transaction_id is not None and self.charging_state not in NOT_WANTING

    def drawn(self, now: float, at_most_s: float) -> PhaseCurrents | None:
        """Return what it draws; None: it did not say so within so many seconds."""
        is_fresh = self.measured_at is not None and now - self.measured_at <= at_most_s
        return self.measured if is_fresh else None


@dataclass(slots=True)
class StationState:
    evses: dict[int, EvseState]
    is_connected: bool = False
    protocol: str | None = None
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    changed_at: datetime | None = None
    """When it last came or went."""
    safe_default_doubt: str | None = None
    """Why it may not fall to its safe current without us, although it accepted that; None: nothing
    speaks against it."""
    profile_writes: int = 0
    """Charging profiles sent to it within a day: its flash wears out."""
    notes: tuple[str, ...] = ()
    """What it does that it should not (mended payloads, ignored limits), for the page."""

    def note(self, what: str) -> None:
        """Add to `notes`; the newest are kept."""
        self.notes = (*self.notes, what)[-NOTES_KEPT:]


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One balancing step of the grid connection point, for the plot."""

    at: datetime
    measured: PhaseCurrents | None
    limit: PhaseCurrents
    allocated: PhaseCurrents


@dataclass(slots=True)
class SiteState:
    site: Site
    cloud: CloudState
    meters: dict[str, MeterState]
    circuits: dict[str, CircuitState]
    stations: dict[str, StationState]
    history: deque[HistoryPoint]
    storage: StorageState = field(default_factory=StorageState)
    problems: dict[str, str] = field(default_factory=dict)
    """Why the site is degraded, by kind (`meter.grid`, `store`, `cloud`): healthz's reasons."""

    @classmethod
    def of(cls, site: Site, cloud_evses: dict[tuple[str, int], int]) -> "SiteState":
        """Build the state of a site nobody has spoken to yet.

        Args:
            cloud_evses: (station id, EVSE id) -> its number upstream.
        """
        return cls(
            site=site,
            cloud=CloudState(),
            meters={meter: MeterState() for meter in site.meters},
            circuits={
                name: CircuitState(rating := PhaseCurrents(*circuit.ratings_a), rating)
                for name, circuit in site.circuits.items()
            },
            stations={
                name: StationState(
                    {
                        number: EvseState(cloud_evses[name, number], _phases(evse))
                        for number, evse in station.evses.items()
                    }
                )
                for name, station in site.stations.items()
            },
            history=deque(maxlen=HISTORY_LENGTH),
        )

    @property
    def root(self) -> str:
        """The grid connection point's circuit."""
        return next(name for name, circuit in self.site.circuits.items() if circuit.parent is None)

    def evse_states(self) -> Iterable[tuple[str, int, EvseState]]:
        for name, station in self.stations.items():
            for evse_id, evse in station.evses.items():
                yield name, evse_id, evse

    def apply(self, decision: Decision, at: datetime) -> None:
        """Take over what the balancer decided."""
        for key, limit in decision.limits.items():
            evse = self.stations[key.station_id].evses[key.evse_id]
            evse.limit_a, evse.limited_by, evse.turn = limit.limit_a, limit.reason, limit.turn
        for *_, evse in self.evse_states():
            evse.draws.note(_drawn_a(evse), at)
        for key, phases in decision.phases.items():
            self.stations[key.station_id].evses[key.evse_id].phases = phases
        for name, circuit in decision.circuits.items():
            state = self.circuits[name]
            state.limit, state.measured = circuit.limit, circuit.measured
            state.allocated = circuit.allocated
        root = self.circuits[self.root]
        self.history.append(HistoryPoint(at, root.measured, root.limit, root.allocated))


def _drawn_a(evse: EvseState) -> float | None:
    if evse.transaction_id is None:
        return 0.0
    return None if evse.measured is None else max(evse.measured)


def snapshot(state: SiteState, now: float, now_utc: datetime) -> dict[str, Any]:
    """Return the JSON object of `GET /api/v1/site` (DESIGN §7)."""
    return {
        "site": {"id": state.site.site.id, "name": state.site.site.name},
        "cloud": _cloud(state.cloud, now_utc),
        "meters": {name: _meter(meter, now) for name, meter in state.meters.items()},
        "circuits": {name: _circuit(circuit) for name, circuit in state.circuits.items()},
        "stations": {
            name: {
                "connected": station.is_connected,
                "protocol": station.protocol,
                "vendor": station.vendor,
                "model": station.model,
                "firmware": station.firmware,
                "evses": {
                    str(number): _evse(evse, now, now_utc) for number, evse in station.evses.items()
                },
            }
            for name, station in state.stations.items()
        },
    }


def _cloud(cloud: CloudState, now_utc: datetime) -> dict[str, Any]:
    oldest_age_s = (now_utc - cloud.oldest_at).total_seconds() if cloud.oldest_at else None
    return {
        "connected": cloud.is_connected,
        "protocol": cloud.protocol,
        "registered": cloud.is_registered,
        "outbox": {
            "pending": cloud.pending,
            "quarantined": cloud.quarantined,
            "oldest_age_s": oldest_age_s,
            "drain_s": cloud.drain_s,
        },
    }


def _meter(meter: MeterState, now: float) -> dict[str, Any]:
    reading = meter.reading
    return {
        "age_s": round(now - reading.taken_at, 3) if reading else None,
        "currents_a": _currents(reading.currents) if reading else None,
        "power_w": reading.power_w if reading else None,
        "healthy": meter.is_healthy,
    }


def _phases(evse: Evse) -> tuple[Phase | None, ...]:
    return tuple(None if phase == UNKNOWN else phase for phase in evse.conductors)


def _circuit(circuit: CircuitState) -> dict[str, Any]:
    return {
        "rating_a": circuit.rating_a,
        "ratings_a": list(circuit.rating),
        "limit_a": _currents(circuit.limit),
        "measured_a": _currents(circuit.measured),
        "allocated_a": _currents(circuit.allocated),
    }


def _evse(evse: EvseState, now: float, now_utc: datetime) -> dict[str, Any]:
    return {
        "cloud_evse": evse.cloud_evse,
        "phases": [phase or UNKNOWN for phase in evse.phases],
        "found_phases": _found_phases(evse.found_phases),
        "status": evse.status,
        "transaction_id": evse.transaction_id,
        "limit_a": evse.limit_a,
        "measured_a": _currents(evse.measured),
        "energy_wh": evse.energy_wh,
        "wish": wish_json(evse.wish),
        "limited_by": _reason(evse.limited_by, now, now_utc),
        "queue": _queue(evse.turn, now, now_utc),
    }


def _found_phases(found: FoundPhases | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "phases": [phase or UNKNOWN for phase in found.phases],
        "at": found.found_at.isoformat(timespec="seconds"),
        "in_doubt": found.in_sight_at is None,
    }


def wish_json(wish: ChargingWish | None) -> dict[str, Any] | None:
    if wish is None:
        return None
    departs_at = wish.departs_at.isoformat(timespec="seconds") if wish.departs_at else None
    return {"energy_wh": wish.energy_wh, "departs_at": departs_at, "told_by": wish.told_by}


def _queue(turn: Turn | None, now: float, now_utc: datetime) -> dict[str, Any] | None:
    if turn is None:
        return None
    wait_s = max(0.0, turn.expected_at - now)
    # To the minute: two clocks, looked at one after the other, never agree on a second.
    expected_at = datetime.fromtimestamp(round((now_utc.timestamp() + wait_s) / 60) * 60, UTC)
    return {
        "place": turn.place,
        "wait_s": round(wait_s),
        "expected_at": expected_at.isoformat(timespec="seconds"),
    }


def _reason(reason: Reason | None, now: float, now_utc: datetime) -> dict[str, Any] | None:
    if reason is None:
        return None
    since = datetime.fromtimestamp(now_utc.timestamp() - (now - reason.since), now_utc.tzinfo)
    return {
        "rule": reason.rule,
        "circuit": reason.circuit,
        "phase": reason.phase,
        "value_a": reason.value_a,
        "since": since.isoformat(timespec="seconds"),
    }


def _currents(currents: PhaseCurrents | None) -> list[float] | None:
    return [round(current, 2) for current in currents] if currents is not None else None
