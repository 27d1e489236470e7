"""One Modbus line: a network connection or a serial port, shared by all the devices behind it.

Promise: `read` returns or raises `Unavailable` in time, whatever the other side does: within its
deadline, and `CONNECT_S` more where a connection has to be made first.
pymodbus leaves a read pending when the server dies under it, so the deadline is ours, and after
silence the connection is dropped: an answer that comes late can then never be taken for the next.
Whoever waits is served in the order he came; between two exchanges every device has its rest.

Refuses to know what the registers mean.
"""

import asyncio
import errno
import logging
import os
import socket
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
from pymodbus.pdu import ModbusPDU

from gateway.errors import Unavailable
from gateway.meter_scan import Ask
from gateway.meters.silence import (
    ConnectionLost,
    ExceptionCode,
    NoAnswer,
    NotConnected,
    Obstacle,
    Refused,
    UnusableFiles,
)
from site_config.addresses import Bus, RtuTcpBus, SerialBus, TcpBus, TlsBus

CONNECT_S = 3.0
"""Longest for a connection to come about: name, handshake, and with TLS the certificates, for which
a small meter takes its time."""
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

# An outage is told once, by whoever polls; pymodbus would tell it with every attempt.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


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
        self._deadline: asyncio.Timeout | None = None
        """Of the answer that is awaited; None: none is."""

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
            deadline_s: longest for the answer, from the moment the line is free and connected.
            pause_s: rest that the device needs afterwards, whatever it answered.
        """
        async with self._turn:
            rest_s = self._rests_until - self._clock()
            if rest_s > 0:
                await self._sleep(rest_s)
            try:
                client = await self._connected()
                return await self._read_in_time(client, deadline_s, function, address, count, unit)
            finally:
                self._rests_until = self._clock() + max(pause_s, silence_s(self.bus))
                _stop_if_cancelled()

    def close(self) -> None:
        """Drop the connection; the next read opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _read_in_time(  # noqa: PLR0917  the arguments are those of `read`
        self, client: Client, deadline_s: float, function: int, address: int, count: int, unit: int
    ) -> Sequence[int]:
        was_busy = False
        try:
            async with asyncio.timeout(deadline_s) as self._deadline:
                answer = await _exchange(client, function, address, count, unit)
                for _ in range(BUSY_RETRIES):
                    if answer.exception_code != ExceptionCode.DEVICE_BUSY:
                        break
                    was_busy = True
                    await self._sleep(BUSY_PAUSE_S)
                    answer = await _exchange(client, function, address, count, unit)
        except TimeoutError:
            was_lost = not client.connected
            self.close()
            if was_busy:
                raise Refused(ExceptionCode.DEVICE_BUSY) from None
            raise (ConnectionLost() if was_lost else NoAnswer()) from None
        except ModbusException:
            self.close()
            raise ConnectionLost from None
        finally:
            self._deadline = None
        if answer.isError():
            raise Refused(answer.exception_code)
        # Contacts come in whole bytes.
        found = [int(bit) for bit in answer.bits[:count]] if function < 3 else answer.registers
        if len(found) != count or answer.function_code != function:
            self.close()
            raise Unavailable(f"answered {len(found)} registers instead of {count}")
        return found

    async def _connected(self) -> Client:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        self._client = client = _client_of(self.bus, self._hear)
        failures = _failures_of(client)
        try:
            async with asyncio.timeout(CONNECT_S):
                is_connected = await client.connect()
        except TimeoutError:
            is_connected = False
        if not is_connected:
            self.close()
            raise NotConnected(
                _name_of(self.bus), *_why(failures[-1] if failures else None, self.bus)
            )
        return client

    def _hear(self, is_connected: bool) -> None:
        """Do not wait for the answer of a connection that is gone."""
        if not is_connected and self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())


def _stop_if_cancelled() -> None:
    """Say it again where somebody on the way has swallowed that the task was cancelled.

    `asyncio.wait_for` (Python 3.11), on which pymodbus waits, does so when what it waits for comes
    in the same moment; whoever polls would then go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _exchange(
    client: Client, function: int, address: int, count: int, unit: int
) -> ModbusPDU:
    match function:
        case 1:
            return await client.read_coils(address, count=count, device_id=unit)
        case 2:
            return await client.read_discrete_inputs(address, count=count, device_id=unit)
        case 3:
            return await client.read_holding_registers(address, count=count, device_id=unit)
    return await client.read_input_registers(address, count=count, device_id=unit)


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
    """Give a way to ask any unit on a bus; who only has no such registers is there."""
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
                if refusal.is_about_question:
                    return None
                raise

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


def _client_of(bus: Bus, hear: Callable[[bool], None]) -> Client:
    """Return a client that neither retries nor reconnects by itself: both are decided here.

    Args:
        hear: told when there is a connection, and when it is gone.
    """
    match bus:
        case TcpBus(host, port) | RtuTcpBus(host, port):
            return AsyncModbusTcpClient(
                host,
                port=port,
                framer=FramerType.SOCKET if isinstance(bus, TcpBus) else FramerType.RTU,
                timeout=PYMODBUS_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
                trace_connect=hear,
            )
        case TlsBus(host, port):
            return AsyncModbusTlsClient(
                host,
                port=port,
                sslctx=_trust_of(bus),
                timeout=PYMODBUS_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
                trace_connect=hear,
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
                trace_connect=hear,
            )


def _failures_of(client: Client) -> list[OSError]:
    """Return where failures to connect will stand; pymodbus tells them to its log only."""
    failures: list[OSError] = []
    create = client.ctx.call_create

    async def create_or_remember() -> object:
        try:
            return await create()
        except OSError as error:
            failures.append(error)
            raise

    client.ctx.call_create = create_or_remember
    return failures


def _why(failure: OSError | None, bus: Bus) -> tuple[Obstacle, str]:
    """Return what stood in the way of a connection; None: nobody answered in time."""
    if isinstance(bus, SerialBus):
        return Obstacle.DEVICE, _serial_words(failure)
    match failure:
        case None | OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            with_tls = ", or not with TLS" * isinstance(bus, TlsBus)
            return Obstacle.HOST, f"nobody answers there{with_tls}"
        case ssl.SSLCertVerificationError():
            words = failure.verify_message.rstrip(".")
            return Obstacle.CERTIFICATE, f"its certificate is not believed ({words})"
        case ssl.SSLError():
            return Obstacle.TLS, f"it does not speak TLS as we do ({failure.reason})"
        case socket.gaierror():
            return Obstacle.NAME, "nobody knows this name"
        case ConnectionRefusedError():
            return Obstacle.PORT, "refused"
    return Obstacle.OTHER, _system_words(failure)


def _serial_words(failure: OSError | None) -> str:
    if failure is None or failure.errno in (errno.EAGAIN, errno.EBUSY):
        return "another program uses it"
    return _system_words(failure)


def _system_words(failure: OSError) -> str:
    return os.strerror(failure.errno).lower() if failure.errno else str(failure)


def _trust_of(bus: TlsBus) -> ssl.SSLContext:
    """Return whom to believe; never nobody's certificate, and TLS 1.2 at least."""
    try:
        context = ssl.create_default_context(cafile=bus.ca)
        if bus.certificate is not None:
            context.load_cert_chain(bus.certificate, bus.key)
    except OSError as error:
        raise UnusableFiles(str(error.strerror or error)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _name_of(bus: Bus) -> str:
    match bus:
        case SerialBus():
            return bus.device
        case TlsBus():
            return f"{bus.host}:{bus.port} with TLS"
    return f"{bus.host}:{bus.port}"
