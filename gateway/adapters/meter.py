"""Read the site's Modbus meters at a steady pace, for ever, each on its own.

Turns registers into `MeterReading` by the meter library and hands it on; whether it can be true is
decided in `gateway.meters`, whether it is too old or too high in `load_balancer`. Silence is never
bridged by repeating the last value: while a meter is lost nothing is delivered. An outage is told
once when it begins, which is when the last reading has become stale, and once when it ends.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from gateway.adapters.meter_line import ModbusLine, ModbusLines
from gateway.errors import Unavailable
from gateway.meter_news import phases_below
from gateway.meters.decode import DecodedValues, decode
from gateway.meters.health import Doubts, Outage
from gateway.meters.model import Block, Layout, MeterModel, meter_model
from gateway.meters.mounting import input_of, mounted
from gateway.meters.plausibility import Bounds
from gateway.meters.silence import Refused
from gateway.meters.watch import MeterWatch
from load_balancer.inputs import MeterReading
from load_balancer.phases import PhaseCurrents
from site_config.addresses import Bus, parse_bus
from site_config.meters import Meter
from site_config.model import Site

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

FAILURES_BEFORE_CALM = 3
CALM_POLL_S = 2.0
"""A meter that failed some times in a row is asked this seldom, times the meters on its line, so
that it does not hold them up; and so it is found at most this long after it has come back."""
UNKNOWN_RATING_A = 10_000.0
"""Bound for a meter that sits in no circuit."""
SUNSPEC_MARK = (0x5375, 0x6E53)
"""The text "SunS"."""
SUNSPEC_END = 0xFFFF
SUNSPEC_MODELS = 64
"""More models than any device has; ends the search in a device that answers anything."""


class Reader(Protocol):
    """What is polled."""

    @property
    def layout(self) -> Layout:
        """Return the registers in use, to say which of them is doubtful."""

    async def read(self) -> DecodedValues:
        """Return what the meter says now, or raise `Unavailable`."""


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


class Listener(Protocol):
    """Who hears of the meters, and knows what hangs below them."""

    def read(self, name: str, reading: MeterReading, values: DecodedValues) -> None:
        """Take what the balancer needs, and all that was read."""

    def health(self, name: str, reason: str | None) -> None:
        """Take why a meter is lost, or None; only when that changes."""

    def doubt(self, name: str, words: str | None) -> None:
        """Take what is odd about readings that are used all the same; only when that changes."""

    def drawn(self, name: str, now: float) -> PhaseCurrents | None:
        """Return what our own EVSEs draw below a meter; None: not known."""


async def poll_meter(
    name: str,
    meter: Meter,
    reader: Reader,
    watch: MeterWatch,
    listener: Listener,
    *,
    calm_s: float = CALM_POLL_S,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Deliver a reading every `poll_s`, without drift; deliver nothing while the meter is silent
    or says what cannot be true. Never returns.

    Args:
        calm_s: time between two attempts when several have failed.
    """
    due = clock()
    outage = Outage(name, meter.max_age_s, meter.on_loss, due, listener.health)
    doubts = Doubts(name, listener.doubt)
    failures = 0
    while True:
        refusal: str | None = None
        try:
            values = mounted(await reader.read(), meter)
        except Unavailable as error:
            refusal, now = error.reason, clock()
        else:
            now = clock()
            found = [
                replace(doubt, quantity=input_of(doubt.quantity, meter))
                for doubt in watch.doubts(values, now, listener.drawn(name, now))
            ]
            doubts.take(found, reader.layout, now)
            if found and found[0].is_refused:
                refusal = found[0].told(reader.layout)
            else:
                outage.heard(now)
                listener.read(name, _reading(values, now), values)
        if refusal is not None:
            outage.silent(refusal, now)
        failures = failures + 1 if refusal is not None else 0
        is_calm = failures >= FAILURES_BEFORE_CALM
        due = next_due(due, now, max(meter.poll_s, calm_s) if is_calm else meter.poll_s)
        await sleep(due - now)


def next_due(due: float, now: float, period_s: float) -> float:
    """Return the first beat after `now` of the rhythm that began at `due`; missed ones are skipped.

    >>> next_due(10.0, 10.3, 1.0), next_due(10.0, 12.5, 1.0)
    (11.0, 13.0)
    """
    return due + period_s * max(1, math.floor((now - due) / period_s) + 1)


async def poll_meters(
    site: Site, listener: Listener, lines: ModbusLines, *, clock: Clock = time.monotonic
) -> None:
    """Poll all meters of the site; those with one address share a connection and take turns."""
    buses = {name: parse_bus(meter.url) for name, meter in site.meters.items()}
    on_bus = Counter(buses.values())
    async with asyncio.TaskGroup() as tasks:
        for name, meter in site.meters.items():
            model, bus = meter_model(meter.model), buses[name]
            poll = poll_meter(
                name,
                meter,
                MeterReader(lines.to(bus), model, meter.unit),
                watch_of(site, name, model),
                listener,
                calm_s=CALM_POLL_S * on_bus[bus],
                clock=clock,
            )
            tasks.create_task(poll, name=f"meter {name}")


def watch_of(site: Site, name: str, model: MeterModel) -> MeterWatch:
    """Return what judges the readings of a meter, where it sits."""
    meter = site.meters[name]
    frozen_s = model.frozen_s if meter.frozen_s is None else meter.frozen_s
    return MeterWatch(
        bounds_of(site, name),
        frozen_s=frozen_s,
        max_age_s=meter.max_age_s,
        needed=phases_below(site, name),
    )


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
