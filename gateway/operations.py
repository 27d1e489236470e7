"""What people and programs beside the OCPP wire may ask of the gateway: page, REST, MQTT, CLI.

The adapters are handed an `Operations`; `app` builds it. Authority is bounded here, once: a limit
may only lower, and who may set it is decided before anything is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.charging_wishes import ChargingWish
from gateway.frozen import frozen
from gateway.journal import JournalEntry, JournalQuery
from gateway.journey import Journey
from gateway.records import (
    CircuitLimit,
    LimitSource,
    OutboxRow,
    QuarantinedRow,
    QuarantineEdit,
    Transaction,
)
from load_balancer.inputs import EvseKey
from load_balancer.limiters.dimming import DimmingCommand, DimmingEvidence, DimmingSource
from site_config.links import Role


class NotAllowed(Exception):
    """The wish is understood and refused: above the rating, or not for this role. HTTP 403."""


class NotFound(Exception):
    """No such circuit, row or station. HTTP 404; the text names what exists."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for the audit line."""

    name: str
    role: Role


@frozen
class TraceEntry:
    """One OCPP frame as it passed a socket; passwords and keys removed."""

    at: datetime
    station_id: str
    """A station's identity, or `cloud`."""
    direction: str
    """`in` towards the gateway, `out` from it."""
    frame: str


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which frames somebody wants to see. What is None or empty is not asked for."""

    station: str | None = None
    """A station's identity, or `cloud`."""
    limit: int = 200
    """At most so many, the newest."""
    text: str = ""
    """To be found in the frame as it is shown, in any case."""
    action: str | None = None
    """CALLs of this action, and what they were answered."""
    direction: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    has_tokens: bool = False
    """Drivers' tokens are shown whole; else their last four characters."""


class GridOperatorOperations(Protocol):
    """What may be asked where the grid operator may dim."""

    async def dim(
        self,
        total_w: float | None,
        *,
        reason: str,
        until: datetime | None,
        source: DimmingSource,
        caller: Caller,
    ) -> DimmingCommand:
        """Dim the charge points, durable on return; None: to their minimum.

        Raises NotAllowed for an `until` in the past or for a viewer.
        """

    async def release(self, source: DimmingSource, caller: Caller) -> None:
        """Take a source's command back; harmless when there is none."""

    def heard(self, caller: Caller) -> None:
        """Note a heartbeat."""

    async def evidence(
        self, since: datetime | None, until: datetime | None
    ) -> Sequence[DimmingEvidence]:
        """What was done in [since, until), oldest first."""

    def status(self) -> dict[str, Any]:
        """What holds now."""


class Operations(Protocol):
    @property
    def grid_operator(self) -> GridOperatorOperations | None:
        """None: nobody may dim this site."""

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
        """Lower a circuit's limit, durable on return; balanced at once.

        Raises NotAllowed above the installer's rating, below 0, for an `until` in the past or for
        a viewer; NotFound for an unknown circuit.
        """

    async def clear_circuit_limit(
        self, circuit: str, *, source: LimitSource, caller: Caller
    ) -> None:
        """Give the circuit back to its rating; clearing what is not set is harmless."""

    async def set_wish(
        self,
        key: EvseKey,
        *,
        energy_wh: float | None,
        departs_at: datetime | None,
        caller: Caller,
    ) -> ChargingWish:
        """Note what a driver wants from now on, durable on return; it outranks what the car says.

        Raises NotFound, NotAllowed for a viewer, `limit_wish.NotAWish` for what makes no sense.
        """

    async def clear_wish(self, key: EvseKey, caller: Caller) -> None:
        """Take a wish back, be it an operator's or the car's; harmless when there is none."""

    def circuit_limits(self) -> Sequence[CircuitLimit]:
        """What is set now, expired ones left out."""

    async def transactions(
        self, since: datetime | None, until: datetime | None
    ) -> Sequence[Transaction]:
        """Transactions that started in [since, until), newest first."""

    async def journey(self, number: int) -> Journey:
        """A transaction and what became of its messages; NotFound: there is no such number."""

    async def outbox(self, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows that wait for the cloud, in order."""

    async def quarantined(self) -> Sequence[QuarantinedRow]: ...

    async def quarantine_edits(self, row_id: int) -> Sequence[QuarantineEdit]:
        """How people have changed a quarantined row, the first change first."""

    async def edit(
        self,
        row_id: int,
        *,
        changes: Mapping[str, Any] | None,
        event: Any,
        note: str,
        caller: Caller,
    ) -> QuarantinedRow:
        """Change what a quarantined row tells, see `quarantine_edits.mended`; durable on return.

        Raises NotAllowed for a viewer, NotFound, or EditRefused.
        """

    async def release(self, row_id: int, *, is_retried: bool, caller: Caller) -> None:
        """Retry or discard a quarantined row; NotFound when it is not there."""

    async def journal(self, query: JournalQuery) -> Sequence[JournalEntry]:
        """Why limits were what they were, oldest first.

        Raises NotFound for an unknown station or EVSE, ValueError for an `at` that is no time.
        """

    def messages(self, query: TraceQuery) -> Sequence[TraceEntry]:
        """The newest OCPP frames that are asked for, oldest first. May be called on a thread."""

    def health(self) -> dict[str, Any]:
        """`{"status": "ok"|"degraded", "reasons": [...]}`"""
