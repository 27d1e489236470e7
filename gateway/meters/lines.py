"""What the meters of a site ask of a serial line, and what it cannot give. Pure.

A line has one speed, and its meters take turns: each one's reading is as old as a round of all.
"""

from collections.abc import Iterator

from gateway.meters.model import MeterModel, UnknownMeterModel, meter_model
from site_config.addresses import RtuTcpBus, SerialBus, parse_bus
from site_config.errors import Mistake
from site_config.model import Site

CHARACTER_BITS = 11
"""Start, eight data bits, parity or a second stop bit, stop (Modbus over Serial Line §2.5.1)."""
REQUEST_BYTES, ANSWER_BYTES = 8, 5
"""Of a frame around the registers that are asked for."""
SILENCE_CHARACTERS = 7
"""Twice 3.5, after the question and after the answer."""
THINKS_S = 0.03
"""A meter begins to answer about so late; what is known of the makers' manuals is 10 to 60 ms."""
ENOUGH = 0.5
"""A round takes at most this part of the age that readings may have: one answer may get lost."""


HIGHEST_SERIAL_UNIT = 247
"""0 is everybody's and nobody answers to it, those above are reserved (§2.2)."""


def impossible_lines(site: Site) -> list[Mistake]:
    """Return every mistake about serial lines that no meter could live with."""
    found: list[Mistake] = []
    first: dict[str, tuple[str, SerialBus]] = {}
    for name, meter in site.meters.items():
        bus = parse_bus(meter.url)
        if isinstance(bus, SerialBus | RtuTcpBus) and not 1 <= meter.unit <= HIGHEST_SERIAL_UNIT:
            path = f"meters.{name}.unit"
            words = f"no meter on a serial line answers to unit {meter.unit}"
            advice = f"1 to {HIGHEST_SERIAL_UNIT}, as set in the meter"
            found.append(Mistake(path, site.line_of(path), words, advice))
        if isinstance(bus, SerialBus):
            other, its_bus = first.setdefault(bus.device, (name, bus))
            if its_bus != bus:
                path = f"meters.{name}.url"
                words = f"{bus.device} has other settings here than under {other}"
                advice = "one line has one baudrate, parity and stopbits: set all its meters alike"
                found.append(Mistake(path, site.line_of(path), words, advice))
    return found


def round_s(bus: SerialBus, model: MeterModel) -> float:
    """Return how long one meter occupies the line with each poll, the rare blocks in proportion."""
    character_s = CHARACTER_BITS / bus.baudrate
    return sum(
        (
            character_s * (REQUEST_BYTES + ANSWER_BYTES + 2 * block.count + SILENCE_CHARACTERS)
            + THINKS_S
            + model.pause_s
        )
        / block.every
        for block in model.layouts[0].blocks
    )


def slow_lines(site: Site) -> list[Mistake]:
    """Return a warning for each serial line that cannot keep its readings young enough."""
    by_line: dict[SerialBus, list[str]] = {}
    for name, meter in site.meters.items():
        if isinstance(bus := parse_bus(meter.url), SerialBus):
            by_line.setdefault(bus, []).append(name)
    return [warning for bus, names in by_line.items() for warning in _warnings(site, bus, names)]


def _warnings(site: Site, bus: SerialBus, names: list[str]) -> Iterator[Mistake]:
    try:
        takes_s = sum(round_s(bus, meter_model(site.meters[name].model)) for name in names)
    except UnknownMeterModel:
        return  # It is told as a mistake of its own.
    strictest = min(names, key=lambda name: site.meters[name].max_age_s)
    may_s = site.meters[strictest].max_age_s
    if takes_s <= ENOUGH * may_s:
        return
    path = f"meters.{strictest}.max_age_s"
    yield Mistake(
        path,
        site.line_of(path),
        f"reading the {len(names)} meters on {bus.device} once takes about {takes_s:.1f} s at "
        f"{bus.baudrate} baud, and {may_s:g} s old is stale",
        "a higher baudrate in the meters and here, fewer meters on the line, or a larger "
        "max_age_s if the fuse bears it",
    )
