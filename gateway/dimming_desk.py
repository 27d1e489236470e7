"""The grid operator's desk: who dims, what was done, and the proof of it.

Each command is committed before it is in force, and every change of what holds leaves a line of
evidence that is kept for years. Handed the store and the clocks; owns neither. Powers W.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.errors import StoreFailed
from gateway.limiters import REPORTS_KEPT
from gateway.operations import Caller, NotAllowed
from gateway.site_state import SiteState
from gateway.writes import (
    DeleteDimming,
    ForgetEvidence,
    LogDimming,
    SaveDimming,
    SaveSetting,
    Write,
)
from load_balancer.limiters.dimming import (
    Dimming,
    DimmingCommand,
    DimmingEvidence,
    DimmingSource,
)
from site_config.circuit_tree import dimmed_feeds
from site_config.links import Role

KEPT = timedelta(days=3 * 365)
"""Evidence is kept for longer than the two years that BK6-22-300 asks for."""


OBSERVED = (DimmingSource.INPUT, DimmingSource.FAIL_SAFE)
"""What the contact shows, not anybody's word: it holds over a restart until the contact is read."""
HEARD = "grid_operator/heard"
"""The setting that keeps when a heartbeat was last heard: silence goes on over a restart."""
HEARD_EVERY = timedelta(seconds=10)
"""So often at most it is written down."""


class EvidenceShelf(Protocol):
    async def dimming_evidence(self, since: datetime, until: datetime) -> list[DimmingEvidence]:
        """Return the evidence of [since, until), oldest first."""


@dataclass(slots=True)
class DimmingDesk:
    dimming: Dimming
    state: SiteState
    shelf: EvidenceShelf
    commit: Callable[[Sequence[Write]], Awaitable[None]]
    clock: Callable[[], float]
    clock_utc: Callable[[], datetime]
    limits_changed: Callable[[], None]
    log: Callable[[str], None]
    lines: int | None = None
    """How much evidence there is; None: not counted yet."""
    _heard_kept: datetime | None = None
    _observed_kept: dict[DimmingSource, DimmingCommand] = field(init=False)

    def __post_init__(self) -> None:
        self._observed_kept = self._observed()

    async def dim(
        self,
        total_w: float | None,
        *,
        reason: str,
        until: datetime | None,
        source: DimmingSource,
        caller: Caller,
    ) -> DimmingCommand:
        """Dim the charge points, durable on return; raises NotAllowed for a viewer."""
        self._require(caller)
        at = self.clock_utc()
        if until is not None and until <= at:
            raise NotAllowed(f"until {until.isoformat()} is in the past: now is {at.isoformat()}")
        before = self.dimming.of(source)
        command = DimmingCommand(source, total_w, reason, caller.name, at, until)
        if before is not None and replace(before, at=at) == command:
            return before  # said again, as a broker does with what it retains
        await self.commit([SaveDimming(command)])
        self.dimming.take(command)
        self.limits_changed()
        return command

    async def release(self, source: DimmingSource, caller: Caller) -> None:
        """Take a source's command back; harmless when there is none."""
        self._require(caller)
        await self.commit([DeleteDimming(source)])
        self.dimming.release(source)
        self.limits_changed()

    def heard(self, caller: Caller) -> None:
        """Note a heartbeat; raises NotAllowed for a viewer."""
        self._require(caller)
        self.dimming.heard(self.clock())

    def input_read(self, place: str, is_active: bool) -> None:
        """Take the state of the grid operator's contact."""
        if is_active != self.dimming.holds(DimmingSource.INPUT):
            if is_active:
                self._take_input(DimmingSource.INPUT, place, "contact")
            else:
                self.dimming.release(DimmingSource.INPUT)
            self.limits_changed()
        self.dimming.release(DimmingSource.FAIL_SAFE)

    def input_silent(self, place: str, reason: str) -> None:
        """Fail low: whoever would dim through the contact cannot be heard."""
        if not self.dimming.holds(DimmingSource.FAIL_SAFE):
            self._take_input(DimmingSource.FAIL_SAFE, place, reason)
            self.limits_changed()

    def _take_input(self, source: DimmingSource, place: str, reason: str) -> None:
        self.dimming.take(DimmingCommand(source, None, reason, place, self.clock_utc()))

    def _observed(self) -> dict[DimmingSource, DimmingCommand]:
        found = {source: self.dimming.of(source) for source in OBSERVED}
        return {source: command for source, command in found.items() if command is not None}

    async def _keep_what_was_observed(self, now: float, at: datetime) -> None:
        observed, kept, heard_at = self._observed(), self._observed_kept, self._heard_kept
        writes: list[Write] = [
            SaveDimming(command) for s, command in observed.items() if kept.get(s) != command
        ]
        writes += [DeleteDimming(source) for source in kept if source not in observed]
        silent_s = self.dimming.silent_s(now)
        if silent_s is not None:
            last = at - timedelta(seconds=silent_s)
            if heard_at is None or last - heard_at >= HEARD_EVERY:
                heard_at = last
                writes.append(SaveSetting(HEARD, last.isoformat()))
        if writes:
            with suppress(StoreFailed):  # tried again the next time
                await self.commit(writes)
                self._observed_kept, self._heard_kept = observed, heard_at

    async def keep(self) -> None:
        """Write down what has changed; what the disk refuses is only in the log."""
        now, at = self.clock(), self.clock_utc()
        await self._keep_what_was_observed(now, at)
        if self.lines is None:
            with suppress(StoreFailed):  # the store has said why, once
                self.lines = len(await self.evidence(None, None))
        writes: list[Write] = []
        for source in self.dimming.expired(at):
            self.dimming.release(source)
            writes.append(DeleteDimming(source))
        for evidence in self.dimming.evidence(now, at, self._points_w(), self._grid_w()):
            writes += [LogDimming(evidence), ForgetEvidence(at - KEPT)]
            self.lines = None if self.lines is None else self.lines + 1
            self.log(_line(evidence))
        if writes:
            self.limits_changed()
            try:
                await self.commit(writes)
            except StoreFailed as error:
                self.log(f'dimming.not_kept reason="{error}"')

    async def evidence(
        self, since: datetime | None, until: datetime | None
    ) -> list[DimmingEvidence]:
        """Return the evidence of [since, until), oldest first."""
        now = self.clock_utc()
        return await self.shelf.dimming_evidence(
            since or now - KEPT, until or now + timedelta(seconds=1)
        )

    def status(self) -> dict[str, Any]:
        """Return the JSON object of `GET /api/v1/grid-operator`."""
        state = self.dimming.state(self.clock(), self.clock_utc())
        command = state.command
        return {
            "dimmed": state.total_w is not None,
            "points": self.dimming.points,
            "floor_w": self.dimming.floor_w,
            "minimum_w": self.dimming.minimum_w,
            "limit_w": state.point_w,
            "total_w": state.total_w,
            "source": None if command is None else command.source,
            "set_by": None if command is None else command.by,
            "reason": None if command is None else command.reason,
            "since": None if command is None else command.at.isoformat(timespec="seconds"),
            "until": command.until.isoformat() if command and command.until else None,
            "cars_w": sum(self._points_w()),
            "evidence": self.lines,
        }

    def _require(self, caller: Caller) -> None:
        if caller.role is Role.VIEWER:
            raise NotAllowed(f"{caller.name} may look, not change: use an operator's token")

    def _points_w(self) -> list[float]:
        """Return what each charge point draws; one that does not report draws all it may."""
        site, now = self.state.site, self.clock()
        at_most_s = REPORTS_KEPT * site.csms.meter_interval_s
        powers = []
        for feed in dimmed_feeds(site):
            evse = self.state.stations[feed.station_id].evses[feed.evse_id]
            drawn_a = 0.0
            if evse.transaction_id is not None:
                most_a = feed.evse.max_current_a if evse.believed_a is None else evse.believed_a
                drawn = evse.drawn(now, at_most_s)
                drawn_a = most_a * len(feed.evse.phases) if drawn is None else sum(drawn)
            powers.append(round(drawn_a * site.site.voltage_v, 1))
        return powers

    def _grid_w(self) -> float | None:
        meter = self.state.site.circuits[self.state.root].meter
        reading = self.state.meters[meter].reading if meter else None
        if reading is None:
            return None
        if reading.power_w is not None:
            return reading.power_w
        return sum(reading.currents) * self.state.site.site.voltage_v


EVIDENCE_COLUMNS = (
    *("at", "what", "source", "set_by", "reason"),
    *("before_w", "after_w", "cars_w", "grid_w", "before_total_w", "after_total_w"),
)


def evidence_json(evidence: DimmingEvidence) -> dict[str, Any]:
    """Return a line of evidence as an object of `EVIDENCE_COLUMNS`."""
    command = evidence.command
    return {
        "at": evidence.at.isoformat(timespec="milliseconds"),
        "what": evidence.what,
        "source": command.source if command else None,
        "set_by": command.by if command else None,
        "reason": command.reason if command else "",
        "before_w": evidence.before_w,
        "after_w": evidence.after_w,
        "cars_w": evidence.cars_w,
        "grid_w": evidence.grid_w,
        "before_total_w": evidence.before_total_w,
        "after_total_w": evidence.after_total_w,
    }


def _line(evidence: DimmingEvidence) -> str:
    command = evidence.command
    source, by = (command.source, command.by) if command else ("none", "none")
    return (
        f"dimming.{evidence.what} total_w={_watts(evidence.after_total_w)} "
        f"point_w={_watts(evidence.after_w)} before_total_w={_watts(evidence.before_total_w)} "
        f"cars_w={evidence.cars_w:.0f} "
        f"source={source} by={by}"
    )


def _watts(power_w: float | None) -> str:
    return "none" if power_w is None else f"{power_w:.0f}"
