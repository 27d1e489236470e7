"""The simulated cloud answers as it is told to: verdicts, errors, delays, outages, versions."""

import pytest

from gateway.errors import CallRefused, Unavailable
from gateway.ocpp.frames import Call, CallError, CallResult, parse, serialize
from gateway.simulation.cars import Car
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.cloud_conversation import CloudConversation, KnownStation
from gateway.simulation.instants import read_instant

NOW = read_instant("2026-06-01T12:00:00Z")
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


class Told:
    """A conversation with a cloud, frame by frame, without a socket."""

    def __init__(self, behaviour=None, version="ocpp1.6"):
        self.behaviour = behaviour or CloudBehaviour()
        self.complaints, self.violations = [], []
        self.station = KnownStation.unknown("CP-1", self.complaints, self.behaviour)
        self.conversation = CloudConversation(
            self.station, version, self.behaviour, self.violations
        )

    def say(self, unique_id, action, payload, *, waits=False):
        received = self.conversation.receive(serialize(Call(unique_id, action, payload)), NOW)
        if not waits:
            self.conversation.replied()
        return parse(received.reply) if received.reply else None


def test_boot_first():
    told = Told()

    answer = told.say("1", "Heartbeat", {})

    assert answer.code == "SecurityError"
    assert [c.rule for c in told.complaints] == ["boot first"]


def test_one_call_at_a_time():
    told = Told()
    told.say("1", "BootNotification", BOOT, waits=True)
    told.say("2", "Heartbeat", {})

    assert [c.rule for c in told.complaints] == ["one call at a time"]


def test_a_message_id_is_used_once():
    told = Told()
    told.say("1", "BootNotification", BOOT)
    told.say("1", "Heartbeat", {})

    assert [c.rule for c in told.complaints] == ["message id"]


def test_a_schema_violation_is_written_down_and_refused_in_the_words_of_the_version():
    told = Told()

    answer = told.say("1", "BootNotification", BOOT | {"nonsense": 1})

    assert answer.code == "FormationViolation"
    assert told.violations[0].action == "BootNotification"


@pytest.mark.parametrize("number", [0, -1, 1_000_000])
def test_transaction_ids_are_what_it_was_told(number):
    told = Told(CloudBehaviour(transaction_ids=lambda: iter([number, 5])))
    told.say("1", "BootNotification", BOOT)
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-06-01T12:00:00Z"}

    first = told.say("2", "StartTransaction", start)
    again = told.say("3", "StartTransaction", start)

    assert first.payload["transactionId"] == again.payload["transactionId"] == number
    assert told.station.books.transactions[0].retransmissions == 1


def test_a_repetition_may_be_answered_with_concurrent_tx():
    told = Told(CloudBehaviour(is_concurrent_on_repetition=True))
    told.say("1", "BootNotification", BOOT)
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-06-01T12:00:00Z"}

    answers = [told.say(n, "StartTransaction", start) for n in ("2", "3")]

    assert [a.payload["idTagInfo"]["status"] for a in answers] == ["Accepted", "ConcurrentTx"]


def test_errors_are_given_one_after_the_other_and_book_nothing():
    told = Told(CloudBehaviour(errors={"Heartbeat": ["InternalError", "GenericError"]}))
    told.say("1", "BootNotification", BOOT)

    answers = [told.say(n, "Heartbeat", {}) for n in ("2", "3", "4")]

    assert [type(a) for a in answers] == [CallError, CallError, CallResult]
    assert [a.code for a in answers[:2]] == ["InternalError", "GenericError"]
    assert told.station.heartbeats == 1


def test_silence_books_and_does_not_answer():
    told = Told(CloudBehaviour(silences={"Heartbeat": 1}))
    told.say("1", "BootNotification", BOOT)

    answers = [told.say(n, "Heartbeat", {}) for n in ("2", "3")]

    assert answers[0] is None
    assert isinstance(answers[1], CallResult)
    assert told.station.heartbeats == 2


def test_an_action_it_does_not_do_is_not_supported():
    told = Told()
    told.say("1", "BootNotification", BOOT)

    answer = told.say("2", "SignCertificate", {"csr": "x"})

    assert answer.code == "NotSupported"


def test_it_never_sends_what_the_schema_forbids():
    with pytest.raises(ValueError, match="wrong Reset"):
        Told().conversation.call("Reset", {"type": "Firm"})


async def test_the_cloud_chooses_its_favourite_version(clock):
    async with Cloud(protocols=("ocpp1.6",), wall_clock=clock.wall) as cloud:
        assert cloud.url.startswith("ws://127.0.0.1:")
        with pytest.raises(Unavailable):
            await cloud.call("ClearCache", {})


@pytest.mark.parametrize("version", ["ocpp2.0.1"], indirect=True)
async def test_no_common_version_is_no_connection(cloud, bench):
    cloud.protocols = ("ocpp1.6",)
    async with bench() as b:
        await b.link.until(lambda: b.link.refused)

        assert cloud.stations == {}


async def test_late_answers_are_answers(cloud, bench, blameless):
    cloud.behaviour.latency_s = 0.01
    async with bench() as b:
        await b.settled()
        await b.charge(Car())

        assert len(cloud.transactions) == 1


@pytest.mark.parametrize("version", ["ocpp1.6"], indirect=True)
async def test_a_refused_call_raises_the_station_s_code(cloud, bench):
    async with bench() as b:
        await b.settled()

        with pytest.raises(CallRefused, match="NotSupported"):
            await cloud.call("CancelReservation", {"reservationId": 1})


async def test_an_outage_refuses_connections_until_it_ends(cloud, bench):
    async with bench() as b:
        await b.settled()
        await cloud.go_away()
        await b.link.until(lambda: len(b.link.refused) > 1)
        await cloud.come_back()
        await b.settled()

        assert cloud.is_listening
        assert b.link.connections == 2


async def test_only_the_newest_calls_are_kept_and_all_are_counted(cloud, bench):
    cloud.keeps = 2
    async with bench() as b:
        await b.settled()
        b.pass_time(1)
        for _ in range(5):
            before = cloud.calls_heard
            b.station.talk.say_heartbeat(b.clock.now)
            b.link.tick()
            await cloud.until(lambda before=before: cloud.calls_heard > before)
            await b.settled()

        assert cloud.calls_heard >= 7
        assert len(cloud.heard) <= 4
        assert cloud.heard[-1].action == "Heartbeat"
