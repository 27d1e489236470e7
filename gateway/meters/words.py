"""16-bit Modbus registers <-> numbers. Pure.

Within a register the high byte comes first (Modbus Application Protocol V1.1b3 §4.2); in which
order the registers of a longer number stand, each meter decides for itself.
"""

import math
import struct
from collections.abc import Sequence
from enum import StrEnum


class RegisterType(StrEnum):
    """How a number is laid into registers."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    ACC32 = "acc32"
    """SunSpec accumulator: unsigned, never falls, wraps at 2**32."""

    @property
    def words(self) -> int:
        """Return how many registers the number takes."""
        return struct.calcsize(FORMATS[self]) // 2

    @property
    def is_float(self) -> bool:
        return self in (RegisterType.FLOAT32, RegisterType.FLOAT64)

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the lowest and highest whole number; not for floats."""
        bits = 16 * self.words
        if self in (RegisterType.INT16, RegisterType.INT32, RegisterType.INT64):
            return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        return 0, 2**bits - 1


FORMATS = {
    RegisterType.INT16: ">h",
    RegisterType.UINT16: ">H",
    RegisterType.INT32: ">i",
    RegisterType.UINT32: ">I",
    RegisterType.INT64: ">q",
    RegisterType.UINT64: ">Q",
    RegisterType.FLOAT32: ">f",
    RegisterType.FLOAT64: ">d",
    RegisterType.ACC32: ">I",
}


class WordOrder(StrEnum):
    """Which register of a longer number comes first."""

    BIG = "big"
    """The one with the high bits."""
    LITTLE = "little"
    """The one with the low bits."""


def raw_bits(words: Sequence[int], order: WordOrder) -> int:
    """Return the bits of a number as an unsigned whole number, to compare with sentinels.

    >>> hex(raw_bits([0x5678, 0x1234], WordOrder.LITTLE))
    '0x12345678'
    """
    high_first = words if order is WordOrder.BIG else reversed(words)
    bits = 0
    for word in high_first:
        bits = bits << 16 | word
    return bits


def number_from(words: Sequence[int], kind: RegisterType, order: WordOrder) -> float:
    """Decode one number; NaN and infinities come back as they are."""
    content = raw_bits(words, order).to_bytes(2 * len(words), "big")
    return float(struct.unpack(FORMATS[kind], content)[0])


def words_of(number: float, kind: RegisterType, order: WordOrder) -> list[int]:
    """Encode one number, rounded and bounded to what the type can hold.

    >>> words_of(-2.0, RegisterType.INT32, WordOrder.LITTLE)
    [65534, 65535]
    """
    if kind.is_float:
        content = struct.pack(FORMATS[kind], number)
    else:
        low, high = kind.bounds
        whole = 0 if math.isnan(number) else round(min(max(number, low), high))
        content = struct.pack(FORMATS[kind], min(max(whole, low), high))
    words = [int.from_bytes(content[n : n + 2], "big") for n in range(0, len(content), 2)]
    return words if order is WordOrder.BIG else words[::-1]
