"""By how much, and for how long, a fuse may carry more than its rating before a cut.

Pure. Off unless the site file says otherwise. Every fuse bears an overload for a while (inverse
time, `fuse_curves`); where a machine starts for some seconds it is kinder to let it than to cut
every car. The allowance only delays cuts: nothing ever rises into it. While a meter is silent
there is none, and at a start none until the model has cooled: who starts again and again would
else give it away each time, and nobody knows how warm the fuse is.

Currents A RMS per phase, instants monotonic seconds.
"""

from load_balancer.fuse_curves import FuseCurve, ThermalBudget
from load_balancer.phases import PhaseCurrents
from site_config.circuits import Allowance, Curve

BUDGET_SHARE = 0.3
"""Of the time to trip, as the model has it, that may be used up: the model begins cold, and a
device that was loaded has less than a third of that left at worst (`fuse_curves`)."""
COOLED_SHARE = 0.1
"""Once used up, there is an allowance again when the model has cooled to this."""
LONGEST_STEP_S = 5.0
"""A reading stands for no longer than this."""

CURVES = {Curve.GG: FuseCurve.gg, Curve.B: FuseCurve.mcb_b, Curve.C: FuseCurve.mcb_c}


class FuseAllowance:
    """The three conductors of one circuit."""

    def __init__(self, ratings_a: tuple[float, float, float], config: Allowance) -> None:
        self._extra_a = [rating_a * config.excess for rating_a in ratings_a]
        curve_of = CURVES[config.curve]
        self._budgets = [ThermalBudget(curve_of(a).at_earliest(), BUDGET_SHARE) for a in ratings_a]
        self._is_spent = [True, True, True]
        self._seen_at: float | None = None

    def extra_a(self, measured: PhaseCurrents | None, now: float) -> PhaseCurrents:
        """Let what is measured flow since the last step; return how much above the rating it may.

        None: the meter is silent.
        """
        if measured is None:
            self._seen_at = None
            return PhaseCurrents(0.0, 0.0, 0.0)
        dt_s = 0.0 if self._seen_at is None else min(now - self._seen_at, LONGEST_STEP_S)
        self._seen_at = now
        for phase, (budget, current_a) in enumerate(zip(self._budgets, measured, strict=True)):
            used = budget.step(current_a, dt_s)
            self._is_spent[phase] = used > (COOLED_SHARE if self._is_spent[phase] else BUDGET_SHARE)
        return PhaseCurrents(
            *[
                0.0 if is_spent else extra_a
                for is_spent, extra_a in zip(self._is_spent, self._extra_a, strict=True)
            ]
        )
