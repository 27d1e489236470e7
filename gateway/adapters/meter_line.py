"""One Modbus line: a network connection or a serial port, shared by all the devices behind it.

Promise: `read` returns or raises `Unavailable` within its deadline, whatever the other side does.
pymodbus leaves a read pending when the server dies under it, so the deadline is ours, and after
silence the connection is dropped: an answer that comes late can then never be taken for the next.
Whoever waits is served in the order he came; between two exchanges every device has its rest.

Refuses to know what the registers mean.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from pymodbus import FramerType, ModbusException
from pymodbus.client import (
    AsyncModbusSerialClient,
    AsyncModbusTcpClient,
    AsyncModbusTlsClient,
)
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU

from gateway.errors import Unavailable
from gateway.meter_scan import Ask
from site_config.addresses import Bus, RtuTcpBus, SerialBus, TcpBus, TlsBus

BUSY_RETRIES = 3
BUSY_PAUSE_S = 0.1
"""Pause before asking a busy meter again; well below any polling interval."""
SILENCE_CHARACTERS = 3.5
CHARACTER_BITS = 11
FAST_BAUDRATE, FAST_SILENCE_S = 19_200, 0.001_75
"""Rest between two frames on a serial line (Modbus over Serial Line V1.02 §2.5.1.1)."""
SCAN_PAUSE_S = 0.02
"""Between two questions of a scan: a line that others use as well is not taken from them."""
PYMODBUS_TIMEOUT_S = 60.0
"""Longer than any deadline of ours, so that ours is the one that counts."""

REFUSALS: dict[int, str] = {
    ExcCodes.ILLEGAL_FUNCTION: "refuses the function (exception 1): is the meter model right?",
    ExcCodes.ILLEGAL_ADDRESS: "has no such registers (exception 2): is the meter model right?",
    ExcCodes.ILLEGAL_VALUE: "refuses so many registers (exception 3): is the meter model right?",
    ExcCodes.DEVICE_FAILURE: "reports its own failure (exception 4)",
    ExcCodes.DEVICE_BUSY: "is busy (exception 6)",
    ExcCodes.GATEWAY_PATH_UNAVIABLE: "cannot be reached from the converter (exception 10)",
    ExcCodes.GATEWAY_NO_RESPONSE: "does not answer the converter (exception 11): right unit?",
}

# An outage is told once, by whoever polls; pymodbus would tell it with every attempt.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Refused(Unavailable):
    """The device answers, with a Modbus exception."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(REFUSALS.get(code, f"refuses (exception {code})"))

    @property
    def is_absent(self) -> bool:
        """A converter answers for a device that does not."""
        return self.code in (ExcCodes.GATEWAY_PATH_UNAVIABLE, ExcCodes.GATEWAY_NO_RESPONSE)

    @property
    def is_about_registers(self) -> bool:
        """It refuses these registers or so many of them, not to be asked."""
        return self.code in (ExcCodes.ILLEGAL_ADDRESS, ExcCodes.ILLEGAL_VALUE)


Client = AsyncModbusTcpClient | AsyncModbusTlsClient | AsyncModbusSerialClient


class ModbusLine:
    """Exchanges with the devices on one bus, one after another; connects when needed.

    Args:
        sleep: how to wait before a busy device is asked again, and out the rest of the last one.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus = bus
        self._sleep = sleep
        self._clock = clock
        self._client: Client | None = None
        self._turn = asyncio.Lock()
        self._rests_until = clock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def read(
        self,
        function: int,
        address: int,
        count: int,
        *,
        unit: int,
        deadline_s: float,
        pause_s: float = 0.0,
    ) -> Sequence[int]:
        """Return `count` registers or contacts (0 or 1) of a device, or raise `Unavailable`.

        Args:
            function: 3 for holding, 4 for input registers, 1 for coils, 2 for discrete inputs.
            deadline_s: longest for connecting and the answer, from the moment the line is free.
            pause_s: rest that the device needs afterwards, whatever it answered.
        """
        async with self._turn:
            rest_s = self._rests_until - self._clock()
            if rest_s > 0:
                await self._sleep(rest_s)
            try:
                async with asyncio.timeout(deadline_s):
                    return await self._read_until_free(function, address, count, unit)
            except TimeoutError:
                self.close()
                raise Unavailable("no answer") from None
            except ModbusException:
                self.close()
                raise Unavailable("connection lost") from None
            finally:
                self._rests_until = self._clock() + max(pause_s, silence_s(self.bus))

    def close(self) -> None:
        """Drop the connection; the next read opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _read_until_free(
        self, function: int, address: int, count: int, unit: int
    ) -> Sequence[int]:
        answer = await self._exchange(function, address, count, unit)
        for _ in range(BUSY_RETRIES):
            if answer.exception_code != ExcCodes.DEVICE_BUSY:
                break
            await self._sleep(BUSY_PAUSE_S)
            answer = await self._exchange(function, address, count, unit)
        if answer.isError():
            raise Refused(answer.exception_code)
        # Contacts come in whole bytes.
        found = [int(bit) for bit in answer.bits[:count]] if function < 3 else answer.registers
        if len(found) != count or answer.function_code != function:
            self.close()
            raise Unavailable(f"answered {len(found)} registers instead of {count}")
        return found

    async def _exchange(self, function: int, address: int, count: int, unit: int) -> ModbusPDU:
        client = await self._connected()
        match function:
            case 1:
                return await client.read_coils(address, count=count, device_id=unit)
            case 2:
                return await client.read_discrete_inputs(address, count=count, device_id=unit)
            case 3:
                return await client.read_holding_registers(address, count=count, device_id=unit)
        return await client.read_input_registers(address, count=count, device_id=unit)

    async def _connected(self) -> Client:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        self._client = client = _client_of(self.bus)
        if not await client.connect():
            self.close()
            raise Unavailable(f"cannot connect to {_name_of(self.bus)}")
        return client


class ModbusLines:
    """The lines of a site: whoever names the same bus gets the same line."""

    def __init__(self) -> None:
        self._lines: dict[Bus, ModbusLine] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._lines.values():
            line.close()

    def to(self, bus: Bus) -> ModbusLine:
        if bus not in self._lines:
            self._lines[bus] = ModbusLine(bus)
        return self._lines[bus]


@asynccontextmanager
async def open_line(bus: Bus, timeout_s: float) -> AsyncIterator[Ask]:
    """Give a way to ask any unit on a bus; what a converter says for an absent one is silence."""
    async with ModbusLine(bus) as line:

        async def ask(unit: int, function: int, address: int, count: int) -> Sequence[int] | None:
            try:
                return await line.read(
                    function,
                    address,
                    count,
                    unit=unit,
                    deadline_s=timeout_s,
                    pause_s=SCAN_PAUSE_S,
                )
            except Refused as refusal:
                if refusal.is_absent:
                    raise Unavailable(refusal.reason) from None
                return None

        yield ask


def silence_s(bus: Bus) -> float:
    """Return the rest that must lie between two frames on this bus, s.

    >>> round(silence_s(SerialBus("/dev/ttyUSB0", 9600)), 5)
    0.00401
    """
    if not isinstance(bus, SerialBus):
        return 0.0  # A converter keeps the silence of the line behind it.
    if bus.baudrate > FAST_BAUDRATE:
        return FAST_SILENCE_S
    return SILENCE_CHARACTERS * CHARACTER_BITS / bus.baudrate


def _client_of(bus: Bus) -> Client:
    """Return a client that neither retries nor reconnects by itself: both are decided here."""
    match bus:
        case TcpBus(host, port) | RtuTcpBus(host, port):
            return AsyncModbusTcpClient(
                host,
                port=port,
                framer=FramerType.SOCKET if isinstance(bus, TcpBus) else FramerType.RTU,
                timeout=PYMODBUS_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
            )
        case TlsBus(host, port):
            return AsyncModbusTlsClient(
                host,
                port=port,
                sslctx=_trust_of(bus),
                timeout=PYMODBUS_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
            )
        case SerialBus(device, baudrate, parity, stopbits):
            return AsyncModbusSerialClient(
                device,
                framer=FramerType.RTU,
                baudrate=baudrate,
                parity=parity,
                stopbits=stopbits,
                timeout=PYMODBUS_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
            )


def _trust_of(bus: TlsBus) -> ssl.SSLContext:
    """Return whom to believe; never nobody's certificate, and TLS 1.2 at least."""
    try:
        context = ssl.create_default_context(cafile=bus.ca)
        if bus.certificate is not None:
            context.load_cert_chain(bus.certificate, bus.key)
    except OSError as error:
        raise Unavailable(f"cannot use its certificate files: {error.strerror or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _name_of(bus: Bus) -> str:
    match bus:
        case SerialBus():
            return bus.device
        case TlsBus():
            return f"{bus.host}:{bus.port} with TLS"
    return f"{bus.host}:{bus.port}"
