"""Read the site's Modbus meters at a steady pace, for ever, each on its own.

Turns registers into `MeterReading` by the meter library and hands it on; whether a reading is too
old or too high is decided in `load_balancer`. Silence is never bridged by repeating the last
value: while a meter is lost nothing is delivered. An outage is told once when it begins, which
is when the last reading has become stale, and once when it ends.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.adapters.meter_line import ModbusLine, Refused
from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues, decode
from gateway.meters.model import Block, Layout, MeterModel, meter_model
from gateway.meters.plausibility import Bounds, FrozenWatch, implausible
from load_balancer.inputs import MeterReading
from load_balancer.phases import PhaseCurrents
from site_config.addresses import Bus, parse_bus
from site_config.model import Meter, Site

log = logging.getLogger(__name__)

Deliver = Callable[[str, MeterReading, DecodedValues], None]
"""Called with the meter's name, what the balancer needs, and all that was read."""
TellHealth = Callable[[str, str | None], None]
"""Called with the meter's name and why it is lost, or None with its first reading and when it
is back; only when that changes."""
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

FAILURES_BEFORE_CALM = 3
CALM_POLL_S = 2.0
"""A meter that failed some times in a row is asked this seldom, so that it does not hold up the
others on its line; and so it is found at most this long after it has come back."""
UNKNOWN_RATING_A = 10_000.0
"""Bound for a meter that sits in no circuit."""
SUNSPEC_MARK = (0x5375, 0x6E53)
"""The text "SunS"."""
SUNSPEC_END = 0xFFFF
SUNSPEC_MODELS = 64
"""More models than any device has; ends the search in a device that answers anything."""


class MeterReader:
    """Reads one meter: finds its layout, and reads as few blocks as the model allows."""

    def __init__(self, line: ModbusLine, model: MeterModel, unit: int) -> None:
        self._line = line
        self._model = model
        self._unit = unit
        self._layout: Layout | None = None
        self._offset = 0
        self._polls = 0
        self._words: dict[int, int] = {}
        self._pieces: dict[Block, tuple[Block, ...]] = {}
        """Blocks that this meter gives in pieces only."""

    @property
    def layout(self) -> Layout:
        """The registers in use; the model's first as long as none were found."""
        return self._layout or self._model.layouts[0]

    async def read(self) -> DecodedValues:
        """Return what the meter says now, or raise `Unavailable`."""
        try:
            layout = self._layout or await self._find_layout()
            for block in layout.blocks:
                if self._polls % block.every == 0:
                    await self._read_block(layout, block)
        except Unavailable:
            # What comes back may be another device, or count from elsewhere.
            self._layout, self._polls, self._words = None, 0, {}
            raise
        self._layout, self._polls = layout, self._polls + 1
        return decode(layout, self._words)

    async def _read_block(self, layout: Layout, block: Block) -> None:
        for address in block.addresses:
            self._words.pop(address, None)
        try:
            for piece in self._pieces.get(block, (block,)):
                await self._read_piece(layout, piece)
        except Refused as refusal:
            pieces = layout.pieces(block)
            if refusal.is_about_registers and block not in self._pieces and len(pieces) > 1:
                # Some meters refuse a read that runs over registers they do not have.
                self._pieces[block] = pieces
                await self._read_block(layout, block)
            elif block.every == 1:
                raise
            # Else: energies that a sister model keeps elsewhere must not cost us the currents.

    async def _read_piece(self, layout: Layout, piece: Block) -> None:
        address = self._offset + piece.address
        words = await self._registers(layout.function, address, piece.count)
        self._words.update(zip(piece.addresses, words, strict=True))

    async def _find_layout(self) -> Layout:
        if not self._model.sunspec_bases:
            self._offset = 0
            return self._model.layouts[0]
        by_number = {layout.sunspec_model: layout for layout in self._model.layouts}
        address = await self._sunspec_start()
        for _ in range(SUNSPEC_MODELS):
            number, length = await self._registers(3, address, 2)
            if number in by_number:
                self._offset = address
                return by_number[number]
            address += 2 + length
            if number == SUNSPEC_END or address > 0xFFFF - 2:
                break
        known = ", ".join(str(number) for number in by_number)
        raise Unavailable(f"speaks SunSpec, but has none of the meter models {known}")

    async def _sunspec_start(self) -> int:
        """Return the address of the first model's number."""
        for base in self._model.sunspec_bases:
            try:
                mark = await self._registers(3, base, len(SUNSPEC_MARK))
            except Refused as refusal:
                if refusal.is_about_registers:
                    continue
                raise
            if mark == SUNSPEC_MARK:
                return base + len(SUNSPEC_MARK)
        bases = ", ".join(map(str, self._model.sunspec_bases))
        raise Unavailable(f'has no mark "SunS" at {bases}: is the meter model right?')

    async def _registers(self, function: int, address: int, count: int) -> tuple[int, ...]:
        words = await self._line.read(
            function,
            address,
            count,
            unit=self._unit,
            deadline_s=self._model.timeout_s,
            pause_s=self._model.pause_s,
        )
        return tuple(words)


@asynccontextmanager
async def open_meter(bus: Bus, model: MeterModel, unit: int) -> AsyncIterator[MeterReader]:
    """Give a reader for one meter, for the command line; connects with the first read."""
    async with ModbusLine(bus) as line:
        yield MeterReader(line, model, unit)


@dataclass(slots=True)
class Outage:
    """Knows since when a meter is silent, and what has been told of it."""

    name: str
    max_age_s: float
    policy: str
    heard_at: float
    """Of the last reading, or of the beginning."""
    tell: TellHealth
    told_healthy: bool | None = None
    """None: nothing has been told yet."""

    def heard(self, now: float) -> None:
        if self.told_healthy is False:
            log.info("meter.back meter=%s silent_s=%.1f", self.name, now - self.heard_at)
        if not self.told_healthy:
            self.tell(self.name, None)
        self.heard_at, self.told_healthy = now, True

    def silent(self, reason: str, now: float) -> None:
        silent_s = now - self.heard_at
        if self.told_healthy is False or silent_s < self.max_age_s:
            return
        log.warning(
            'meter.lost meter=%s reason="%s" silent_s=%.1f policy=%s',
            self.name,
            reason,
            silent_s,
            self.policy,
        )
        self.tell(self.name, reason)
        self.told_healthy = False


async def poll_meter(
    name: str,
    meter: Meter,
    read: Callable[[], Awaitable[DecodedValues]],
    bounds: Bounds,
    deliver: Deliver,
    *,
    tell_health: TellHealth,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Deliver a reading every `poll_s`, without drift; deliver nothing while the meter is silent
    or says what cannot be true. Never returns.
    """
    due = clock()
    outage = Outage(name, meter.max_age_s, meter.on_loss, due, tell_health)
    frozen = FrozenWatch()
    failures = 0
    while True:
        try:
            values = await read()
            reason = implausible(values, bounds)
        except Unavailable as error:
            reason = error.reason
        now = clock()
        if reason is None:
            failures = 0
            outage.heard(now)
            if frozen.just_froze(values):
                log.warning("meter.frozen meter=%s identical_readings=%d", name, frozen.polls)
            deliver(name, _reading(values, now), values)
        else:
            failures += 1
            outage.silent(reason, now)
        is_calm = failures >= FAILURES_BEFORE_CALM
        due = next_due(due, now, max(meter.poll_s, CALM_POLL_S) if is_calm else meter.poll_s)
        await sleep(due - now)


def next_due(due: float, now: float, period_s: float) -> float:
    """Return the first beat after `now` of the rhythm that began at `due`; missed ones are skipped.

    >>> next_due(10.0, 10.3, 1.0), next_due(10.0, 12.5, 1.0)
    (11.0, 13.0)
    """
    return due + period_s * max(1, math.floor((now - due) / period_s) + 1)


async def poll_meters(
    site: Site,
    deliver: Deliver,
    *,
    tell_health: TellHealth,
    clock: Clock = time.monotonic,
) -> None:
    """Poll all meters of the site; those with one address share a connection and take turns."""
    lines: dict[Bus, ModbusLine] = {}
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, meter in site.meters.items():
                bus = parse_bus(meter.url)
                line = lines.setdefault(bus, ModbusLine(bus))
                reader = MeterReader(line, meter_model(meter.model), meter.unit)
                poll = poll_meter(
                    name,
                    meter,
                    reader.read,
                    bounds_of(site, name),
                    deliver,
                    tell_health=tell_health,
                    clock=clock,
                )
                tasks.create_task(poll, name=f"meter {name}")
    finally:
        for line in lines.values():
            line.close()


def bounds_of(site: Site, meter: str) -> Bounds:
    """Return what the meter may show, by the fuse of the circuit it sits in."""
    ratings_a = [
        max(circuit.ratings_a) for circuit in site.circuits.values() if circuit.meter == meter
    ]
    return Bounds.of_circuit(max(ratings_a, default=UNKNOWN_RATING_A), site.site.voltage_v)


def _reading(values: DecodedValues, now: float) -> MeterReading:
    """Every current is known: `implausible` refuses values without one."""
    currents = PhaseCurrents(*(current_a or 0.0 for current_a in values.currents))
    return MeterReading(now, currents, values.power_w)
