"""What an operator says a driver wants: judged, committed, then in force."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from gateway.charging_wishes import ChargingWish, ChargingWishes
from gateway.errors import StoreFailed
from gateway.limit_wish import NotAWish
from gateway.operations import Caller, NotAllowed, NotFound
from gateway.site_operations import SiteOperations
from gateway.site_state import SiteState
from load_balancer.inputs import EvseKey
from site_config.links import Role
from tests.load_balancer.plant import site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = EvseKey("S0", 1)
TABLET, WALL = Caller("tablet", Role.OPERATOR), Caller("wall", Role.VIEWER)


class Bench:
    """Operations whose disk a test may break."""

    def __init__(self):
        config = site({"grid": {"rating_a": 100}}, {"S0": {"circuit": "grid", "evses": {1: {}}}})
        self.state = SiteState.of(config, {KEY: 1})
        self.wishes = ChargingWishes(())
        self.writes, self.log, self.rounds, self.is_broken = [], [], 0, False
        unused = {field.name: None for field in fields(SiteOperations)}
        mine = {
            "state": self.state,
            "wishes": self.wishes,
            "commit": self.commit,
            "clock_utc": lambda: NOON,
            "limits_changed": self.changed,
            "log": self.log.append,
        }
        self.operations = SiteOperations(**(unused | mine))

    @property
    def evse(self):
        return self.state.stations["S0"].evses[1]

    async def commit(self, writes):
        if self.is_broken:
            raise StoreFailed("disk full")
        assert self.evse.wish == self.wishes.of(KEY)  # nothing is in force yet
        self.writes += writes

    def changed(self):
        self.rounds += 1

    async def say(self, energy_wh=9000.0, departs_at=None, key=KEY, caller=TABLET):
        return await self.operations.set_wish(
            key, energy_wh=energy_wh, departs_at=departs_at, caller=caller
        )


async def test_a_wish_counts_from_what_was_delivered_when_it_was_said_and_is_logged():
    bench = Bench()
    bench.evse.transaction_id, bench.evse.energy_wh = "t", 2500.0

    told = await bench.say(9000.0, NOON + timedelta(hours=1))

    assert told == ChargingWish(9000.0, NOON + timedelta(hours=1), "tablet", 2500.0)
    assert bench.wishes.of(KEY) == bench.evse.wish == told
    assert bench.rounds == 1
    assert bench.log == [
        "wish.set evse=S0/1 energy_wh=9000 departs_at=2026-06-01T13:00:00+00:00 by=tablet"
    ]


async def test_the_energy_of_the_transaction_before_counts_for_nothing():
    bench = Bench()
    bench.evse.energy_wh = 2500.0

    assert (await bench.say()).energy_before_wh == 0.0


async def test_what_the_disk_does_not_take_is_not_in_force():
    bench = Bench()
    bench.is_broken = True

    with pytest.raises(StoreFailed):
        await bench.say()

    assert (bench.wishes.of(KEY), bench.evse.wish, bench.rounds, bench.log) == (None, None, 0, [])


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"energy_wh": None}, NotAWish),
        ({"energy_wh": -1.0}, NotAWish),
        ({"energy_wh": float("nan")}, NotAWish),
        ({"energy_wh": float("inf")}, NotAWish),
        ({"departs_at": NOON}, NotAWish),
        ({"key": EvseKey("S0", 2)}, NotFound),
        ({"key": EvseKey("S9", 1)}, NotFound),
        ({"caller": WALL}, NotAllowed),
    ],
    ids=str,
)
async def test_what_makes_no_sense_or_is_not_his_to_say_is_refused_and_changes_nothing(
    wish, refusal
):
    bench = Bench()

    with pytest.raises(refusal):
        await bench.say(**wish)

    assert (bench.writes, bench.evse.wish) == ([], None)


async def test_what_a_car_has_said_may_be_taken_back_and_taking_back_nothing_is_harmless():
    bench = Bench()
    bench.wishes.take(bench.wishes.told(KEY, ChargingWish(9000.0, None, "vehicle")))
    bench.evse.wish = bench.wishes.of(KEY)

    await bench.operations.clear_wish(KEY, TABLET)
    await bench.operations.clear_wish(KEY, TABLET)

    assert (bench.wishes.of(KEY), bench.evse.wish) == (None, None)
    assert bench.log == ["wish.cleared evse=S0/1 by=tablet"]
    with pytest.raises(NotAllowed):
        await bench.operations.clear_wish(KEY, WALL)
