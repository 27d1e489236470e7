"""What must still be known after a power cut: the rows of the store.

`writes` are the changes to them. Knows neither SQL nor files. Instants are aware UTC datetimes,
energy Wh.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.events import (
    AuthorizationStatus,
    ChargingState,
    IdToken,
    IdTokenInfo,
    MetersSampled,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.frozen import frozen
from load_balancer.phases import Phase
from load_balancer.profiles import ChargingProfile

REMEMBERED = 1000
"""Transactions kept in memory, ended and delivered though they are: for late duplicates."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Which EVSE the cloud's number means. Never renumbered, never deleted."""

    cloud_evse: int
    station_id: str
    evse_id: int
    is_removed: bool = False
    """No longer in the site file: reported Unavailable upstream."""


@frozen
class Transaction:
    """From authorized or plugged to ended, as billed. Kept after its end."""

    number: int
    """The gateway's own, positive int32, unique for ever: what a 1.6 station is told."""
    uuid: str
    """The gateway's own, what a 2.0.1 cloud is told (36 characters)."""
    station_id: str
    evse_id: int
    connector_id: int
    cloud_evse: int
    started_at: datetime
    station_transaction_id: str
    """What the station calls it: its own id (2.0.1) or `number` as text (1.6)."""
    id_token: IdToken | None = None
    register_start_wh: float | None = None
    register_last_wh: float | None = None
    """The station's energy register as last heard, for a Stop that has none."""
    ended_at: datetime | None = None
    """None: running."""
    stopped_reason: str | None = None
    next_seq_no: int = 0
    """The seqNo of the next TransactionEvent that leaves for the cloud."""
    charging_state: ChargingState | None = None
    remote_start_id: int | None = None
    cloud_number: int | None = None
    """What a 1.6 cloud calls it, once its StartTransaction was answered. Not unique, not a key."""
    verdict: AuthorizationStatus | None = None
    """The cloud's word on the token; None: not heard yet."""
    is_start_queued: bool = False
    """Whether a Started has been put in the outbox (a 2.0.1 station may start without a token,
    which a 1.6 cloud cannot be told: such a Start waits for its token)."""
    last_heard_at: datetime | None = None
    """The newest instant the station has told of it."""
    is_estimated: bool = False
    """Ended by rule, with the last register heard: the station never told its end."""
    register_offset_wh: float = 0.0
    """What is added to the station's register since it fell in mid-transaction."""
    refused_at_wh: float | None = None
    """The register when the cloud refused its token; None: it did not, or none was known."""
    started_told_at: datetime | None = None
    """What the station called `started_at`, where that was not believed, or was old and could not
    be checked; else None."""
    ended_told_at: datetime | None = None
    clock_shift_s: float = 0.0
    """What was added to the station's time at its start, and is to all that follows."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row's body as it is on the disk, when it says nothing: damaged, or of a newer program.

    It goes to quarantine and is exported as it is; nothing waits for it.
    """

    raw: bytes
    why: str


SayableEvent = TransactionChanged | MetersSampled | SecurityEventOccurred
OutboxEvent = SayableEvent | Unreadable


@frozen
class OutboxRow:
    """One event the cloud has not confirmed. The event carries upstream EVSE numbers."""

    id: int
    """Order of acceptance, never reused."""
    lane: str
    """Rows of one lane are delivered in order: `evse/3`, `station`."""
    event: OutboxEvent
    transaction: int | None = None
    """`Transaction.number` the event belongs to; the cloud's id is looked up when sending."""
    enqueued_at: datetime | None = None
    is_offline: bool = False
    """The cloud was away when it occurred (2.0.1 E04.FR.03)."""
    attempts: int = 0
    """Times the cloud refused it or stayed silent while connected (E13.FR.02)."""
    message_id: str | None = None
    """Of the CALL that may have left; None: never sent."""
    sent: bytes | None = None
    """The payload of that CALL: a retransmission is byte-identical but for its message id."""
    sent_version: str | None = None
    sent_with: tuple[int, ...] = ()
    """Ids of the other rows that travelled in the same CALL (coalesced meter values)."""
    station_message_id: str | None = None
    """Of the station's CALL that brought it; None: the gateway itself had it to tell."""


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """What waits in one lane, counted without reading the rows."""

    lane: str
    pending: int
    oldest_at: datetime | None
    """When its first row was enqueued."""


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row the cloud will never accept as it is; only a person retries or discards it."""

    row: OutboxRow
    quarantined_at: datetime
    code: str
    """OCPP error code, or `no-answer`."""
    description: str


@dataclass(frozen=True, slots=True)
class QuarantineEdit:
    """Who changed what of a quarantined row, as it was written down."""

    row_id: int
    edited_at: datetime
    edited_by: str
    note: str
    old: OutboxEvent
    new: OutboxEvent


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A verdict of the cloud (authorization cache) or an entry of its local list."""

    id_token: IdToken
    info: IdTokenInfo
    heard_at: datetime


class LimitSource(StrEnum):
    OPERATOR = "operator"
    MQTT = "mqtt"


@dataclass(frozen=True, slots=True)
class CircuitLimit:
    """What an operator, or MQTT, allows a circuit: never above the installer's rating."""

    circuit: str
    source: LimitSource
    limit_a: float
    reason: str
    set_by: str
    set_at: datetime
    until: datetime | None
    """None: until it is deleted."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A charging profile of the cloud, as accepted; `cloud_evse` 0 is the whole station."""

    cloud_evse: int
    profile: ChargingProfile


@dataclass(frozen=True, slots=True)
class FoundPhases:
    """What a meter has shown of an EVSE's phases, where the site file does not know them."""

    station_id: str
    evse_id: int
    wirings: tuple[tuple[Phase, ...], ...]
    """The circuit's phases on its conductors, in every way that is still possible."""
    found_at: datetime
    found_under: str
    """What the site file said then of EVSE and meter: it is void when that is changed."""
    boot_id: str
    """Of the machine: `in_sight_at` is of its monotonic clock."""
    in_sight_at: float | None
    """When the station was last in sight, s; None: out of sight since, it may have changed."""

    @property
    def phases(self) -> tuple[Phase | None, ...]:
        """The phase of each conductor; None: there is more than one that it could be."""
        by_conductor = [set(possible) for possible in zip(*self.wirings, strict=True)]
        return tuple(min(found) if len(found) == 1 else None for found in by_conductor)


@dataclass(frozen=True, slots=True)
class StoreSize:
    used_bytes: int
    """Of the file, without what is free inside it, and of its write-ahead log."""
    spare_bytes: int
    """Free inside the file."""
    disk_free_bytes: int
