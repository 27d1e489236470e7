"""Which EVSE may draw how much while an electrician finds out how the site is wired. Pure.

One EVSE after the other that has a vehicle is given its minimum, then more, twice over; everybody
else stands at the minimum meanwhile, so that what the meters show is that one's doing.

The procedure only lowers: what it allows is one more ceiling of the balancer, which goes on
protecting every fuse. Where there is no room to rise it says so and goes on. Ended early it leaves
everybody at the minimum.

Currents are A per phase; `now` is monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from gateway.commissioning.observation import SEEN_A, Change, Gathering, Level, Sight, change_of
from gateway.commissioning.trial import (
    FOLLOWS_A,
    LEVELS,
    SMALLEST_STEP_A,
    Trial,
    does_not_follow,
    takes_no_more,
)
from load_balancer.inputs import EvseKey
from site_config.model import Site

HIGH_A = 16.0
"""What a vehicle is offered at most: enough to be seen beside any building."""
RISE_PATIENCE_S = 45.0
"""A limit that has not risen for so long will not rise further: that is all the room there is."""
CALM_PATIENCE_S = 60.0
"""A building that never stands still is averaged after this."""
SETTLE_S = 8.0
"""A level is held so long: a vehicle follows within 5 s (IEC 61851-1 A.2), a meter after it."""
FOLLOW_PATIENCE_S = 60.0
"""A limit that has not come down for so long: the station is gone, or does not take it."""
REPORTS_MISSED = 2
"""A station that has missed so many reports from the first on makes none."""
REPORT_PATIENCE_S = 40.0
"""So long a level waits for its station to say what it draws; then it is done without."""
TRIAL_S = 110.0
"""What a trial takes, until the first has been timed."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why an EVSE could not be tried."""

    key: EvseKey
    reason: str


class Procedure:
    """Call `step` at every balancing round; ask `ceiling_a` for every EVSE before the next."""

    def __init__(
        self,
        site: Site,
        *,
        high_a: float = HIGH_A,
        only: frozenset[str] = frozenset(),
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Try the EVSEs of the stations `only`, empty: all; `told` hears a line per event."""
        self.changes: list[Change] = []
        self.skipped: list[Skipped] = []
        self.waiting = [
            EvseKey(name, evse_id)
            for name, station in site.stations.items()
            if not only or name in only
            for evse_id in station.evses
        ]
        """Not tried yet, in the order of the site file."""
        self._evses = {
            EvseKey(name, evse_id): evse
            for name, station in site.stations.items()
            for evse_id, evse in station.evses.items()
        }
        self._least_a = {key: evse.min_current_a for key, evse in self._evses.items()}
        """A station that takes watts can allow less once it is known on how many phases."""
        self._report_s = REPORTS_MISSED * site.csms.meter_interval_s
        self._high_a = high_a
        self._durations_s: list[float] = []
        self.has_ended = False
        """Before everybody was tried."""
        self.is_at_rest = False
        """Ended, and every vehicle is believed to be at its minimum."""
        self._is_blind = False
        """A vehicle charges, and no meter can be read."""
        self._trial: Trial | None = None
        self._told = told

    @property
    def is_over(self) -> bool:
        return not self.waiting and self._trial is None

    @property
    def is_trying(self) -> bool:
        return self._trial is not None

    @property
    def progress(self) -> str:
        """Say what goes on, in a line."""
        if self.has_ended:
            return "ended"
        if self.is_over:
            return "done"
        if self._trial is None and self._is_blind:
            return "a vehicle charges, but no meter can be read: `meter read` says why"
        if self._trial is None:
            names = ", ".join(f"{key.station_id}/{key.evse_id}" for key in self.waiting[:5])
            more = f" and {len(self.waiting) - 5} more" if len(self.waiting) > 5 else ""
            return f"waiting for a vehicle that charges at {names}{more}"
        trial = self._trial
        step = f"step {len(trial.levels) + 1} of {LEVELS}"
        return f"{_name(trial.key)}: {step} at {trial.ceiling_a:g} A"

    @property
    def remaining_s(self) -> float:
        """How long it will take if a vehicle charges at every EVSE by then."""
        trial_s = fmean(self._durations_s) if self._durations_s else TRIAL_S
        under_way = 1 - self._trial.part_done if self._trial else 0.0
        return trial_s * (len(self.waiting) + under_way)

    @property
    def part_done(self) -> float:
        """0 to 1."""
        total = len(self.waiting) + len(self.changes) + len(self.skipped) + bool(self._trial)
        under_way = self._trial.part_done if self._trial else 0.0
        return (len(self.changes) + len(self.skipped) + under_way) / total if total else 1.0

    def ceiling_a(self, key: EvseKey) -> float:
        """Return what an EVSE may draw now, A per phase: its minimum, unless it is tried."""
        if self._trial is not None and self._trial.key == key:
            return self._trial.ceiling_a
        return self._least_a[key]

    def step(self, sight: Sight, now: float) -> None:
        """Look at the site, and go on."""
        for key, evse in sight.evses.items():
            self._least_a[key] = max(self._evses[key].min_current_a, evse.minimum_a or 0.0)
        if self.has_ended:
            self.is_at_rest = all(
                evse.believed_a is not None and evse.believed_a <= self._least_a[key] + 0.05
                for key, evse in sight.evses.items()
                if evse.is_charging
            )
        elif self._trial is None:
            self._begin(sight, now)
        elif not sight.evses[self._trial.key].is_charging:
            self._skip("the vehicle stopped charging before it was done")
        elif not sight.readings:
            self._skip("no meter can be read")
        else:
            self._go_on(self._trial, sight, now)

    def end(self) -> None:
        """Try no more: everybody goes back to the minimum; who was being tried was not."""
        if self._trial is not None:
            self.waiting.insert(0, self._trial.key)
        self._trial, self.has_ended = None, True

    def _begin(self, sight: Sight, now: float) -> None:
        key = next((k for k in self.waiting if sight.evses[k].is_charging), None)
        self._is_blind = key is not None and not sight.readings
        if key is None or self._is_blind:
            return
        self.waiting.remove(key)
        evse = self._evses[key]
        high_a = min(self._high_a, evse.max_current_a)
        self._trial = Trial(key, self._least_a[key], high_a, now, now, best_at=now)
        self._told(f"{_name(key)}: a vehicle charges, the trial begins")
        if high_a - evse.min_current_a < SMALLEST_STEP_A:
            self._skip(_too_close(evse.min_current_a, high_a))

    def _go_on(self, trial: Trial, sight: Sight, now: float) -> None:
        trial.note(sight)
        if not trial.levels and trial.low_a != self._least_a[trial.key]:
            trial.low_a, trial.level_at = self._least_a[trial.key], now
            trial.gathering = trial.followed_at = None
        evse = sight.evses[trial.key]
        if trial.gathering is None:
            self._await_limit(trial, evse.limit_a or 0.0, evse.why, now)
            return
        if trial.followed_at is None:
            if not trial.has_followed(sight, now, self._report_s):
                return
            trial.followed_at = now
        waited_s = now - trial.followed_at
        if waited_s < SETTLE_S:
            return
        trial.gathering.take(sight, trial.key, is_patience_over=waited_s > CALM_PATIENCE_S)
        if not trial.gathering.is_complete:
            return
        if trial.is_reporting and not trial.gathering.has_report:
            if waited_s < REPORT_PATIENCE_S:
                return
            trial.is_reporting = False
        self._end_level(trial, trial.gathering.level(), now)

    def _await_limit(self, trial: Trial, limit_a: float, why: str, now: float) -> None:
        """Wait until the EVSE has been told this level's limit, or all that there is room for."""
        if trial.is_high:
            if limit_a > trial.best_a + 0.05:
                trial.best_a, trial.best_at = limit_a, now
            has_all = limit_a >= trial.ceiling_a - 0.05
            if not has_all and now - trial.best_at < RISE_PATIENCE_S:
                return
            if trial.best_a - trial.low_a < SMALLEST_STEP_A:
                self._skip(trial.why_low())
                return
        elif abs(limit_a - trial.low_a) > 0.05:
            if now - trial.level_at > FOLLOW_PATIENCE_S:
                self._skip(f"its limit stays at {limit_a:.1f} A: {why}")
            return
        trial.best_at = now
        trial.gathering = Gathering(limit_a)

    def _end_level(self, trial: Trial, level: Level, now: float) -> None:
        was_high = trial.is_high
        trial.levels.append(level)
        trial.gathering = trial.followed_at = None
        trial.level_at, trial.best_at, trial.best_a = now, now, 0.0
        trial.falls_from = level if was_high else None
        drawn_a = max(level.drawn) if level.drawn is not None else 0.0
        if not was_high and drawn_a > level.limit_a + FOLLOWS_A:
            self._skip(does_not_follow(drawn_a, level.limit_a))
        elif trial.high_a - trial.low_a < SMALLEST_STEP_A:
            self._skip(_too_close(trial.low_a, trial.high_a))
        elif len(trial.levels) == LEVELS:
            self._end_trial(trial, now)

    def _end_trial(self, trial: Trial, now: float) -> None:
        response_s = max(trial.responses_s, default=None)
        change = change_of(trial.key, trial.levels, response_s, trial.most_drawn_a)
        if change.drawn is not None and not change.is_seen and max(change.drawn) < SEEN_A:
            self._skip(takes_no_more(trial.most_drawn_a or 0.0, change.high_limit_a))
            return
        self.changes.append(change)
        self._trial = None
        self._durations_s.append(now - trial.began_at)
        self._told(f"{_name(change.key)}: done in {now - trial.began_at:.0f} s")

    def _skip(self, reason: str) -> None:
        if self._trial is not None:
            self.skipped.append(Skipped(self._trial.key, reason))
            self._told(f"{_name(self._trial.key)}: {reason}")
        self._trial = None


def _too_close(low_a: float, high_a: float) -> str:
    return (
        f"between {low_a:.1f} A, its minimum, and {high_a:.1f} A is too little to be told apart; "
        "--high-a offers more, where the EVSE bears it"
    )


def _name(key: EvseKey) -> str:
    return f"{key.station_id}/{key.evse_id}"
