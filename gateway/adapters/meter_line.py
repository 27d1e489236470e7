"""One Modbus line: a TCP connection or a serial port, shared by all the meters behind it.

Promise: `read` returns or raises `Unavailable` within its deadline, whatever the other side does.
pymodbus leaves a read pending when the server dies under it, so the deadline is ours, and after
silence the connection is dropped: an answer that comes late can then never be taken for the next.

Refuses to know what the registers mean.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU

from gateway.errors import Unavailable
from site_config.addresses import Bus, SerialBus, TcpBus

BUSY_RETRIES = 3
BUSY_PAUSE_S = 0.1
"""Pause before asking a busy meter again; well below any polling interval."""
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


class ModbusLine:
    """Exchanges with the devices on one bus, one after another; connects when needed.

    Args:
        sleep: how to wait before a busy device is asked again.
    """

    def __init__(
        self, bus: Bus, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.bus = bus
        self._sleep = sleep
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._turn = asyncio.Lock()

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
        """Return `count` registers of a device, or raise `Unavailable`.

        Args:
            function: 3 for holding, 4 for input registers.
            deadline_s: longest for connecting and the answer, from the moment the line is free.
            pause_s: rest that the device needs afterwards.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(deadline_s):
                    words = await self._read_until_free(function, address, count, unit)
            except TimeoutError:
                self.close()
                raise Unavailable("no answer") from None
            except ModbusException:
                self.close()
                raise Unavailable("connection lost") from None
            if pause_s:
                await self._sleep(pause_s)
            return words

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
        if len(answer.registers) != count or answer.function_code != function:
            self.close()
            raise Unavailable(f"answered {len(answer.registers)} registers instead of {count}")
        return answer.registers

    async def _exchange(self, function: int, address: int, count: int, unit: int) -> ModbusPDU:
        client = await self._connected()
        if function == 3:
            return await client.read_holding_registers(address, count=count, device_id=unit)
        return await client.read_input_registers(address, count=count, device_id=unit)

    async def _connected(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        self._client = client = _client_of(self.bus)
        if not await client.connect():
            self.close()
            raise Unavailable(f"cannot connect to {_name_of(self.bus)}")
        return client


def _client_of(bus: Bus) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
    """Return a client that neither retries nor reconnects by itself: both are decided here."""
    match bus:
        case TcpBus(host, port):
            return AsyncModbusTcpClient(
                host, port=port, timeout=PYMODBUS_TIMEOUT_S, retries=0, reconnect_delay=0
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


def _name_of(bus: Bus) -> str:
    return f"{bus.host}:{bus.port}" if isinstance(bus, TcpBus) else bus.device
