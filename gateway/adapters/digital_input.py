"""A contact of the grid operator behind Modbus, read again and again until cancelled.

Silence is told once it has lasted as long as the site file allows. Handed the line, which may be
that of a meter. Refuses to know what the contact means.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway.errors import Unavailable
from site_config.addresses import Bus, parse_bus
from site_config.grid_operator import GridOperator, InputKind

log = logging.getLogger(__name__)

DEADLINE_S = 1.0
"""As for a meter: whoever is silent holds up the others on his line."""
FAILURES_BEFORE_CALM = 3
CALM_POLL_S = 3.0
"""After some failures in a row it is asked this seldom, for the same reason."""
FUNCTIONS = {InputKind.COIL: 1, InputKind.DISCRETE_INPUT: 2}


class Listener(Protocol):
    def input_read(self, place: str, is_active: bool) -> None:
        """Take whether the contact at a place is in its active state."""

    def input_silent(self, place: str, reason: str) -> None:
        """Take why nothing was read for `max_age_s`; said again as long as it lasts."""


class Line(Protocol):
    """What reads a device on one bus."""

    async def read(
        self, function: int, address: int, count: int, *, unit: int, deadline_s: float
    ) -> Sequence[int]:
        """Return so many contacts, 0 or 1, or raise Unavailable."""


async def watch_input(
    operator: GridOperator | None,
    listener: Listener | None,
    line_to: Callable[[Bus], Line],
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Read the grid operator's contact every `poll_s`, until cancelled; at once done without."""
    if operator is None or operator.input is None or listener is None:
        return
    config = operator.input
    place = f"{config.url}#{config.kind}/{config.address}"
    line, function = line_to(parse_bus(config.url)), FUNCTIONS[config.kind]
    read_at, is_silent, failures = clock(), False, 0
    while True:
        try:
            [contact] = await line.read(
                function, config.address, 1, unit=config.unit, deadline_s=DEADLINE_S
            )
        except Unavailable as error:
            failures += 1
            if clock() - read_at > config.max_age_s:
                if not is_silent:
                    log.warning('input.lost place=%s reason="%s"', place, error.reason)
                is_silent = True
                listener.input_silent(place, f"input silent: {error.reason}")
        else:
            if is_silent:
                log.info("input.back place=%s", place)
            read_at, is_silent, failures = clock(), False, 0
            listener.input_read(place, bool(contact) == config.active)
        is_calm = failures >= FAILURES_BEFORE_CALM
        await sleep(max(config.poll_s, CALM_POLL_S) if is_calm else config.poll_s)
