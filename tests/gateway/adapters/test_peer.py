"""One WebSocket on loopback: a `Peer` at one end, bare frames at the other."""

import asyncio
import logging
import weakref
from contextlib import asynccontextmanager

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from gateway.adapters.peer import Peer, Role
from gateway.errors import BadAnswer, CallRefused, InvalidMessage, PeerError, Unavailable
from gateway.ocpp.conversation import MAX_UNANSWERED_CALLS

NOW = "2026-01-01T00:00:00Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


class Answers:
    """Answers calls from a table; remembers what was asked."""

    def __init__(self, **answers):
        self.asked = []
        self._answers = {"Heartbeat": {"currentTime": NOW}, "StatusNotification": {}, **answers}

    async def __call__(self, call):
        self.asked.append(call)
        answer = self._answers[call.action]
        if isinstance(answer, Exception):
            raise answer
        return await answer(call) if callable(answer) else answer


class Wire:
    """The bare end of the socket."""

    def __init__(self, socket):
        self.socket = socket

    async def send(self, *frame):
        await self.socket.send(orjson.dumps(frame), text=True)

    async def frame(self):
        async with asyncio.timeout(5):
            return orjson.loads(await self.socket.recv())


@asynccontextmanager
async def joined(on_call=None, role=Role.CSMS, version="ocpp1.6", on_open=None, **options):
    ready = asyncio.get_running_loop().create_future()

    async def accept(websocket):
        peer = Peer(
            websocket,
            name="CP-01",
            version=version,
            role=role,
            on_call=on_call or Answers(),
            **options,
        )
        ready.set_result(peer)
        await peer.run(None if on_open is None else lambda: on_open(peer))

    async with serve(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
            yield await ready, Wire(socket)


async def test_call_of_the_peer_is_answered():
    async with joined() as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})

        assert await wire.frame() == [3, "1", {"currentTime": NOW}]


async def test_our_call_returns_the_answer():
    async with joined() as (peer, wire):
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        _, unique_id, action, payload = await wire.frame()
        await wire.send(3, unique_id, {"status": "Accepted"})

        assert (action, payload) == ("Reset", {"type": "Soft"})
        assert await asking == {"status": "Accepted"}


async def test_call_inside_a_handler_is_answered_while_the_handler_waits():
    async def ask_back(call):
        answer = await peer.call("Reset", {"type": "Soft"})
        return {"currentTime": NOW} if answer["status"] == "Accepted" else {}

    async with joined(Answers(Heartbeat=ask_back)) as (peer, wire):
        await wire.send(2, "1", "Heartbeat", {})
        _, unique_id, action, _ = await wire.frame()
        assert action == "Reset"
        await wire.send(3, unique_id, {"status": "Accepted"})

        assert await wire.frame() == [3, "1", {"currentTime": NOW}]


async def test_calls_of_one_peer_are_handled_one_after_another_in_order():
    release = asyncio.Event()

    async def wait(call):
        await release.wait()
        return {"currentTime": NOW}

    answers = Answers(Heartbeat=wait)
    async with joined(answers) as (peer, wire):
        await wire.send(2, "1", "Heartbeat", {})
        await wire.send(2, "2", "StatusNotification", STATUS)
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        _, unique_id, *_ = await wire.frame()
        await wire.send(3, unique_id, {"status": "Accepted"})
        await asking  # So both calls have been read by now.
        assert [call.unique_id for call in answers.asked] == ["1"]

        release.set()

        assert [(await wire.frame())[1], (await wire.frame())[1]] == ["1", "2"]


class Mark:
    pass


async def test_who_waits_for_the_next_call_holds_nothing_of_the_last():
    """A thousand stations say something now and then; a payload is several kilobytes."""
    marks = []

    async def mark(call):
        call.payload["mark"] = Mark()
        marks.append(weakref.ref(call.payload["mark"]))
        return {"currentTime": NOW}

    async with joined(mark) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        await wire.frame()

        assert [mark() for mark in marks] == [None]


async def test_opening_may_call_before_the_first_call_is_handled():
    async def on_open(peer):
        await peer.call("Reset", {"type": "Soft"})

    answers = Answers()
    async with joined(answers, on_open=on_open) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        _, unique_id, action, _ = await wire.frame()
        assert (action, answers.asked) == ("Reset", [])
        await wire.send(3, unique_id, {"status": "Accepted"})

        assert (await wire.frame())[:2] == [3, "1"]


async def test_refusal_is_a_call_error_spelled_for_the_version():
    refusal = PeerError("FormatViolation", "no", {"a": 1})
    async with joined(Answers(Heartbeat=refusal)) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})

        assert await wire.frame() == [4, "1", "FormationViolation", "no", {"a": 1}]


async def test_unknown_action_is_not_implemented():
    async with joined() as (_, wire):
        await wire.send(2, "1", "Levitate", {})

        assert (await wire.frame())[:3] == [4, "1", "NotImplemented"]


async def test_station_is_not_told_an_error_that_is_not_its_own():
    failures = iter([Unavailable("disk full"), ValueError("our bug")])

    async def fail_twice(call):
        for failure in failures:
            raise failure
        return {"currentTime": NOW}

    async with joined(Answers(Heartbeat=fail_twice)) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        await wire.send(2, "2", "Heartbeat", {})
        await wire.send(2, "3", "Heartbeat", {})

        assert await wire.frame() == [3, "3", {"currentTime": NOW}]


@pytest.mark.parametrize("failure", [Unavailable("busy"), ValueError("our bug")], ids=repr)
async def test_cloud_is_always_answered(failure):
    answers = Answers(Reset=failure, ClearCache={"status": "Accepted"})
    async with joined(answers, role=Role.STATION) as (_, wire):
        await wire.send(2, "1", "Reset", {"type": "Soft"})
        await wire.send(2, "2", "ClearCache", {})

        assert (await wire.frame())[:3] == [4, "1", "InternalError"]
        assert await wire.frame() == [3, "2", {"status": "Accepted"}]


async def test_sloppy_call_of_a_station_is_mended_and_logged_once(caplog):
    answers = Answers()
    async with joined(answers) as (_, wire):
        for number in ("1", "2"):
            await wire.send(2, number, "StatusNotification", {**STATUS, "connectorId": "1"})
            await wire.frame()

    assert [call.payload for call in answers.asked] == [STATUS, STATUS]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [
        "peer.sloppy peer=CP-01 action=StatusNotification rule=type "
        "path='/connectorId' was='1' became=1"
    ]


async def test_time_of_1970_is_kept_and_logged_once(caplog):
    answers = Answers()
    sent = {**STATUS, "timestamp": "1970-01-01T00:00:42Z"}
    async with joined(answers) as (_, wire):
        for number in ("1", "2"):
            await wire.send(2, number, "StatusNotification", sent)
            await wire.frame()

    assert [call.payload for call in answers.asked] == [sent, sent]
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == [
        "peer.clock_unset peer=CP-01 kept=1970"
    ]


async def test_call_that_cannot_be_mended_is_refused_without_its_values(caplog):
    async with joined() as (_, wire):
        await wire.send(2, "1", "Authorize", {"idTag": "SECRET" * 5})

        assert await wire.frame() == [
            *[4, "1", "PropertyConstraintViolation"],
            *["/idTag: value is longer than 20 characters", {}],
        ]
    assert "SECRET" not in caplog.text


async def test_same_refusal_is_logged_once(caplog):
    async with joined() as (_, wire):
        for number in ("1", "2", "3"):
            await wire.send(2, number, "Levitate", {})
            await wire.frame()

    assert caplog.text.count("peer.refused peer=CP-01 action='Levitate' code=NotImplemented") == 1


async def test_sloppy_call_of_a_cloud_is_refused():
    async with joined(role=Role.STATION) as (_, wire):
        await wire.send(2, "1", "Reset", {"type": "Soft", "extra": 1})

        assert (await wire.frame())[:3] == [4, "1", "FormationViolation"]


async def test_sloppy_answer_of_a_cloud_is_mended_because_billing_waits_for_it():
    async with joined(role=Role.STATION) as (peer, wire):
        asking = asyncio.create_task(peer.call("Authorize", {"idTag": "A"}))
        _, unique_id, *_ = await wire.frame()
        info = {"status": "Accepted", "expiryDate": "2026-01-01T00:00:00"}
        await wire.send(3, unique_id, {"idTagInfo": info})

        answer = await asking
        assert answer["idTagInfo"]["expiryDate"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("role", Role)
async def test_answer_that_cannot_be_mended_is_a_bad_answer(role):
    async with joined(role=role) as (peer, wire):
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        _, unique_id, *_ = await wire.frame()
        await wire.send(3, unique_id, {"status": "Perhaps"})

        with pytest.raises(BadAnswer, match="/status"):
            await asking


async def test_call_error_of_the_peer_is_call_refused():
    async with joined() as (peer, wire):
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        _, unique_id, *_ = await wire.frame()
        await wire.send(4, unique_id, "NotSupported")

        with pytest.raises(CallRefused) as refusal:
            await asking
        assert refusal.value.code == "NotSupported"


async def test_invalid_call_never_leaves_for_the_cloud():
    async with joined(role=Role.STATION) as (peer, wire):
        with pytest.raises(InvalidMessage):
            await peer.call("StatusNotification", {**STATUS, "status": "Dreaming"})

        asking = asyncio.create_task(peer.call("Heartbeat", {}))
        _, unique_id, action, _ = await wire.frame()
        assert action == "Heartbeat"
        await wire.send(3, unique_id, {"currentTime": NOW})
        await asking


async def test_invalid_answer_never_leaves_for_the_cloud():
    async with joined(Answers(Reset={"status": "Perhaps"}), role=Role.STATION) as (_, wire):
        await wire.send(2, "1", "Reset", {"type": "Soft"})

        assert (await wire.frame())[:3] == [4, "1", "InternalError"]


async def test_invalid_answer_to_a_station_is_sent_and_logged(caplog):
    async with joined(Answers(Heartbeat={"time": 1})) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})

        assert await wire.frame() == [3, "1", {"time": 1}]
    assert "peer.our_message_invalid peer=CP-01 answer=Heartbeat" in caplog.text


async def test_silent_peer_is_unavailable_since_it_was_last_heard():
    async with joined() as (peer, wire):
        heard_at = peer.heard_at
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}, timeout_s=0.01))
        await wire.frame()

        with pytest.raises(Unavailable, match="no answer to Reset") as silence:
            await asking
        assert silence.value.since == heard_at


async def test_late_answer_is_harmless():
    async with joined() as (peer, wire):
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}, timeout_s=0.01))
        _, unique_id, *_ = await wire.frame()
        with pytest.raises(Unavailable):
            await asking
        await wire.send(3, unique_id, {"status": "Accepted"})
        await wire.send(3, unique_id, {"status": "Accepted"})

        await wire.send(2, "1", "Heartbeat", {})

        assert (await wire.frame())[:2] == [3, "1"]
        assert peer.conversation.counters.stray_answers == 2


async def test_silence_sends_the_call_that_waits():
    async with joined() as (peer, wire):
        first = asyncio.create_task(peer.call("Reset", {"type": "Soft"}, timeout_s=0.01))
        await wire.frame()
        second = asyncio.create_task(peer.call("ClearCache", {}, timeout_s=5))
        with pytest.raises(Unavailable):
            await first

        _, unique_id, action, _ = await wire.frame()
        await wire.send(3, unique_id, {"status": "Accepted"})

        assert action == "ClearCache"
        assert await second == {"status": "Accepted"}


async def test_caller_that_gives_up_takes_its_waiting_call_back():
    async with joined() as (peer, wire):
        first = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        _, unique_id, *_ = await wire.frame()
        second = asyncio.create_task(peer.call("ClearCache", {}))
        third = asyncio.create_task(peer.call("Reset", {"type": "Hard"}))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait({second})

        await wire.send(3, unique_id, {"status": "Accepted"})
        await first

        assert (await wire.frame())[3] == {"type": "Hard"}
        third.cancel()


async def test_lost_socket_makes_every_call_unavailable():
    async with joined() as (peer, wire):
        asking = asyncio.create_task(peer.call("Reset", {"type": "Soft"}))
        await wire.frame()
        await wire.socket.close()

        with pytest.raises(Unavailable, match="disconnected"):
            await asking
        with pytest.raises(Unavailable, match="disconnected"):
            await peer.call("Reset", {"type": "Soft"})


async def test_call_that_is_worked_on_when_the_socket_is_lost_is_worked_to_its_end():
    started, is_lost, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def commit(call):
        started.set()
        await is_lost.wait()
        ended.set()
        return {"currentTime": NOW}

    async with joined(Answers(Heartbeat=commit)) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        await started.wait()
        await wire.socket.close()
        is_lost.set()

        async with asyncio.timeout(5):
            await ended.wait()


async def test_flood_is_slowed_down_and_nothing_is_lost():
    answers = Answers()
    async with joined(answers) as (peer, wire):
        count = 20 * MAX_UNANSWERED_CALLS

        async def flood():
            for number in range(count):
                await wire.send(2, str(number), "Heartbeat", {})

        flooding = asyncio.create_task(flood())
        ids = [(await wire.frame())[1] for _ in range(count)]
        await flooding

    assert ids == [str(number) for number in range(count)]
    assert peer.conversation.counters.refused_calls == 0


async def test_peer_that_reads_slowly_is_answered_all_the_same(monkeypatch):
    monkeypatch.setattr("gateway.adapters.peer.MAX_UNSENT_BYTES", -1)
    async with joined() as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})

        assert await wire.frame() == [3, "1", {"currentTime": NOW}]


async def test_duplicate_is_answered_the_same_and_not_acted_upon():
    answers = Answers()
    async with joined(answers) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        first = await wire.frame()
        await wire.send(2, "1", "Heartbeat", {})

        assert await wire.frame() == first
        assert len(answers.asked) == 1


async def test_malformed_frame_does_not_end_the_conversation():
    async with joined(version="ocpp2.0.1") as (_, wire):
        await wire.socket.send("[2,")
        await wire.socket.send(b'[2,"1","Heartbeat",{}]')

        assert (await wire.frame())[:3] == [4, "-1", "RpcFrameworkError"]
        assert (await wire.frame())[:2] == [3, "1"]


async def test_trace_is_told_every_text():
    told = []
    async with joined(trace=lambda *text: told.append(text)) as (_, wire):
        await wire.send(2, "1", "Heartbeat", {})
        await wire.frame()

    assert told == [
        ("CP-01", "in", '[2,"1","Heartbeat",{}]'),
        ("CP-01", "out", '[3,"1",{"currentTime":"' + NOW + '"}]'),
    ]


async def test_opening_that_fails_closes_the_connection():
    async def on_open(peer):
        raise ValueError("our bug")

    async with joined(on_open=on_open) as (_, wire):
        async with asyncio.timeout(5):
            await wire.socket.wait_closed()

        assert wire.socket.close_code == 1011
