"""Protected conductors and what bounds them, as the site file has it. Currents A RMS per phase."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from site_config.base import Model
from site_config.fields import ClockTime, Current, PhaseRatings, PositiveCurrent, without_repetition

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class LimitWindow(Model):
    """A weekly window, in the site's time zone, in which a circuit may draw less."""

    days: Annotated[
        tuple[Weekday, ...], Field(min_length=1), AfterValidator(without_repetition)
    ] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    """Days on which the window begins; absent: every day."""
    start: Annotated[ClockTime, Field(validation_alias="from", examples=["17:00"])]
    """Begin, hours:minutes."""
    end: Annotated[ClockTime, Field(validation_alias="to", examples=["20:00"])]
    """End, hours:minutes; not after the begin: on the next day."""
    limit_a: Current
    """What the circuit may draw on each phase in the window, A."""
    reason: str = "schedule"
    """Shown wherever the limit is explained."""


class Curve(StrEnum):
    """How a fuse or a breaker bears overload."""

    GG = "gG"
    """Fuse link for general use, IEC 60269."""
    B = "B"
    """Miniature circuit breaker, IEC 60898, type B."""
    C = "C"
    """Miniature circuit breaker, IEC 60898, type C."""


class Allowance(Model):
    """By how much a fuse may carry more than its rating, for a while, before cars are cut."""

    curve: Curve = Curve.GG
    """gG, B or C: what protects the circuit."""
    excess: Annotated[float, Field(gt=0, le=0.45)] = 0.2
    """Part of the rating by which it may be exceeded, 0.2: by a fifth."""


class Circuit(Model):
    """Protected conductors and the fuse before them."""

    ratings_a: Annotated[PhaseRatings, Field(validation_alias="rating_a", examples=[63])]
    """What the fuse allows on each phase, A; [63, 63, 50] where L1, L2, L3 differ."""
    parent: str | None = None
    """Circuit that feeds this one; absent: the grid connection point, the root of the tree."""
    meter: str | None = None
    """Meter that measures this circuit."""
    limit_windows: tuple[LimitWindow, ...] = ()
    """Weekly windows in which the circuit may draw less."""
    contract_a: PositiveCurrent | None = None
    """What the contract with the supplier allows on each phase, A; held without tolerance."""
    demand_w: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Mean power, W, that no quarter of an hour may exceed (demand tariff); needs a meter."""
    fuse_allowance: Allowance | None = None
    """A short overload is borne before cars are cut; needs a meter. Absent: none is."""
    unbalance_a: PositiveCurrent | None = None
    """Largest difference between two phases, A, 20 in Germany; needs a meter. Absent: any."""

    @property
    def rating_a(self) -> float:
        """What every phase may carry: the rating of the weakest."""
        return min(self.ratings_a)
