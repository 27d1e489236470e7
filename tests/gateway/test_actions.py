"""What the cloud asks of its charging station, and who answers: decisions without a wire."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.actions import CloudCommands, SiteAuthority
from gateway.authorization import Authorization
from gateway.availability import Availability
from gateway.cloud_profiles import CloudProfiles, EvseSupply
from gateway.commands import (
    ChangeAvailability,
    ChangeConfiguration,
    GetBaseReport,
    RequestStart,
    RequestStop,
    Reset,
    SetProfile,
    StatusAnswer,
    Trigger,
    UnlockConnector,
    Unsupported,
)
from gateway.configuration import Configuration
from gateway.errors import PeerError, StoreFailed, Unavailable
from gateway.events import (
    ConnectorStatus,
    EventType,
    IdToken,
    RegistrationStatus,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.maintenance import Maintenance
from gateway.routes import Routes
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from gateway.writes import SaveAvailability
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    SchedulePeriod,
)
from site_config.model import Site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"
APP, CARD = IdToken("APP-1"), IdToken("CARD-1")
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {
            "A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}},
            "B": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}, 2: {}}},
        },
    }
)
TX_PROFILE = ChargingProfile(
    9,
    ProfilePurpose.TX,
    ProfileKind.RELATIVE,
    0,
    ChargingSchedule(RateUnit.A, (SchedulePeriod(0, 8.0),)),
)


class Stations:
    """Stations on paper: answer what they are told to answer, and note what they are asked."""

    def __init__(self):
        self.away = set()
        self.statuses = {}
        self.answers = {}
        self.asked = []
        self.at_once = 0
        self._waiting = 0
        self.versions = {}

    def is_connected(self, station_id):
        return station_id not in self.away

    def status(self, station_id, evse_id):
        return self.statuses.get((station_id, evse_id), ConnectorStatus.AVAILABLE)

    def connector(self, station_id, evse_id):
        return 2

    def waits_until_idle(self, station_id):
        return self.versions.get(station_id, V16) != V16

    async def ask(self, station_id, command):
        self.asked.append((station_id, command))
        self._waiting += 1
        self.at_once = max(self.at_once, self._waiting)
        await asyncio.sleep(0)
        self._waiting -= 1
        if station_id in self.away:
            raise Unavailable("away")
        answer = self.answers.get(station_id, StatusAnswer("Accepted"))
        if isinstance(answer, Exception):
            raise answer
        return answer


class Upward:
    def __init__(self):
        self.registration = RegistrationStatus.ACCEPTED
        self.said = []

    def boot_again(self, reason):
        self.said.append(("boot", reason))

    def heartbeat_now(self):
        self.said.append("heartbeat")

    def tell_status(self, cloud_evse):
        self.said.append(("status", cloud_evse))

    def set_station_status(self, is_operational):
        self.said.append(("station", is_operational))

    def report(self, request_id, rows):
        self.said.append(("report", request_id))

    async def has_rows(self, transaction):
        return False


class CloudSide:
    """The cloud's side of a site, without wire, disk or clock."""

    def __init__(self):
        self.written = []
        self.is_disk_full = False
        self.stations, self.upward = Stations(), Upward()
        self.slots = SlotTable(SITE)
        numbers = iter(range(1, 1000))
        self.books = TransactionBooks(self.slots, Kept(), lambda: f"uuid-{next(numbers)}")
        supplies = {number: EvseSupply(32.0, 3) for number in (1, 2, 3)}
        self.profiles = CloudProfiles((), supplies, 230.0)
        self.availability = Availability((), self.slots.connected())
        self.configuration = Configuration({}, ())
        routes = Routes(self.slots, self.stations, self._together)
        self.maintenance = Maintenance(
            routes=routes,
            books=self.books,
            availability=self.availability,
            configuration=self.configuration,
            upward=self.upward,
            commit=self._commit,
        )
        self.commands = CloudCommands(
            routes=routes,
            maintenance=self.maintenance,
            books=self.books,
            authorization=Authorization(),
            profiles=self.profiles,
            configuration=self.configuration,
            authority=SiteAuthority(lambda evse, at: 100.0),
            upward=self.upward,
            commit=self._commit,
            clock_utc=lambda: NOON,
            configuration_changed=lambda: None,
            limits_changed=lambda: None,
        )

    @staticmethod
    async def _together(works):
        return list(await asyncio.gather(*works))

    async def _commit(self, writes):
        if self.is_disk_full:
            raise StoreFailed("disk full")
        self.written += writes

    def hear(self, station_id, evse_id, event_type=EventType.STARTED, token=CARD, number=None):
        event = TransactionChanged(
            event_type,
            NOON,
            None if number is None else str(number),
            "Authorized",
            0,
            evse_id=evse_id,
            connector_id=1,
            id_token=token,
            register_wh=0.0,
        )
        outcome = self.books.apply(station_id, V16, event, now_utc=NOON, is_cloud_connected=True)
        self.books.accept(outcome)
        return outcome

    async def ask(self, command, version=V201):
        answer = await self.commands.answer(command, version)
        return answer.reason_code or answer.status


@pytest.fixture
def site():
    return CloudSide()


# Starting.


@pytest.mark.parametrize("word", ["Unavailable", "Faulted"])
async def test_an_evse_out_of_service_is_not_even_asked(site, word):
    site.stations.statuses["A", 1] = ConnectorStatus(word)

    assert await site.ask(RequestStart(APP, 1)) == "UnavailableEvse"  # F01.FR.23
    assert site.stations.asked == []


async def test_remote_starts_of_no_evse_go_to_different_evses(site):
    site.stations.statuses["B", 2] = ConnectorStatus.OCCUPIED

    for _ in range(3):
        assert await site.ask(RequestStart(APP)) == "Accepted"

    places = [(station_id, command.evse_id) for station_id, command in site.stations.asked]
    assert places == [("B", 2), ("A", 1), ("B", 1)]
    assert await site.ask(RequestStart(APP)) == "NoFreeEvse"


async def test_a_refused_remote_start_leaves_the_one_before_it_expected(site):
    await site.ask(RequestStart(APP, 1, remote_start_id=5, profile=TX_PROFILE))
    site.stations.answers["A"] = StatusAnswer("Rejected")
    await site.ask(RequestStart(IdToken("APP-2"), 1, remote_start_id=6))

    outcome = site.hear("A", 1, token=APP)

    assert outcome.is_remote
    assert outcome.transaction.remote_start_id == 5
    assert site.profiles.transaction_began(outcome.transaction, NOON)


async def test_a_remote_start_that_was_refused_is_not_expected(site):
    site.stations.answers["A"] = Unavailable("silent")
    assert await site.ask(RequestStart(APP, 1)) == "NoAnswer"

    assert not site.hear("A", 1, token=APP).is_remote


async def test_a_transaction_that_begins_before_the_answer_gets_its_profile(site):
    async def begin_first(station_id, command):
        site.hear("A", 1, token=APP)
        return StatusAnswer("Accepted")

    site.stations.ask = begin_first

    assert await site.ask(RequestStart(APP, 1, profile=TX_PROFILE)) == "Accepted"

    running = site.books.running_on("A", 1)
    assert site.profiles.ceiling_a(1, NOON, running) == 8.0


async def test_the_station_never_sees_the_clouds_profile(site):
    await site.ask(RequestStart(APP, 1, profile=TX_PROFILE))

    ((_, asked),) = site.stations.asked
    assert asked.profile is None


async def test_a_remote_start_is_expected_as_long_as_the_cloud_has_set(site):
    site.configuration.know("ConnectionTimeOut", "600")

    await site.ask(RequestStart(APP, 1))

    later = NOON + timedelta(seconds=599)
    assert site.books.remote.is_start_expected("A", 1, later)
    assert not site.books.remote.is_start_expected("A", 1, later + timedelta(seconds=2))


@pytest.mark.parametrize(
    ("answer", "is_expected"),
    [
        (StatusAnswer("Accepted"), True),
        (StatusAnswer("Rejected"), False),
        (Unavailable("-"), False),
    ],
    ids=["accepted", "refused", "silent"],
)
async def test_a_remote_stop_is_expected_unless_the_station_refuses_it(site, answer, is_expected):
    transaction = site.hear("B", 1).transaction
    site.stations.answers["B"] = answer

    await site.ask(RequestStop(transaction.uuid))

    assert (transaction.number in site.books.remote.stops) is is_expected


# Before and after Accepted.


@pytest.mark.parametrize("status", [None, RegistrationStatus.PENDING])
async def test_before_accepted_nothing_is_started_or_stopped(site, status):
    number = site.hear("B", 1).transaction.uuid
    site.upward.registration = status

    assert await site.ask(RequestStart(APP, 1)) == "Rejected"
    assert await site.ask(RequestStop(number)) == "Rejected"
    assert site.stations.asked == []


async def test_a_cloud_that_rejected_us_is_refused(site):
    site.upward.registration = RegistrationStatus.REJECTED

    with pytest.raises(PeerError) as refused:
        await site.ask(Trigger("Heartbeat"))

    assert refused.value.code == "SecurityError"  # B03.FR.08


async def test_what_cannot_be_stored_is_not_answered(site):
    site.is_disk_full = True
    site.hear("A", 1)

    for command in (
        SetProfile(1, TX_PROFILE),
        ChangeConfiguration("HeartbeatInterval", "60"),
        ChangeAvailability(False, 1),
    ):
        with pytest.raises(StoreFailed):
            await site.ask(command, V16)

    assert site.configuration.number("HeartbeatInterval") == 300
    assert site.availability.wanted(1) is None
    assert len(site.profiles) == 0


async def test_an_unsupported_command_is_refused_by_name(site):
    with pytest.raises(PeerError, match="GetLog"):
        await site.ask(Unsupported("GetLog", {}))


# All stations at once.


@pytest.mark.parametrize(
    "command",
    [ChangeAvailability(False), Reset(True), Trigger("MeterValues")],
    ids=["ChangeAvailability", "Reset", "MeterValues"],
)
async def test_what_goes_to_all_is_asked_of_all_at_once(site, command):
    await site.ask(command)

    assert site.stations.at_once == len(site.stations.asked) > 1


# Availability.


async def test_a_rejected_availability_is_not_kept(site):
    site.stations.answers["B"] = StatusAnswer("Rejected")

    assert await site.ask(ChangeAvailability(False)) == "Rejected"
    assert site.written == []
    assert site.availability.wanted(1) is None


async def test_a_station_that_is_away_is_scheduled_and_kept(site):
    site.stations.away.add("A")

    assert await site.ask(ChangeAvailability(False, 1)) == "Scheduled"
    assert site.written == [SaveAvailability(1, False)]


async def test_an_evse_that_returns_with_the_station_keeps_its_own_word(site):
    await site.ask(ChangeAvailability(False, 2))
    site.stations.asked.clear()

    await site.ask(ChangeAvailability(True))

    told = {(name, command.evse_id): command.operational for name, command in site.stations.asked}
    assert told == {("A", 1): True, ("B", 1): False, ("B", 2): True}  # G04.FR.08


async def test_a_second_connector_of_an_evse_does_not_exist(site):
    assert await site.ask(ChangeAvailability(False, 1, 2)) == "UnknownConnectorId"
    assert await site.ask(UnlockConnector(1, 2)) == "UnknownConnector"
    assert site.stations.asked == []


async def test_a_station_is_asked_for_the_connector_it_has_told_of(site):
    await site.ask(UnlockConnector(2, 1))

    assert site.stations.asked == [("B", UnlockConnector(1, 2))]


# Resets.


async def test_a_site_of_which_every_station_refuses_is_not_reset(site):
    site.stations.answers = {"A": StatusAnswer("Rejected"), "B": StatusAnswer("Rejected")}

    assert await site.ask(Reset(True)) == "Rejected"
    assert site.upward.said == []


async def test_a_reset_on_idle_waits_for_the_last_and_the_gateway_for_all(site):
    one, two = site.hear("A", 1).transaction, site.hear("B", 2).transaction
    site.stations.versions["B"] = V201
    site.stations.answers["B"] = StatusAnswer("Scheduled")

    assert await site.ask(Reset(False)) == "Scheduled"
    assert [name for name, _ in site.stations.asked] == ["B"]
    assert not site.maintenance.has_idle_resets()

    site.hear("A", 1, EventType.ENDED, number=one.number)
    assert site.maintenance.has_idle_resets()
    await site.maintenance.reset_idle()
    assert site.stations.asked[-1] == ("A", Reset(False))
    assert site.upward.said == []

    site.hear("B", 2, EventType.ENDED, number=two.number)
    await site.maintenance.reset_idle()
    assert [name for name, _ in site.stations.asked] == ["B", "A"]  # B resets itself
    assert site.upward.said == [("boot", "ScheduledReset")]


async def test_a_soft_reset_of_1_6_does_not_wait(site):
    site.hear("A", 1)

    assert await site.ask(Reset(False), V16) == "Accepted"
    assert ("A", Reset(False)) in site.stations.asked


# Triggers and reports.


@pytest.mark.parametrize("version", [V16, V201])
@pytest.mark.parametrize("status", list(RegistrationStatus)[:2])
async def test_a_boot_is_triggered_where_its_clause_allows(site, version, status):
    site.upward.registration = status
    is_refused = version == V201 and status is RegistrationStatus.ACCEPTED  # F06.FR.17

    answer = await site.ask(Trigger("BootNotification"), version)

    assert answer == ("Rejected" if is_refused else "Accepted")
    assert site.upward.said == ([] if is_refused else [("boot", "Triggered")])


async def test_a_station_without_transaction_events_is_asked_for_meter_values(site):
    site.hear("A", 1)
    site.stations.answers["A"] = StatusAnswer("NotImplemented")

    assert await site.ask(Trigger("TransactionEvent")) == "Rejected"

    messages = [command.message for _, command in site.stations.asked]
    assert messages == ["TransactionEvent", "MeterValues"]


async def test_a_pending_cloud_gets_no_meter_values(site):
    site.upward.registration = RegistrationStatus.PENDING

    assert await site.ask(Trigger("MeterValues", 1)) == "Rejected"
    assert await site.ask(Trigger("Heartbeat")) == "Accepted"


async def test_only_the_base_reports_we_have_are_promised(site):
    assert await site.ask(GetBaseReport(1, "SummaryInventory")) == "NotSupported"
    assert await site.ask(GetBaseReport(2, "FullInventory")) == "Accepted"
    assert site.upward.said == [("report", 2)]
