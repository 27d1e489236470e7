"""A contact on a real wire: its state is told, and so is its silence, once it has lasted."""

import asyncio
import os
import tty
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.adapters.digital_input import CALM_POLL_S, watch_input
from gateway.adapters.meter import MeterReader
from gateway.adapters.meter_line import ModbusLines
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.simulation.meter import Address, SimulatedMeter
from site_config.addresses import parse_bus
from site_config.grid_operator import DigitalInput, GridOperator
from tests.gateway.adapters.test_meter_line import certificate, server_context  # noqa: F401

PATIENCE_S = 10.0


class Contact:
    """A Modbus TCP module with one contact, written down byte by byte."""

    def __init__(self):
        self.is_closed = False
        self.is_silent = False
        self.asked = []

    async def serve(self, reader, writer):
        while request := await reader.read(260):
            transaction, unit, function, address = (
                request[:2],
                request[6],
                request[7],
                request[8:10],
            )
            self.asked.append((unit, function, int.from_bytes(address)))
            if self.is_silent:
                writer.close()
                return
            answer = bytes((unit, function, 1, int(self.is_closed)))
            writer.write(transaction + b"\0\0" + len(answer).to_bytes(2) + answer)

    @asynccontextmanager
    async def watched(self, clock, **settings):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            async with ModbusLines() as lines:
                url = f"tcp://127.0.0.1:{port}"
                async with watched(lines, clock, url=url, **settings) as told:
                    yield told
        finally:
            server.close()


@asynccontextmanager
async def watched(lines, clock, naps=None, **settings):
    """What is told of a contact; a nap is short, however long it was meant to be."""
    told = []

    async def nap(seconds):
        if naps is not None:
            naps.append(seconds)
        await asyncio.sleep(0.01)

    config = DigitalInput.model_validate({"poll_s": 0.02, "max_age_s": 5} | settings)
    listener = SimpleNamespace(
        input_read=lambda place, is_active: told.append(is_active),
        input_silent=lambda place, reason: told.append(reason),
    )
    watching = asyncio.create_task(
        watch_input(GridOperator(input=config), listener, lines.to, lambda: clock[0], nap)
    )
    try:
        yield told
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a list has no event to wait for
            await asyncio.sleep(0.01)


async def test_the_contact_is_told_as_it_opens_and_closes():
    contact = Contact()
    async with contact.watched([0.0], unit=7, address=3) as told:
        await until(lambda: told)
        contact.is_closed = True
        await until(lambda: told[-1])

    assert told[0] is False
    assert contact.asked[0] == (7, 2, 3)


@pytest.mark.parametrize(("active", "expected"), [(True, False), (False, True)])
async def test_an_open_contact_may_mean_either(active, expected):
    async with Contact().watched([0.0], active=active) as told:
        await until(lambda: told)

    assert told[0] is expected


async def test_a_coil_is_read_as_one():
    contact = Contact()
    async with contact.watched([0.0], kind="coil") as told:
        await until(lambda: told)

    assert contact.asked[0] == (1, 1, 0)


async def test_silence_is_told_once_it_has_lasted_and_the_return_at_once():
    contact, clock = Contact(), [0.0]
    async with contact.watched(clock) as told:
        await until(lambda: told)
        contact.is_silent = True
        count = len(contact.asked)
        await until(lambda: len(contact.asked) > count + 2)
        before = set(told)
        clock[0] = 6.0
        await until(lambda: "silent" in str(told[-1]))
        contact.is_silent = False
        await until(lambda: told[-1] is False)

    assert before == {False}


# On every wire that a meter may be on, and together with one.


class InputModule:
    """Unit 7 with contacts, of which number 3 closes; served by pymodbus beside a meter."""

    def __init__(self):
        self.is_closed = False

    def device(self):
        async def answer(function, _start, _address, _count, registers, _written):
            registers[0] = 8 * (self.is_closed and function == 2)

        contacts = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        none = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        return SimDevice(7, (contacts, contacts, none, none), action=answer)


@asynccontextmanager
async def a_module_and_a_meter(**wire):
    module = InputModule()

    def values():
        return DecodedValues(
            PhaseValues(16, 0, 0), PhaseValues(230, 230, 230), PhaseValues(3680, 0, 0)
        )

    sdm = meter_model("eastron-sdm630")
    async with SimulatedMeter(sdm, values, Address(**wire), neighbours=[module]) as meter:
        yield module, meter


async def both_are_read(module, url):
    """The contact as it closes, and the meter on the same line meanwhile."""
    async with ModbusLines() as lines, watched(lines, [0.0], url=url, unit=7, address=3) as told:
        reader = MeterReader(lines.to(parse_bus(url)), meter_model("eastron-sdm630"), 1)
        await until(lambda: told)
        reads = [(await reader.read()).currents.l1 for _ in range(3)]
        module.is_closed = True
        reads += [(await reader.read()).currents.l1 for _ in range(3)]
        await until(lambda: told[-1] is True)
        assert told[0] is False
        assert set(told) == {False, True}
        assert reads == [16.0] * 6


async def test_a_contact_beside_a_meter_shares_its_connection():
    async with a_module_and_a_meter() as (module, meter):
        connections = set()

        def note():
            connections.update(meter._server.active_connections)

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(
                both_are_read(module, f"tcp://127.0.0.1:{meter.address.port}")
            )
            while not reading.done():
                note()
                await asyncio.sleep(0)

    assert len(connections) == 1


async def test_a_contact_behind_a_converter_that_passes_rtu_frames_on():
    async with a_module_and_a_meter(is_rtu=True) as (module, meter):
        await both_are_read(module, f"rtutcp://127.0.0.1:{meter.port}")


async def test_a_contact_on_a_serial_line():
    """Two pseudo-terminals, their far ends joined as by a cable."""
    loop = asyncio.get_running_loop()
    cable, ports = zip(*(os.openpty() for _ in range(2)), strict=True)
    for end, other in (cable, cable[::-1]):
        tty.setraw(end)
        loop.add_reader(end, lambda end=end, other=other: os.write(other, os.read(end, 4096)))
    try:
        async with a_module_and_a_meter(device=os.ttyname(ports[0])) as (module, _):
            await both_are_read(module, f"rtu://{os.ttyname(ports[1])}?baudrate=115200")
    finally:
        for end in cable:
            loop.remove_reader(end)
        for end in (*cable, *ports):
            os.close(end)


async def test_a_contact_behind_tls(certificate):  # noqa: F811  the fixture
    async with a_module_and_a_meter(tls=server_context(certificate)) as (module, meter):
        await both_are_read(module, f"tls://127.0.0.1:{meter.port}?ca={certificate[0]}")


class EverLater:
    """A clock on which three seconds pass between two looks."""

    now = 0.0

    def __getitem__(self, _):
        self.now += 3.0
        return self.now


async def test_a_contact_that_is_not_there_is_silent_and_asked_seldom():
    """A converter says so for it, and the others on the line have more of it."""
    async with a_module_and_a_meter() as (_, meter), ModbusLines() as lines:
        url = f"tcp://127.0.0.1:{meter.port}"
        async with watched(lines, EverLater(), naps := [], url=url, unit=9) as told:
            await until(lambda: len(naps) >= 4)

    assert "does not answer the converter" in told[0]
    assert (naps[0], naps[3]) == (0.02, CALM_POLL_S)
