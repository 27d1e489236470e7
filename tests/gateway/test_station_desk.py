"""Who is made to look again by what a station says."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from gateway.kept import Kept
from gateway.parts import Parts
from gateway.station_desk import Notify, StationDesk
from gateway.station_events import Surroundings
from site_config.model import Site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = Site.model_validate(
    {
        "site": {"id": "x", "name": "X"},
        "cloud": {"url": "ws://127.0.0.1:1", "identity": "X"},
        "csms": {"listen": "127.0.0.1:0"},
        "circuits": {"grid": {"rating_a": 32}},
        "stations": {"A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}},
    }
)


class Room:
    """A desk, and how often it has called the balancer."""

    def __init__(self):
        parts = Parts.of(SITE, Kept(), firmware="1", at=NOON)
        locks = defaultdict(asyncio.Lock)
        self.balanced = 0
        self.desk = StationDesk(
            csms=SITE.csms,
            around=Surroundings(
                slots=parts.slots,
                books=parts.books,
                authorization=parts.authorization,
                commit=self._commit,
                turn=locks.__getitem__,
                ask_cloud=self._commit,
                is_cloud_connected=lambda: False,
                clock_utc=lambda: NOON,
            ),
            state=parts.state,
            statuses=parts.cloud.statuses,
            deliveries=parts.deliveries,
            profiles=parts.profiles,
            wishes=parts.wishes,
            models=parts.models,
            stations=None,
            notify=Notify(lambda: None, self._balance, lambda _: None, lambda work: work.close()),
            clock=lambda: 0.0,
            is_clock_sound=lambda: True,
        )

    async def _commit(self, _):
        return None

    def _balance(self):
        self.balanced += 1

    async def hear(self, status):
        payload = {"connectorId": 1, "errorCode": "NoError", "status": status}
        await self.desk.answer("A", "ocpp1.6", "StatusNotification", payload)


@pytest.mark.parametrize(
    ("statuses", "looks"),
    [
        (["Available"], 1),
        (["Available", "Available"], 1),
        (["Available", "Preparing"], 2),
        (["Charging", "SuspendedEV", "SuspendedEV", "Charging"], 3),
    ],
    ids=str,
)
async def test_the_balancer_looks_again_when_a_status_is_another(statuses, looks):
    room = Room()

    for status in statuses:
        await room.hear(status)

    assert room.balanced == looks


async def test_a_station_that_comes_or_goes_can_wait_for_the_next_round():
    """A thousand come back at once; a round looks at all of them."""
    room = Room()

    room.desk.connected("A", "ocpp1.6")
    room.desk.disconnected("A")

    assert room.balanced == 0
