"""The site on a real mosquitto: what is said, which wishes are heeded, and how outages pass."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import aiomqtt
import pytest

from gateway.adapters.mqtt import CALLER, Pace, SiteOnMqtt, run_mqtt
from gateway.records import CircuitLimit, LimitSource
from load_balancer.phases import PhaseCurrents
from site_config.links import Mqtt
from tests.gateway.adapters.demo_site import (
    NOON,
    NOW,
    DemoOperations,
    busy_state,
    demo_grid_operator,
)
from tests.support.mosquitto import Broker, Cable, killed_at_the_end

BASE = "site-gateway/depot-north"
AVAILABILITY = f"{BASE}/availability"
GARAGE = f"{BASE}/circuits/garage"
WISH, REFUSAL = f"{GARAGE}/limit/set", f"{GARAGE}/limit/error"

FAST = Pace(shortest_s=0.02, first_retry_s=0.05, longest_retry_s=0.1)
PATIENCE_S = 10


class Ear:
    """A client that hears everything, and may speak."""

    def __init__(self, client):
        self._client = client
        self._heard_one = asyncio.Condition()
        self.last = {}
        self.count = Counter()
        self.everything = []

    async def listen(self):
        async for message in self._client.messages:
            topic, payload = str(message.topic), message.payload
            async with self._heard_one:
                self.last[topic] = payload
                self.count[topic] += 1
                self.everything.append((topic, payload))
                self._heard_one.notify_all()

    async def until(self, is_so):
        """Wait until what was heard satisfies."""
        async with asyncio.timeout(PATIENCE_S), self._heard_one:
            await self._heard_one.wait_for(is_so)

    async def hear(self, topic, payload=None):
        await self.until(lambda: topic in self.last and payload in (None, self.last[topic]))
        return self.last[topic]

    async def say(self, topic, payload, *, is_retained=False):
        await self._client.publish(topic, payload, qos=1, retain=is_retained)


@contextlib.asynccontextmanager
async def ear_at(broker, **credentials):
    async with aiomqtt.Client("127.0.0.1", broker.port, **credentials) as client:
        await client.subscribe("#", qos=1)
        ear = Ear(client)
        listening = asyncio.create_task(ear.listen())
        try:
            yield ear
        finally:
            listening.cancel()
            await asyncio.wait([listening])


class Site:
    """A site on MQTT whose clock and state a test holds in its hands."""

    def __init__(self, url=None, **mqtt):
        self.state = busy_state(2)
        self.operations = DemoOperations(self.state)
        self.now = NOW
        self.outages = []
        self.url = url
        self.mqtt = mqtt

    @contextlib.asynccontextmanager
    async def running(self, port):
        mqtt = Mqtt(url=self.url or f"mqtt://127.0.0.1:{port}", **self.mqtt)
        site = SiteOnMqtt(
            mqtt,
            self.state,
            self.operations,
            lambda: self.now,
            lambda: NOON + timedelta(seconds=self.now - NOW),
            on_outage=self.outages.append,
            pace=FAST,
        )
        task = asyncio.create_task(site.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    def wishes(self):
        return [asked[0:3] for asked in self.operations.asked]

    async def heeds_a_sentinel(self, ear):
        """Wishes are heeded in order: once this one is, those before it have been."""
        count = len(self.operations.asked)
        await ear.say(f"{BASE}/circuits/yard/limit/set", b"null")
        async with asyncio.timeout(PATIENCE_S):
            while ("clear", "yard") not in [a[:2] for a in self.operations.asked[count:]]:  # noqa: ASYNC110 - the fake has no event
                await asyncio.sleep(0.01)
        del self.operations.asked[-1]


@pytest.fixture
async def broker(tmp_path):
    with killed_at_the_end(Broker(tmp_path)) as started:
        await started.start()
        yield started


@pytest.fixture
def site():
    return Site()


@pytest.fixture
async def ear(broker):
    async with ear_at(broker) as listener:
        yield listener


async def test_a_site_is_retained_for_whoever_comes_later(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(f"{BASE}/stations/CP-02")

        async with ear_at(broker) as latecomer:
            assert await latecomer.hear(AVAILABILITY) == b"online"
            assert json.loads(await latecomer.hear(GARAGE))["rating_a"] == 63
            assert json.loads(await latecomer.hear(f"{BASE}/meters/grid"))["healthy"] is True
            assert json.loads(await latecomer.hear(f"{BASE}/site"))["site"]["name"] == "Depot North"


async def test_a_site_file_alone_says_where_and_as_whom(broker, site, ear):
    mqtt = Mqtt(url=broker.url, topic_prefix="north/sites")
    config = site.state.site.model_copy(update={"mqtt": mqtt})
    running = asyncio.create_task(
        run_mqtt(config, site.state, site.operations, lambda: NOW, lambda: NOON)
    )

    assert await ear.hear("north/sites/depot-north/availability") == b"online"
    running.cancel()
    await asyncio.wait([running])


async def test_what_changes_is_published_and_what_does_not_is_not(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(f"{BASE}/stations/CP-02")
        for current_a in (11.0, 12.0, 13.0):
            site.now += 1
            site.state.circuits["garage"].measured = PhaseCurrents(current_a, 0, 0)
            await ear.until(lambda a=current_a: f"{a}".encode() in ear.last[GARAGE])

    assert ear.count[f"{BASE}/circuits/yard"] == 1
    assert ear.count[f"{BASE}/stations/CP-01"] == 1


async def test_everything_is_said_again_every_minute(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(f"{BASE}/stations/CP-02")

        site.now += 61

        await ear.until(lambda: ear.count[f"{BASE}/stations/CP-02"] == 2)
        assert ear.count[AVAILABILITY] == 2


async def test_what_was_said_about_a_station_that_is_gone_is_taken_back(broker, site, ear):
    for topic in ("stations/OLD-1", "meters/old", "circuits/cellar", "elsewhere/OLD-1"):
        await ear.say(f"{BASE}/{topic}", b'{"connected": true}', is_retained=True)
    await ear.hear(f"{BASE}/elsewhere/OLD-1")

    async with site.running(broker.port):
        for topic in ("stations/OLD-1", "meters/old", "circuits/cellar"):
            await ear.hear(f"{BASE}/{topic}", b"")
        await ear.hear(f"{BASE}/stations/CP-02")

    async with ear_at(broker) as latecomer:
        await latecomer.hear(AVAILABILITY, b"offline")
        await latecomer.hear(f"{BASE}/stations/CP-02")
        assert f"{BASE}/stations/OLD-1" not in latecomer.last
        assert f"{BASE}/elsewhere/OLD-1" in latecomer.last


async def test_what_is_said_about_the_site_as_it_is_stays_after_a_restart(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(f"{BASE}/stations/CP-02")
    async with site.running(broker.port):
        await ear.hear(AVAILABILITY, b"online")
        await site.heeds_a_sentinel(ear)

        assert ear.last[f"{BASE}/stations/CP-02"] != b""
        assert ear.last[GARAGE] != b""


@pytest.mark.parametrize(
    ("payload", "limit_a", "reason", "until"),
    [
        (b"40", 40, "", None),
        (b'{"limit_a": 32.5, "reason": "grid operator"}', 32.5, "grid operator", None),
        (b'{"limit_a": 0, "until": "2026-06-01T16:00:00+02:00"}', 0, "", NOON + timedelta(hours=2)),
    ],
    ids=["number", "object", "until"],
)
async def test_a_wish_lowers_a_circuit(broker, site, ear, payload, limit_a, reason, until):
    async with site.running(broker.port):
        await ear.hear(GARAGE)

        await ear.say(WISH, payload)

        await ear.until(lambda: f'"limit_a":[{float(limit_a)}'.encode() in ear.last[GARAGE])
    limit = CircuitLimit("garage", LimitSource.MQTT, limit_a, reason, "mqtt", NOON, until)
    assert site.operations.limits["garage", LimitSource.MQTT] == limit


@pytest.mark.parametrize("payload", [b"", b"null", b" null\n"])
async def test_an_empty_wish_gives_the_circuit_back(broker, site, ear, payload):
    async with site.running(broker.port):
        await ear.hear(GARAGE)
        await ear.say(WISH, b"40")
        await ear.say(WISH, payload)
        await site.heeds_a_sentinel(ear)

    assert site.wishes() == [("set", "garage", 40), ("clear", "garage", LimitSource.MQTT)]
    assert site.operations.limits == {}


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"forty", "neither a number"),
        (b"true", "not a number of amperes"),
        (b"-1", "limit_a"),
        (b"NaN", "limit_a"),
        (b"63.1", "above the installer's rating of 63 A"),
        (b'{"limit_a": 1, "until": "2026-06-01T18:00:00"}', "no time zone"),
        (b'{"limit_a": 1, "until": "2026-05-01T18:00:00Z"}', "in the past"),
        (b"4" * 5000, "longer than 4096 bytes"),
    ],
    ids=lambda part: part[:20] if isinstance(part, bytes) else None,
)
async def test_nonsense_is_refused_in_words_and_changes_nothing(
    broker, site, ear, caplog, payload, words
):
    async with site.running(broker.port):
        await ear.hear(GARAGE)

        await ear.say(WISH, payload)

        assert words in json.loads(await ear.hear(REFUSAL))["error"]
    assert site.operations.limits == {}
    assert f"mqtt.wish_refused topic={WISH}" in caplog.text


async def test_a_wish_for_an_unknown_circuit_names_those_that_exist(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(GARAGE)

        await ear.say(f"{BASE}/circuits/cellar/limit/set", b"10")

        error = await ear.hear(f"{BASE}/circuits/cellar/limit/error")
        assert "grid, garage, yard" in json.loads(error)["error"]


async def test_a_retained_wish_is_heeded_once_however_often_the_broker_repeats_it(
    broker, site, ear
):
    await ear.say(WISH, b"40", is_retained=True)
    async with Cable(broker.port).laid() as cable, site.running(cable.port):
        await ear.hear(AVAILABILITY, b"online")
        await site.heeds_a_sentinel(ear)
        assert site.wishes() == [("set", "garage", 40)]

        cable.cut()
        await ear.until(lambda: ear.count[AVAILABILITY] == 3)  # online, offline, online
        await site.heeds_a_sentinel(ear)

    assert site.wishes() == [("set", "garage", 40)]


async def test_a_wish_that_was_taken_back_does_not_return_with_the_broker(broker, site, ear):
    async with Cable(broker.port).laid() as cable, site.running(cable.port):
        await ear.hear(AVAILABILITY, b"online")
        await ear.say(WISH, b"40", is_retained=True)
        await ear.say(WISH, b"null")
        await site.heeds_a_sentinel(ear)

        cable.cut()
        await ear.until(lambda: ear.count[AVAILABILITY] == 3)
        await site.heeds_a_sentinel(ear)

    assert site.wishes() == [("set", "garage", 40), ("clear", "garage", LimitSource.MQTT)]


@pytest.mark.parametrize(
    "is_kept", [pytest.param(True, id="still set"), pytest.param(False, id="run out")]
)
async def test_a_retained_wish_is_not_heeded_again_after_a_restart(
    broker, site, ear, caplog, is_kept
):
    until = NOON + timedelta(hours=1 if is_kept else -1)
    if is_kept:
        kept = CircuitLimit("garage", LimitSource.MQTT, 40, "x", "mqtt", NOON, until)
        site.operations.limits["garage", LimitSource.MQTT] = kept
    wish = {"limit_a": 40, "reason": "x", "until": until.isoformat()}
    await ear.say(WISH, json.dumps(wish), is_retained=True)

    async with site.running(broker.port):
        await ear.hear(AVAILABILITY, b"online")
        await site.heeds_a_sentinel(ear)

    assert site.wishes() == []
    assert "refused" not in caplog.text


async def test_a_wish_of_mqtt_is_an_operators_and_no_more(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(GARAGE)
        await ear.say(WISH, b"40")
        await site.heeds_a_sentinel(ear)

    assert site.operations.asked[0][5:] == (LimitSource.MQTT, CALLER)
    assert (CALLER.name, CALLER.role) == ("mqtt", "operator")


async def test_a_cut_cable_speaks_the_last_will_and_we_come_back(broker, site, ear):
    async with Cable(broker.port).laid() as cable, site.running(cable.port):
        await ear.hear(AVAILABILITY, b"online")

        cable.cut()

        await ear.until(lambda: ear.count[AVAILABILITY] == 3)
    said = [payload for topic, payload in ear.everything if topic == AVAILABILITY]
    assert said[:3] == [b"online", b"offline", b"online"]


async def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(broker, site, caplog):
    caplog.set_level("INFO")
    async with site.running(broker.port):
        async with ear_at(broker) as ear:
            await ear.hear(f"{BASE}/stations/CP-02")
        broker.kill()
        async with asyncio.timeout(PATIENCE_S):
            while not site.outages:  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.01)
        site.now += 30
        await broker.start()

        async with ear_at(broker) as ear:
            assert await ear.hear(AVAILABILITY) == b"online"
            await ear.hear(f"{BASE}/stations/CP-02")

    lines = [line for line in caplog.messages if line.startswith("mqtt.")]
    assert [line.split()[0] for line in lines] == ["mqtt.connected", "mqtt.lost", "mqtt.back"]
    assert lines[2].endswith("silent_s=30")
    assert site.outages[0].startswith("MQTT broker away: ")
    assert site.outages[1:] == [None]


async def test_an_orderly_stop_says_offline(broker, site, ear):
    async with site.running(broker.port):
        await ear.hear(AVAILABILITY, b"online")

    assert await ear.hear(AVAILABILITY, b"offline") == b"offline"


@pytest.mark.parametrize("end", [Broker.kill, Broker.freeze], ids=["gone", "frozen"])
async def test_stopping_does_not_wait_for_a_broker_that_is_silent(broker, site, end):
    async with site.running(broker.port):
        async with ear_at(broker) as ear:
            await ear.hear(AVAILABILITY, b"online")
        end(broker)
        began = time.monotonic()

    assert time.monotonic() - began < 3


async def test_a_password_is_presented(tmp_path, caplog):
    caplog.set_level("INFO")
    users = {"gateway": "broker-secret", "ear": "ear-secret"}
    with killed_at_the_end(Broker(tmp_path, users)) as broker:
        await broker.start()
        wrong = Site(username="gateway", password="wrong-secret")
        async with wrong.running(broker.port), asyncio.timeout(PATIENCE_S):
            while not wrong.outages:  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.01)
        right = Site(username="gateway", password="broker-secret")
        async with (
            right.running(broker.port),
            ear_at(broker, username="ear", password="ear-secret") as ear,
        ):
            assert await ear.hear(AVAILABILITY) == b"online"

    assert right.outages == []
    assert "secret" not in caplog.text


async def test_tls_that_fails_never_falls_back_to_plain(broker, ear):
    site = Site(url=f"mqtts://127.0.0.1:{broker.port}")
    async with site.running(broker.port), asyncio.timeout(PATIENCE_S):
        while not site.outages:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)

    assert ear.last == {}


async def test_a_broker_whose_acl_forbids_hides_a_topic_and_nothing_else(tmp_path):
    users = {"gateway": "broker-secret", "ear": "ear-secret"}
    acl = (
        "user ear\ntopic readwrite #\n"
        f"user gateway\ntopic write {AVAILABILITY}\ntopic write {BASE}/stations/#\n"
    )
    with killed_at_the_end(Broker(tmp_path, users, acl)) as broker:
        await broker.start()
        site = Site(username="gateway", password="broker-secret")
        async with (
            ear_at(broker, username="ear", password="ear-secret") as ear,
            site.running(broker.port),
        ):
            await ear.hear(f"{BASE}/stations/CP-02")

    assert GARAGE not in ear.last
    assert site.outages == []


def grid_operator_of(site):
    site.operations.grid_operator = demo_grid_operator(site.state)
    return site.operations.grid_operator


DIM = f"{BASE}/grid_operator/limit"


async def test_the_grid_operator_dims_over_mqtt_and_takes_back(broker, site, ear):
    grid_operator = grid_operator_of(site)
    async with site.running(broker.port):
        await ear.hear(GARAGE)

        await ear.say(f"{DIM}/set", b'{"reason": "grid full"}')
        await site.heeds_a_sentinel(ear)
        dimmed = grid_operator.status()
        await ear.say(f"{DIM}/set", b"")
        await site.heeds_a_sentinel(ear)

    assert (dimmed["limit_w"], dimmed["source"]) == (4200.0, "mqtt")
    assert grid_operator.status()["dimmed"] is False


async def test_a_dimming_that_makes_no_sense_is_refused_in_words(broker, site, ear):
    grid_operator_of(site)
    async with site.running(broker.port):
        await ear.hear(GARAGE)

        await ear.say(f"{DIM}/set", b'{"total_w": -1}')

        assert b"total_w" in await ear.hear(f"{DIM}/error")


async def test_a_heartbeat_that_the_broker_kept_is_none(broker, site, ear):
    heard = []
    site.operations.grid_operator = SimpleNamespace(heard=heard.append)
    await ear.say(f"{BASE}/grid_operator/heartbeat", b"1", is_retained=True)
    async with site.running(broker.port):
        await ear.hear(GARAGE)
        await site.heeds_a_sentinel(ear)
        from_the_past = list(heard)
        await ear.say(f"{BASE}/grid_operator/heartbeat", b"1")
        await site.heeds_a_sentinel(ear)

    assert from_the_past == []
    assert len(heard) == 1
