"""How a meter's values look on a terminal, and as JSON for scripts. Pure."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from gateway.meter_scan import Found
from gateway.meters.decode import DecodedValues
from gateway.meters.model import MeterModel

KEPT_TIMES = 1000
"""So many reading times make up the percentiles."""
DIRECTIONS = {"own": "signed", "power": "sign by power", "none": "no sign"}


def models_table(models: list[MeterModel]) -> Table:
    table = Table("model", "meter", "read", "tells", "currents", "sources", show_lines=False)
    table.title = f"{len(models)} meters this gateway can read"
    for model in models:
        table.add_row(
            model.name,
            model.title,
            _how_read(model),
            _offers(model),
            DIRECTIONS[model.layouts[0].direction],
            "; ".join(source.split(",")[0] for source in model.sources),
        )
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
    table = Table("", "L1", "L2", "L3", "total", title=title)
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

    values: DecodedValues | None = None
    read_at: float | None = None
    """Monotonic."""
    readings: int = 0
    failures: int = 0
    last_failure: str = ""
    lowest: list[float] = field(default_factory=list)
    """Currents, A."""
    highest: list[float] = field(default_factory=list)
    _times_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))

    def take(self, values: DecodedValues, took_s: float, now: float) -> None:
        currents = [current_a or 0.0 for current_a in values.currents]
        self.lowest = list(map(min, self.lowest or currents, currents))
        self.highest = list(map(max, self.highest or currents, currents))
        self.values, self.read_at, self.readings = values, now, self.readings + 1
        self._times_s.append(took_s)

    def fail(self, reason: str) -> None:
        self.failures, self.last_failure = self.failures + 1, reason

    def percentile_s(self, share: float) -> float | None:
        """Return the reading time that this share of readings did not exceed."""
        times = sorted(self._times_s)
        return times[min(len(times) - 1, int(share * len(times)))] if times else None

    def summary(self) -> str:
        p50, p99 = (_milliseconds(self.percentile_s(share)) for share in (0.5, 0.99))
        failed = f", {self.failures} failed ({self.last_failure})" if self.failures else ""
        return f"{self.readings} readings{failed}; reading takes p50 {p50}, p99 {p99}"

    def table(self, title: str, now: float) -> Table:
        if self.values is None:
            table = Table(title=title)
        else:
            table = values_table(self.values, title)
            for name, extreme in (("lowest A", self.lowest), ("highest A", self.highest)):
                table.add_row(name, *(shown(value, 2) for value in extreme), "")
        age = "nothing read yet" if self.read_at is None else f"{now - self.read_at:.1f} s old"
        table.caption = f"{age}; {self.summary()}; Ctrl-C ends"
        return table


def line_of(values: DecodedValues) -> str:
    """Return one line for one reading, for a log or a pipe."""
    currents = "  ".join(f"{shown(value, 2):>8}" for value in values.currents)
    voltages = "  ".join(f"{shown(value, 1):>6}" for value in values.voltages)
    return f"{currents} A   {voltages} V   {shown(values.power_w, 0):>8} W"


def shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _milliseconds(time_s: float | None) -> str:
    return "–" if time_s is None else f"{1000 * time_s:.0f} ms"
