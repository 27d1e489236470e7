"""The meter library: which registers of which meter mean what, as data files.

Pure but for reading data files: its own, once, and those that a site file names. A *layout* is one
arrangement of registers; most meters have one, a SunSpec meter tells which of several it uses.
Addresses are zero-based, as they travel on the wire; in a SunSpec layout they count from the
register with the model's number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.meters.words import RegisterType, WordOrder
from site_config.meters import is_model_file

FORBID_UNKNOWN_KEYS = ConfigDict(extra="forbid")
Address = Annotated[int, Field(ge=0, le=0xFFFF)]


class Quantity(StrEnum):
    """What a meter can tell. Positive = import, from the grid."""

    VOLTAGE_L1 = "voltage_l1"
    VOLTAGE_L2 = "voltage_l2"
    VOLTAGE_L3 = "voltage_l3"
    CURRENT_L1 = "current_l1"
    CURRENT_L2 = "current_l2"
    CURRENT_L3 = "current_l3"
    POWER_L1 = "power_l1"
    POWER_L2 = "power_l2"
    POWER_L3 = "power_l3"
    POWER = "power"
    POWER_IMPORT = "power_import"
    """Of all phases together, where a meter tells import and export as two magnitudes."""
    POWER_EXPORT = "power_export"
    FREQUENCY = "frequency"
    ENERGY_IMPORT = "energy_import"
    ENERGY_EXPORT = "energy_export"

    @property
    def kind(self) -> str:
        """Return `voltage`, `current`, `power`, `frequency` or `energy`."""
        return self.partition("_")[0]


CURRENTS = (Quantity.CURRENT_L1, Quantity.CURRENT_L2, Quantity.CURRENT_L3)
VOLTAGES = (Quantity.VOLTAGE_L1, Quantity.VOLTAGE_L2, Quantity.VOLTAGE_L3)
POWERS = (Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3)

UNITS: dict[str, tuple[str, float]] = {
    "V": ("voltage", 1.0),
    "A": ("current", 1.0),
    "mA": ("current", 0.001),
    "W": ("power", 1.0),
    "kW": ("power", 1000.0),
    "Hz": ("frequency", 1.0),
    "Wh": ("energy", 1.0),
    "kWh": ("energy", 1000.0),
}
"""unit -> (what it measures, how many of our unit it is); ours are V, A, W, Hz and Wh."""


@dataclass(frozen=True, slots=True)
class Register:
    """Where one quantity stands."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID_UNKNOWN_KEYS

    address: Address
    type: RegisterType
    unit: Literal["V", "A", "mA", "W", "kW", "Hz", "Wh", "kWh"]
    scale: float = 1.0
    """What one step of the number is worth, in `unit`."""
    scale_address: Address | None = None
    """Register (int16) with the power of ten to multiply with; None: there is none."""

    @property
    def factor(self) -> float:
        """Return what one step is worth in V, A, W, Hz or Wh, before `scale_address`."""
        return self.scale * UNITS[self.unit][1]

    @property
    def addresses(self) -> range:
        return range(self.address, self.address + self.type.words)


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read in one exchange."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID_UNKNOWN_KEYS

    address: Address
    count: Annotated[int, Field(ge=1, le=125)]  # Modbus Application Protocol V1.1b3 §6.3
    every: Annotated[int, Field(ge=1)] = 1
    """Read with every poll (1), or with every tenth (10), for what changes slowly."""

    @property
    def addresses(self) -> range:
        return range(self.address, self.address + self.count)


@dataclass(frozen=True, slots=True)
class Layout:
    """One arrangement of registers."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID_UNKNOWN_KEYS

    function: Literal[3, 4]
    """3: holding registers, 4: input registers."""
    word_order: WordOrder
    max_registers: Annotated[int, Field(ge=2, le=125)]
    """Most that the meter gives in one read."""
    blocks: tuple[Block, ...]
    values: Mapping[Quantity, Register]
    sentinels: Mapping[RegisterType, tuple[int, ...]] = field(default_factory=dict)
    """Bit patterns that mean "not available"; NaN always does."""
    sunspec_model: int | None = None
    """Number of the SunSpec model; None: addresses are absolute."""
    signed_currents: bool = False
    """Its currents have a sign of their own; else they take that of the power of their phase."""

    @property
    def direction(self) -> Literal["own", "power", "none"]:
        """Return where the direction of a current comes from."""
        if self.signed_currents:
            return "own"
        return "power" if all(power in self.values for power in POWERS) else "none"

    def place_of(self, quantity: Quantity) -> str:
        """Return where a quantity stands, for people with the meter's manual in hand."""
        kind = {3: "holding", 4: "input"}[self.function]
        register = self.values.get(quantity)
        if register is None:
            return "no register"
        counted = "" if self.sunspec_model is None else f" of model {self.sunspec_model}"
        return f"{kind} register {register.address} (0x{register.address:04X}){counted}"

    def pieces(self, block: Block) -> tuple[Block, ...]:
        """Cut a block down to the runs of registers that hold something, in their order."""
        used = {address for register in self.values.values() for address in register.addresses}
        used |= {
            register.scale_address
            for register in self.values.values()
            if register.scale_address is not None
        }
        runs: list[list[int]] = []
        for address in sorted(used & set(block.addresses)):
            if runs and runs[-1][-1] == address - 1:
                runs[-1].append(address)
            else:
                runs.append([address])
        return tuple(Block(run[0], len(run), block.every) for run in runs)

    def mistakes(self) -> list[str]:
        """Return what in the data cannot be meant so."""
        every_poll = {
            address for block in self.blocks if block.every == 1 for address in block.addresses
        }
        all_polls = {address for block in self.blocks for address in block.addresses}
        found = [
            f"block at {block.address} reads {block.count} of {self.max_registers} registers"
            for block in self.blocks
            if block.count > self.max_registers
        ]
        if len(all_polls) < sum(block.count for block in self.blocks):
            found.append("two blocks overlap")
        found += [f"no {current}" for current in CURRENTS if current not in self.values]
        owners: dict[int, Quantity] = {}
        for quantity, register in self.values.items():
            taken = next((owners[a] for a in register.addresses if a in owners), None)
            if taken is not None:
                found.append(f"{quantity} stands on the registers of {taken}")
            owners.update(dict.fromkeys(register.addresses, quantity))
            read = every_poll if quantity.kind in ("current", "voltage", "power") else all_polls
            scale = [] if register.scale_address is None else [register.scale_address]
            if not {*register.addresses, *scale} <= read:
                found.append(f"{quantity} lies in no block, or in one that is read too seldom")
            if UNITS[register.unit][0] != quantity.kind:
                found.append(f"{quantity} cannot be in {register.unit}")
        return found


@dataclass(frozen=True, slots=True)
class Mark:
    """Registers by which a meter tells what it is: one of some numbers, or a text."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID_UNKNOWN_KEYS

    function: Literal[3, 4]
    address: Address
    numbers: tuple[Annotated[int, Field(ge=0, le=0xFFFF)], ...] = ()
    """What one register holds; any of them."""
    text: str = ""
    """Begins so, in ASCII, two letters a register."""

    @property
    def count(self) -> int:
        """Return how many registers must be read."""
        return max(1, (len(self.text) + 1) // 2)

    def is_on(self, words: Sequence[int]) -> bool:
        """Tell whether these registers carry the mark.

        >>> Mark(3, 0x8960, text="B23").is_on([0x4232, 0x3320])
        True
        """
        if self.text:
            content = b"".join(word.to_bytes(2, "big") for word in words)
            return content.startswith(self.text.encode("ascii"))
        return bool(words) and words[0] in self.numbers

    def mistakes(self) -> list[str]:
        """Return what in the data cannot be meant so."""
        if bool(self.text) == bool(self.numbers) or not self.text.isascii():
            return [f"the mark at {self.address} is either numbers or an ASCII text"]
        return []


@dataclass(frozen=True, slots=True)
class MeterModel:
    """A meter that the library knows."""

    __pydantic_config__: ClassVar[ConfigDict] = FORBID_UNKNOWN_KEYS

    name: str
    title: str
    sources: tuple[str, ...]
    """Where the registers come from."""
    layouts: tuple[Layout, ...]
    sunspec_bases: tuple[int, ...] = ()
    """Addresses at which the SunSpec mark may stand; empty: one layout, absolute addresses."""
    timeout_s: Annotated[float, Field(gt=0)] = 1.0
    """Longest that an answer may take."""
    pause_s: Annotated[float, Field(ge=0)] = 0.0
    """Rest that the meter needs after each answer."""
    frozen_s: Annotated[float, Field(gt=0)] = 120.0
    """As long as this it may repeat itself to the last digit while current flows; more, where its
    steps are coarse."""
    marks: tuple[Mark, ...] = ()
    """By which a scan knows it; any of them. Empty: only by what it measures."""
    notes: tuple[str, ...] = ()
    """What an electrician should know before he looks for the fault."""

    def mistakes(self) -> list[str]:
        """Return what in the data cannot be meant so."""
        found = [mistake for layout in self.layouts for mistake in layout.mistakes()]
        found += [mistake for mark in self.marks for mistake in mark.mistakes()]
        numbers = [layout.sunspec_model for layout in self.layouts]
        if self.sunspec_bases:
            if None in numbers or len(set(numbers)) < len(numbers):
                found.append("every layout needs a sunspec_model of its own")
        elif numbers != [None]:
            found.append("without sunspec_bases there is one layout, with absolute addresses")
        return found


class MeterLibraryError(Exception):
    """A data file of the library is wrong; the program was delivered broken."""


class UnknownMeterModel(Exception):
    """The library has no meter of this name."""


def examine(name: str, text: str) -> tuple[MeterModel | None, list[tuple[str, str]]]:
    """Read one data file; return the model, or every mistake as its path in the file and words."""
    try:
        content: Any = yaml.safe_load(text)
        model = TypeAdapter(MeterModel).validate_python({**content, "name": name})
    except (yaml.YAMLError, TypeError) as error:
        return None, [("", f"is no data file of a meter: {error}")]
    except ValidationError as refusal:
        return None, [
            (".".join(str(key) for key in error["loc"] if key != "[key]"), _words(error))
            for error in refusal.errors(include_url=False)
        ]
    return model, [("layouts", mistake) for mistake in model.mistakes()]


def _words(error: ErrorDetails) -> str:
    is_value = isinstance(error["input"], str | int | float)
    return f"{error['msg']}, not {error['input']!r}" if is_value else error["msg"]


def parse_model(name: str, text: str) -> MeterModel:
    """Read one data file; raise `MeterLibraryError` with everything that is wrong with it."""
    model, mistakes = examine(name, text)
    if model is None or mistakes:
        found = "; ".join(f"{path}: {words}" for path, words in mistakes)
        raise MeterLibraryError(f"{name}: {found}")
    return model


@cache
def known_models() -> Mapping[str, MeterModel]:
    """Return all models of the library by name, in alphabetical order."""
    folder = files("gateway.meters") / "library"
    data = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")),
        key=lambda file: file.name,
    )
    names = [file.name.removesuffix(".yaml") for file in data]
    return {
        name: parse_model(name, file.read_text(encoding="utf-8"))
        for name, file in zip(names, data, strict=True)
    }


def meter_model(name: str) -> MeterModel:
    """Return the model of that name or data file; raise `UnknownMeterModel` if there is none."""
    if is_model_file(name):
        return _model_of_file(name)
    try:
        return known_models()[name]
    except KeyError:
        alike = [known for known in known_models() if name.lower() in known]
        close = alike or get_close_matches(name.lower(), known_models(), n=3, cutoff=0.5)
        meant = f"did you mean {' or '.join(close[:3])}? " if close else ""
        raise UnknownMeterModel(
            f"there is no meter model {name!r}; {meant}`site-gateway meter models` lists them"
        ) from None


def _model_of_file(name: str) -> MeterModel:
    try:
        return parse_model(name, Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, MeterLibraryError) as error:
        raise UnknownMeterModel(f"{name} cannot be used: {error}") from None
