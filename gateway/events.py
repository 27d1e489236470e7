"""What a charging station tells its CSMS, in the gateway's own words: those of OCPP 2.0.1.

One vocabulary for both sides. Read from a station, `evse_id` is the station's own number; told
to the cloud, the same event carries the number upstream (`slots` renumbers it with `replace`).
The codecs `ocpp/v16_*` and `ocpp/v201_*` turn payloads into these events and back; version words
stop there. Nothing here decides or touches anything.

Energy is Wh, instants are aware UTC datetimes, `None` is unknown.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.frozen import frozen


class ConnectorStatus(StrEnum):
    """ConnectorStatusEnumType of 2.0.1; the nine 1.6 states are this and a `ChargingState`."""

    AVAILABLE = "Available"
    OCCUPIED = "Occupied"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class ChargingState(StrEnum):
    """ChargingStateEnumType of 2.0.1."""

    CHARGING = "Charging"
    EV_CONNECTED = "EVConnected"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    IDLE = "Idle"
    """In 1.6: Finishing, once the transaction has ended and the cable is still plugged."""


NOT_WANTING = (ChargingState.SUSPENDED_EV, ChargingState.IDLE)
"""The vehicle is full, sleeps or has been unplugged: it asks for nothing now, it is said."""


class EventType(StrEnum):
    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


class AuthorizationStatus(StrEnum):
    """AuthorizationStatusEnumType of 2.0.1; 1.6 knows the first five."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    CONCURRENT_TX = "ConcurrentTx"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    NO_CREDIT = "NoCredit"
    NOT_ALLOWED_TYPE_EVSE = "NotAllowedTypeEVSE"
    NOT_AT_THIS_LOCATION = "NotAtThisLocation"
    NOT_AT_THIS_TIME = "NotAtThisTime"
    UNKNOWN = "Unknown"


class RegistrationStatus(StrEnum):
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


ENERGY_REGISTER = "Energy.Active.Import.Register"
"""Default measurand of both versions (2.0.1 Part 2 SampledValueType, 1.6 §7.45)."""


@frozen
class IdToken:
    """Who may charge. Spelling is kept as received; compare with `key`."""

    value: str
    """At most 36 characters (2.0.1), 20 in 1.6."""
    type: str = "Central"
    """IdTokenEnumType of 2.0.1. A 1.6 idTag has none: derived from its form."""

    @property
    def key(self) -> str:
        """Tokens compare without case (1.6 §3.9: CiString; 2.0.1: identifierString)."""
        return self.value.casefold()


@frozen
class IdTokenInfo:
    """The verdict on a token."""

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group: IdToken | None = None
    """1.6: parentIdTag."""


class SampledValue(NamedTuple):
    """One figure of a meter value. A tuple: stations send more of these than of all else."""

    value: str
    """Decimal text as the sender wrote it, so that no digit is lost between versions; with
    `signed` the sender's opaque data."""
    measurand: str = ENERGY_REGISTER
    phase: str | None = None
    location: str | None = None
    context: str = "Sample.Periodic"
    unit: str | None = None
    """As sent; None: the default unit of the measurand (Wh for energy)."""
    multiplier: int = 0
    """Power of ten (2.0.1 unitOfMeasure.multiplier)."""
    signed: dict[str, Any] | None = None
    """2.0.1 signedMeterValue, never re-scaled or re-serialized; 1.6: `format` SignedData."""


@frozen
class MeterValue:
    """Values sampled at one instant."""

    at: datetime
    samples: tuple[SampledValue, ...]


@dataclass(frozen=True, slots=True)
class Booted:
    """BootNotification."""

    vendor: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    reason: str = "PowerUp"


@dataclass(frozen=True, slots=True)
class HeartbeatSent:
    """Heartbeat: the peer asks for the time and shows that it lives."""


@frozen
class StatusChanged:
    """StatusNotification of one connector, or of the whole station (`evse_id` 0, 1.6 only)."""

    evse_id: int
    connector_id: int
    status: ConnectorStatus
    at: datetime | None
    """None: the station sent no time."""
    charging_state: ChargingState | None = None
    """Known at once in 1.6; a 2.0.1 station tells it in its TransactionEvents."""
    error_code: str | None = None
    """1.6 ChargePointErrorCode other than NoError."""
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizeAsked:
    """Authorize."""

    id_token: IdToken


@frozen
class TransactionChanged:
    """TransactionEvent; in 1.6 StartTransaction, StopTransaction, and MeterValues within one."""

    event_type: EventType
    at: datetime
    transaction_id: str | None
    """The sender's id. From a station: its own (2.0.1), the gateway's number as text (1.6; for an
    `ENDED` possibly -1, 0 or another's), None in a 1.6 StartTransaction. To the cloud: the
    gateway's UUID; the 1.6 codec is handed the cloud's number beside the event."""
    trigger_reason: str
    """TriggerReasonEnumType of 2.0.1."""
    seq_no: int
    """0 where the version has none; the gateway numbers its own."""
    evse_id: int | None = None
    """None where the station left it out (2.0.1 Updated / Ended, 1.6 StopTransaction)."""
    connector_id: int | None = None
    id_token: IdToken | None = None
    is_offline: bool = False
    charging_state: ChargingState | None = None
    stopped_reason: str | None = None
    """ReasonEnumType of 2.0.1."""
    register_wh: float | None = None
    """Energy register at the event: 1.6 meterStart and meterStop, else from the samples."""
    meter_values: tuple[MeterValue, ...] = ()
    remote_start_id: int | None = None
    reservation_id: int | None = None
    number_of_phases: int | None = None
    cable_max_current_a: float | None = None
    is_estimated: bool = False
    """The gateway made it up: the station never told this end."""
    clock_shift_s: float = 0.0
    """What was added to every instant of it, the station's clock being wrong."""

    @property
    def told_at(self) -> datetime:
        """When it occurred by the station's own clock."""
        return self.at - timedelta(seconds=self.clock_shift_s) if self.clock_shift_s else self.at


@frozen
class MetersSampled:
    """MeterValues. In 1.6 also within a transaction: `transaction_id` says which."""

    evse_id: int
    """0: the station's main meter."""
    connector_id: int
    meter_values: tuple[MeterValue, ...]
    transaction_id: str | None = None
    clock_shift_s: float = 0.0
    """What was added to every instant of it, the station's clock being wrong."""


@dataclass(frozen=True, slots=True)
class DataSent:
    """DataTransfer, in either direction."""

    vendor_id: str
    message_id: str | None = None
    data: Any = None
    """A string in 1.6, anything in 2.0.1."""


@dataclass(frozen=True, slots=True)
class SecurityEventOccurred:
    """SecurityEventNotification: queued until the cloud has it (2.0.1 A04.FR.02)."""

    type: str
    at: datetime
    tech_info: str | None = None


@dataclass(frozen=True, slots=True)
class FirmwareStatusChanged:
    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class LogStatusChanged:
    """LogStatusNotification; in 1.6 DiagnosticsStatusNotification when `request_id` is None."""

    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReportSent:
    """NotifyReport: one part of the device model, rows as in 2.0.1 ReportDataType."""

    request_id: int
    seq_no: int
    at: datetime
    has_more: bool
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ChargingNeedsTold:
    """NotifyEVChargingNeeds: what the car at an EVSE says it wants (2.0.1 K15)."""

    evse_id: int
    energy_wh: float | None
    """From now on; None: it does not say."""
    departs_at: datetime | None
    """None: it does not say."""


@dataclass(frozen=True, slots=True)
class OtherSent:
    """A valid message this gateway keeps no state of (2.0.1 NotifyEvent, Notify…): acknowledged."""

    action: str
    payload: dict[str, Any] = field(hash=False)


Event = (
    Booted
    | HeartbeatSent
    | StatusChanged
    | AuthorizeAsked
    | TransactionChanged
    | MetersSampled
    | DataSent
    | SecurityEventOccurred
    | FirmwareStatusChanged
    | LogStatusChanged
    | ReportSent
    | ChargingNeedsTold
    | OtherSent
)


# What the CSMS answers. Events without a class here are answered with `Acknowledged`.


@dataclass(frozen=True, slots=True)
class Registered:
    """Answer to `Booted`."""

    status: RegistrationStatus
    at: datetime
    interval_s: int
    """Heartbeat interval when Accepted, else wait before the next BootNotification."""


@dataclass(frozen=True, slots=True)
class TimeTold:
    """Answer to `HeartbeatSent`."""

    at: datetime


@frozen
class Judged:
    """Answer to `AuthorizeAsked`, and to a `TransactionChanged` that carried a token.

    `transaction_number` is set in the answer to a 1.6 StartTransaction only.
    """

    info: IdTokenInfo | None = None
    transaction_number: int | None = None


@dataclass(frozen=True, slots=True)
class DataAnswered:
    """Answer to `DataSent`."""

    status: str
    """Accepted, Rejected, UnknownMessageId, UnknownVendorId."""
    data: Any = None


@dataclass(frozen=True, slots=True)
class NeedsNoted:
    """Answer to `ChargingNeedsTold`: they count when the shares are decided."""


@frozen
class Acknowledged:
    """The empty answer."""


Answer = Registered | TimeTold | Judged | DataAnswered | NeedsNoted | Acknowledged
