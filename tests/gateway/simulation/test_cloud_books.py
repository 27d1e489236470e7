"""The simulated cloud notices every rule it is there to guard; a silent judge proves nothing."""

import itertools

import pytest

from gateway.simulation.cloud_books import StationBooks


def at(seconds):
    return f"2026-06-01T12:{seconds // 60:02}:{seconds % 60:02}Z"


def start(seconds=0, connector=1, register=100, tag="CARD"):
    return (
        "start_16",
        {
            "connectorId": connector,
            "idTag": tag,
            "meterStart": register,
            "timestamp": at(seconds),
        },
    )


def values(seconds, register, number=1, connector=1):
    sample = {"timestamp": at(seconds), "sampledValue": [{"value": str(register)}]}
    return (
        "meter_values_16",
        {"connectorId": connector, "transactionId": number, "meterValue": [sample]},
    )


def stop(seconds, register, number=1):
    payload = {"transactionId": number, "meterStop": register, "timestamp": at(seconds)}
    return ("stop_16", payload)


STRAY = (
    "meter_values_16",
    {"connectorId": 1, "meterValue": [{"timestamp": at(0), "sampledValue": [{"value": "1"}]}]},
)
STATUS_0 = ("status_16", {"connectorId": 0, "errorCode": "NoError", "status": "Charging"})


def event(kind, seq_no, seconds, register=None, number="T", evse=1, **more):
    payload = {
        "eventType": kind,
        "seqNo": seq_no,
        "timestamp": at(seconds),
        "triggerReason": "MeterValuePeriodic",
        "transactionInfo": {"transactionId": number},
        **more,
    }
    if evse:
        payload["evse"] = {"id": evse}
    if register is not None:
        sample = {"timestamp": at(seconds), "sampledValue": [{"value": register}]}
        payload["meterValue"] = [sample]
    return ("transaction_event", payload)


STARTED = event("Started", 0, 0, 100)

CASES = [
    pytest.param([start(), values(5, 110), stop(9, 120)], [], id="1.6: a good transaction"),
    pytest.param([start(), start(), stop(9, 120), stop(9, 120)], [], id="1.6: repeated"),
    pytest.param([values(5, 110)], ["unknown transaction"], id="1.6: values before the start"),
    pytest.param([stop(5, 110)], ["unknown transaction"], id="1.6: stop before the start"),
    pytest.param(
        [start(), stop(9, 120), values(12, 130)], ["unknown transaction"], id="1.6: after the stop"
    ),
    pytest.param(
        [start(), stop(9, 120), stop(9, 121)], ["unknown transaction"], id="1.6: another stop"
    ),
    pytest.param([start(), start(5)], ["second start"], id="1.6: two at once"),
    pytest.param([start(), start(5, connector=2)], [], id="1.6: two connectors"),
    pytest.param([start(), values(5, 110, connector=2)], ["evse"], id="1.6: other connector"),
    pytest.param([start(connector=9)], ["evse"], id="1.6: a connector there is not"),
    pytest.param([start(), stop(9, 90)], ["register"], id="1.6: register falls"),
    pytest.param(
        [start(), values(9, 110), values(5, 120)], ["order of time"], id="1.6: back in time"
    ),
    pytest.param([start(), STRAY], ["stray values"], id="1.6: values name no transaction"),
    pytest.param([STATUS_0], ["status"], id="1.6: connector 0 charges"),
    pytest.param(
        [STARTED, event("Updated", 1, 5, 110), event("Ended", 2, 9, 120)], [], id="2.0.1: good"
    ),
    pytest.param([STARTED, event("Updated", 2, 5, 110)], ["seqNo"], id="2.0.1: a gap"),
    pytest.param([STARTED, STARTED], [], id="2.0.1: repeated"),
    pytest.param([STARTED, event("Started", 0, 0, 100, offline=True)], [], id="2.0.1: now offline"),
    pytest.param(
        [STARTED, event("Started", 0, 0, 101)], ["repetition"], id="2.0.1: repeated otherwise"
    ),
    pytest.param([STARTED, event("Started", 1, 1)], ["second start"], id="2.0.1: started twice"),
    pytest.param(
        [event("Updated", 0, 5)], ["unknown transaction"], id="2.0.1: updated before the start"
    ),
    pytest.param(
        [STARTED, event("Ended", 1, 9), event("Updated", 2, 12)],
        ["after the end"],
        id="2.0.1: after the end",
    ),
    pytest.param(
        [STARTED, event("Started", 0, 5, number="U")], ["second start"], id="2.0.1: two at once"
    ),
    pytest.param([STARTED, event("Updated", 1, 5, evse=2)], ["evse"], id="2.0.1: moved"),
    pytest.param(
        [event("Started", 0, 0, evse=None), event("Ended", 1, 5, evse=None)],
        ["evse"],
        id="2.0.1: nowhere",
    ),
    pytest.param(
        [STARTED, event("Updated", 1, 9, 110), event("Updated", 2, 5, 120)],
        ["order of time", "order of time"],
        id="2.0.1: back in time, event and value",
    ),
    pytest.param(
        [STARTED, event("Updated", 1, 5, 110), event("Updated", 2, 6, 90)],
        ["register"],
        id="2.0.1: register falls",
    ),
]


@pytest.mark.parametrize(("messages", "rules"), CASES)
def test_rules(messages, rules):
    complaints = []
    books = StationBooks("CP-1", complaints, itertools.count(1), evse_count=3)

    for note, payload in messages:
        getattr(books, note)(payload)

    assert [complaint.rule for complaint in complaints] == rules


def test_energy_is_read_from_begin_and_end_samples_wherever_they_stand():
    complaints = []
    books = StationBooks("CP-1", complaints, itertools.count(1))
    books.transaction_event(event("Started", 0, 0)[1])
    _, ended = event("Ended", 1, 60)
    ended["meterValue"] = [
        {"timestamp": at(0), "sampledValue": [{"value": 7, "context": "Transaction.Begin"}]},
        {
            "timestamp": at(60),
            "sampledValue": [
                {"value": 1.5, "context": "Transaction.End", "unitOfMeasure": {"unit": "kWh"}}
            ],
        },
    ]

    books.transaction_event(ended)

    assert books.transactions[0].energy_wh == 1_493
    assert complaints == []


def test_one_number_for_all_is_sorted_out_by_connector():
    complaints = []
    books = StationBooks("CP-1", complaints, itertools.repeat(0))
    for note, payload in [
        start(0, 1),
        start(1, 2, register=500),
        values(5, 510, number=0, connector=2),
        values(6, 110, number=0, connector=1),
    ]:
        getattr(books, note)(payload)

    assert [t.readings[0][1] for t in books.transactions] == [110, 510]
    assert complaints == []


def test_values_that_come_word_for_word_again_have_no_effect():
    complaints = []
    books = StationBooks("DEPOT", complaints, itertools.count(1))
    heard = [start(), values(60, 110), values(120, 120), values(60, 110), values(60, 111)]
    for method, payload in heard[:4]:
        getattr(books, method)(payload)

    assert [register for _, register in books.transactions[0].readings] == [110, 120]
    assert books.repeated_values == 1
    assert complaints == []

    getattr(books, heard[4][0])(heard[4][1])
    assert {complaint.rule for complaint in complaints} == {"order of time", "register"}
