"""The changes to what is kept: a list of them is one commit, all of it or nothing.

Decisions return them; `adapters/store` carries them out, and only then is anybody answered.
Knows neither SQL nor files. Instants are aware UTC datetimes.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.frozen import frozen
from gateway.journal import JournalEntry
from gateway.records import (
    CircuitLimit,
    FoundPhases,
    KnownToken,
    LimitSource,
    OutboxEvent,
    OutboxRow,
    Slot,
    StoredProfile,
    Transaction,
)
from load_balancer.limiters.dimming import DimmingCommand, DimmingEvidence, DimmingSource
from load_balancer.limiters.quarter_hour import QuarterEnergy


@dataclass(frozen=True, slots=True)
class SaveSlot:
    slot: Slot


@frozen
class SaveTransaction:
    transaction: Transaction


@frozen
class Enqueue:
    row: OutboxRow


@dataclass(frozen=True, slots=True)
class EnqueueAgain:
    """Where a damaged file has lost a row that memory still holds; else it changes nothing."""

    row: OutboxRow


@frozen
class MarkSent:
    """Before a CALL leaves: what it says and which rows it carries (the first is the head)."""

    row_ids: tuple[int, ...]
    message_id: str
    sent: bytes
    version: str
    transaction: int | None = None
    next_seq_no: int = 0
    """Of that transaction from now on, unless it is higher already. A seqNo is given when an event
    first leaves, so that coalescing and quarantine leave no gap (2.0.1 Part 2 §1.3.2)."""
    at: datetime | None = None
    """When the CALL leaves."""


@dataclass(frozen=True, slots=True)
class GiveBackSeqNo:
    """The cloud has certainly not taken the event this seqNo was given to: the next event gets it,
    unless another has been given since."""

    transaction: int
    seq_no: int


@dataclass(frozen=True, slots=True)
class CountAttempt:
    row_id: int
    attempts: int


@frozen
class Confirm:
    """The cloud has them: remember the way they went, and delete. Twice is harmless."""

    row_ids: tuple[int, ...]
    """The first is the head: its CALL carried all."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Thin:
    """Meter values the cloud will never be told, for want of room: what `thinning` chose."""

    row_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ForgetOld:
    """Let go of what nobody asks for any more, a part of it at a time."""

    ended_before: datetime
    """Transactions that ended before it, unless a row of theirs still waits."""
    tokens_kept: int
    """Cached verdicts, the newest."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    row_id: int
    at: datetime
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row the cloud must not be sent unasked: into quarantine at once, for a person."""

    row: OutboxRow
    at: datetime
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class EditQuarantined:
    """A person has changed what a quarantined row says; what it said before is kept."""

    row_id: int
    event: OutboxEvent
    edited_by: str
    edited_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Release:
    """A person's decision on a quarantined row: back into its lane, or gone."""

    row_id: int
    is_retried: bool
    at: datetime | None = None
    by: str = ""
    """Who decided."""


@dataclass(frozen=True, slots=True)
class ForgetJourneys:
    """Delete what became of rows that were settled before an instant; some at a time."""

    before: datetime


@dataclass(frozen=True, slots=True)
class AppendJournal:
    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class ForgetJournal:
    """Delete what was written down before an instant."""

    before: datetime


@dataclass(frozen=True, slots=True)
class SaveQuarter:
    quarter: QuarterEnergy


@dataclass(frozen=True, slots=True)
class SaveDimming:
    command: DimmingCommand


@dataclass(frozen=True, slots=True)
class DeleteDimming:
    source: DimmingSource


@dataclass(frozen=True, slots=True)
class LogDimming:
    evidence: DimmingEvidence


@dataclass(frozen=True, slots=True)
class ForgetEvidence:
    """Delete evidence of before an instant."""

    before: datetime


@dataclass(frozen=True, slots=True)
class SaveToken:
    token: KnownToken


@dataclass(frozen=True, slots=True)
class ForgetTokens:
    """ClearCache."""


@dataclass(frozen=True, slots=True)
class ReplaceLocalList:
    """The whole list and its version, after a full or differential update was applied."""

    version: int
    entries: tuple[KnownToken, ...]


@dataclass(frozen=True, slots=True)
class SaveProfile:
    stored: StoredProfile


@dataclass(frozen=True, slots=True)
class DeleteProfile:
    profile_id: int


@dataclass(frozen=True, slots=True)
class SaveCircuitLimit:
    limit: CircuitLimit


@dataclass(frozen=True, slots=True)
class DeleteCircuitLimit:
    circuit: str
    source: LimitSource


@dataclass(frozen=True, slots=True)
class SaveFoundPhases:
    found: FoundPhases


@dataclass(frozen=True, slots=True)
class DeleteFoundPhases:
    """The meter has contradicted them, or the site file has changed."""

    station_id: str
    evse_id: int


@dataclass(frozen=True, slots=True)
class SaveAvailability:
    """What the cloud wants a slot to be; 0 is the whole station. Survives a reboot (1.6 §5.2)."""

    cloud_evse: int
    is_operational: bool


@frozen
class SaveSetting:
    """One word of state with no table of its own: a configuration key the cloud changed."""

    key: str
    value: str


Write = (
    SaveSlot
    | SaveTransaction
    | Enqueue
    | EnqueueAgain
    | MarkSent
    | GiveBackSeqNo
    | CountAttempt
    | Confirm
    | Quarantine
    | SetAside
    | Release
    | EditQuarantined
    | ForgetJourneys
    | AppendJournal
    | ForgetJournal
    | SaveQuarter
    | Thin
    | ForgetOld
    | SaveDimming
    | DeleteDimming
    | LogDimming
    | ForgetEvidence
    | SaveToken
    | ForgetTokens
    | ReplaceLocalList
    | SaveProfile
    | DeleteProfile
    | SaveCircuitLimit
    | DeleteCircuitLimit
    | SaveFoundPhases
    | DeleteFoundPhases
    | SaveAvailability
    | SaveSetting
)
