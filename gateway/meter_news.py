"""What a meter says, and how it is, as the read model and the balancer are told. Pure."""

from collections.abc import Callable

from gateway.meters.decode import DecodedValues
from gateway.metrics import Counters
from gateway.site_state import SiteState
from load_balancer.inputs import MeterReading


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

    def read(self, name: str, reading: MeterReading, values: DecodedValues) -> None:
        meter = self._state.meters[name]
        meter.reading, meter.energy_import_wh = reading, values.energy_import_wh
        self._unbalanced()

    def health(self, name: str, reason: str | None) -> None:
        """Take why a meter cannot be believed; None: it can."""
        self._state.meters[name].is_healthy = reason is None
        self._problem(f"meter.{name}", f"meter {name}: {reason}" if reason else "")
        if reason is not None:
            self._counters.count_meter_failure(name)
