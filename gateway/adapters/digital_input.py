"""A contact of the grid operator at a Modbus TCP input, read again and again until cancelled.

Every read has its own deadline; after a failure the connection is dropped. Silence is told once it
has lasted as long as the site file allows. Refuses to know what the contact means.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from gateway.errors import Unavailable
from site_config.addresses import TcpBus, parse_bus
from site_config.grid_operator import DigitalInput, GridOperator, InputKind

log = logging.getLogger(__name__)

DEADLINE_S = 2.0


class Listener(Protocol):
    def input_read(self, place: str, is_active: bool) -> None:
        """Take whether the contact at a place is in its active state."""

    def input_silent(self, place: str, reason: str) -> None:
        """Take why nothing was read for `max_age_s`; said again as long as it lasts."""


async def watch_input(
    operator: GridOperator | None, listener: Listener | None, clock: Callable[[], float]
) -> None:
    """Read the grid operator's contact every `poll_s`, until cancelled; at once done without."""
    if operator is None or operator.input is None or listener is None:
        return
    config = operator.input
    place = f"{config.url}#{config.kind}/{config.address}"
    contact = _Contact(config)
    read_at, is_silent = clock(), False
    try:
        while True:
            try:
                is_closed = await contact.read()
            except Unavailable as error:
                if clock() - read_at > config.max_age_s:
                    if not is_silent:
                        log.warning('input.lost place=%s reason="%s"', place, error.reason)
                    is_silent = True
                    listener.input_silent(place, f"input silent: {error.reason}")
            else:
                if is_silent:
                    log.info("input.back place=%s", place)
                read_at, is_silent = clock(), False
                listener.input_read(place, is_closed == config.active)
            await asyncio.sleep(config.poll_s)
    finally:
        contact.close()


class _Contact:
    """One connection, opened when it is needed."""

    def __init__(self, config: DigitalInput) -> None:
        self._config = config
        bus = parse_bus(config.url)
        assert isinstance(bus, TcpBus)
        self._bus = bus
        self._client: AsyncModbusTcpClient | None = None

    async def read(self) -> bool:
        """Return whether the contact is closed; raises Unavailable within the deadline."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._ask()
        except TimeoutError:
            self.close()
            raise Unavailable("no answer") from None
        except ModbusException as error:
            self.close()
            raise Unavailable(f"connection lost: {error}") from None
        if answer.isError():
            raise Unavailable(f"refused with exception {answer.exception_code}")
        return bool(answer.bits[0])

    async def _ask(self) -> ModbusPDU:
        if self._client is None or not self._client.connected:
            self.close()
            self._client = AsyncModbusTcpClient(
                self._bus.host,
                port=self._bus.port,
                timeout=10 * DEADLINE_S,
                retries=0,
                reconnect_delay=0,
            )
            if not await self._client.connect():
                raise Unavailable("cannot connect")
        config = self._config
        if config.kind is InputKind.COIL:
            return await self._client.read_coils(config.address, count=1, device_id=config.unit)
        return await self._client.read_discrete_inputs(
            config.address, count=1, device_id=config.unit
        )

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
