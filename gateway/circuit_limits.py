"""What people allow a circuit: operator, MQTT, and windows and contract of the site file. Pure.

Authority is bounded here: nobody raises a limit above the installer's rating. All limits hold at
once; the balancer takes the lowest and names it. Currents A RMS per phase, instants aware UTC.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.operations import Caller, NotAllowed, NotFound
from gateway.records import CircuitLimit, LimitSource
from gateway.site_state import LimiterAtWork
from gateway.writes import DeleteCircuitLimit, SaveCircuitLimit
from load_balancer.inputs import Ceiling
from load_balancer.reasons import Rule
from site_config.circuit_tree import ratings
from site_config.circuits import LimitWindow
from site_config.links import Role
from site_config.model import Site

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RULES = {LimitSource.OPERATOR: Rule.OPERATOR, LimitSource.MQTT: Rule.MQTT}

Change = SaveCircuitLimit | DeleteCircuitLimit


class CircuitLimits:
    """Limits set at run time, and the windows of the site file."""

    def __init__(self, site: Site, kept: Iterable[CircuitLimit]) -> None:
        self._site = site
        self._zone = ZoneInfo(site.site.timezone)
        self._set = {
            (limit.circuit, limit.source): limit for limit in kept if limit.circuit in site.circuits
        }

    def wish(
        self,
        circuit: str,
        limit_a: float,
        *,
        reason: str,
        until: datetime | None,
        source: LimitSource,
        caller: Caller,
        at: datetime,
    ) -> SaveCircuitLimit:
        """Judge a wish to lower a circuit's limit; raises NotAllowed or NotFound with advice."""
        self._require(circuit, caller)
        rating_a = max(self._site.circuits[circuit].ratings_a)
        if not 0 <= limit_a <= rating_a:
            raise NotAllowed(
                f"{limit_a:g} A is outside 0 to {rating_a:g} A, the rating of circuit {circuit!r}: "
                "only the installer can raise it, in the site file"
            )
        if until is not None and until <= at:
            raise NotAllowed(f"until {until.isoformat()} is in the past: now is {at.isoformat()}")
        return SaveCircuitLimit(
            CircuitLimit(circuit, source, limit_a, reason, caller.name, at, until)
        )

    def unwish(self, circuit: str, source: LimitSource, caller: Caller) -> DeleteCircuitLimit:
        self._require(circuit, caller)
        return DeleteCircuitLimit(circuit, source)

    def take(self, changes: Iterable[Change]) -> None:
        """Put committed changes in force."""
        for change in changes:
            if isinstance(change, SaveCircuitLimit):
                self._set[change.limit.circuit, change.limit.source] = change.limit
            else:
                self._set.pop((change.circuit, change.source), None)

    def in_force(self, at: datetime) -> tuple[CircuitLimit, ...]:
        return tuple(limit for limit in self._set.values() if not _is_over(limit, at))

    def expired(self, at: datetime) -> tuple[DeleteCircuitLimit, ...]:
        """Return the changes that forget what has run out."""
        return tuple(
            DeleteCircuitLimit(limit.circuit, limit.source)
            for limit in self._set.values()
            if _is_over(limit, at)
        )

    def ceilings(self, circuit: str, at: datetime) -> tuple[Ceiling, ...]:
        """Return every limit of a circuit now, beside its rating."""
        people = [
            Ceiling(RULES[limit.source], limit.limit_a)
            for limit in self.in_force(at)
            if limit.circuit == circuit
        ]
        windows = [
            Ceiling(Rule.SCHEDULE, window.limit_a) for window in self.open_windows(circuit, at)
        ]
        contract_a = self._site.circuits[circuit].contract_a
        contract = [] if contract_a is None else [Ceiling(Rule.CONTRACT, contract_a)]
        return (*people, *windows, *contract)

    def open_windows(self, circuit: str, at: datetime) -> Sequence[LimitWindow]:
        local = at.astimezone(self._zone)
        return [w for w in self._site.circuits[circuit].limit_windows if is_open(w, local)]

    def at_work(self, circuit: str, at: datetime) -> list[LimiterAtWork]:
        """Name every limit of a circuit beside its rating, for the page."""
        contract_a = self._site.circuits[circuit].contract_a
        found = []
        if contract_a is not None:
            found.append(LimiterAtWork(Rule.CONTRACT, contract_a, f"contract: {contract_a:g} A"))
        for limit in self.in_force(at):
            if limit.circuit == circuit:
                until = f" until {self._local(limit.until)}" if limit.until else ""
                why = f" ({limit.reason})" if limit.reason else ""
                words = f"{limit.set_by}: {limit.limit_a:g} A{until}{why}"
                found.append(LimiterAtWork(RULES[limit.source], limit.limit_a, words))
        for window in self.open_windows(circuit, at):
            words = f"{window.reason}: {window.limit_a:g} A until {window.end:%H:%M}"
            found.append(LimiterAtWork(Rule.SCHEDULE, window.limit_a, words))
        return found

    def in_words(self, circuit: str, at: datetime) -> str:
        """Name the lowest limit of a circuit, for the page."""
        config = self._site.circuits[circuit]
        lowest_a, words = config.rating_a, f"rating {ratings(config)}"
        for limiter in self.at_work(circuit, at):
            if limiter.limit_a is not None and limiter.limit_a < lowest_a:
                lowest_a, words = limiter.limit_a, limiter.text
        return words

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%a %H:%M}"

    def _require(self, circuit: str, caller: Caller) -> None:
        if caller.role is Role.VIEWER:
            raise NotAllowed(f"{caller.name} may look, not change: use an operator's token")
        if circuit not in self._site.circuits:
            known = ", ".join(self._site.circuits)
            raise NotFound(f"no circuit {circuit!r}; there are {known}")


def is_open(window: LimitWindow, local: datetime) -> bool:
    """Whether a weekly window holds at a local wall-clock time.

    A window is meant on the clock on the wall: on the day of a change of clocks it is an hour
    longer or shorter, as people expect of "17:00 to 20:00". One that ends at or before its start
    runs past midnight and belongs to the day on which it starts.
    """
    clock = local.timetz().replace(tzinfo=None)
    today = WEEKDAYS[local.weekday()]
    if window.start < window.end:
        return today in window.days and window.start <= clock < window.end
    yesterday = WEEKDAYS[(local - timedelta(days=1)).weekday()]
    return (today in window.days and clock >= window.start) or (
        yesterday in window.days and clock < window.end
    )


def _is_over(limit: CircuitLimit, at: datetime) -> bool:
    return limit.until is not None and limit.until <= at
