"""What the grid operator allows the charge points: dimming to a minimum, and what holds in silence.

Pure. Each charge point keeps its floor, or all of them a minimum together, as the site file says
and `site_config.grid_operator` explains (§14a EnWG). Whoever names a total for all of them gets it
divided by need (`total_share`), and never below what they keep in any case.

The site proves afterwards what it did. Several sources may dim at once; the lowest wins. Where a
heartbeat is expected and does not come, the minimum holds: whoever might dim cannot be heard. The
next heartbeat gives back.

Powers W, currents A per phase; `now` monotonic seconds, `at` the same instant as aware UTC.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from site_config.grid_operator import GridOperator, Minimum


class DimmingSource(StrEnum):
    """Who dims."""

    INPUT = "input"
    """The contact at the Modbus input."""
    REST = "rest"
    MQTT = "mqtt"
    FAIL_SAFE = "fail_safe"
    """Nobody: the heartbeat is missing, or the contact cannot be read."""


@dataclass(frozen=True, slots=True)
class DimmingCommand:
    """A wish to dim, as it was heard."""

    source: DimmingSource
    total_w: float | None
    """For all charge points together; None: their minimum."""
    reason: str
    by: str
    """Who asked: the token's name, the topic, the input's address."""
    at: datetime
    until: datetime | None = None
    """None: until it is taken back."""


@dataclass(frozen=True, slots=True)
class DimmingState:
    """What holds now."""

    total_w: float | None
    """For all charge points together; None: nobody dims."""
    point_w: float | None
    """For each of them; None: they share the total."""
    command: DimmingCommand | None
    """The lowest of those in force."""


@dataclass(frozen=True, slots=True)
class DimmingEvidence:
    """What was done, and what flowed then: to be shown to the grid operator for years."""

    at: datetime
    what: str
    """`dimmed`, `changed`, `obeyed` (the charge points draw no more than allowed) or `released`."""
    command: DimmingCommand | None
    """Who dims; None: nobody any more."""
    before_w: float | None
    """For each charge point; None: nobody dimmed, or all shared the total."""
    after_w: float | None
    before_total_w: float | None
    """For all charge points together; None: nobody dimmed, or an older version wrote it."""
    after_total_w: float | None
    cars_w: float
    """What the charge points that may be dimmed drew."""
    grid_w: float | None
    """What the site drew; None: no meter told."""


class Dimming:
    """All sources of one site.

    Args:
        operator: what the charge points keep, and whether a heartbeat is expected; the first is
            due so long after the start.
        points: how many of them, EVSEs, may be dimmed.
        silent_s: how long before the start the last was heard, or the site began to wait for one.
    """

    def __init__(
        self,
        operator: GridOperator,
        points: int,
        kept: Iterable[DimmingCommand] = (),
        silent_s: float = 0.0,
    ) -> None:
        self.points, self.floor_w = points, operator.floor_w
        self.minimum_w = operator.minimum_w(points)
        """What all charge points together may always draw."""
        self._is_together = operator.minimum is Minimum.TOGETHER
        self._heartbeat_s = operator.heartbeat_s
        self._heard_at: float | None = None
        self._silent_s = silent_s
        self._commands = {command.source: command for command in kept}
        self._silent: DimmingCommand | None = None
        self._last = DimmingState(None, None, None)
        self._is_obeyed = True

    def of(self, source: DimmingSource) -> DimmingCommand | None:
        """Return what a source wishes."""
        return self._commands.get(source)

    def take(self, command: DimmingCommand) -> None:
        """Put a source's wish in force, instead of what it wished before."""
        self._commands[command.source] = command

    def release(self, source: DimmingSource) -> None:
        self._commands.pop(source, None)

    def holds(self, source: DimmingSource) -> bool:
        return source in self._commands

    def heard(self, now: float) -> None:
        """Note a heartbeat."""
        self._heard_at = now

    def silent_s(self, now: float) -> float | None:
        """Return for how long no heartbeat was heard; None: none is expected."""
        if self._heartbeat_s is None:
            return None
        if self._heard_at is None:
            self._heard_at = now - self._silent_s
        return now - self._heard_at

    def state(self, now: float, at: datetime) -> DimmingState:
        """Return what the charge points may draw."""
        in_force = [c for c in self._commands.values() if c.until is None or c.until > at]
        if silent := self._silence(now, at):
            in_force.append(silent)
        if not in_force:
            return DimmingState(None, None, None)
        lowest = min(in_force, key=self._total_w)
        is_shared = self._is_together or lowest.total_w is not None
        return DimmingState(self._total_w(lowest), None if is_shared else self.floor_w, lowest)

    def evidence(
        self, now: float, at: datetime, points_w: Sequence[float], grid_w: float | None
    ) -> list[DimmingEvidence]:
        """Return what has happened since the last time, to be kept.

        Args:
            points_w: what each charge point draws.
        """
        before, after = self._last, self.state(now, at)
        self._last = after
        found = []
        if after != before:
            self._is_obeyed = after.total_w is None
            what = "dimmed" if before.total_w is None else "changed"
            found.append("released" if after.total_w is None else what)
        if not self._is_obeyed:
            self._is_obeyed = _is_within(points_w, after)
            found += ["obeyed"] if self._is_obeyed else []
        return [
            DimmingEvidence(
                at=at,
                what=what,
                command=after.command,
                before_w=before.point_w,
                after_w=after.point_w,
                before_total_w=before.total_w,
                after_total_w=after.total_w,
                cars_w=sum(points_w),
                grid_w=grid_w,
            )
            for what in found
        ]

    def expired(self, at: datetime) -> list[DimmingSource]:
        """Return the sources whose wish has ended by itself."""
        return [s for s, c in self._commands.items() if c.until is not None and c.until <= at]

    def _silence(self, now: float, at: datetime) -> DimmingCommand | None:
        silent_s = self.silent_s(now)
        if self._heartbeat_s is None or silent_s is None or silent_s <= self._heartbeat_s:
            self._silent = None
        elif self._silent is None:
            reason = f"no heartbeat for {self._heartbeat_s:g} s"
            self._silent = DimmingCommand(DimmingSource.FAIL_SAFE, None, reason, "site-gateway", at)
        return self._silent

    def _total_w(self, command: DimmingCommand) -> float:
        # Never below the minimum, whatever was asked: the law's, and the drivers'.
        return max(self.minimum_w, command.total_w or 0.0)


def _is_within(points_w: Sequence[float], state: DimmingState) -> bool:
    if state.total_w is None or sum(points_w) > state.total_w:
        return False
    return state.point_w is None or max(points_w, default=0.0) <= state.point_w
