"""A contact behind a real socket: its state is told, and so is its silence, once it has lasted."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from gateway.adapters.digital_input import watch_input
from site_config.grid_operator import DigitalInput, GridOperator

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
        told = []
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = DigitalInput.model_validate(
            {"url": f"tcp://127.0.0.1:{port}", "poll_s": 0.02, "max_age_s": 5} | settings
        )
        listener = SimpleNamespace(
            input_read=lambda place, is_active: told.append(is_active),
            input_silent=lambda place, reason: told.append(reason),
        )
        operator = GridOperator(input=config)
        watching = asyncio.create_task(watch_input(operator, listener, lambda: clock[0]))
        try:
            yield told
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            server.close()


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
