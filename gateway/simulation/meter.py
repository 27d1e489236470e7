"""A simulated Modbus meter: serves any model of the library, over any wire, and fails on demand.

It takes the arrangement of registers from the same data files as the gateway; what keeps them
honest are frames written down by hand in the tests. It is as strict as a real meter: unknown
registers, the other function and too long reads are refused, and another unit does not answer.

    async with SimulatedMeter(meter_model("eastron-sdm630"), values) as meter:
        ... tcp://127.0.0.1:{meter.port} ...
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

from gateway.meters.decode import DecodedValues, PhaseValues, encode
from gateway.meters.model import Layout, MeterModel

SUNSPEC_MARK = (0x5375, 0x6E53)
SUNSPEC_COMMON = (1, 66)
"""Number and length of the model that every SunSpec device begins with."""
SUNSPEC_LENGTHS = {203: 105, 204: 105, 213: 124, 214: 124}
SUNSPEC_END = (0xFFFF, 0)
REGISTERS = 0x10000
LAST_DIGITS_V = (0.0, 0.1, -0.1)
"""No two readings of a real meter are alike to the last digit."""
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
    HANG_UP = "hang_up"
    """Drops the connection when it is asked."""
    SWAPPED = "swapped"
    """The current transformers of L1 and L2 sit on each other's conductor."""
    REVERSED = "reversed"
    """The current transformers sit the wrong way round: import looks like export."""
    PHASE_LOST = "phase_lost"
    """The fuse before the voltage input of L2 is gone, and with it all that is told of L2."""
    RESET = "reset"
    """Its counters began again at zero."""


EXCEPTIONS = {
    Fault.BUSY: ExcCodes.DEVICE_BUSY,
    Fault.BROKEN: ExcCodes.DEVICE_FAILURE,
    Fault.UNREACHABLE: ExcCodes.GATEWAY_NO_RESPONSE,
}


def distort(fault: Fault, values: DecodedValues) -> DecodedValues:
    """Return what a meter with this fault would measure; most faults are not of this kind."""
    match fault:
        case Fault.NAN:
            return replace(values, currents=PhaseValues())
        case Fault.SWAPPED:
            amps, watts = values.currents, values.powers
            return replace(
                values,
                currents=PhaseValues(amps.l2, amps.l1, amps.l3),
                powers=PhaseValues(watts.l2, watts.l1, watts.l3),
            )
        case Fault.REVERSED:
            return replace(
                values,
                powers=PhaseValues(*(None if w is None else -w for w in values.powers)),
                power_w=None if values.power_w is None else -values.power_w,
            )
        case Fault.PHASE_LOST:
            return replace(
                values,
                voltages=values.voltages._replace(l2=0.0),
                currents=values.currents._replace(l2=0.0),
                powers=values.powers._replace(l2=0.0),
            )
        case Fault.RESET:
            return replace(values, energy_import_wh=0.0, energy_export_wh=0.0)
    return values


@dataclass(frozen=True, slots=True)
class Address:
    """Where a simulated meter is found; port 0: any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    unit: int = 1
    is_rtu: bool = False
    """RTU frames over TCP, as behind a converter."""
    tls: ssl.SSLContext | None = None
    """With the meter's certificate; None: plain TCP."""
    device: str | None = None
    """Serial port; None: the network."""


class SimulatedMeter:
    """A Modbus server with one meter behind it, or several.

    Args:
        values: asked at every read; what the meter measures at this moment.
        sunspec_model: which layout of a SunSpec meter; None: the first.
        sunspec_base: where a SunSpec meter carries its mark.
        neighbours: meters of other units on the same line; they are served with this one.
        is_pedantic: refuses every read that runs over a register it does not have.
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
        neighbours: Sequence["SimulatedMeter"] = (),
        is_pedantic: bool = False,
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
        self._neighbours = neighbours
        self._is_pedantic = is_pedantic
        self._server: Server | None = None
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
        devices = [meter.device() for meter in (self, *self._neighbours)]
        if self.address.unit != ALL_OTHER_UNITS:
            devices.append(_device(ALL_OTHER_UNITS, _nobody))
        server = _server(devices, self.address)
        await server.serve_forever(background=True)
        if self.address.device is None:
            listening: Any = server.transport  # asyncio's server or uvloop's
            self.address = replace(self.address, port=listening.sockets[0].getsockname()[1])
        self._server = server

    def device(self) -> SimDevice:
        """Return what answers for this meter's unit."""
        return _device(self.address.unit, self._answer)

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
        if self._fault is Fault.HANG_UP and self._server is not None:
            for connection in list(self._server.active_connections.values()):
                connection.close()
        if self._fault in EXCEPTIONS:
            return EXCEPTIONS[self._fault]
        if (mark := self._mark(function, address, count)) is not None:
            registers[address - start : address - start + count] = mark
            return None
        if function != self.layout.function or written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        if count > self.layout.max_registers:
            return ExcCodes.ILLEGAL_VALUE
        words = self._words()
        known = words if self._is_pedantic else range(min(words), max(words) + 1)
        asked = range(address, address + count)
        if not all(n in known for n in (asked if self._is_pedantic else (asked[0], asked[-1]))):
            return ExcCodes.ILLEGAL_ADDRESS
        for n in asked:
            registers[n - start] = words.get(n, 0)
        return None

    def _lively(self, values: DecodedValues) -> DecodedValues:
        digit_v = LAST_DIGITS_V[(self.reads - 1) % len(LAST_DIGITS_V)]
        return replace(
            values, voltages=PhaseValues(*(v + digit_v if v else v for v in values.voltages))
        )

    def _mark(self, function: int, address: int, count: int) -> list[int] | None:
        """Return the registers by which it is known, if it is these that are asked for."""
        for mark in self.model.marks:
            if (function, address) == (mark.function, mark.address) and count <= mark.count:
                text = mark.text.encode("ascii").ljust(2 * mark.count)
                words = [int.from_bytes(text[n : n + 2], "big") for n in range(0, len(text), 2)]
                return words[:count] if mark.text else [mark.numbers[0]]
        return None

    def _words(self) -> dict[int, int]:
        values = distort(self._fault, self._frozen or self._lively(self._values()))
        shifted = {
            self._offset + address: word for address, word in encode(self.layout, values).items()
        }
        return shifted | self._header


Server = ModbusTcpServer | ModbusTlsServer | ModbusSerialServer


def _server(devices: list[SimDevice], address: Address) -> Server:
    place = (address.host, address.port)
    if address.device is not None:
        return ModbusSerialServer(devices, port=address.device, framer=FramerType.RTU)
    if address.tls is not None:
        return ModbusTlsServer(devices, address=place, sslctx=address.tls)
    framer = FramerType.RTU if address.is_rtu else FramerType.SOCKET
    return ModbusTcpServer(devices, address=place, framer=framer)


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
