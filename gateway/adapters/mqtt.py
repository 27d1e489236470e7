"""Publish the site over MQTT, and take wishes to lower a circuit's limit.

`availability` is the last will. State is retained, published when it changes but not more often
than `Pace.shortest_s`, and every `Pace.longest_s` in any case. Payloads and topics are those of
`mqtt_topics`; whether a wish is granted is `Operations`' decision.

A broker drops a publish that its ACL forbids without a word: a topic that never appears although
`mqtt.connected` was logged is a missing write permission on `<prefix>/<site>/#`.
"""

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import aiomqtt
import orjson

from gateway.errors import StoreFailed
from gateway.limit_wish import DimmingWish, LimitWish, NotAWish, parse_dimming, parse_wish
from gateway.mqtt_topics import (
    OFFLINE,
    ONLINE,
    Topics,
    messages,
    topics_of_parts,
    without_ages,
)
from gateway.operations import Caller, GridOperatorOperations, NotAllowed, NotFound, Operations
from gateway.records import LimitSource
from gateway.site_state import SiteState
from load_balancer.limiters.dimming import DimmingSource
from site_config.links import Mqtt, Role
from site_config.model import Site

log = logging.getLogger(__name__)

CALLER = Caller("mqtt", Role.OPERATOR)

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 15
"""A broker that is silent for one and a half times as long is given up."""
MAX_WISH_BYTES = 4096
MAX_QUEUED_WISHES = 10_000
"""And what the broker has kept about every station of a large site."""
MAX_REMEMBERED = 100
CLEARING = (b"", b"null")
"""Wishes that give the circuit back. An empty one is also how a retained wish is deleted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done, s."""

    shortest_s: float = 2.0
    """Between two publishes of one topic."""
    longest_s: float = 60.0
    """After which a topic is published although nothing changed."""
    first_retry_s: float = 1.0
    longest_retry_s: float = 30.0
    """Waits between attempts to connect double from the first to the longest."""
    farewell_s: float = 1.0
    """How long an orderly stop waits for the broker."""


@dataclass(slots=True)
class _Published:
    told: object
    at: float
    """Monotonic seconds."""


class SiteOnMqtt:
    """One site on one broker; `run` is its life."""

    def __init__(
        self,
        mqtt: Mqtt,
        state: SiteState,
        operations: Operations,
        now: Callable[[], float],
        now_utc: Callable[[], datetime],
        *,
        on_outage: Callable[[str | None], None] = lambda reason: None,
        pace: Pace | None = None,
    ) -> None:
        """`on_outage` is told why the broker is away when it goes, and None when it is back."""
        self._mqtt = mqtt
        url = urlsplit(mqtt.url)
        self._is_secure = url.scheme == "mqtts"
        self._host, self._port = url.hostname or "", url.port or PORTS[url.scheme]
        self._broker = f"{self._host}:{self._port}"
        self._state = state
        self._operations = operations
        self._now = now
        self._now_utc = now_utc
        self._on_outage = on_outage
        self._pace = pace or Pace()
        self._topics = Topics(mqtt.topic_prefix, state.site.site.id, state.site.circuits)
        self._published: dict[str, _Published] = {}
        self._heeded: dict[str, deque[bytes]] = {}
        """The last wishes for each circuit: what a broker may yet replay."""
        self._has_tidied = asyncio.Event()
        """Heard all that the broker had kept about parts that there are no more."""
        self._away_since: float | None = None
        self._retry_s = self._pace.first_retry_s

    async def run(self) -> None:
        """Stay connected until cancelled; then say `offline` and go."""
        while True:
            try:
                await self._converse()
            except (aiomqtt.MqttError, OSError) as reason:
                self._note_outage(reason)
            if _is_cancelled():
                return
            await asyncio.sleep(self._retry_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            self._retry_s = min(2 * self._retry_s, self._pace.longest_retry_s)

    async def _converse(self) -> None:
        async with self._client() as client:
            await client.subscribe(self._topics.wishes, qos=1)
            if self._operations.grid_operator is not None:
                await client.subscribe(self._topics.dimming, qos=1)
                await client.subscribe(self._topics.heartbeat, qos=1)
            for part in self._topics.parts:
                await client.subscribe(part)
            self._has_tidied.clear()
            await self._say(client, ONLINE)
            self._note_return()
            self._published.clear()
            tasks = {
                asyncio.create_task(self._publish_changes(client), name="mqtt publish"),
                asyncio.create_task(self._heed_wishes(client), name="mqtt wishes"),
                asyncio.create_task(self._stop_tidying(client), name="mqtt tidying"),
            }
            try:
                if not _is_cancelled():
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                await _end(tasks)
                if _is_cancelled():
                    client.timeout = self._pace.farewell_s
                    await self._say(client, OFFLINE)

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self._host,
            self._port,
            username=self._mqtt.username,
            password=self._mqtt.password,
            # always the same: the broker drops our dead socket, and speaks our last will, before
            # it takes the new one, so that an `offline` never follows an `online`
            identifier=f"site-gateway-{self._state.site.site.id}",
            will=aiomqtt.Will(self._topics.availability, OFFLINE, qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=MAX_QUEUED_WISHES,
            tls_context=ssl.create_default_context() if self._is_secure else None,
        )

    async def _say(self, client: aiomqtt.Client, availability: str) -> None:
        await client.publish(self._topics.availability, availability, qos=1, retain=True)

    async def _publish_changes(self, client: aiomqtt.Client) -> None:
        said_at = self._now()
        while True:
            now = self._now()
            if now - said_at >= self._pace.longest_s:
                await self._say(client, ONLINE)
                said_at = now
            health = self._operations.health()
            told = messages(self._state, self._topics, health, now, self._now_utc())
            for topic, payload in told.items():
                last = self._published.get(topic)
                essence = without_ages(payload)
                is_due = last is None or now - last.at >= self._pace.longest_s
                if last is None or is_due or last.told != essence:
                    await client.publish(topic, orjson.dumps(payload), retain=True)
                    self._published[topic] = _Published(essence, now)
            await asyncio.sleep(self._pace.shortest_s)

    async def _heed_wishes(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic = str(message.topic)
            text = message.payload.strip() if isinstance(message.payload, bytes) else b""
            if self._topics.is_part(topic):
                await self._tidy(client, topic, is_retained=message.retain and bool(text))
                continue
            if refusal := await self._answer(topic, text, is_retained=message.retain):
                log.warning('mqtt.wish_refused topic=%s reason="%s"', topic, refusal)
                error = orjson.dumps({"error": refusal})
                await client.publish(self._topics.error_of(topic), error, qos=1)

    async def _tidy(self, client: aiomqtt.Client, topic: str, *, is_retained: bool) -> None:
        """Take back what is said of a part that has left the site file.

        What the broker has kept comes first; when we hear ourselves, all of it has come.
        """
        if is_retained:
            if topic not in topics_of_parts(self._state, self._topics):
                log.info("mqtt.forgotten topic=%s", topic)
                await client.publish(topic, b"", retain=True)
        else:
            self._has_tidied.set()

    async def _stop_tidying(self, client: aiomqtt.Client) -> None:
        """Give up the parts' topics. Beside the listener: who waits there for the broker's word
        does not hear that the broker is gone.
        """
        await self._has_tidied.wait()
        for part in self._topics.parts:
            await client.unsubscribe(part)
        await asyncio.Future()  # the conversation goes on

    async def _answer(self, topic: str, text: bytes, *, is_retained: bool) -> str | None:
        """Do what is wished, or return why not."""
        grid_operator = self._operations.grid_operator
        if grid_operator is None or topic not in (self._topics.dimming, self._topics.heartbeat):
            return await self._heed(topic, text, is_retained=is_retained)
        if topic == self._topics.heartbeat:
            if not is_retained:  # what a broker has kept says nothing about now
                grid_operator.heard(CALLER)
            return None
        try:
            if text in CLEARING:
                await grid_operator.release(DimmingSource.MQTT, CALLER)
            else:
                await self._dim(grid_operator, parse_dimming(text), is_retained=is_retained)
        except (NotAWish, NotAllowed, StoreFailed) as refusal:
            return str(refusal)
        return None

    async def _dim(
        self, grid_operator: GridOperatorOperations, wish: DimmingWish, *, is_retained: bool
    ) -> None:
        if is_retained and self._is_over(wish.until):
            return
        await grid_operator.dim(
            wish.total_w,
            reason=wish.reason,
            until=wish.until,
            source=DimmingSource.MQTT,
            caller=CALLER,
        )

    async def _heed(self, topic: str, text: bytes, *, is_retained: bool) -> str | None:
        """Do what is wished, once, or return why not."""
        circuit = self._topics.circuit_of(topic)
        if circuit is None:
            return f"no such circuit; there are {', '.join(self._state.circuits)}"
        if len(text) > MAX_WISH_BYTES:
            return f"longer than {MAX_WISH_BYTES} bytes"
        heeded = self._heeded.setdefault(circuit, deque(maxlen=MAX_REMEMBERED))
        if is_retained and text in heeded:
            return None
        heeded.append(text)
        try:
            if text in CLEARING:
                await self._operations.clear_circuit_limit(
                    circuit, source=LimitSource.MQTT, caller=CALLER
                )
            else:
                await self._lower(circuit, parse_wish(text), is_retained=is_retained)
        except (NotAWish, NotAllowed, NotFound, StoreFailed) as refusal:
            return str(refusal)
        return None

    async def _lower(self, circuit: str, wish: LimitWish, *, is_retained: bool) -> None:
        if is_retained and (self._is_over(wish.until) or self._is_set(circuit, wish)):
            return  # heeded before we were last started
        await self._operations.set_circuit_limit(
            circuit,
            wish.limit_a,
            reason=wish.reason,
            until=wish.until,
            source=LimitSource.MQTT,
            caller=CALLER,
        )

    def _is_over(self, until: datetime | None) -> bool:
        return until is not None and until <= self._now_utc()

    def _is_set(self, circuit: str, wish: LimitWish) -> bool:
        return any(
            (limit.limit_a, limit.reason, limit.until) == (wish.limit_a, wish.reason, wish.until)
            for limit in self._operations.circuit_limits()
            if limit.circuit == circuit and limit.source == LimitSource.MQTT
        )

    def _note_outage(self, reason: BaseException) -> None:
        if self._away_since is None:
            log.warning('mqtt.lost broker=%s reason="%s"', self._broker, reason)
            self._away_since = self._now()
            self._on_outage(f"MQTT broker away: {reason}")

    def _note_return(self) -> None:
        if self._away_since is None:
            log.info("mqtt.connected broker=%s", self._broker)
        else:
            silent_s = self._now() - self._away_since
            log.info("mqtt.back broker=%s silent_s=%.0f", self._broker, silent_s)
            self._on_outage(None)
        self._away_since = None
        self._retry_s = self._pace.first_retry_s


async def run_mqtt(
    site: Site,
    state: SiteState,
    operations: Operations,
    now: Callable[[], float],
    now_utc: Callable[[], datetime],
    *,
    on_outage: Callable[[str | None], None] = lambda reason: None,
) -> None:
    """Keep a site that has a broker on it, until cancelled; see `SiteOnMqtt`."""
    if site.mqtt is not None:
        await SiteOnMqtt(site.mqtt, state, operations, now, now_utc, on_outage=on_outage).run()


def _is_cancelled() -> bool:
    """Whether the running task was cancelled, even if somebody on the way swallowed it.

    `asyncio.wait_for` of Python 3.11, in which aiomqtt waits for the broker, does so when the
    awaited answer and the cancellation meet.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended, see `_is_cancelled`."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=0.1)
