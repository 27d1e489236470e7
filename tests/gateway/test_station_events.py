"""What a station is answered: first the disk, then the answer, then the rest."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.authorization import Authorization
from gateway.commands import RequestStop
from gateway.errors import StoreFailed
from gateway.events import (
    Acknowledged,
    AuthorizationStatus,
    AuthorizeAsked,
    Booted,
    ChargingState,
    ConnectorStatus,
    DataAnswered,
    DataSent,
    EventType,
    HeartbeatSent,
    IdToken,
    IdTokenInfo,
    Judged,
    MetersSampled,
    MeterValue,
    OtherSent,
    Registered,
    RegistrationStatus,
    SampledValue,
    SecurityEventOccurred,
    StatusChanged,
    TimeTold,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.records import KnownToken
from gateway.slots import SlotTable
from gateway.station_events import (
    AskStatus,
    Log,
    RefreshAuthorization,
    Reply,
    ReportChargingState,
    ReportStatus,
    StopAtStation,
    Surroundings,
    answer_station,
    settle,
)
from gateway.transactions import TransactionBooks
from gateway.writes import Enqueue, SaveToken
from site_config.links import UnknownTokens
from site_config.model import Site

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"
CARD = IdToken("CARD1", "ISO14443")
ACCEPTED = IdTokenInfo(AuthorizationStatus.ACCEPTED)
BLOCKED = IdTokenInfo(AuthorizationStatus.BLOCKED)
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


class Gateway:
    """Everything around `answer_station`, on paper: `log` is the order in which things happen."""

    def __init__(
        self,
        *,
        cloud: IdTokenInfo | None = None,
        connected: bool = True,
        known: IdTokenInfo | None = None,
        unknown: UnknownTokens = UnknownTokens.REJECT,
    ) -> None:
        self.log: list[object] = []
        self.cloud = cloud
        self.is_disk_full = False
        tokens = [KnownToken(CARD, known, NOW)] if known else []
        slots = SlotTable(SITE)
        numbers = iter(range(1, 1000))
        locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.around = Surroundings(
            slots=slots,
            books=TransactionBooks(slots, Kept(), lambda: f"uuid-{next(numbers)}"),
            authorization=Authorization(tokens, unknown_tokens=unknown),
            commit=self._commit,
            turn=locks.__getitem__,
            ask_cloud=self._ask_cloud,
            is_cloud_connected=lambda: connected,
            clock_utc=lambda: NOW,
        )

    async def _commit(self, writes) -> None:
        await asyncio.sleep(0)
        if self.is_disk_full:
            raise StoreFailed("disk full")
        self.log += writes

    async def _ask_cloud(self, id_token: IdToken) -> IdTokenInfo | None:
        self.log.append("asked")
        return self.cloud

    async def hear(self, event, station_id: str = "A", version: str = V16) -> Reply:
        return await answer_station(event, station_id, version, self.around)

    def rows(self):
        return [write.row for write in self.log if isinstance(write, Enqueue)]


def start(version: str = V16, **more) -> TransactionChanged:
    transaction_id = None if version == V16 else "754A2AB3"
    told = {"evse_id": 1, "connector_id": 1, "id_token": CARD, "register_wh": 0, **more}
    return TransactionChanged(EventType.STARTED, NOW, transaction_id, "Authorized", 0, **told)


async def test_boot_is_accepted_whatever_the_cloud_does():
    reply = await Gateway(connected=False).hear(Booted("V", "M"))

    assert reply == Reply(Registered(RegistrationStatus.ACCEPTED, NOW, 300))


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        (HeartbeatSent(), TimeTold(NOW)),
        (DataSent("vendor"), DataAnswered("UnknownVendorId")),
        (OtherSent("NotifyEvent", {}), Acknowledged()),
    ],
)
async def test_what_concerns_nobody_is_answered_at_once(event, answer):
    gateway = Gateway()

    assert (await gateway.hear(event)).answer == answer
    assert gateway.log == []


async def test_data_of_a_vendor_somebody_cares_for_is_forwarded():
    async def forward(station_id: str, data: DataSent) -> DataAnswered:
        return DataAnswered("Accepted", f"{station_id} {data.vendor_id}")

    around = replace(Gateway().around, forward_data=forward)

    reply = await answer_station(DataSent("vendor"), "A", V16, around)

    assert reply.answer == DataAnswered("Accepted", "A vendor")


# Tokens.


async def test_known_token_is_answered_without_the_cloud_and_refreshed_after():
    gateway = Gateway(known=ACCEPTED, cloud=BLOCKED)

    reply = await gateway.hear(AuthorizeAsked(CARD))

    assert reply == Reply(Judged(ACCEPTED), (RefreshAuthorization(CARD),))
    assert gateway.log == []


async def test_known_token_is_not_refreshed_without_a_cloud():
    assert await Gateway(known=ACCEPTED, connected=False).hear(AuthorizeAsked(CARD)) == Reply(
        Judged(ACCEPTED)
    )


async def test_start_with_a_known_token_asks_the_cloud_by_its_own_row_alone():
    gateway = Gateway(known=ACCEPTED, cloud=BLOCKED)

    reply = await gateway.hear(start())

    assert reply.answer == Judged(ACCEPTED, 1)
    assert RefreshAuthorization(CARD) not in reply.followups
    assert "asked" not in gateway.log


async def test_unknown_token_is_the_cloud_s_question_and_then_known():
    gateway = Gateway(cloud=BLOCKED)

    reply = await gateway.hear(AuthorizeAsked(CARD))

    assert reply.answer == Judged(BLOCKED)
    assert gateway.log == ["asked", SaveToken(KnownToken(CARD, BLOCKED, NOW))]


@pytest.mark.parametrize(
    ("unknown", "status"),
    [
        (UnknownTokens.REJECT, AuthorizationStatus.UNKNOWN),
        (UnknownTokens.ACCEPT, AuthorizationStatus.ACCEPTED),
    ],
)
@pytest.mark.parametrize("connected", [True, False], ids=["silent cloud", "no cloud"])
async def test_unknown_token_without_an_answer_is_the_installer_s_choice(
    unknown, status, connected
):
    gateway = Gateway(connected=connected, unknown=unknown)

    reply = await gateway.hear(AuthorizeAsked(CARD))

    assert reply.answer.info.status is status
    assert gateway.log == (["asked"] if connected else [])


async def test_full_disk_costs_the_memory_of_a_verdict_and_not_the_verdict():
    gateway = Gateway(cloud=ACCEPTED)
    gateway.is_disk_full = True

    assert (await gateway.hear(AuthorizeAsked(CARD))).answer == Judged(ACCEPTED)


async def test_token_of_a_remote_start_is_not_asked_for():
    gateway = Gateway(cloud=BLOCKED)
    gateway.around.books.remote.start_asked("A", 1, 5, CARD, now_utc=NOW)

    authorized = await gateway.hear(AuthorizeAsked(CARD))
    started = await gateway.hear(start())

    assert authorized.answer == Judged(ACCEPTED)
    assert started.answer == Judged(ACCEPTED, 1)
    assert "asked" not in gateway.log


# Transactions.


async def test_start_is_on_disk_before_the_cloud_is_asked_and_the_station_answered():
    gateway = Gateway(cloud=ACCEPTED)

    reply = await gateway.hear(start())

    assert reply.answer == Judged(ACCEPTED, 1)
    kinds = [entry if isinstance(entry, str) else type(entry).__name__ for entry in gateway.log]
    assert kinds == ["SaveTransaction", "Enqueue", "asked", "SaveToken"]


async def test_who_cannot_store_must_not_answer():
    gateway = Gateway(known=ACCEPTED)
    gateway.is_disk_full = True

    with pytest.raises(StoreFailed):
        await gateway.hear(start())

    assert gateway.around.books.running() == ()
    gateway.is_disk_full = False
    assert (await gateway.hear(start())).answer.info == ACCEPTED
    assert len(gateway.rows()) == 1


async def test_simultaneous_copies_of_a_start_get_one_number_and_one_row():
    gateway = Gateway(known=ACCEPTED)

    replies = await asyncio.gather(*(gateway.hear(start()) for _ in range(3)))

    assert {reply.answer.transaction_number for reply in replies} == {1}
    assert len(gateway.rows()) == 1


async def test_refused_start_is_told_and_kept():
    gateway = Gateway(known=BLOCKED, connected=False)

    reply = await gateway.hear(start())

    assert reply.answer == Judged(BLOCKED, 1)
    assert len(gateway.rows()) == 1


async def test_2_0_1_start_without_a_token_is_answered_without_a_verdict():
    reply = await Gateway().hear(start(V201, id_token=None), version=V201)

    assert reply.answer == Judged()


async def test_2_0_1_event_tells_its_charging_state_under_the_number_upstream():
    event = start(V201, charging_state=ChargingState.CHARGING, evse_id=2)

    reply = await Gateway(known=ACCEPTED).hear(event, "B", V201)

    assert ReportChargingState(3, ChargingState.CHARGING) in reply.followups
    assert reply.answer == Judged(ACCEPTED)


async def test_start_on_an_evse_nobody_configured_is_invalid():
    gateway = Gateway(known=ACCEPTED)

    reply = await gateway.hear(start(evse_id=9))

    assert reply.answer == Judged(IdTokenInfo(AuthorizationStatus.INVALID), 0)
    assert gateway.log == []
    assert any(isinstance(followup, Log) for followup in reply.followups)


async def test_stop_with_an_unknown_token_does_not_wait_for_the_cloud():
    gateway = Gateway(known=ACCEPTED)
    await gateway.hear(start())
    stop = TransactionChanged(
        EventType.ENDED, NOW, "1", "StopAuthorized", 0, id_token=IdToken("OTHER"), register_wh=5
    )

    reply = await gateway.hear(stop)

    assert reply.answer == Judged(IdTokenInfo(AuthorizationStatus.UNKNOWN))
    assert "asked" not in gateway.log
    assert len(gateway.rows()) == 2


async def test_verdict_of_the_cloud_is_the_answer_to_a_repeated_start():
    gateway = Gateway(known=ACCEPTED)
    await gateway.hear(start())
    books = gateway.around.books

    followups = await settle(
        "A",
        lambda: books.cloud_answered_start(1, 7, BLOCKED, is_retransmission=False),
        gateway.around,
    )
    reply = await gateway.hear(start())

    (stop,) = followups
    assert isinstance(stop, StopAtStation)
    assert (stop.station_id, stop.command) == ("A", RequestStop("1"))
    assert reply.answer == Judged(BLOCKED, 1)


async def test_verdict_that_cannot_be_stored_is_not_learnt():
    gateway = Gateway(known=ACCEPTED)
    await gateway.hear(start())
    gateway.is_disk_full = True
    books = gateway.around.books

    with pytest.raises(StoreFailed):
        await settle(
            "A",
            lambda: books.cloud_answered_start(1, 7, BLOCKED, is_retransmission=False),
            gateway.around,
        )

    assert books.by_number(1).cloud_number is None


async def test_meter_values_are_on_disk_before_they_are_acknowledged():
    gateway = Gateway()
    values = (MeterValue(NOW, (SampledValue("5"),)),)

    reply = await gateway.hear(MetersSampled(1, 1, values))

    assert reply.answer == Acknowledged()
    assert [row.lane for row in gateway.rows()] == ["evse/1"]


async def test_security_event_waits_in_the_lane_of_the_station():
    gateway = Gateway(connected=False)

    reply = await gateway.hear(SecurityEventOccurred("SettingSystemTime", NOW))

    assert reply.answer == Acknowledged()
    (row,) = gateway.rows()
    assert (row.lane, row.event.tech_info) == ("station", "A")


# Statuses.


def status(evse_id: int, word: ConnectorStatus, **more) -> StatusChanged:
    return StatusChanged(evse_id, 1, word, NOW, **more)


async def test_status_goes_upward_under_the_number_upstream():
    event = status(2, ConnectorStatus.OCCUPIED, charging_state=ChargingState.EV_CONNECTED)

    reply = await Gateway().hear(event, "B")

    assert reply == Reply(Acknowledged(), (ReportStatus(replace(event, evse_id=3)),))


async def test_fault_of_the_whole_station_is_that_of_its_evses_until_it_is_over():
    gateway = Gateway()
    fault = status(0, ConnectorStatus.FAULTED, error_code="GroundFailure")

    ill = await gateway.hear(fault, "B")
    well = await gateway.hear(status(0, ConnectorStatus.AVAILABLE), "B")
    again = await gateway.hear(status(0, ConnectorStatus.AVAILABLE), "B")

    assert [followup.status.evse_id for followup in ill.followups] == [2, 3]
    assert {followup.status.error_code for followup in ill.followups} == {"GroundFailure"}
    assert well.followups == (AskStatus("B"),)
    assert again.followups == ()


async def test_status_of_an_evse_nobody_configured_is_acknowledged_and_logged():
    reply = await Gateway().hear(status(7, ConnectorStatus.AVAILABLE))

    assert reply.answer == Acknowledged()
    assert "status.unknown_evse" in reply.followups[0].line
