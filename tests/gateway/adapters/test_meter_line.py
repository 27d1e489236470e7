"""A Modbus line answers or is unavailable in time, whatever the other side does.

The other side is a bare socket, a pseudo-terminal or the simulated meter.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import ssl
import subprocess
import tty
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.adapters import meter_line
from gateway.adapters.meter import MeterReader
from gateway.adapters.meter_line import ModbusLine, silence_s
from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.meters.silence import (
    ConnectionLost,
    NotConnected,
    Obstacle,
    Refused,
    UnusableFiles,
)
from gateway.simulation.meter import Address, Fault, SimulatedMeter
from site_config.addresses import RtuTcpBus, SerialBus, TcpBus, TlsBus

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


@pytest.mark.parametrize("turns", range(20))
async def test_who_is_cancelled_while_a_connection_comes_about_stops(turns):
    async def say_nothing(_reader, _writer):
        pass

    async with serving(say_nothing) as bus, ModbusLine(bus) as line:
        reading = asyncio.create_task(line.read(4, 0, 2, unit=1, deadline_s=SHORT_S))
        for _ in range(turns):
            await asyncio.sleep(0)  # the loop's next turn
        reading.cancel()

        with pytest.raises(asyncio.CancelledError):
            await reading


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
        with pytest.raises(NotConnected, match="/dev/no-such-port: no such file") as refusal:
            await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert refusal.value.obstacle is Obstacle.DEVICE


async def test_serial_port_that_another_program_holds_is_told_so():
    ours, theirs = os.openpty()
    fcntl.flock(theirs, fcntl.LOCK_EX)
    async with ModbusLine(SerialBus(os.ttyname(theirs), 115200)) as line:
        with pytest.raises(NotConnected, match="another program uses it"):
            await line.read(4, 0, 2, unit=1, deadline_s=5)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("bus", "obstacle", "words"),
    [
        (TcpBus("127.0.0.1", 1), Obstacle.PORT, "127.0.0.1:1: refused"),
        (TcpBus("no-such-meter.invalid"), Obstacle.NAME, "nobody knows this name"),
        (TlsBus("127.0.0.1", 1), Obstacle.PORT, "with TLS: refused"),
    ],
)
async def test_obstacle_to_a_connection_is_named(bus, obstacle, words):
    async with ModbusLine(bus) as line:
        with pytest.raises(NotConnected, match=words) as refusal:
            await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert refusal.value.obstacle is obstacle


async def test_host_that_swallows_the_handshake_is_not_taken_for_a_silent_meter(monkeypatch):
    """Its queue of connections is full: as a host that is not there, but on loopback."""
    monkeypatch.setattr(meter_line, "CONNECT_S", SHORT_S)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as full:
        for _ in range(3):
            knock = full.enter_context(socket.socket())
            knock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                knock.connect(deaf.getsockname())
        async with ModbusLine(TcpBus(*deaf.getsockname())) as line:
            with pytest.raises(NotConnected, match="nobody answers there") as refusal:
                await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert refusal.value.obstacle is Obstacle.HOST


async def test_handshake_may_take_longer_than_an_answer(certificate, monkeypatch):
    """A small meter takes its time for TLS; its answers come as fast as any."""
    deadline_s, handshake_s = 0.5, 0.6
    create = asyncio.get_running_loop().create_connection

    async def slowly(*args, **more):
        await asyncio.sleep(handshake_s)
        return await create(*args, **more)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", slowly)
    async with (
        three_meters(tls=server_context(certificate)) as meter,
        ModbusLine(TlsBus("127.0.0.1", meter.port, certificate[0])) as line,
    ):
        assert len(await line.read(4, 0, 2, unit=1, deadline_s=deadline_s)) == 2


@pytest.mark.parametrize("hears_first", [True, False])
async def test_connection_that_is_closed_instead_of_an_answer_is_lost_at_once(hears_first):
    """As a meter does that takes one client at a time; no deadline is waited out."""

    async def hang_up(reader, writer):
        if hears_first:
            await reader.read(100)
        writer.close()

    async with serving(hang_up) as bus, ModbusLine(bus) as line, asyncio.timeout(20):
        with pytest.raises(ConnectionLost):
            await line.read(4, 0, 2, unit=1, deadline_s=3600)


async def test_meter_that_is_busy_until_the_deadline_is_busy_not_silent():
    async with SimulatedMeter(meter_model("eastron-sdm630"), DecodedValues) as meter:
        meter.fault = Fault.BUSY
        bus = TcpBus("127.0.0.1", meter.port)
        async with ModbusLine(bus, sleep=lambda _seconds: asyncio.sleep(3600)) as line:
            with pytest.raises(Refused, match="exception 6"):
                await line.read(4, 0, 2, unit=1, deadline_s=0.5)


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


# Several meters behind one line, on every kind of wire.


def drawing(current_a):
    return lambda: DecodedValues(
        PhaseValues(current_a, 0, 0), PhaseValues(230, 230, 230), PhaseValues(230 * current_a, 0, 0)
    )


def three_meters(**wire):
    """Three models with foreign word orders under the units 1, 2 and 7."""
    em340, sdm = meter_model("carlo-gavazzi-em340"), meter_model("eastron-sdm630")
    neighbours = [
        SimulatedMeter(em340, drawing(2.0), Address(unit=2)),
        SimulatedMeter(meter_model("abb-b23"), drawing(7.0), Address(unit=7)),
    ]
    return SimulatedMeter(sdm, drawing(1.0), Address(**wire), neighbours=neighbours)


async def read_all(bus):
    models = {1: "eastron-sdm630", 2: "carlo-gavazzi-em340", 7: "abb-b23"}
    async with ModbusLine(bus) as line, asyncio.timeout(10):
        readers = [
            MeterReader(line, replace(meter_model(name), timeout_s=5.0, pause_s=0.0), unit)
            for unit, name in models.items()
        ]
        read = await asyncio.gather(*(reader.read() for reader in readers))
    return [values.currents.l1 for values in read]


async def test_three_meters_behind_a_converter_that_passes_rtu_frames_on():
    async with three_meters(is_rtu=True) as meter:
        assert await read_all(RtuTcpBus("127.0.0.1", meter.port)) == [1.0, 2.0, 7.0]


async def test_three_meters_on_a_serial_line():
    """Two pseudo-terminals, their far ends joined as by a cable."""
    loop = asyncio.get_running_loop()
    cable, ports = zip(*(os.openpty() for _ in range(2)), strict=True)
    for end, other in (cable, cable[::-1]):
        tty.setraw(end)
        loop.add_reader(end, lambda end=end, other=other: os.write(other, os.read(end, 4096)))
    try:
        async with three_meters(device=os.ttyname(ports[0])):
            assert await read_all(SerialBus(os.ttyname(ports[1]), 115200)) == [1.0, 2.0, 7.0]
    finally:
        for end in cable:
            loop.remove_reader(end)
        for end in (*cable, *ports):
            os.close(end)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    assert openssl, "the TLS tests make a certificate with the openssl command: install openssl"
    folder = tmp_path_factory.mktemp("tls")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        [
            *[openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
            *["-subj", "/CN=meter", "-addext", "subjectAltName=IP:127.0.0.1"],
            *["-keyout", files[1], "-out", files[0]],
        ],
        check=True,
        capture_output=True,
    )
    return files


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_three_meters_behind_tls(certificate):
    async with three_meters(tls=server_context(certificate)) as meter:
        bus = TlsBus("127.0.0.1", meter.port, ca=certificate[0])
        assert await read_all(bus) == [1.0, 2.0, 7.0]


async def test_meter_whose_certificate_nobody_vouches_for_is_not_believed(certificate):
    async with (
        three_meters(tls=server_context(certificate)) as meter,
        ModbusLine(TlsBus("127.0.0.1", meter.port)) as line,
    ):
        with pytest.raises(
            NotConnected, match=r"with TLS: .*\(self-signed certificate\)"
        ) as refusal:
            await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert refusal.value.obstacle is Obstacle.CERTIFICATE


async def test_meter_that_speaks_no_tls_is_told_so():
    async def babble(reader, writer):
        await reader.read(100)
        writer.write(b"no TLS here, none at all")

    async with serving(babble) as bus, ModbusLine(TlsBus(bus.host, bus.port)) as line:
        with pytest.raises(NotConnected) as refusal:
            await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert refusal.value.obstacle is Obstacle.TLS


async def test_meter_that_asks_who_reads_is_shown_the_gateways_certificate(certificate):
    context = server_context(certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    async with three_meters(tls=context) as meter:
        assert await read_all(TlsBus("127.0.0.1", meter.port, certificate[0], *certificate)) == [
            1.0,
            2.0,
            7.0,
        ]


async def test_certificate_files_that_are_not_there_are_named():
    async with ModbusLine(TlsBus("127.0.0.1", 1, ca="/no/such.pem")) as line:
        with pytest.raises(UnusableFiles, match="certificate files"):
            await line.read(4, 0, 2, unit=1, deadline_s=5)


async def test_rest_is_kept_before_the_next_question_not_before_the_answer_is_told():
    naps, now = [], 100.0

    async def nap(seconds):
        naps.append(seconds)

    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), DecodedValues) as meter,
        ModbusLine(TcpBus("127.0.0.1", meter.port), sleep=nap, clock=lambda: now) as line,
    ):
        await line.read(4, 0, 2, unit=1, deadline_s=5, pause_s=0.1)
        naps_after_the_first = list(naps)
        await line.read(4, 0, 2, unit=1, deadline_s=5, pause_s=0.1)
        meter.fault = Fault.BROKEN
        with pytest.raises(Unavailable):
            await line.read(4, 0, 2, unit=1, deadline_s=5, pause_s=0.3)
        meter.fault = Fault.NONE
        await line.read(4, 0, 2, unit=1, deadline_s=5)

    assert naps_after_the_first == []
    assert naps == pytest.approx([0.1, 0.1, 0.3])


@pytest.mark.parametrize(
    ("bus", "rest_s"),
    [
        (SerialBus("x", 9600), 0.00401),
        (SerialBus("x", 19200), 0.00201),
        (SerialBus("x", 115200), 0.00175),
        (TcpBus("h"), 0.0),
    ],
)
def test_frames_on_a_serial_line_are_three_and_a_half_characters_apart(bus, rest_s):
    assert silence_s(bus) == pytest.approx(rest_s, abs=1e-5)


async def test_who_waits_for_the_line_is_served_in_the_order_he_came():
    order = []

    async def convert(reader, writer):
        while True:
            request = await reader.readexactly(12)
            order.append(request[6])
            writer.write(request[:4] + bytes.fromhex("0007") + request[6:8] + b"\4\0\0\0\0")

    async with serving(convert) as bus, ModbusLine(bus) as line:
        reads = [line.read(4, 0, 2, unit=unit, deadline_s=5) for unit in (1, 2, 3) * 3]
        await asyncio.gather(*reads)

    assert order == [1, 2, 3] * 3
