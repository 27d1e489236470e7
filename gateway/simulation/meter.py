"""A simulated Modbus TCP meter: serves any model of the library, and fails on demand.

It takes the arrangement of registers from the same data files as the gateway; what keeps them
honest are frames written down by hand in the tests. It is as strict as a real meter: unknown
registers, the other function and too long reads are refused, and another unit does not answer.

    async with SimulatedMeter(meter_model("eastron-sdm630"), values) as meter:
        ... tcp://127.0.0.1:{meter.port} ...
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

from gateway.meters.decode import DecodedValues, PhaseValues, encode
from gateway.meters.model import Layout, MeterModel

SUNSPEC_MARK = (0x5375, 0x6E53)
SUNSPEC_COMMON = (1, 66)
"""Number and length of the model that every SunSpec device begins with."""
SUNSPEC_LENGTHS = {203: 105, 204: 105, 213: 124, 214: 124}
SUNSPEC_END = (0xFFFF, 0)
REGISTERS = 0x10000
ALL_OTHER_UNITS = 0
"""pymodbus: the device that answers for every unit that is not there."""


class Fault(StrEnum):
    """How a meter can fail."""

    NONE = "none"
    SILENT = "silent"
    """Accepts and never answers."""
    BUSY = "busy"
    """Answers exception 6."""
    BROKEN = "broken"
    """Answers exception 4."""
    UNREACHABLE = "unreachable"
    """A converter answers for it: exception 11."""
    NAN = "nan"
    """Answers, with currents that are not available."""
    FROZEN = "frozen"
    """Repeats what it measured when the fault began."""
    SLOW = "slow"
    """Answers after `delay_s`."""


EXCEPTIONS = {
    Fault.BUSY: ExcCodes.DEVICE_BUSY,
    Fault.BROKEN: ExcCodes.DEVICE_FAILURE,
    Fault.UNREACHABLE: ExcCodes.GATEWAY_NO_RESPONSE,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a simulated meter is found; port 0: any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    unit: int = 1


class SimulatedMeter:
    """A Modbus TCP server with one meter behind it.

    Args:
        values: asked at every read; what the meter measures at this moment.
        sunspec_model: which layout of a SunSpec meter; None: the first.
        sunspec_base: where a SunSpec meter carries its mark.
    """

    def __init__(
        self,
        model: MeterModel,
        values: Callable[[], DecodedValues],
        address: Address | None = None,
        *,
        sunspec_model: int | None = None,
        sunspec_base: int = 40000,
        delay_s: float = 0.5,
    ) -> None:
        self.model = model
        self.layout = _layout(model, sunspec_model)
        self.address = address or Address()
        self.delay_s = delay_s
        self.reads = 0
        """Requests so far, those included that were not answered."""
        self._values = values
        self._fault = Fault.NONE
        self._frozen: DecodedValues | None = None
        self._header: dict[int, int] = {}
        self._offset = 0
        if self.layout.sunspec_model is not None:
            self._offset = sunspec_base + len(SUNSPEC_MARK) + 2 + SUNSPEC_COMMON[1]
            self._header = _sunspec_header(self.layout.sunspec_model, sunspec_base, self._offset)
        self._server: ModbusTcpServer | None = None
        self._speaks = asyncio.Event()
        self._speaks.set()

    @property
    def port(self) -> int:
        """Return the port the server really listens on."""
        return self.address.port

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._frozen = self._values() if fault is Fault.FROZEN else None
        self._fault = fault
        if fault is Fault.SILENT:
            self._speaks.clear()
        else:
            self._speaks.set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; again on the same port after a `stop`."""
        devices = [_device(self.address.unit, self._answer)]
        if self.address.unit != ALL_OTHER_UNITS:
            devices.append(_device(ALL_OTHER_UNITS, _nobody))
        server = ModbusTcpServer(devices, address=(self.address.host, self.address.port))
        await server.serve_forever(background=True)
        listening: Any = server.transport  # asyncio's server or uvloop's
        self.address = replace(self.address, port=listening.sockets[0].getsockname()[1])
        self._server = server

    async def stop(self) -> None:
        """Drop every connection and listen no more, as when the meter loses its supply."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus
            self._server = None
            self._speaks.set()

    async def _answer(  # noqa: PLR0917  the arguments are those of pymodbus
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fill in the registers that are asked for, or return an exception code."""
        self.reads += 1
        await self._speaks.wait()
        if self._fault is Fault.SLOW:
            await asyncio.sleep(self.delay_s)
        if self._fault in EXCEPTIONS:
            return EXCEPTIONS[self._fault]
        if function != self.layout.function or written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        if count > self.layout.max_registers:
            return ExcCodes.ILLEGAL_VALUE
        words = self._words()
        known = range(min(words), max(words) + 1)
        if address not in known or address + count - 1 not in known:
            return ExcCodes.ILLEGAL_ADDRESS
        for n in range(address, address + count):
            registers[n - start] = words.get(n, 0)
        return None

    def _words(self) -> dict[int, int]:
        values = self._frozen or self._values()
        if self._fault is Fault.NAN:
            values = replace(values, currents=PhaseValues())
        shifted = {
            self._offset + address: word for address, word in encode(self.layout, values).items()
        }
        return shifted | self._header


def _device(unit: int, action: SimAction) -> SimDevice:
    registers = SimData(0, count=REGISTERS, values=0, datatype=DataType.REGISTERS)
    return SimDevice(unit, [registers], action=action)


async def _nobody(
    _function: int,
    _start: int,
    _address: int,
    _count: int,
    _registers: list[int],
    _written: list[int] | list[bool] | None,
) -> ExcCodes:
    """Answer as a converter does for a unit that is not on its line."""
    return ExcCodes.GATEWAY_NO_RESPONSE


def _layout(model: MeterModel, sunspec_model: int | None) -> Layout:
    if sunspec_model is None:
        return model.layouts[0]
    return next(layout for layout in model.layouts if layout.sunspec_model == sunspec_model)


def _sunspec_header(number: int, base: int, start: int) -> dict[int, int]:
    """Return mark, common model, and the head and end of the meter model that begins at `start`."""
    length = SUNSPEC_LENGTHS[number]
    places = {
        base: SUNSPEC_MARK,
        base + len(SUNSPEC_MARK): SUNSPEC_COMMON,
        start: (number, length),
        start + 2 + length: SUNSPEC_END,
    }
    return {address + n: word for address, words in places.items() for n, word in enumerate(words)}
