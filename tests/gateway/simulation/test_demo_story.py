"""The demo's lines say what happened, once."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from gateway.simulation.cars import Car
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_books import Complaint
from gateway.simulation.cloud_conversation import Heard
from gateway.simulation.demo_site import Ports, demo_site
from gateway.simulation.demo_story import Story
from gateway.simulation.plant import ScriptedLoad
from gateway.simulation.traffic import Leaves, PlugsIn
from gateway.simulation.world import Scenario, World

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = demo_site(Ports())


class Telling:
    def __init__(self):
        self.console = Console(file=io.StringIO(), width=200)
        self.story, self.cloud = Story(self.console, SITE), Cloud()
        scenario = Scenario(loads={"grid": ScriptedLoad((50, 40, 40))}, habits=None)
        self.world = World(SITE, scenario, clock=lambda: 0.0)
        self.look(0.0)

    def look(self, now):
        self.story.look(self.world, self.cloud, now)

    def hear(self, seconds, *, is_late):
        at = NOON + timedelta(seconds=seconds)
        payload = {"offline": True} if is_late else {}
        self.cloud.heard.append(Heard("DEMO", at, "TransactionEvent", payload))
        self.cloud.calls_heard += 1

    def evses(self):
        return [e for s in self.world.stations.values() for e in s.evses.values()]

    @property
    def lines(self):
        return [line.partition(" ")[2] for line in self.console.file.getvalue().splitlines()]


@pytest.fixture
def telling():
    return Telling()


def test_cars_have_a_line_each(telling):
    place = ("GARAGE-1", 2)
    car = Car(capacity_wh=60_000, energy_wh=15_000, phases=1)
    telling.story.happening(PlugsIn(place, car))
    telling.story.happening(Leaves(place, "T"))

    assert telling.lines == [
        "GARAGE-1/2: a car plugs in, 60 kWh, 25% full, single-phase",
        "GARAGE-1/2: the car leaves",
    ]


def test_catching_up_is_told_once_when_the_newest_event_is_a_fresh_one(telling):
    telling.hear(0, is_late=False)
    telling.story.back(telling.cloud)
    telling.look(1.0)
    for seconds in (1, 2, 3):
        telling.hear(seconds, is_late=True)
        telling.look(2.0)
    telling.hear(4, is_late=False)
    telling.look(3.0)
    telling.look(4.0)

    assert telling.lines == [
        "the cloud is back",
        "the cloud has caught up: 3 events that had waited, in 3.0 s",
    ]


def test_limits_are_news_when_they_move_together_not_when_a_car_comes(telling):
    one, two, *_ = telling.evses()
    one.is_closed, one.limit_a = True, 32.0
    telling.look(1.0)
    two.is_closed, two.limit_a = True, 32.0
    telling.look(2.0)
    one.limit_a = two.limit_a = 16.0
    telling.look(3.0)
    telling.look(4.0)

    assert telling.lines == [
        "limits of 2 cars cut from 64 to 32 A together: the building draws 50 of 100 A"
    ]


def test_a_complaint_of_the_cloud_is_told_once(telling):
    telling.cloud.complaints.append(Complaint("DEMO", "seqNo", "T: seqNo 3 after 1"))
    telling.look(1.0)
    telling.look(2.0)

    assert telling.lines == ["the cloud complains: T: seqNo 3 after 1"]


def test_a_summary_comes_every_minute(telling):
    telling.world.tick()
    for now in (30.0, 61.0, 90.0, 122.0):
        telling.look(now)

    assert len(telling.lines) == 2
    assert telling.lines[0].startswith("grid 50 / 40 / 40 A of 100 A · The cloud has booked 0")
