"""What a meter says, and how it is, as the read model and the balancer are told. Pure."""

from collections.abc import Callable, Iterator

from gateway.meters.decode import DecodedValues
from gateway.metrics import Counters
from gateway.site_state import SiteState
from load_balancer.inputs import MeterReading
from load_balancer.phases import PHASES, PhaseCurrents, on_circuit, rotation
from site_config.circuit_tree import feeds, upwards
from site_config.fields import UNKNOWN
from site_config.model import Site

REPORTS_MISSED = 3
"""What an EVSE said it draws counts for so many of its reporting intervals."""


class MeterNews:
    """What the meter's adapter calls."""

    def __init__(
        self,
        state: SiteState,
        counters: Counters,
        problem: Callable[[str, str], None],
        unbalanced: Callable[[], None],
    ) -> None:
        self._state = state
        self._counters = counters
        self._problem = problem
        self._unbalanced = unbalanced
        self._below = {meter: list(_evses_below(state.site, meter)) for meter in state.site.meters}

    def read(self, name: str, reading: MeterReading, values: DecodedValues) -> None:
        meter = self._state.meters[name]
        meter.reading, meter.energy_import_wh = reading, values.energy_import_wh
        self._unbalanced()

    def doubt(self, name: str, words: str | None) -> None:
        """Take what is odd about readings that are used all the same; None: nothing."""
        told = f"meter {name} is odd, but used: {words}" if words else ""
        self._problem(f"meter_doubt.{name}", told)

    def drawn(self, name: str, now: float) -> PhaseCurrents:
        """Return what the EVSEs below a meter last said they draw, on the circuit's phases.

        One whose phases nobody knows yet is left out.
        """
        at_most_s = REPORTS_MISSED * self._state.site.csms.meter_interval_s
        total = [0.0, 0.0, 0.0]
        for station, evse_id in self._below[name]:
            evse = self._state.stations[station].evses[evse_id]
            if None in evse.phases:
                continue
            at = rotation([phase for phase in evse.phases if phase is not None])
            is_fresh = evse.measured_at is not None and now - evse.measured_at <= at_most_s
            if evse.measured is not None and evse.transaction_id is not None and is_fresh:
                for phase, current_a in enumerate(on_circuit(evse.measured, at)):
                    total[phase] += current_a
        return PhaseCurrents(*total)

    def health(self, name: str, reason: str | None) -> None:
        """Take why a meter cannot be believed; None: it can."""
        self._state.meters[name].is_healthy = reason is None
        self._problem(f"meter.{name}", f"meter {name}: {reason}" if reason else "")
        if reason is not None:
            self._counters.count_meter_failure(name)


def phases_below(site: Site, meter: str) -> frozenset[int]:
    """Return the phases, 0 to 2, to which EVSEs below a meter are wired, as far as it is known."""
    return frozenset(
        PHASES.index(phase)
        for station, evse_id in _evses_below(site, meter)
        for phase in site.stations[station].evses[evse_id].conductors
        if phase != UNKNOWN
    )


def _evses_below(site: Site, meter: str) -> Iterator[tuple[str, int]]:
    """Yield station and EVSE of all that a meter measures."""
    for feed in feeds(site):
        circuits = upwards(site, feed.station.circuit)
        if any(site.circuits[name].meter == meter for name in circuits):
            yield feed.station_id, feed.evse_id
