"""What is put into a row when it is sent, and when it must wait."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.events import EventType, IdToken, MetersSampled, TransactionChanged
from gateway.kept import Kept
from gateway.records import OutboxRow, Transaction
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from gateway.upstream_view import NO_TOKEN, cloud_number, for_cloud, may_send
from site_config.model import Site

AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"
CARD = IdToken("CARD1")
UUID = "00000000-0000-4000-8000-000000000001"
BARE = Transaction(1, UUID, "A", 1, 1, 1, AT, "754A2AB3", next_seq_no=4)
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {"A": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}},
    }
)


def books_with(**known) -> TransactionBooks:
    return TransactionBooks(SlotTable(SITE), Kept(running=(replace(BARE, **known),)), str)


def an_event(event_type: EventType, trigger: str = "Authorized", **more) -> TransactionChanged:
    return TransactionChanged(event_type, AT, None, trigger, 0, evse_id=1, **more)


def row(event_type: EventType, **more) -> OutboxRow:
    return OutboxRow(1, "evse/1", an_event(event_type, **more), transaction=1)


@pytest.mark.parametrize(
    ("known", "told", "may"),
    [
        pytest.param({}, {}, False, id="neither token nor register"),
        pytest.param({"id_token": CARD}, {}, False, id="no register"),
        pytest.param({"register_start_wh": 5.0}, {}, False, id="no token"),
        pytest.param({"id_token": CARD, "register_start_wh": 5.0}, {}, True, id="both, learnt"),
        pytest.param({"id_token": CARD}, {"register_wh": 0.0}, True, id="both, told"),
        pytest.param({"ended_at": AT}, {}, True, id="it is over: it will never be known"),
    ],
)
def test_start_waits_for_what_a_1_6_cloud_must_be_told_and_never_for_2_0_1(known, told, may):
    start = row(EventType.STARTED, **told)

    assert may_send(books_with(**known), start, V16) is may
    assert may_send(books_with(**known), start, V201)


def test_nothing_but_a_start_waits():
    assert may_send(books_with(), row(EventType.ENDED), V16)
    assert may_send(books_with(), OutboxRow(1, "evse/1", MetersSampled(1, 1, ())), V16)


@pytest.mark.parametrize("version", [V16, V201])
def test_id_and_seq_no_are_those_of_the_books(version):
    sent = for_cloud(books_with(), an_event(EventType.UPDATED), 1, version)

    assert (sent.transaction_id, sent.seq_no) == (UUID, 4)


def test_token_learnt_later_is_told_at_the_start_to_1_6_only():
    books = books_with(id_token=CARD, register_start_wh=7.0)
    start = an_event(EventType.STARTED)

    assert for_cloud(books, start, 1, V16).id_token == CARD
    assert for_cloud(books, start, 1, V201).id_token is None  # its Updated tells it
    assert for_cloud(books, start, 1, V201).register_wh == 7


def test_start_by_button_has_a_tag_in_1_6():
    button = IdToken("", "NoAuthorization")
    books = books_with(ended_at=AT)

    sent = for_cloud(books, an_event(EventType.STARTED, id_token=button), 1, V16)

    assert sent.id_token.value == NO_TOKEN
    assert sent.register_wh == 0


@pytest.mark.parametrize(
    ("known", "told", "register_wh"),
    [
        pytest.param({"register_last_wh": 33.0}, {}, 33, id="as last heard"),
        pytest.param({"register_last_wh": 33.0}, {"register_wh": 36.0}, 36, id="its own word"),
        pytest.param(
            {"register_start_wh": 43.0, "register_last_wh": 6.0}, {}, 43, id="never negative"
        ),
        pytest.param(
            {"register_start_wh": 43.0, "register_last_wh": 6.0},
            {"register_wh": 8.0},
            8,
            id="but its own word is not mended",
        ),
        pytest.param({}, {}, 0, id="never heard"),
    ],
)
def test_end_without_a_register_takes_the_last_one_heard(known, told, register_wh):
    sent = for_cloud(books_with(**known), an_event(EventType.ENDED, **told), 1, V16)

    assert sent.register_wh == register_wh


def test_unknown_register_is_not_made_up_for_2_0_1():
    assert for_cloud(books_with(), an_event(EventType.ENDED), 1, V201).register_wh is None


@pytest.mark.parametrize(
    ("trigger", "told", "reason"),
    [
        ("StopAuthorized", None, "Local"),
        ("EVDeparted", None, "EVDisconnected"),
        ("RemoteStop", None, "Remote"),
        ("Deauthorized", None, "DeAuthorized"),
        ("AbnormalCondition", "PowerLoss", "PowerLoss"),
    ],
)
def test_end_without_a_reason_gets_that_of_its_trigger(trigger, told, reason):
    event = an_event(EventType.ENDED, trigger, stopped_reason=told)

    assert for_cloud(books_with(), event, 1, V201).stopped_reason == reason


def test_transaction_without_a_cloud_number_is_minus_one():
    assert cloud_number(BARE) == -1
    assert cloud_number(replace(BARE, cloud_number=0)) == 0


def test_row_of_a_transaction_the_books_do_not_hold_is_an_error():
    with pytest.raises(LookupError):
        for_cloud(books_with(), an_event(EventType.UPDATED), 2, V16)
