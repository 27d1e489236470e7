"""Stations that take limits only in words of their own: found out, obeyed, remembered."""

import asyncio

import pytest

from gateway.operations import Caller
from gateway.records import LimitSource
from gateway.simulation.cars import Car
from gateway.simulation.quirks import Quirks
from gateway.station_forms import ModelKey
from site_config.links import Role

ONE = {"CP-01": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}}


async def live(bench, depot, condition):
    """Let seconds pass until something is true."""
    async with asyncio.timeout(30):
        while not condition():
            bench.pass_time(1.0)
            depot.clock.skipped_s += 1.0
            await asyncio.sleep(0.02)


def under_a_fuse_of(rating_a):
    return {"circuits": {"grid": {"rating_a": rating_a}}, "stations": ONE}


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize(
    ("quirks", "rating_a", "limit_a"),
    [
        (Quirks(whole_amperes=True), 10.7, 10.0),
        (Quirks(one_period=True), 10.7, 10.7),
        (Quirks(watts_only=True, one_period=True), 20, 20.0),
    ],
    ids=["whole amperes", "one period", "watts in one period"],
)
async def test_a_station_is_understood_and_its_model_remembered(
    depot_of, version, quirks, rating_a, limit_a
):
    async with depot_of(version, evse_count=1, **under_a_fuse_of(rating_a)) as depot:
        bench = await depot.station("CP-01", version, quirks=quirks)
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32, phases=1))
        await live(bench, depot, lambda: bench.limit_a() == pytest.approx(limit_a, abs=0.05))

        settings = bench.station.settings
        model = ModelKey.of(settings.vendor, settings.model, settings.firmware_version)
        proved = depot.gateway.deliveries.forms["CP-01"].current
        await depot.until(lambda: depot.gateway.parts.models.of(model) == proved)
        await depot.stop()
        await depot.start_again()

        assert depot.gateway.parts.models.of(model) == proved


async def test_a_station_that_takes_0_for_no_limit_pauses_all_the_same(depot_of):
    async with depot_of("ocpp1.6", evse_count=1, **under_a_fuse_of(32)) as depot:
        bench = await depot.station("CP-01", "ocpp1.6", quirks=Quirks(zero_is_unlimited=True))
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=20, phases=1))
        await live(bench, depot, lambda: bench.limit_a() > 6)

        await pause(depot)

        await live(bench, depot, lambda: bench.limit_a() == 1.0)
        assert depot.gateway.deliveries.forms["CP-01"].current.pause_a == 1.0


async def pause(depot):
    await depot.gateway.operations.set_circuit_limit(
        "grid",
        0.0,
        reason="test",
        until=None,
        source=LimitSource.OPERATOR,
        caller=Caller("Ann", Role.OPERATOR),
    )
