"""What becomes of the link to the cloud, as people are told of it."""

from datetime import UTC, datetime

import pytest

from gateway.cloud_news import CloudNews, LinkState
from gateway.configuration import Configuration
from gateway.events import Booted, Registered, RegistrationStatus
from gateway.outbox import Depth
from gateway.registration import BackOff, Registration
from gateway.site_state import CloudState

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Reader:
    """Reads the log, and holds what the news are about."""

    def __init__(self):
        self.lines = []
        self.state = CloudState()
        self.registration = Registration(Booted("a", "b"), lambda: 0.0, BackOff())
        self.configuration = Configuration({}, ())
        self.news = CloudNews(
            self.state,
            self.registration,
            self.configuration,
            depth=lambda: Depth(412, 0, None),
            clock_utc=lambda: NOON,
            log=self.lines.append,
            warn=self.lines.append,
        )

    def lost(self, reason):
        self.news.link_changed(LinkState(False, reason=reason))

    def found(self):
        self.news.link_changed(LinkState(True, "ocpp1.6"))


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends():
    reader = Reader()

    for _ in range(5):
        reader.lost("no route")
    reader.found()
    for _ in range(5):
        reader.lost("no route")

    assert reader.lines == [
        'cloud.lost reason="no route"',
        "cloud.connected version=ocpp1.6",
        'cloud.lost reason="no route"',
    ]
    assert reader.state.changed_at == NOON


def test_a_new_reason_is_told_while_the_cloud_is_away():
    reader = Reader()

    for reason in ("no route", "no route", "HTTP 401: wrong password", "HTTP 401: wrong password"):
        reader.lost(reason)

    assert len(reader.lines) == 2
    assert "HTTP 401" in reader.lines[1]


@pytest.mark.parametrize("status", RegistrationStatus)
def test_an_accepted_boot_makes_its_interval_the_one_the_cloud_reads(status):
    reader = Reader()
    answer = Registered(status, NOON, 120)
    reader.registration.connected(0.0)
    reader.registration.boot_answered(answer, 0.0)

    reader.news.registered(answer)

    is_accepted = status is RegistrationStatus.ACCEPTED
    assert reader.state.is_registered is is_accepted
    assert reader.configuration.text("HeartbeatInterval") == ("120" if is_accepted else "300")
    assert reader.lines == [f"cloud.registered status={status} pending=412"]
