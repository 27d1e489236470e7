"""Registers of a meter -> what it measured, and back again for the simulated meter. Pure.

What a meter does not have, or marks as not available, is None; it is never zero and never the
last value. Units: A, V, W, Hz, Wh; positive = import, from the grid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.meters.model import CURRENTS, POWERS, VOLTAGES, Layout, Quantity, Register
from gateway.meters.words import RegisterType, WordOrder, number_from, raw_bits, words_of

Words = Mapping[int, int]
"""Address (in the layout's own counting) -> register."""

SCALE_MISSING = 0x8000
"""SunSpec: a scale factor that is not implemented."""
SCALES = range(-10, 11)
"""SunSpec: powers of ten a scale factor may hold."""


class PhaseValues(NamedTuple):
    """One value for each phase of the circuit; None: not available."""

    l1: float | None = None
    l2: float | None = None
    l3: float | None = None


NOTHING = PhaseValues()


@dataclass(frozen=True, slots=True)
class DecodedValues:
    """What a meter said at one moment."""

    currents: PhaseValues = NOTHING
    """A RMS."""
    voltages: PhaseValues = NOTHING
    """V, phase to neutral."""
    powers: PhaseValues = NOTHING
    """W, active."""
    power_w: float | None = None
    """Of all phases together."""
    energy_import_wh: float | None = None
    energy_export_wh: float | None = None
    frequency_hz: float | None = None


def decode(layout: Layout, words: Words) -> DecodedValues:
    """Turn registers into values; registers that were not read give None."""
    values = {
        quantity: _value(layout, register, words) for quantity, register in layout.values.items()
    }
    powers = PhaseValues(*(values.get(quantity) for quantity in POWERS))
    currents = PhaseValues(*(values.get(quantity) for quantity in CURRENTS))
    if layout.direction == "power":
        currents = PhaseValues(*map(_signed, currents, powers))
    return DecodedValues(
        currents=currents,
        voltages=PhaseValues(*(values.get(quantity) for quantity in VOLTAGES)),
        powers=powers,
        power_w=_total(values, powers),
        energy_import_wh=values.get(Quantity.ENERGY_IMPORT),
        energy_export_wh=values.get(Quantity.ENERGY_EXPORT),
        frequency_hz=values.get(Quantity.FREQUENCY),
    )


def encode(layout: Layout, values: DecodedValues) -> dict[int, int]:
    """Turn values into registers: the inverse of `decode`, up to the meter's resolution.

    None becomes the layout's mark for "not available", or 0 where it has none.
    """
    flat = _flat(values)
    scales = _scales(layout, flat)
    words = {
        address: raw
        for address, exponent in scales.items()
        for raw in words_of(exponent, RegisterType.INT16, WordOrder.BIG)
    }
    for quantity, register in layout.values.items():
        value = flat[quantity]
        if value is None or math.isnan(value):
            raw = _absent(layout, register)
        else:
            factor = register.factor * 10.0 ** scales.get(register.scale_address or -1, 0)
            told = abs(value) if _is_magnitude(layout, quantity) else value
            raw = words_of(told / factor, register.type, layout.word_order)
        words.update(zip(register.addresses, raw, strict=True))
    return words


def _value(layout: Layout, register: Register, words: Words) -> float | None:
    raw = [words[address] for address in register.addresses if address in words]
    if len(raw) < register.type.words:
        return None
    if raw_bits(raw, layout.word_order) in layout.sentinels.get(register.type, ()):
        return None
    number = number_from(raw, register.type, layout.word_order)
    exponent = _exponent(register, words)
    if exponent is None or not math.isfinite(number):
        return None
    return number * register.factor * 10.0**exponent


def _exponent(register: Register, words: Words) -> int | None:
    if register.scale_address is None:
        return 0
    word = words.get(register.scale_address, SCALE_MISSING)
    exponent = int(number_from([word], RegisterType.INT16, WordOrder.BIG))
    return exponent if exponent in SCALES else None


def _signed(current_a: float | None, power_w: float | None) -> float | None:
    """Give a current without sign the direction of its power; most meters tell magnitudes."""
    if current_a is not None and power_w is not None and power_w < 0:
        return -abs(current_a)
    return current_a


def _total(values: Mapping[Quantity, float | None], powers: PhaseValues) -> float | None:
    power_w = values.get(Quantity.POWER)
    taken_w, given_w = values.get(Quantity.POWER_IMPORT), values.get(Quantity.POWER_EXPORT)
    if power_w is None and taken_w is not None and given_w is not None:
        return taken_w - given_w
    if power_w is not None or None in powers:
        return power_w
    return sum(power for power in powers if power is not None)


def _is_magnitude(layout: Layout, quantity: Quantity) -> bool:
    kind = layout.values[quantity].type
    has_sign = kind.is_float or kind.bounds[0] < 0
    return not has_sign or (quantity in CURRENTS and layout.direction == "none")


def _flat(values: DecodedValues) -> dict[Quantity, float | None]:
    flat: dict[Quantity, float | None] = {
        Quantity.POWER: values.power_w,
        Quantity.POWER_IMPORT: None if values.power_w is None else max(0.0, values.power_w),
        Quantity.POWER_EXPORT: None if values.power_w is None else max(0.0, -values.power_w),
        Quantity.FREQUENCY: values.frequency_hz,
        Quantity.ENERGY_IMPORT: values.energy_import_wh,
        Quantity.ENERGY_EXPORT: values.energy_export_wh,
    }
    flat.update(zip(CURRENTS, values.currents, strict=True))
    flat.update(zip(VOLTAGES, values.voltages, strict=True))
    flat.update(zip(POWERS, values.powers, strict=True))
    return flat


def _scales(layout: Layout, flat: Mapping[Quantity, float | None]) -> dict[int, int]:
    """Choose, for each scale register, the finest power of ten that fits all its values."""
    scales: dict[int, int] = {}
    for quantity, register in layout.values.items():
        if register.scale_address is not None:
            _, highest = register.type.bounds
            steps = abs(flat[quantity] or 0.0) / register.factor / highest
            needed = math.ceil(math.log10(steps)) if steps > 0 else -3
            scales[register.scale_address] = max(needed, scales.get(register.scale_address, -3), -3)
    return scales


def _absent(layout: Layout, register: Register) -> list[int]:
    if register.type.is_float:
        return words_of(math.nan, register.type, layout.word_order)
    bits = next(iter(layout.sentinels.get(register.type, (0,))))
    words = [bits >> 16 * n & 0xFFFF for n in reversed(range(register.type.words))]
    return words if layout.word_order is WordOrder.BIG else words[::-1]
