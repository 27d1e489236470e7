"""`site-gateway meter scan`: who answers on a bus, and what he probably is.

Asks one unit after the other, gently, and reads only. Opens nothing itself: it is handed how to
ask. A device that answers, be it with an exception, is there; what it is it tells by its marks, or
by values that only the right registers in the right word order can give.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues, decode
from gateway.meters.inspection import is_believable
from gateway.meters.model import Layout, MeterModel, known_models
from gateway.meters.silence import NotConnected, Refused, UnusableFiles
from site_config.addresses import HIGHEST_UNIT

SUNSPEC_MARK = (0x5375, 0x6E53)
"""The text "SunS"."""

Ask = Callable[[int, int, int, int], Awaitable[Sequence[int] | None]]
"""unit, function, address, count -> registers, None: it answers, but not that; raises `Unavailable`
when nobody answers."""


class Confidence(StrEnum):
    """How sure it is what a device is."""

    CERTAIN = "certain"
    """It carries the mark of the model."""
    LIKELY = "likely"
    """Read as this model it shows a network's voltages."""
    UNKNOWN = "unknown"
    """It answers Modbus."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answers."""

    unit: int
    confidence: Confidence
    models: tuple[str, ...] = ()
    """Those it may be; several that share their registers."""
    values: DecodedValues | None = None


def parse_units(text: str) -> list[int]:
    """Take `1-10,71` apart; raises `ValueError` with a sentence an installer understands.

    >>> parse_units("1-3,71")
    [1, 2, 3, 71]
    """
    units: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or ("-" in part and not last.isdigit()):
            raise ValueError(f"{text!r} are no units like 1-247 or 1,2,71")
        units += range(int(first), int(last or first) + 1)
    if not units or not 0 <= min(units) <= max(units) <= HIGHEST_UNIT:
        raise ValueError(f"{text!r} are no units between 0 and {HIGHEST_UNIT}")
    return sorted(set(units))


@dataclass(slots=True)
class Scan:
    """What a scan has come to so far; it may be ended at any unit."""

    units: list[int]
    asked: int = 0
    found: list[Found] = field(default_factory=list)
    absences: list[Unavailable] = field(default_factory=list)
    """What was heard, or not, of each unit that did not answer."""

    async def run(self, ask: Ask, *, on_progress: Callable[[str], None]) -> None:
        """Ask every unit; raises `Unavailable` when the bus cannot be opened at all.

        Args:
            on_progress: told what goes on, before each unit and when one answers.
        """
        for unit in self.units:
            on_progress(f"unit {unit}, {len(self.found)} found")
            device = Device(unit, ask)
            try:
                await device.registers(3, 0, 1)
                on_progress(f"unit {unit} answers: what is it?")
                self.found.append(await device.identify())
            except (NotConnected, UnusableFiles):
                raise
            except Refused as refusal:
                if refusal.is_absent:
                    self.absences.append(refusal)
                else:  # Busy, or out of order: it is there.
                    self.found.append(Found(unit, Confidence.UNKNOWN))
            except Unavailable as absence:
                self.absences.append(absence)
            self.asked += 1


class Device:
    """One unit that is asked, and what it has answered already: nothing is asked twice."""

    def __init__(self, unit: int, ask: Ask) -> None:
        self._unit = unit
        self._ask = ask
        self._answers: dict[tuple[int, int, int], tuple[int, ...] | None] = {}

    async def registers(self, function: int, address: int, count: int) -> tuple[int, ...] | None:
        """Return registers, or None if it refuses them; raises `Unavailable` when it is silent."""
        question = function, address, count
        if question not in self._answers:
            words = await self._ask(self._unit, *question)
            self._answers[question] = None if words is None else tuple(words)
        return self._answers[question]

    async def identify(self) -> Found:
        """Return what the device probably is."""
        likely: dict[str, DecodedValues] = {}
        for name, model in known_models().items():
            try:
                if await self._is_marked(model):
                    values = await self._values(model.layouts[0])
                    return Found(self._unit, Confidence.CERTAIN, (name,), values)
                if model.sunspec_bases or model.marks:
                    continue
                values = await self._values(model.layouts[0])
            except Unavailable:
                continue  # Some devices keep silent where others refuse.
            if values is not None and is_believable(values):
                likely[name] = values
        if not likely:
            return Found(self._unit, Confidence.UNKNOWN)
        return Found(self._unit, Confidence.LIKELY, tuple(likely), next(iter(likely.values())))

    async def _is_marked(self, model: MeterModel) -> bool:
        for mark in model.marks:
            words = await self.registers(mark.function, mark.address, mark.count)
            if words is not None and mark.is_on(words):
                return True
        for base in model.sunspec_bases:
            if await self.registers(3, base, len(SUNSPEC_MARK)) == SUNSPEC_MARK:
                return True
        return False

    async def _values(self, layout: Layout) -> DecodedValues | None:
        """Return what it says if it is read so; None: it does not have these registers."""
        if layout.sunspec_model is not None:
            return None
        words: dict[int, int] = {}
        for block in layout.blocks:
            if block.every > 1:
                continue
            answer = await self.registers(layout.function, block.address, block.count)
            if answer is None:
                return None
            words.update(zip(block.addresses, answer, strict=True))
        return decode(layout, words)


def alike(found: Sequence[Found], asked: int) -> Iterator[str]:
    """Yield what is remarkable about all that answered together."""
    if len(found) == asked > 1:
        yield "it answers for every unit: a meter with a network socket of its own; take unit 1"
    if any(device.confidence is Confidence.UNKNOWN for device in found):
        yield "unknown devices answer Modbus, but as no model of the library: compare their manual"
    if any(len(device.models) > 1 for device in found):
        yield (
            "models named together share the registers of what they measure: take the one on the "
            "label, for energies may stand elsewhere"
        )
