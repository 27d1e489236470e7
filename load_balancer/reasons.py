"""Why a limit is what it is: a rule, a place, and the two numbers that were compared.

Pure. Currents are A RMS per phase.
"""

from dataclasses import dataclass
from enum import StrEnum

from load_balancer.phases import Phase


class Rule(StrEnum):
    """What set a limit. Rules of a circuit stand in `Ceiling`s too; the lowest limit wins."""

    FUSE = "fuse"
    OPERATOR = "operator"
    SCHEDULE = "schedule"
    MQTT = "mqtt"
    CLOUD_PROFILE = "cloud_profile"
    CONTRACT = "contract"
    """What the supplier was promised; no tolerance."""
    DEMAND = "demand"
    """The mean power of this quarter of an hour."""
    GRID_OPERATOR = "grid_operator"
    """The grid operator dims the charge points."""
    UNBALANCE = "unbalance"
    """The phases would differ too much."""
    NOT_AUTHORIZED = "not_authorized"
    """The cloud refused the token after its transaction had begun."""
    EVSE_MAXIMUM = "evse_maximum"
    COMMISSIONING = "commissioning"
    """An electrician is finding out how the site is wired."""
    FAIR_SHARE = "fair_share"
    """The fuse is full and several EVSEs share it."""
    MINIMUM_UNAVAILABLE = "minimum_unavailable"
    """Paused: not even the minimum is free; others have their turn."""
    RISING = "rising"
    """On its way up to what is free."""
    NOT_FOLLOWED = "not_followed"
    """The station takes more than it was told, or has not confirmed that it will not."""
    NO_DEMAND = "no_demand"
    """The vehicle takes less than it might, or nothing."""
    METER_STALE = "meter_stale"
    METER_PANIC = "meter_panic"
    STATION_SAFE = "station_safe"
    """The station is lost in the middle of a transaction: it falls to its safe current."""
    STATION_UNREACHABLE = "station_unreachable"
    """The station is not connected and nobody is known to charge there."""


SENTENCES = {
    Rule.FUSE: "The fuse of {place} allows {value}; {compared} flow or are promised there.",
    Rule.OPERATOR: "An operator allows {value} at {place}, where {compared} would be used.",
    Rule.SCHEDULE: "The schedule allows {value} at {place}, where {compared} would be used.",
    Rule.MQTT: "The MQTT limit allows {value} at {place}, where {compared} would be used.",
    Rule.CLOUD_PROFILE: "The cloud allows {value} at {place}, where {compared} would be used.",
    Rule.CONTRACT: "The contract allows {value} at {place}, where {compared} would be used.",
    Rule.DEMAND: "This quarter hour has {value} left at {place}, where {compared} would be used.",
    Rule.GRID_OPERATOR: "The grid operator allows {value} here; nothing else is below {compared}.",
    Rule.UNBALANCE: "The phases may not differ more: {value}; nothing else is below {compared}.",
    Rule.NOT_AUTHORIZED: "The cloud refused the card: {value}, where {compared} would be used.",
    Rule.EVSE_MAXIMUM: "The EVSE itself takes {value} at most; nothing else is below {compared}.",
    Rule.COMMISSIONING: "Commissioning allows {value}, not {compared}: the meters watch one EVSE.",
    Rule.FAIR_SHARE: "{value} is its fair share of {place}, whose fuse allows {compared}.",
    Rule.MINIMUM_UNAVAILABLE: "Waits its turn: {value} are free at {place}, it needs {compared}.",
    Rule.RISING: "Rises slowly: {value} now, up to {compared} are free for it.",
    Rule.NOT_FOLLOWED: "The station does not follow: {value} are allowed, {compared} are taken.",
    Rule.NO_DEMAND: "The vehicle draws {compared}, so {value} are kept for it.",
    Rule.METER_STALE: "The meter of {place} is lost: {value} are safe, {compared} were allowed.",
    Rule.METER_PANIC: "The meter of {place} is lost: paused at {value}, {compared} were allowed.",
    Rule.STATION_SAFE: "The station is lost: {value} is its safe current, {compared} are reserved.",
    Rule.STATION_UNREACHABLE: "The station is not connected: {value}, {compared} are reserved.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    rule: Rule
    circuit: str | None
    """Where the limit comes from; None: from the EVSE itself."""
    phase: Phase | None
    """The circuit's phase that decided; None: all, or no circuit."""
    value_a: float
    """What the rule allows."""
    compared_to_a: float | None
    """What that was compared with, see `SENTENCES`; None: unknown."""
    since: float
    """Monotonic seconds since when this rule holds at this place, whatever its numbers."""

    def sentence(self) -> str:
        """Say it to an electrician, with both numbers.

        >>> Reason(Rule.FUSE, "garage", "L2", 63.0, 67.4, 0.0).sentence()
        'The fuse of garage L2 allows 63.0 A; 67.4 A flow or are promised there.'
        """
        compared_a = self.compared_to_a
        compared = "an unknown current" if compared_a is None else _amperes(compared_a)
        return SENTENCES[self.rule].format(
            value=_amperes(self.value_a), compared=compared, place=self._place()
        )

    def _place(self) -> str:
        if self.circuit is None:
            return "this EVSE"
        return self.circuit if self.phase is None else f"{self.circuit} {self.phase}"


def _amperes(current_a: float) -> str:
    return f"{current_a:.1f} A"
