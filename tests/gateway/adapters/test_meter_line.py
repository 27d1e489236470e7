"""A Modbus line answers or is unavailable in time, whatever the other side does.

The other side is a bare socket, a pseudo-terminal or the simulated meter.
"""

import asyncio
import contextlib
import os
import tty
from contextlib import asynccontextmanager

import pytest

from gateway.adapters.meter_line import ModbusLine
from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues
from gateway.meters.model import meter_model
from gateway.simulation.meter import Fault, SimulatedMeter
from site_config.addresses import SerialBus, TcpBus

SHORT_S = 0.05
"""Time a device gets to answer where it is not going to."""


@asynccontextmanager
async def serving(converse):
    """A bare server; ends when its conversations have ended, which the client's close does."""
    conversations = []

    async def handle(reader, writer):
        conversations.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await converse(reader, writer)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield TcpBus("127.0.0.1", server.sockets[0].getsockname()[1])
        await asyncio.gather(*conversations)


async def test_busy_meter_is_asked_again():
    naps = []

    async def nap(seconds):
        naps.append(seconds)
        meter.fault = Fault.NONE

    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), DecodedValues) as meter,
        ModbusLine(TcpBus("127.0.0.1", meter.port), sleep=nap) as line,
    ):
        meter.fault = Fault.BUSY
        words = await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert len(words) == 2
    assert len(naps) == 1


async def test_connection_that_never_answers_costs_one_deadline_and_is_given_up():
    """As after a converter was switched off and on: only a new connection gets answers."""
    connections = 0

    async def converse(reader, writer):
        nonlocal connections
        connections += 1
        is_dead = connections == 1
        while request := await reader.read(12):
            if not is_dead:
                writer.write(request[:4] + bytes.fromhex("0007 01 04 04 0001 0002"))

    async with serving(converse) as bus, ModbusLine(bus) as line, asyncio.timeout(5):
        with pytest.raises(Unavailable, match="no answer"):
            await line.read(4, 0, 2, unit=1, deadline_s=SHORT_S)

        assert list(await line.read(4, 0, 2, unit=1, deadline_s=5)) == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="no Modbus"),
        pytest.param(bytes.fromhex("0001 0000 0005 01 03 02 0001"), id="another function"),
        pytest.param(bytes.fromhex("0001 0000 0005 01 04 02 0001"), id="too few registers"),
        pytest.param(bytes.fromhex("0001 0000 0007 02 04 04 0001 0002"), id="another unit"),
        pytest.param(bytes.fromhex("0009 0000 0007 01 04 04 0001 0002"), id="another transaction"),
        pytest.param(bytes.fromhex("0001 0000 0007 01 04 08 0001 0002"), id="wrong byte count"),
        pytest.param(bytes.fromhex("0001 0000 0003 01 84 63"), id="unknown exception"),
        pytest.param(b"", id="closes at once"),
    ],
)
async def test_nonsense_on_the_wire_is_unavailable(answer):
    async def babble(reader, writer):
        await reader.read(100)
        writer.write(answer)
        if not answer:
            writer.close()

    async with serving(babble) as bus, ModbusLine(bus) as line:
        with pytest.raises(Unavailable):
            await line.read(4, 0, 2, unit=1, deadline_s=SHORT_S)


async def test_serial_port_that_is_not_there_is_unavailable():
    async with ModbusLine(SerialBus("/dev/no-such-port")) as line:
        with pytest.raises(Unavailable, match="cannot connect to /dev/no-such-port"):
            await line.read(4, 0, 2, unit=1, deadline_s=5)


async def test_serial_line_speaks_rtu():
    """The answer is written down by hand: two registers, 0x4366 0x3334, and their checksum."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    asked = asyncio.get_running_loop().create_future()

    def answer():
        asked.set_result(os.read(ours, 64))
        os.write(ours, bytes.fromhex("01 04 04 4366 3334 1B38"))

    asyncio.get_running_loop().add_reader(ours, answer)
    async with ModbusLine(SerialBus(os.ttyname(theirs), 115200)) as line:
        words = await line.read(4, 0, 2, unit=1, deadline_s=5)
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)
    os.close(theirs)

    assert asked.result() == bytes.fromhex("01 04 0000 0002 71CB")
    assert list(words) == [0x4366, 0x3334]


async def test_meters_with_one_address_share_a_connection_and_take_turns():
    """The converter of a serial line often accepts a single connection."""
    connections = 0
    at_once = most_at_once = 0

    async def convert(reader, writer):
        nonlocal connections, at_once, most_at_once
        connections += 1
        while True:
            request = await reader.readexactly(12)
            at_once += 1
            most_at_once = max(most_at_once, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            count = int.from_bytes(request[10:12], "big")
            head = request[:4] + (3 + 2 * count).to_bytes(2, "big") + request[6:8]
            writer.write(head + bytes([2 * count]) + bytes(2 * count))

    async with serving(convert) as bus, ModbusLine(bus) as line:
        reads = [line.read(4, 0, 76, unit=unit, deadline_s=5) for unit in (1, 2, 3) * 5]
        await asyncio.gather(*reads)

    assert (connections, most_at_once) == (1, 1)
