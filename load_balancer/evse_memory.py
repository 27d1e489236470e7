"""What the balancer knows of one EVSE: what it draws, what it was told, what it makes of it.

Pure. Currents are A RMS per conductor as they come in, whole deci-amps (`_da`) inside, positive
= towards the vehicle; instants are monotonic seconds.

A station reports every ten seconds or so and follows a limit after some seconds, a meter reads
every second: what an EVSE draws at the instant of a meter reading is never quite known. So there
are several answers, each wrong on the harmless side of its question:

    drawn_da     the likely draw; while a cut is on its way, still the draw before it
    low_da       no more than that: what may be taken off a meter reading to learn what others draw
    counted_da   the highest it may draw: what must be kept free for it
    floor_da     what it takes whatever it is told; 0 while it does as it is told
"""

from math import ceil, inf
from typing import NamedTuple

from load_balancer.allocation import Demand, Share
from load_balancer.appetite import Appetite
from load_balancer.circuits import EvseNode
from load_balancer.decision import Limit, Turn
from load_balancer.departures import Plan
from load_balancer.inputs import LASTING, Ceiling, EvseInput
from load_balancer.learning import PhaseUse, UnusedOffer
from load_balancer.phase_search import CalmLevels, PhaseSearch
from load_balancer.phases import ZERO, PhaseCurrents
from load_balancer.reasons import Reason, Rule
from site_config.meters import OnLoss

SETTLE_S = 15.0
"""Once a limit is confirmed, the station acts on it within 10 s, and its vehicle follows within
5 s (IEC 61851-1, Annex A). Judged earlier, a slow one would be cut twice, and swing."""
CONFIRM_WITHIN_S = 12.0
"""A station that has not confirmed a limit by then is taken not to follow it."""
STUBBORN_AFTER_S = 30.0
"""One that still takes more than it was told after so long may be paused for it."""

ASK_AFTER_S = 2.0
"""Most stations and vehicles have followed a cut by then,"""
ASK_EVERY_S = 3.0
"""and the others have a little later."""

RETURNS_WITHIN_S = 60.0
"""A station that has not found us again by then after our restart is not waited for."""

SHORTEST_RUN_S = 210.0
"""Who begins goes on for so long, if there is a minimum for him at all: a vehicle that is paused
before it has woken up, or learnt what it may have, falls asleep."""

DISOBEDIENT_FROM_DA = 10
"""Up to this, more than allowed is an inaccurate meter; above, a station that does not obey."""

STEADY_RULES = {Rule.EVSE_MAXIMUM, Rule.FAIR_SHARE, Rule.RISING, Rule.NO_DEMAND}
"""Rules whose numbers change only with the EVSE's own; the others quote what flows now."""

RETURNS_WITHIN_S = 120.0
"""After a restart of ours, stations are back by then."""

IDLE_REPORT_S = 10.0
"""An EVSE without a vehicle counts as if it reported so often that it draws nothing."""

NOTHING: tuple[int, ...] = (0, 0, 0)

ROUNDING = 1e-6
"""So that 0.1 A times ten is one deci-amp, whatever binary fractions make of it."""


class Distrust(NamedTuple):
    """Why and how an EVSE is kept low while a meter above it cannot be believed."""

    policy: OnLoss
    circuit: str


class EvseMemory:
    """One EVSE from step to step: `observe` it, then `tell` it its limit.

    Args:
        report_interval_s: how often the station is asked to report what it draws.
    """

    def __init__(self, node: EvseNode, report_interval_s: float) -> None:
        self.node = node
        self.safe_da = deci_amps_below(node.safe_a)
        self.minimum_da, self.step_da = _at_least(node.minimum_a), 1
        """The station takes multiples of the second."""
        self._takes: tuple[float | None, float] = (None, 0.0)
        """What the two follow from."""
        self._own_maximum = Ceiling(Rule.EVSE_MAXIMUM, node.maximum_a)
        self._report_age_s = 2 * report_interval_s

        self.limit_da = self._before_da = 0
        """The second: until it has settled, the highest limit it may still be following."""
        self.changed_at = self.settled_at = self._learnt_at = self.runs_until = -inf
        """When it was last told another limit, or began to want one; when the vehicle follows
        that, or never will; when what it draws was last learnt from; until when it should go on,
        since it has just begun."""
        self._is_confirmed, self._asked_at = True, -inf
        self.reason: Reason | None = None
        self.limit = Limit(0.0, Reason(Rule.NO_DEMAND, None, None, 0.0, None, -inf))
        self.has_charged = False
        """Whether its vehicle was allowed anything in this transaction."""

        self.is_reachable = self.has_transaction = self.is_demanding = False
        """The last: its vehicle wants current, and it can be told how much."""
        self.is_unheard, self._heard_by = False, inf
        """It charges since before we began, and has not told yet what it draws of late; when its
        word is waited for no longer, inf: it was never looked at."""
        self.energy_wh = self.waiting_since = 0.0
        self.ceiling = self._own_maximum
        """The lowest of its own limits; what it does not use is `NO_DEMAND`'s."""
        self._ceiling_da = self.maximum_da = 0
        """The second: that, or less while a meter is lost."""

        self._use = PhaseUse(tuple(range(len(node.nodes))))
        self.search = PhaseSearch(node.wirings)
        self.nodes = self.search.of(self._use.nodes)
        """Where the vehicle draws, as far as that is known."""
        self._unused = UnusedOffer(self.minimum_da)
        self._appetite = Appetite()
        self.plan: Plan | None = None
        """What is known of its vehicle's departure."""
        self.drawn_da = self.low_da = self.fixed_da = NOTHING
        """Per conductor; the last is what is kept for it outside the fair share."""
        self.counted_da = self.floor_da = self._defied_da = 0
        """The last: what it took whatever it was told when it was last heard in this transaction;
        silence is no obedience."""
        self.demand = Demand(self.nodes, 0, 0)
        """What it asks of the fair share."""

        self.next_da = 0
        """The limit this step is about to tell."""
        self.share = self._explained = Share(0, None)
        """Its fair share of what is free, whether it may have it yet or not; and the one that the
        reason speaks of."""
        self.distrust: Distrust | None = None
        """The meter above it that is not trusted."""

        self._seen: tuple[object, ...] | None = None
        """What the last conclusions were drawn from; None: draw them anew."""
        self._seen_limit_da, self._look_again_at = 0, inf
        """The limit of then; and when the mere passing of time may lead to others."""

    def obey(self, distrust: Distrust | None) -> None:
        """Take the policy of a meter that is not trusted into its own maximum."""
        self.distrust = distrust
        most_da = self._ceiling_da
        if distrust is not None and distrust.policy is not OnLoss.HOLD:
            most_da = min(most_da, self.safe_da if distrust.policy is OnLoss.SAFE else 0)
        self.maximum_da = most_da
        most_da -= most_da % self.step_da
        demand = (self.minimum_da, most_da, self.step_da)
        is_same = demand == (self.demand.minimum_da, self.demand.maximum_da, self.demand.step_da)
        if not is_same or self.demand.nodes is not self.nodes:
            self.demand = Demand(
                self.nodes, self.minimum_da, most_da, self.node.weight, self.step_da
            )

    def at_most(self, limit_da: int) -> int:
        """Return what of a limit it may have: within its maximum, and its minimum or nothing."""
        limit_da = min(limit_da, self.maximum_da)
        limit_da -= limit_da % self.step_da
        return limit_da if limit_da >= self.minimum_da else 0

    def has_just_begun(self, now: float) -> bool:
        """Return whether it charges, and has not done so for long."""
        return self.limit_da > 0 and now < self.runs_until

    def is_worth_asking(self, now: float) -> bool:
        """Return whether nobody knows what it draws, or if it has followed its last cut; True
        once in a while."""
        if self.is_unheard:
            is_in_doubt = now - self.changed_at < CONFIRM_WITHIN_S
        else:
            is_in_doubt = self.low_da != self.drawn_da and now - self.changed_at >= ASK_AFTER_S
        if not is_in_doubt or now - self._asked_at < ASK_EVERY_S:
            return False
        self._asked_at = now
        return True

    def in_steps(self, limit_da: int) -> int:
        """Round a limit down to what its station takes."""
        return limit_da - limit_da % self.step_da

    def is_as_explained(self) -> bool:
        """Return whether its limit and reason stand, unless there is news of it."""
        return (
            self.next_da == self.limit_da
            and self.share is self._explained
            and self.reason is not None
            and self.reason.rule in STEADY_RULES
        )

    def tell(self, reason: Reason, now: float, turn: Turn | None = None) -> None:
        """Remember that it is told `next_da`, and why; and when it may expect its turn."""
        self._explained = self.share
        if self.next_da != self.limit_da:
            still_allowed_da = self._before_da if now < self.settled_at else 0
            self._begin_to_settle(max(self.limit_da, still_allowed_da), now)
            if self.limit_da == 0:
                self.runs_until = now + SHORTEST_RUN_S
            self.limit_da = self.next_da
        self.has_charged = self.has_transaction and (self.has_charged or self.limit_da > 0)
        is_same = reason is self.reason and turn == self.limit.turn
        if not is_same or self.limit.limit_a != self.limit_da / 10:
            self.reason = reason
            self.limit = Limit(self.limit_da / 10, reason, turn)

    def _begin_to_settle(self, before_da: int, now: float) -> None:
        self._before_da = before_da
        self.changed_at, self.settled_at = now, now + CONFIRM_WITHIN_S
        self._is_confirmed = False

    def look_for_phases(self, evse: EvseInput | None, levels: CalmLevels, now: float) -> None:
        """Compare what it reports with the innermost meter that measures it."""
        is_reachable = evse is not None and evse.is_reachable
        if self.search.keep_in_sight(is_reachable, now):
            self._seen = None
        if evse is None or not is_reachable:
            return
        measured, at = evse.measured, evse.measured_at
        if not evse.has_transaction and not evse.wants_current and evse.believed_a == 0:
            # Nobody is there: it draws nothing, and need not say so.
            measured, at = ZERO, now - now % IDLE_REPORT_S
        if measured is None or at is None:
            return
        if self.search.observe(_deci_amps(measured), at, levels):
            self._seen = None

    def observe(self, evse: EvseInput | None, now: float) -> bool:
        """Take in what is known now, None: nothing. Returns whether it may change anything."""
        self._listen_for(evse, now)
        if evse is None or not evse.is_reachable:
            self._seen = None
            self._be_unreachable(evse)
            return True
        if evse.energy_wh < self.energy_wh:
            # One transaction has followed another between two steps: it is another vehicle.
            self._appetite, self.has_charged = Appetite(), False
        self.energy_wh = evse.energy_wh
        self.plan = _plan(evse) if evse.departs_at is not None else None
        seen: tuple[object, ...] = evse[:LASTING]
        is_same = seen == self._seen and self.limit_da == self._seen_limit_da
        if is_same and now < self._look_again_at:
            return False
        self._seen, self._seen_limit_da = seen, self.limit_da
        self.is_reachable = True
        stale_at = inf
        measured_at = evse.measured_at if evse.measured is not None else None
        if measured_at is not None:
            stale_at = measured_at + self._report_age_s
            measured_at = measured_at if now <= stale_at else None
        self._take_in(evse, measured_at, now)
        turns = (stale_at, self.settled_at, self._appetite.due_at)
        self._look_again_at = min([at for at in turns if at >= now], default=inf)
        return True

    def _listen_for(self, evse: EvseInput | None, now: float) -> None:
        """Notice who was charging before we began, until he has told what he draws of late."""
        if evse is None:
            self.is_unheard = False
            return
        if self._heard_by == inf:
            self.is_unheard = evse.measured is None and evse.energy_wh > 0
            self._heard_by = now + RETURNS_WITHIN_S
        if not self.is_unheard:
            return
        if evse.is_reachable and not self.is_reachable and self.settled_at == -inf:
            self._heard_by = now + SETTLE_S + self._report_age_s / 2
            return
        told_at = -inf if evse.measured_at is None else evse.measured_at
        is_told = evse.is_reachable and told_at >= self.settled_at
        has_ended = not (evse.wants_current or evse.has_transaction)
        self.is_unheard = not is_told and not has_ended and now < self._heard_by

    def _take_in(self, evse: EvseInput, measured_at: float | None, now: float) -> None:
        self.floor_da = 0
        if (evse.minimum_a, evse.step_a) != self._takes:
            self._takes = evse.minimum_a, evse.step_a
            own_minimum_a = self.node.minimum_a if evse.minimum_a is None else evse.minimum_a
            self.step_da = _at_least(evse.step_a)
            self.minimum_da = -(_at_least(own_minimum_a) // -self.step_da) * self.step_da
        self.has_transaction = evse.wants_current or evse.has_transaction
        measured_da = NOTHING
        if measured_at is not None and evse.measured is not None:
            measured_da = _deci_amps(evse.measured)
        if not self.has_transaction:
            self._appetite, self._defied_da = Appetite(), 0
            self._be_idle(evse, measured_da)
        elif not evse.wants_current and evse.energy_wanted_wh == 0:
            self._be_idle(evse, measured_da)  # It has all its driver wished for: nobody wakes it.
        elif self._appetite.learn(evse.wants_current, self.limit_da > 0, max(measured_da), now):
            self._be_charging(evse, measured_da, -inf if measured_at is None else measured_at, now)
        else:
            self._be_idle(evse, measured_da)
        nodes = self.search.of(self._use.nodes)
        if nodes != self.nodes:
            self.nodes = nodes

    def _be_unreachable(self, evse: EvseInput | None) -> None:
        self.is_reachable = self.is_demanding = False
        self.floor_da, self.plan = 0, None
        if evse is not None:
            self.has_transaction = evse.wants_current or evse.has_transaction
        self._ceiling_da = self.safe_da if self.has_transaction else 0
        believed_a = evse.believed_a if evse is not None else None
        if believed_a is None:
            # It may be what it last was, or have fallen to its safe current by itself.
            self.counted_da = max(self.counted_da, self.safe_da)
        else:
            self.counted_da = max(round(believed_a * 10), self._defied_da)
        self.fixed_da = (self.counted_da,) * 3
        measured = evse.measured if evse is not None else None
        # What a meter shows of it must not be counted twice, however long ago it was reported.
        shown_da = _deci_amps(measured) if measured is not None else NOTHING
        self.low_da = self.drawn_da = tuple(min(drawn, self.counted_da) for drawn in shown_da)

    def _be_idle(self, evse: EvseInput, measured_da: tuple[int, ...]) -> None:
        self.is_demanding = False
        self._use.forget()
        self._unused.forget()
        self._take_ceilings(evse.ceilings)
        self._ceiling_da = min(self._ceiling_da, self.minimum_da) if self.has_transaction else 0
        self.low_da = self.drawn_da = self.fixed_da = measured_da
        believed_da = self._believed_da(evse) if self.has_transaction else 0
        if believed_da > self.limit_da:
            # It may wake up before its station has heard of the lower limit.
            self.fixed_da = tuple([max(drawn, believed_da) for drawn in measured_da])
        self.counted_da = max(self.fixed_da)

    def _be_charging(
        self, evse: EvseInput, measured_da: tuple[int, ...], measured_at: float, now: float
    ) -> None:
        if not self.is_demanding:
            self.is_demanding = True
            self._begin_to_settle(deci_amps_below(self.node.maximum_a), now)
            self.waiting_since = now
        if evse.waiting_since is not None:
            self.waiting_since = evse.waiting_since
        limit_da = self.limit_da
        believed_da = self._believed_da(evse)
        if believed_da <= limit_da and not self._is_confirmed:
            self._is_confirmed = True
            self.settled_at = now + SETTLE_S
        settled_at = self.settled_at
        is_settled = now >= settled_at
        most_da = max(measured_da)
        self._estimate_draw(measured_da, measured_at, is_settled=is_settled)
        self.counted_da = max(limit_da, believed_da, most_da)
        self.fixed_da = NOTHING
        if is_settled:
            reported_da = most_da if measured_at >= settled_at else 0
            self._notice_disobedience(max(believed_da, reported_da) - limit_da)
        elif most_da > max(limit_da, believed_da, self._before_da) + DISOBEDIENT_FROM_DA:
            self.floor_da = most_da
        if measured_at > -inf:
            self._defied_da = self.floor_da
        elif self._defied_da > self.floor_da and evse.measured is not None:
            self.floor_da = self._defied_da
            self.low_da = self.drawn_da = _deci_amps(evse.measured)
        self._take_ceilings(evse.ceilings)

    def _believed_da(self, evse: EvseInput) -> int:
        believed_a = self.node.maximum_a if evse.believed_a is None else evse.believed_a
        return round(believed_a * 10)

    def _estimate_draw(
        self, measured_da: tuple[int, ...], measured_at: float, *, is_settled: bool
    ) -> None:
        self.low_da = self.drawn_da = measured_da
        if measured_at < self.settled_at:
            if max(measured_da) > self.limit_da:
                self.low_da = tuple([min(drawn, self.limit_da) for drawn in measured_da])
            if is_settled:
                self.drawn_da = self.low_da
        elif measured_at != self._learnt_at:
            self._learnt_at = measured_at
            self._use.learn(measured_da, measured_at)
            self._unused.learn(max(measured_da), self.limit_da, measured_at)

    def _notice_disobedience(self, excess_da: int) -> None:
        if excess_da > DISOBEDIENT_FROM_DA:
            self.floor_da = self.limit_da + excess_da
        elif excess_da > 0:
            self.fixed_da = (excess_da,) * 3

    def _take_ceilings(self, ceilings: tuple[Ceiling, ...]) -> None:
        lowest = self._own_maximum
        for ceiling in ceilings:
            if ceiling.value_a < lowest.value_a:
                lowest = ceiling
        unused_da = self._unused.ceiling_da
        if unused_da is not None and unused_da < lowest.value_a * 10:
            lowest = Ceiling(Rule.NO_DEMAND, unused_da / 10)
        self.ceiling = lowest
        self._ceiling_da = deci_amps_below(lowest.value_a)


def _plan(evse: EvseInput) -> Plan | None:
    if evse.departs_at is None or evse.energy_wanted_wh is None:
        return None
    return Plan(evse.departs_at, evse.energy_wanted_wh)


def deci_amps_below(current_a: float) -> int:
    """Round a limit down to what can be told.

    >>> deci_amps_below(16.19), deci_amps_below(12.1)
    (161, 121)
    """
    return int(current_a * 10 + ROUNDING)


def _at_least(minimum_a: float) -> int:
    """Return the least whole tenths that are not below it."""
    return ceil(minimum_a * 10 - ROUNDING)


def _deci_amps(currents: PhaseCurrents) -> tuple[int, int, int]:
    l1, l2, l3 = currents
    return round(abs(l1) * 10), round(abs(l2) * 10), round(abs(l3) * 10)
