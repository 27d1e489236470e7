"""When a station that arrives is set up, while others arrive too."""

import asyncio
import heapq
from datetime import UTC, datetime

from gateway.adapters.beside import Beside
from gateway.arrivals import ANSWER_FIRST_S, Arrivals
from gateway.commands import StatusAnswer
from gateway.kept import Kept
from gateway.parts import Parts
from site_config.model import Site

NAMES = [f"S{number}" for number in range(200)]
SITE = Site.model_validate(
    {
        "site": {"id": "x", "name": "X"},
        "cloud": {"url": "ws://127.0.0.1:1", "identity": "X"},
        "csms": {"listen": "127.0.0.1:0"},
        "circuits": {"grid": {"rating_a": 4000}},
        "stations": {
            name: {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}} for name in NAMES
        },
    }
)


class Yard:
    """Stations that accept everything, and a time that passes when it is told to."""

    def __init__(self):
        parts = Parts.of(SITE, Kept(), firmware="1", at=datetime(2026, 6, 1, tzinfo=UTC))
        self.now = 0.0
        self.first_asked_at = {}
        self._waiting = []
        self.arrivals = Arrivals(
            state=parts.state,
            stations=self,
            deliveries=parts.deliveries,
            books=parts.books,
            availability=parts.availability,
            configuration=parts.configuration,
            pause=self._pause,
            spawn=Beside().spawn,
            is_ready=lambda: None,
            log=lambda _: None,
        )

    def is_connected(self, station_id):
        return True

    async def ask(self, station_id, command):
        self.first_asked_at.setdefault(station_id, self.now)
        return StatusAnswer("Accepted")

    async def _pause(self, seconds):
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.now + seconds, id(waiting), waiting))
        await waiting

    async def until(self, now):
        await self._let_run()
        while self._waiting and self._waiting[0][0] <= now:
            self.now, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
            await self._let_run()
        self.now = now

    @staticmethod
    async def _let_run():
        for _ in range(50):
            await asyncio.sleep(0)


async def test_a_station_that_boots_alone_is_set_up_once_it_has_its_answer():
    yard = Yard()
    yard.arrivals.booted("S1")

    await yard.until(10)

    assert yard.first_asked_at == {"S1": ANSWER_FIRST_S}


async def test_when_many_boot_all_have_their_answer_before_the_first_is_set_up():
    yard = Yard()
    for number in range(20):
        await yard.until(0.02 * number)
        yard.arrivals.booted(f"S{number}")

    await yard.until(10)

    assert min(yard.first_asked_at.values()) > 0.02 * 19
    assert len(yard.first_asked_at) == 20


async def test_however_many_boot_a_station_is_set_up_within_three_seconds_and_a_bit():
    yard = Yard()
    for number, name in enumerate(NAMES):
        await yard.until(0.04 * number)
        yard.arrivals.booted(name)

    await yard.until(20)

    waits_s = [
        asked_at - 0.04 * NAMES.index(name) for name, asked_at in yard.first_asked_at.items()
    ]
    assert len(waits_s) == len(NAMES)
    assert 3 <= max(waits_s) <= 3.2


async def test_a_station_that_boots_again_or_leaves_while_it_waits_is_not_set_up_for_that():
    yard = Yard()
    yard.arrivals.booted("S1")
    yard.arrivals.booted("S2")
    await yard.until(0.01)
    yard.arrivals.left("S1")

    await yard.until(10)

    assert list(yard.first_asked_at) == ["S2"]
