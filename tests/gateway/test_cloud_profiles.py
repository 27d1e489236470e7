"""The cloud's charging profiles: which are accepted, where they lie, what they add up to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.cloud_profiles import CloudProfiles, EvseSupply, RunningTransaction
from gateway.commands import ClearProfile, GetComposite, SetProfile
from gateway.events import IdToken
from gateway.records import Transaction
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    SchedulePeriod,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUNNING = RunningTransaction("tx-1", frozenset({"tx-1", "17"}), NOON - timedelta(minutes=5))


def profile(
    number: int = 1,
    purpose: ProfilePurpose = ProfilePurpose.TX_DEFAULT,
    limit: float = 10.0,
    *,
    stack_level: int = 0,
    kind: ProfileKind = ProfileKind.ABSOLUTE,
    periods: tuple[SchedulePeriod, ...] | None = None,
    transaction: str | None = None,
) -> ChargingProfile:
    schedule = ChargingSchedule(
        RateUnit.A,
        (SchedulePeriod(0, limit),) if periods is None else periods,
        None if kind is ProfileKind.RELATIVE else NOON - timedelta(hours=1),
    )
    return ChargingProfile(number, purpose, kind, stack_level, schedule, transaction=transaction)


def profiles() -> CloudProfiles:
    return CloudProfiles((), {1: EvseSupply(32, 3), 2: EvseSupply(16, 1)}, 230.0)


def install(
    book: CloudProfiles, evse: int, new: ChargingProfile, version: str = "ocpp2.0.1"
) -> str:
    answer, changes = book.set(SetProfile(evse, new), RUNNING if evse else None, version=version)
    book.take(changes)
    return answer.reason_code or answer.status


MAX = ProfilePurpose.CHARGING_STATION_MAX
TX = ProfilePurpose.TX
UNORDERED = (SchedulePeriod(0, 6), SchedulePeriod(60, 8), SchedulePeriod(30, 7))


@pytest.mark.parametrize(
    ("evse", "new", "word"),
    [
        pytest.param(0, profile(), "Accepted", id="a default for all"),
        pytest.param(1, profile(purpose=TX, transaction="tx-1"), "Accepted", id="our UUID"),
        pytest.param(1, profile(purpose=TX, transaction="17"), "Accepted", id="the cloud's number"),
        pytest.param(1, profile(purpose=TX), "Accepted", id="1.6: whichever runs"),
        pytest.param(1, profile(purpose=TX, transaction="18"), "TxNotFound", id="K01.FR.33"),
        pytest.param(0, profile(purpose=TX), "InvalidProfile", id="K01.FR.16"),
        pytest.param(1, profile(purpose=MAX), "InvalidProfile", id="the maximum of one EVSE"),
        pytest.param(9, profile(), "UnknownEvse", id="K01.FR.28"),
        pytest.param(0, profile(periods=()), "InvalidSchedule", id="no period"),
        pytest.param(0, profile(periods=UNORDERED), "InvalidSchedule", id="K01.FR.35"),
        pytest.param(
            0, profile(periods=(SchedulePeriod(5, 6),)), "InvalidSchedule", id="K01.FR.31"
        ),
        pytest.param(0, profile(limit=-1), "InvalidSchedule", id="negative"),
        pytest.param(0, profile(stack_level=101), "InvalidStackLevel", id="stack level"),
        pytest.param(
            0, profile(purpose=MAX, kind=ProfileKind.RELATIVE), "InvalidProfile", id="K01.FR.38"
        ),
    ],
)
def test_set(evse, new, word):
    assert install(profiles(), evse, new) == word


def test_K01_FR_09_a_tx_profile_needs_a_transaction():
    answer, changes = profiles().set(SetProfile(1, profile(purpose=TX)), None, version="ocpp1.6")

    assert (answer.status, changes) == ("Rejected", ())


def test_K01_FR_52_a_default_for_all_and_one_for_an_evse_on_a_level_are_duplicates():
    book = profiles()
    install(book, 1, profile(1))

    assert install(book, 0, profile(2)) == "DuplicateProfile"
    assert install(book, 0, profile(2), version="ocpp1.6") == "Accepted"


def test_the_same_id_or_level_replaces():
    book = profiles()
    install(book, 1, profile(1, limit=10))
    install(book, 1, profile(1, limit=12))
    install(book, 1, profile(2, limit=14))

    assert book.ceiling_a(1, NOON, RUNNING) == 14
    assert book.clear(ClearProfile(profile_id=1))[0].status == "Unknown"


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        pytest.param(ClearProfile(), set(), id="no criterion: all"),
        pytest.param(ClearProfile(profile_id=2), {1, 3}, id="by id"),
        pytest.param(ClearProfile(evse_id=1), {1, 3}, id="by EVSE"),
        pytest.param(ClearProfile(purpose="TxDefaultProfile"), {3}, id="by purpose"),
        pytest.param(ClearProfile(stack_level=5), {1, 2}, id="by level"),
    ],
)
def test_clear(criteria, left):
    book = profiles()
    install(book, 0, profile(1))
    install(book, 1, profile(2, stack_level=1))
    install(book, 0, profile(3, MAX, stack_level=5))

    _, gone = book.clear(criteria)

    assert {1, 2, 3} - {change.profile_id for change in gone} == left


def test_an_evse_s_own_default_prevails_over_the_sites():
    book = profiles()
    install(book, 0, profile(1, limit=8))
    install(book, 1, profile(2, limit=12, stack_level=1))

    assert book.ceiling_a(1, NOON, None) == 12
    assert book.ceiling_a(2, NOON, None) == 8


def test_a_tx_profile_ends_with_its_transaction():
    book = profiles()
    install(book, 1, profile(1, limit=20))
    install(book, 1, profile(2, TX, limit=10))
    assert book.ceiling_a(1, NOON, RUNNING) == 10

    book.take(book.transaction_ended(1))

    assert book.ceiling_a(1, NOON, RUNNING) == 20


APP = IdToken("APP-1")
MINUTE_LATER = NOON + timedelta(minutes=1)


def begun(token: IdToken | None = APP, uuid: str = "tx-1") -> Transaction:
    return Transaction(1, uuid, "A", 1, 1, 1, NOON, "1", id_token=token)


def test_the_profile_of_a_remote_start_begins_with_its_transaction():
    book = profiles()
    book.expect(1, profile(5, TX, limit=7), APP, MINUTE_LATER)
    assert book.ceiling_a(1, NOON, RUNNING) is None

    book.take(book.transaction_began(begun(), NOON))

    assert book.ceiling_a(1, NOON, RUNNING) == 7


@pytest.mark.parametrize(
    ("transaction", "at"),
    [
        pytest.param(begun(IdToken("CARD-9")), NOON, id="somebody else's"),
        pytest.param(begun(), MINUTE_LATER + timedelta(seconds=1), id="too late"),
    ],
)
def test_the_profile_of_a_remote_start_is_for_no_other_transaction(transaction, at):
    book = profiles()
    book.expect(1, profile(5, TX, limit=7), APP, MINUTE_LATER)

    assert book.transaction_began(transaction, at) == ()


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(profile(5, TX), None, id="a TxProfile"),
        pytest.param(profile(5), "InvalidProfile", id="K05.FR.02"),
        pytest.param(profile(5, TX, periods=UNORDERED), "InvalidSchedule", id="F01.FR.26"),
    ],
)
def test_a_remote_start_may_bring_a_sound_profile_of_its_own(sent, word):
    refusal = profiles().remote_start_refusal(sent, "ocpp2.0.1")

    assert (refusal and refusal.reason_code) == word


def test_a_profile_of_a_transaction_ends_with_it_even_if_nobody_clears_it():
    book = profiles()
    install(book, 1, profile(5, TX, limit=7, transaction="17"))
    next_one = RunningTransaction("tx-2", frozenset({"tx-2", "18"}), NOON)

    assert book.ceiling_a(1, NOON, RUNNING) == 7
    assert book.ceiling_a(1, NOON, next_one) is None


def test_an_absolute_profile_has_a_start_in_2_0_1():
    unanchored = replace(profile(), schedule=replace(profile().schedule, start_at=None))

    assert install(profiles(), 1, unanchored) == "InvalidSchedule"  # K01.FR.40
    assert install(profiles(), 1, unanchored, "ocpp1.6") == "Accepted"


def test_the_site_maximum_is_the_grid_connections_and_nobody_elses():
    book = profiles()
    install(book, 0, profile(1, MAX, limit=50))

    assert book.site_ceiling_a(NOON) == 50
    assert book.ceiling_a(1, NOON, None) is None


def test_a_composite_schedule_shows_what_the_cloud_allows_later_and_under_the_site_maximum():
    book = profiles()
    rising = (SchedulePeriod(0, 6), SchedulePeriod(3900, 30))  # it has begun an hour ago
    install(book, 1, profile(1, periods=rising))
    install(book, 0, profile(2, MAX, limit=20))

    answer = book.composite(GetComposite(1, 600, "A"), NOON, running=None, local_limit_a=25.0)

    assert answer.schedule is not None
    assert [(p.start_s, p.limit) for p in answer.schedule.periods] == [(0, 6), (300, 20)]


def test_a_composite_schedule_never_exceeds_what_the_site_allows():
    book = profiles()
    install(book, 1, profile(1, limit=30))

    answer = book.composite(GetComposite(1, 600, "A"), NOON, running=RUNNING, local_limit_a=13.0)
    watts = book.composite(GetComposite(1, 600, "W"), NOON, running=RUNNING, local_limit_a=10.0)

    assert answer.schedule is not None
    assert [period.limit for period in answer.schedule.periods] == [13.0]
    assert watts.schedule is not None
    assert [period.limit for period in watts.schedule.periods] == [6900.0]


def test_a_paused_site_composes_to_zero():
    answer = profiles().composite(GetComposite(1, 60, "A"), NOON, running=None, local_limit_a=0.0)

    assert answer.schedule is not None
    assert [period.limit for period in answer.schedule.periods] == [0.0]


def test_a_composite_schedule_of_nowhere_is_rejected():
    answer = profiles().composite(GetComposite(9, 60), NOON, running=None, local_limit_a=None)

    assert answer.schedule is None
