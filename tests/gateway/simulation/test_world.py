"""A simulated site built from its configuration: everything in it hangs together."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from pymodbus.client import AsyncModbusTcpClient

from gateway.simulation.cloud import Cloud
from gateway.simulation.demo_site import Ports, demo_site
from gateway.simulation.link import BackOff
from gateway.simulation.plant import ScriptedLoad
from gateway.simulation.traffic import Habits, Leaves, PlugsIn, ShowsCard, Traffic
from gateway.simulation.world import Scenario, World

PLACES = [("A", 1), ("A", 2), ("B", 1)]


def a_day(seed):
    traffic = Traffic(PLACES, Habits(mean_idle_s=30, mean_stay_s=60), seed)
    return [(now, happening) for now in range(1_000) for happening in traffic.step(float(now))]


def test_every_car_plugs_in_shows_a_card_and_leaves_in_this_order():
    for place in PLACES:
        kinds = [type(h) for _, h in a_day(3) if h.place == place]

        assert kinds == [(PlugsIn, ShowsCard, Leaves)[n % 3] for n in range(len(kinds))]
        assert len(kinds) > 6


def test_the_same_seed_gives_the_same_day():
    assert [str(h) for h in a_day(3)] == [str(h) for h in a_day(3)]
    assert [str(h) for h in a_day(3)] != [str(h) for h in a_day(4)]


def test_nobody_is_at_two_places():
    inside = set()
    for _, happening in a_day(5):
        if isinstance(happening, ShowsCard):
            assert happening.token not in inside
            inside.add(happening.token)
        elif isinstance(happening, Leaves):
            inside.discard(happening.token)


@pytest.fixture
async def world(clock):
    """The demo's site before a cloud that plays the gateway; its time is turned by hand."""
    site = demo_site(Ports(meter=0))
    passwords = {name: station.password for name, station in site.stations.items()}
    async with Cloud(passwords=passwords, wall_clock=clock.wall) as csms:
        scenario = Scenario(
            loads={"grid": ScriptedLoad((20.0, 10.0, 5.0))},
            habits=Habits(mean_idle_s=20, mean_stay_s=40, first_within_s=5),
            back_off=BackOff(0.01, 0.0, 0),
        )
        world = World(site, scenario, csms_url=csms.url, clock=clock)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(link.run()) for link in world.links.values()]
            yield world, csms
            for task in running:
                task.cancel()


def all_settled(world):
    return all(s.talk.is_online and not s.talk.pending for s in world.stations.values())


async def test_a_site_lives_through_a_day_and_its_books_agree(world, clock):
    world, csms = world
    happened = []
    world.on_happening = happened.append
    for second in range(240):
        clock.now += 1.0
        world.tick()
        if second % 5 == 0:
            await world.until(lambda: all_settled(world))
    await world.until(lambda: all_settled(world))

    truth = sorted(
        (b.identity, b.evse_id, b.started_at, b.energy_wh)
        for s in world.stations.values()
        for b in s.books
        if not b.is_running
    )
    billed = sorted(
        (t.identity, t.evse_id, t.started_at, t.energy_wh)
        for t in csms.transactions
        if not t.is_running
    )
    plugged = sum(e.car is not None for s in world.stations.values() for e in s.evses.values())
    came = sum(isinstance(h, PlugsIn) for h in happened)
    assert plugged == came - sum(isinstance(h, Leaves) for h in happened)
    assert len(truth) > 5
    assert billed == truth
    assert not csms.complaints


async def test_the_meter_measures_the_cars_and_the_building(world, clock):
    world, _ = world
    async with AsyncExitStack() as stack:
        await world.start_meters(stack)
        for _ in range(30):
            clock.now += 1.0
            world.tick()
            await world.until(lambda: all_settled(world))
        client = AsyncModbusTcpClient("127.0.0.1", port=world.meters["grid"].port)
        await client.connect()
        answer = await client.read_input_registers(6, count=6, device_id=1)
        client.close()

    read = [
        client.convert_from_registers(answer.registers[n : n + 2], client.DATATYPE.FLOAT32)
        for n in (0, 2, 4)
    ]
    charging_a = sum(sum(currents) for currents in world.drawn().values())
    assert charging_a > 6
    assert sum(read) == pytest.approx(35.0 + charging_a, abs=0.1)


async def test_a_driver_whose_card_was_refused_shows_it_again(world, clock):
    world, csms = world
    csms.behaviour.default_verdict = "Invalid"
    for second in range(27):  # nobody stays for less than half a minute
        if second == 10:
            assert all(e.car for s in world.stations.values() for e in s.evses.values())
            assert not csms.transactions
            csms.behaviour.default_verdict = "Accepted"
        clock.now += 1.0
        world.tick()
        await world.until(lambda: all_settled(world))

    assert len(csms.transactions) == sum(len(s.evses) for s in world.stations.values())
