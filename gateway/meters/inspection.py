"""What one reading tells an electrician about wiring and model. Pure; hints, never refusals.

Within a meter values are not of exactly one moment, so nothing here may stop the balancer.
"""

from collections.abc import Iterator

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import MeterModel
from gateway.meters.plausibility import PHASES

LIVE_V = (80.0, 300.0)
"""Voltages to neutral of any network that EVs charge from."""
NETWORK_HZ = (45.0, 65.0)
APPARENT_SHARE, APPARENT_W = 1.15, 100.0
"""Active power is never more than volts times amperes, within what two moments may differ."""
TOTAL_SHARE, TOTAL_W = 0.1, 100.0
"""The phases add up to the total, within the same."""
FLOWS_A = 0.5
"""Below it a current's direction says nothing about wiring."""
LARGEST_A = 10_000.0


def hints(values: DecodedValues, model: MeterModel) -> list[str]:
    """Return what should be looked at, most important first."""
    found = [*_voltages(values.voltages), *_powers(values), *_directions(values, model)]
    low_hz, high_hz = NETWORK_HZ
    if values.frequency_hz is not None and not low_hz <= values.frequency_hz <= high_hz:
        found.append(f"{values.frequency_hz:.2f} Hz is no network: is the meter model right?")
    return found


def is_believable(values: DecodedValues) -> bool:
    """Tell whether these look like the values of a meter in service: the right model, probably.

    Wrong registers or a wrong word order give a voltage of a network by accident only.
    """
    low_v, high_v = LIVE_V
    known = [voltage_v for voltage_v in values.voltages if voltage_v is not None]
    live = [voltage_v for voltage_v in known if low_v <= voltage_v <= high_v]
    # Within 2 V of nothing an input is open; noise of an open one, not a number gone astray.
    others = [voltage_v for voltage_v in known if voltage_v not in live and abs(voltage_v) > low_v]
    if not live or others or (values.frequency_hz not in (None, 0.0) and not _is_network(values)):
        return False
    amperes = [current_a for current_a in values.currents if current_a is not None]
    return len(amperes) == len(PHASES) and max(map(abs, amperes)) <= LARGEST_A


def _is_network(values: DecodedValues) -> bool:
    low_hz, high_hz = NETWORK_HZ
    return low_hz <= (values.frequency_hz or 0.0) <= high_hz


def _voltages(voltages: PhaseValues) -> Iterator[str]:
    low_v, high_v = LIVE_V
    for phase, voltage_v in zip(PHASES, voltages, strict=True):
        if voltage_v is not None and voltage_v < low_v:
            yield f"{voltage_v:.1f} V on {phase}: is this input connected, and its fuse whole?"
        elif voltage_v is not None and voltage_v > high_v:
            yield f"{voltage_v:.1f} V on {phase} is no phase to neutral: is the meter model right?"


def _powers(values: DecodedValues) -> Iterator[str]:
    for phase, volts, amps, watts in zip(
        PHASES, values.voltages, values.currents, values.powers, strict=True
    ):
        if volts is None or amps is None or watts is None:
            continue
        highest_w = abs(volts * amps) * APPARENT_SHARE + APPARENT_W
        if abs(watts) > highest_w:
            yield (
                f"{watts:.0f} W on {phase} is more than {volts:.0f} V times {abs(amps):.1f} A: "
                "current transformers of another ratio, or a voltage input on another phase?"
            )
    if values.power_w is not None and None not in values.powers:
        total_w = sum(watts for watts in values.powers if watts is not None)
        if abs(total_w - values.power_w) > TOTAL_SHARE * abs(values.power_w) + TOTAL_W:
            yield f"the phases add up to {total_w:.0f} W, the total says {values.power_w:.0f} W"


def _directions(values: DecodedValues, model: MeterModel) -> Iterator[str]:
    if model.layouts[0].direction == "none":
        yield "this meter tells no direction of a current; a fuse is protected all the same"
    backwards = [
        phase
        for phase, current_a in zip(PHASES, values.currents, strict=True)
        if current_a is not None and current_a < -FLOWS_A
    ]
    if len(backwards) == len(PHASES):
        yield "all phases export: without generation the meter sits turned round (invert: true)"
    elif backwards:
        yield (
            f"{' and '.join(backwards)} exports: without generation turn that current transformer, "
            "or it sits on another phase than its voltage input"
        )
