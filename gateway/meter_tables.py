"""How a meter's values look on a terminal, and as JSON for scripts. Pure."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.errors import Unavailable
from gateway.meter_advice import advice
from gateway.meter_scan import Found
from gateway.meters.decode import DecodedValues
from gateway.meters.inspection import hints
from gateway.meters.model import Layout, Mark, MeterModel
from gateway.meters.watch import MeterWatch
from site_config.addresses import Bus

KEPT_TIMES = 1000
"""So many reading times make up the percentiles."""
DIRECTIONS = {"own": "signed", "power": "sign by power", "none": "no sign"}


def models_table(models: list[MeterModel]) -> Table:
    table = Table(title=f"{len(models)} meters this gateway can read")
    table.add_column("model", no_wrap=True)
    for header in ("meter", "tells", "currents"):
        table.add_column(header)
    table.add_column("sources", justify="right")
    for model in models:
        table.add_row(
            model.name,
            model.title,
            _offers(model),
            DIRECTIONS[model.layouts[0].direction],
            str(len(model.sources)),
        )
    table.caption = (
        "I U P f E: currents, voltages, powers, frequency, energies; sources: how many register "
        "tables were compared; `meter models NAME` shows the registers of one"
    )
    return table


def model_details(model: MeterModel) -> Iterator[str | Table]:
    """Yield all that is known of one model, to compare with the meter's manual and label."""
    yield f"{model.title}: {model.name}"
    layout = model.layouts[0]
    order = {"big": "high", "little": "low"}[layout.word_order.value]
    yield (
        f"{_how_read(model)} registers, {order} word first, at most {layout.max_registers} at a "
        f"time; answers within {model.timeout_s:g} s, rests {model.pause_s:g} s"
    )
    known_by = [_told_mark(mark) for mark in model.marks]
    known_by += [f'"SunS" at {base}' for base in model.sunspec_bases]
    yield f"a scan knows it by {' or '.join(known_by) or 'what it measures'}"
    for each in model.layouts:
        yield _registers_table(each)
    yield f"sources: {'; '.join(model.sources)}"
    yield from (f"· {note}" for note in model.notes)


def _told_mark(mark: Mark) -> str:
    told = repr(mark.text) if mark.text else " or ".join(map(str, mark.numbers))
    return f"{told} in register 0x{mark.address:04X}"


def _registers_table(layout: Layout) -> Table:
    table = Table("", "register", "", "holds", "step")
    if layout.sunspec_model is not None:
        table.title = f"model {layout.sunspec_model}, counted from the register with its number"
    for quantity, register in layout.values.items():
        scale = f"{register.scale:g} {register.unit}"
        if register.scale_address is not None:
            scale += f" times 10 to what {register.scale_address} holds"
        places = f"{register.address}", f"0x{register.address:04X}"
        table.add_row(quantity.value, *places, register.type.value, scale)
    return table


def model_object(model: MeterModel) -> dict[str, Any]:
    layout = model.layouts[0]
    return {
        "model": model.name,
        "title": model.title,
        "functions": sorted({layout.function for layout in model.layouts}),
        "word_order": layout.word_order.value,
        "max_registers": layout.max_registers,
        "tells": sorted({kind.kind for kind in layout.values}),
        "direction": layout.direction,
        "timeout_s": model.timeout_s,
        "pause_s": model.pause_s,
        "frozen_s": model.frozen_s,
        "marks": [_told_mark(mark) for mark in model.marks],
        "sources": list(model.sources),
        "notes": list(model.notes),
    }


def _how_read(model: MeterModel) -> str:
    if model.sunspec_bases:
        return "SunSpec"
    return {3: "holding", 4: "input"}[model.layouts[0].function]


def _offers(model: MeterModel) -> str:
    letters = {"current": "I", "voltage": "U", "power": "P", "frequency": "f", "energy": "E"}
    kinds = {quantity.kind for quantity in model.layouts[0].values}
    return " ".join(letter for kind, letter in letters.items() if kind in kinds)


def values_table(values: DecodedValues, title: str) -> Table:
    table = Table("", title=title)
    for header in ("L1", "L2", "L3", "total"):
        table.add_column(header, justify="right", min_width=7)
    table.add_row("current A", *(shown(value, 2) for value in values.currents), "")
    table.add_row("voltage V", *(shown(value, 1) for value in values.voltages), "")
    powers = [shown(value, 0) for value in values.powers]
    table.add_row("power W", *powers, shown(values.power_w, 0))
    table.add_row("import Wh", "", "", "", shown(values.energy_import_wh, 0))
    table.add_row("export Wh", "", "", "", shown(values.energy_export_wh, 0))
    table.add_row("frequency Hz", "", "", "", shown(values.frequency_hz, 2))
    return table


def values_object(values: DecodedValues) -> dict[str, Any]:
    return {
        "currents_a": [_rounded(value) for value in values.currents],
        "voltages_v": [_rounded(value) for value in values.voltages],
        "powers_w": [_rounded(value) for value in values.powers],
        "power_w": _rounded(values.power_w),
        "energy_import_wh": _rounded(values.energy_import_wh),
        "energy_export_wh": _rounded(values.energy_export_wh),
        "frequency_hz": _rounded(values.frequency_hz),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def found_table(found: list[Found]) -> Table:
    table = Table("unit", "model", "sure", "L1 A", "L2 A", "L3 A", "L1 V", title="Who answers")
    for device in found:
        values = device.values or DecodedValues()
        table.add_row(
            str(device.unit),
            " or ".join(device.models) or "–",
            device.confidence.value,
            *(shown(current_a, 2) for current_a in values.currents),
            shown(values.voltages.l1, 1),
        )
    return table


def found_object(device: Found) -> dict[str, Any]:
    return {
        "unit": device.unit,
        "models": list(device.models),
        "confidence": device.confidence.value,
        "values": values_object(device.values) if device.values else None,
    }


def as_json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


@dataclass(slots=True)
class Watched:
    """What was seen of a meter so far: extremes, how long readings took, how many failed."""

    meter: MeterModel
    bus: Bus
    judge: MeterWatch
    values: DecodedValues | None = None
    read_at: float | None = None
    """Monotonic."""
    readings: int = 0
    failures: int = 0
    refusals: int = 0
    """Readings that the gateway would not use."""
    failure: Unavailable | None = None
    """Why the last attempt failed; None: it did not."""
    last_failure: str = ""
    refusal: str | None = None
    """Why the gateway would not use the newest reading; None: it would."""
    remarks: list[str] = field(default_factory=list)
    """What else is odd about it."""
    lowest: list[float | None] = field(default_factory=lambda: [None] * 3)
    """Currents, A; None: never told."""
    highest: list[float | None] = field(default_factory=lambda: [None] * 3)
    _times_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))

    def take(self, values: DecodedValues, layout: Layout, took_s: float, now: float) -> None:
        for phase, current_a in enumerate(values.currents):
            if current_a is not None:
                low_a, high_a = self.lowest[phase], self.highest[phase]
                self.lowest[phase] = current_a if low_a is None else min(low_a, current_a)
                self.highest[phase] = current_a if high_a is None else max(high_a, current_a)
        doubts = self.judge.doubts(values, now)
        self.refusal = next((d.told(layout) for d in doubts if d.is_refused), None)
        self.remarks = [d.told(layout) for d in doubts if not d.is_refused]
        self.remarks += hints(values, self.meter)
        self.values, self.read_at, self.failure = values, now, None
        self.readings += 1
        self.refusals += self.refusal is not None
        self._times_s.append(took_s)

    def fail(self, error: Unavailable) -> None:
        self.failures, self.failure, self.last_failure = self.failures + 1, error, error.reason

    def percentile_s(self, share: float) -> float | None:
        """Return the reading time that this share of readings did not exceed."""
        times = sorted(self._times_s)
        return times[min(len(times) - 1, int(share * len(times)))] if times else None

    def summary(self) -> str:
        p50, p99 = (_milliseconds(self.percentile_s(share)) for share in (0.5, 0.99))
        failed = f", {self.failures} failed ({self.last_failure})" if self.failures else ""
        refused = f", {self.refusals} of them not to be used" if self.refusals else ""
        took = f"; reading takes p50 {p50}, p99 {p99}" if self.readings else ""
        return f"{self.readings} readings{refused}{failed}{took}"

    def shown(self, title: str, now: float) -> Group:
        """Return what stands on the screen now."""
        lines: list[Table | Text] = []
        if self.values is None:
            lines.append(Text(title))
        else:
            table = values_table(self.values, title)
            for name, extreme in (("lowest A", self.lowest), ("highest A", self.highest)):
                table.add_row(name, *(shown(value, 2) for value in extreme), "")
            lines.append(table)
        if self.failure is not None:
            lines.append(Text(self.failure.reason, "bold red"))
            lines.append(Text(f"check {advice(self.failure, self.bus)}"))
        elif self.refusal is not None:
            words = f"the gateway would not use this reading: {self.refusal}"
            lines.append(Text(words, "bold red"))
        lines += [Text(f"look at: {remark}", "yellow") for remark in self.remarks]
        age = "nothing read yet" if self.read_at is None else f"{now - self.read_at:.1f} s old"
        lines.append(Text(f"{age}; {self.summary()}; Ctrl-C ends", "dim"))
        return Group(*lines)


def line_of(values: DecodedValues) -> str:
    """Return one line for one reading, for a log or a pipe."""
    currents = "  ".join(f"{shown(value, 2):>8}" for value in values.currents)
    voltages = "  ".join(f"{shown(value, 1):>6}" for value in values.voltages)
    return f"{currents} A   {voltages} V   {shown(values.power_w, 0):>8} W"


def shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _milliseconds(time_s: float | None) -> str:
    return "–" if time_s is None else f"{1000 * time_s:.0f} ms"
