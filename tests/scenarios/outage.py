"""A cloud that is away for hours, with all stations charging; time compressed.

The gateway is the real one with its real database. Its stations are of paper: their calls enter
where the socket ends, at the desk, a minute of the site at a time, and they keep their own books.
Then the strict cloud listens again and everything is delivered over a real socket.

Only one CALL may be unanswered, so the way to the cloud and back costs its whole time for each:
a drain at a round trip of r takes what it takes on loopback, plus r for each CALL. `is_real`
waits it out instead.
"""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.adapters.store import open_store
from gateway.app import DATABASE, run
from gateway.simulation.cloud import Cloud
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.instants import write_instant
from gateway.simulation.samples import Sample, meter_value_16, meter_value_201
from gateway.writes import SaveSetting
from site_config.model import Site

PATIENCE_S = 600.0
MINUTE_S = 60.0
SAMPLES_WH = 183
"""What a car takes in a minute at 11 kW."""
BILLING = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}
SETTINGS = {
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": "0",
    "OCPPCommCtrlr.RetryBackOffRandomRange": "1",
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": "1",
}
"""So that nobody waits for a minute after the cloud is back."""


@dataclass
class Figures:
    """What an outage costs; `differences` must be empty."""

    accepted: int = 0
    """Billable messages of stations, each answered and on disk."""
    rows: int = 0
    megabytes: float = 0.0
    calls: int = 0
    """That carried them to the cloud."""
    values: int = 0
    """Instants that were sampled in them, without those of a start or an end."""
    value_calls: int = 0
    """CALLs that carried these."""
    own_s: float = 0.0
    """From the first of these CALLs to an empty outbox, without the way to the cloud."""
    drain_s: float = 0.0
    rtt_s: float = 0.0
    fill_s: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def values_per_call(self):
        return self.values / max(self.value_calls, 1)

    @property
    def pace(self):
        """CALLs a second, as a share of what the round trip allows."""
        return self.calls * self.rtt_s / self.drain_s


class Clock:
    """The clock on the site's wall, turned by hand."""

    def __init__(self):
        self.now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


class PaperStation:
    """One charging station with one EVSE, that charges car after car."""

    def __init__(self, number, answer):
        self.identity, self.cloud_evse = f"CP-{number:03}", number
        self.version = ("ocpp1.6", "ocpp2.0.1")[number % 2]
        self.billed = []
        """(token, start, start Wh, end, end Wh) of each transaction."""
        self.sampled = []
        """(instant, Wh) of each value, in order."""
        self.answered = 0
        self._answer = answer
        self._register_wh = 1000 * number
        self._begun = None
        self._number = None
        self._seq_no = 0

    async def minute(self, at, minute, visit_minutes):
        """Live through a minute: begin, tell a value, or end."""
        place = minute % visit_minutes
        if place == 1:
            await self._begin(at)
        elif place == 0 and self._begun is not None:
            await self._end(at)
        elif self._begun is not None:
            await self._sample(at)

    async def leave(self, at):
        if self._begun is not None:
            await self._end(at)

    async def _begin(self, at):
        token = f"T{self.cloud_evse}-{len(self.billed)}"
        self._begun = (token, at, float(self._register_wh))
        if self.version == "ocpp1.6":
            answer = await self._say(
                "StartTransaction",
                connectorId=1,
                idTag=token,
                meterStart=self._register_wh,
                timestamp=write_instant(at),
            )
            self._number = answer["transactionId"]
            return
        self._number, self._seq_no = f"{self.identity}-{len(self.billed)}", 0
        id_token = {"idToken": token, "type": "Central"}
        evse = {"id": 1, "connectorId": 1}
        await self._event(
            "Started", "Authorized", at, "Transaction.Begin", idToken=id_token, evse=evse
        )

    async def _sample(self, at):
        self._register_wh += SAMPLES_WH
        self.sampled.append((at, float(self._register_wh)))
        if self.version == "ocpp1.6":
            value = meter_value_16(self._read(), write_instant(at), "Sample.Periodic")
            await self._say(
                "MeterValues", connectorId=1, transactionId=self._number, meterValue=[value]
            )
            return
        await self._event("Updated", "MeterValuePeriodic", at, "Sample.Periodic")

    async def _end(self, at):
        token, began_at, began_wh = self._begun
        self.billed.append((token, began_at, began_wh, at, float(self._register_wh)))
        self._begun = None
        if self.version == "ocpp1.6":
            await self._say(
                "StopTransaction",
                transactionId=self._number,
                meterStop=self._register_wh,
                timestamp=write_instant(at),
                reason="EVDisconnected",
            )
            return
        await self._event("Ended", "EVCommunicationLost", at, "Transaction.End")

    async def _event(self, kind, trigger, at, context, **more):
        await self._say(
            "TransactionEvent",
            eventType=kind,
            timestamp=write_instant(at),
            triggerReason=trigger,
            seqNo=self._seq_no,
            transactionInfo={"transactionId": self._number},
            meterValue=[meter_value_201(self._read(), write_instant(at), context)],
            **more,
        )
        self._seq_no += 1

    async def _say(self, action, **payload):
        answer = await self._answer(self.identity, self.version, action, payload)
        self.answered += 1
        return answer

    def _read(self):
        """Return twelve values, as talkative stations send them."""
        found = [
            Sample("Energy.Active.Import.Register", self._register_wh, "Wh"),
            Sample("Power.Active.Import", 11_000 + self._register_wh % 90, "W"),
            Sample("SoC", 20 + self._register_wh % 70, "Percent"),
        ]
        for n in (1, 2, 3):
            digit = (self._register_wh // n) % 10
            found += [
                Sample("Current.Import", 15.9 + digit / 100, "A", f"L{n}"),
                Sample("Voltage", 229 + digit / 10, "V", f"L{n}-N"),
                Sample("Power.Active.Import", 3660.0 + digit, "W", f"L{n}"),
            ]
        return found


class Outage:
    """The site during and after it."""

    def __init__(self, gateway, cloud, clock, database, evses):
        self.gateway, self.cloud, self.clock, self.database = gateway, cloud, clock, database
        self.stations = [PaperStation(number + 1, gateway.desk.answer) for number in range(evses)]
        self.figures = Figures()

    async def endure(self, hours, visit_minutes):
        """Let the site go on without its cloud."""
        began = time.perf_counter()
        for minute in range(round(hours * 60)):
            self.clock.now += timedelta(seconds=MINUTE_S)
            await self._each(lambda s, m=minute: s.minute(self.clock.now, m, visit_minutes))
        self.clock.now += timedelta(seconds=MINUTE_S)
        await self._each(lambda station: station.leave(self.clock.now))
        self.figures.fill_s = time.perf_counter() - began
        self.figures.accepted = sum(station.answered for station in self.stations)
        self.figures.rows = self.gateway.outbox.depth().pending
        files = (self.database, self.database.with_name(self.database.name + "-wal"))
        self.figures.megabytes = sum(f.stat().st_size for f in files if f.exists()) / 1e6

    async def _each(self, live):
        await asyncio.gather(*(live(station) for station in self.stations))

    async def drain(self, rtt_s, *, is_real):
        """Let the cloud return, and wait until it has everything."""
        self.cloud.behaviour.latency_s = rtt_s if is_real else 0.0
        await self.cloud.come_back()
        await self.cloud.until(lambda: any(self._billing()), PATIENCE_S)
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S * (4 if is_real else 1)):
            while self.gateway.outbox.depth().pending:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.002)
        seconds = time.perf_counter() - began
        self._count(seconds, rtt_s, is_real)

    def _billing(self):
        return (call for call in self.cloud.heard if call.action in BILLING)

    def _count(self, seconds, rtt_s, is_real):
        figures, counts = self.figures, [_values_in(call) for call in self._billing()]
        figures.calls, figures.rtt_s = len(counts), rtt_s
        figures.values, figures.value_calls = sum(counts), sum(map(bool, counts))
        way_s = len(self.cloud.heard) * rtt_s
        figures.own_s = seconds - (way_s if is_real else 0.0)
        figures.drain_s = seconds if is_real else seconds + way_s
        figures.differences = self._differences()

    def _differences(self):
        found = [f"violation: {v.action} {v.sentence}" for v in self.cloud.violations]
        found += [f"complaint: {complaint.text}" for complaint in self.cloud.complaints]
        for station in self.stations:
            booked = [t for t in self.cloud.transactions if t.evse_id == station.cloud_evse]
            billed = [(t.id_token, t.started_at, t.start_wh, t.ended_at, t.stop_wh) for t in booked]
            if billed != station.billed:
                found.append(f"{station.identity}: {len(billed)} bills differ")
            edges = {edge for bill in station.billed for edge in ((bill[1], bill[2]), bill[3:])}
            told = [reading for t in booked for reading in t.readings if reading not in edges]
            if told != [reading for reading in station.sampled if reading not in edges]:
                lost = Counter(station.sampled) - Counter(told)
                found.append(f"{station.identity}: values differ, {len(lost)} are missing")
        return found


def _values_in(call):
    if call.payload.get("eventType", "Updated") != "Updated":
        return 0
    return len(call.payload.get("meterValue", ()))


def _site(cloud, evses):
    return Site.model_validate(
        {
            "site": {"id": "depot", "name": "Depot"},
            "cloud": {"url": cloud.url, "identity": "DEPOT", "offline_unknown_tokens": "accept"},
            "csms": {"listen": "127.0.0.1:0"},
            "circuits": {"grid": {"rating_a": 32 * evses}},
            "stations": {
                f"CP-{number:03}": {
                    "circuit": "grid",
                    "safe_current_a": 6,
                    "evses": {1: {"cloud_evse": number}},
                }
                for number in range(1, evses + 1)
            },
        }
    )


@asynccontextmanager
async def outage(folder, version, *, evses):
    """A running gateway whose cloud, of `version`, has just gone."""
    store = await open_store(folder / DATABASE)
    await store.commit([SaveSetting(*setting) for setting in SETTINGS.items()])
    await store.close()
    clock, stop, built = Clock(), asyncio.Event(), asyncio.get_running_loop().create_future()
    behaviour = CloudBehaviour(evse_count=evses)
    async with Cloud(protocols=[version], behaviour=behaviour, wall_clock=clock) as cloud:
        await cloud.go_away()
        listening = asyncio.Event()
        running = asyncio.create_task(
            run(
                _site(cloud, evses),
                folder,
                stop=stop,
                on_built=built.set_result,
                on_listening=lambda _: listening.set(),
                wall_clock=clock,
            )
        )
        try:
            await asyncio.wait({running, built}, return_when=asyncio.FIRST_COMPLETED)
            await listening.wait()
            yield Outage(built.result(), cloud, clock, folder / DATABASE, evses)
        finally:
            stop.set()
            await running
