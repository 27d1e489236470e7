"""What a CSMS asks of a charging station, in the gateway's own words: those of OCPP 2.0.1.

One vocabulary for both sides, as in `events`: from the cloud, `evse_id` is the number upstream;
to a station, its own. `None` or 0 as `evse_id` is the whole station, as the specification of the
message says. Refusals are values (`StatusAnswer("Rejected", …)`), failures are exceptions.

Currents A RMS per phase, power W, durations s, instants aware UTC datetimes.
"""

from dataclasses import dataclass, field
from typing import Any

from gateway.events import DataAnswered, DataSent, IdToken, IdTokenInfo
from load_balancer.profiles import ChargingProfile, CompositeSchedule


@dataclass(frozen=True, slots=True)
class RequestStart:
    """RequestStartTransaction; RemoteStartTransaction in 1.6."""

    id_token: IdToken
    evse_id: int | None = None
    connector_id: int | None = None
    remote_start_id: int = 0
    """0 in 1.6, which has none."""
    profile: ChargingProfile | None = None


@dataclass(frozen=True, slots=True)
class RequestStop:
    """RequestStopTransaction; RemoteStopTransaction in 1.6."""

    transaction_id: str
    """As the peer knows it; in 1.6 the number as text."""


@dataclass(frozen=True, slots=True)
class SetProfile:
    """SetChargingProfile. `evse_id` 0: the whole station, or a default of every EVSE."""

    evse_id: int
    profile: ChargingProfile


@dataclass(frozen=True, slots=True)
class ClearProfile:
    """ClearChargingProfile: every profile that matches all criteria given."""

    profile_id: int | None = None
    evse_id: int | None = None
    purpose: str | None = None
    """ChargingProfilePurposeEnumType of 2.0.1."""
    stack_level: int | None = None


@dataclass(frozen=True, slots=True)
class GetComposite:
    """GetCompositeSchedule. `evse_id` 0: expected at the grid connection."""

    evse_id: int
    duration_s: int
    unit: str | None = None
    """A or W; None: the station chooses."""


@dataclass(frozen=True, slots=True)
class ChangeAvailability:
    operational: bool
    evse_id: int | None = None
    connector_id: int | None = None


@dataclass(frozen=True, slots=True)
class UnlockConnector:
    evse_id: int
    connector_id: int


@dataclass(frozen=True, slots=True)
class Reset:
    is_immediate: bool
    """2.0.1 Immediate / OnIdle; 1.6 Hard / Soft."""
    evse_id: int | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """TriggerMessage."""

    message: str
    """MessageTriggerEnumType of 2.0.1; LogStatusNotification stands for 1.6's Diagnostics too."""
    evse_id: int | None = None
    connector_id: int | None = None


@dataclass(frozen=True, slots=True)
class GetConfiguration:
    """1.6 only. No keys: all of them (an empty list means all as well)."""

    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeConfiguration:
    """1.6 only."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class VariableRef:
    """One variable of the 2.0.1 device model."""

    component: str
    variable: str
    component_instance: str | None = None
    variable_instance: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None
    attribute: str = "Actual"


@dataclass(frozen=True, slots=True)
class GetVariables:
    """2.0.1 only."""

    variables: tuple[VariableRef, ...]


@dataclass(frozen=True, slots=True)
class SetVariables:
    """2.0.1 only."""

    variables: tuple[tuple[VariableRef, str], ...]


@dataclass(frozen=True, slots=True)
class GetBaseReport:
    """2.0.1 only."""

    request_id: int
    base: str
    """ConfigurationInventory, FullInventory or SummaryInventory."""


@dataclass(frozen=True, slots=True)
class LocalListEntry:
    id_token: IdToken
    info: IdTokenInfo | None
    """None in a differential update: remove the token."""


@dataclass(frozen=True, slots=True)
class SendLocalList:
    version: int
    is_full: bool
    entries: tuple[LocalListEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class GetLocalListVersion:
    pass


@dataclass(frozen=True, slots=True)
class ClearCache:
    pass


@dataclass(frozen=True, slots=True)
class GetTransactionStatus:
    """2.0.1 only."""

    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A command the specification knows and this gateway does not do: NotSupported."""

    action: str
    payload: dict[str, Any] = field(hash=False)


Command = (
    RequestStart
    | RequestStop
    | SetProfile
    | ClearProfile
    | GetComposite
    | ChangeAvailability
    | UnlockConnector
    | Reset
    | Trigger
    | GetConfiguration
    | ChangeConfiguration
    | GetVariables
    | SetVariables
    | GetBaseReport
    | SendLocalList
    | GetLocalListVersion
    | ClearCache
    | GetTransactionStatus
    | DataSent
    | Unsupported
)


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """Answer to most commands: a status word of 2.0.1 and, where it has one, a reason.

    The 1.6 codec maps words 1.6 does not have (`OngoingAuthorizedTransaction` -> UnlockFailed).
    """

    status: str
    reason_code: str | None = None
    """2.0.1 statusInfo.reasonCode, at most 20 characters."""
    info: str | None = None
    transaction_id: str | None = None
    """`RequestStart` only: a transaction that already runs (2.0.1 F01.FR.13)."""


@dataclass(frozen=True, slots=True)
class CompositeAnswer:
    schedule: CompositeSchedule | None
    """None: Rejected."""
    evse_id: int = 0


@dataclass(frozen=True, slots=True)
class ConfigurationKey:
    key: str
    value: str | None
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class ConfigurationAnswer:
    known: tuple[ConfigurationKey, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableResult:
    variable: VariableRef
    status: str
    """GetVariableStatusEnumType / SetVariableStatusEnumType."""
    value: str | None = None


@dataclass(frozen=True, slots=True)
class VariablesAnswer:
    """Answer to `GetVariables` and `SetVariables`, one result for each asked, in order."""

    results: tuple[VariableResult, ...]


@dataclass(frozen=True, slots=True)
class ListVersionAnswer:
    version: int
    """0: no list."""


@dataclass(frozen=True, slots=True)
class TransactionStatusAnswer:
    messages_in_queue: bool
    is_ongoing: bool | None = None


CommandAnswer = (
    StatusAnswer
    | CompositeAnswer
    | ConfigurationAnswer
    | VariablesAnswer
    | ListVersionAnswer
    | TransactionStatusAnswer
    | DataAnswered
)
