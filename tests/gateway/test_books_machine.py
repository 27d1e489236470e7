"""The model check: whatever happens, the cloud's books become those of the stations.

A station's word counts once it is acknowledged. From then on it is with the cloud, in the outbox,
or in quarantine; never gone, never twice, never out of order. A few hundred steps in every run;
`SITE_GATEWAY_MODEL_EXAMPLES=100000` makes it hours.
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.batches import PERMANENT_ERRORS
from gateway.events import (
    EventType,
    MetersSampled,
    MeterValue,
    SampledValue,
    TransactionChanged,
)
from gateway.station_events import StopAtStation
from gateway.writes import Release
from tests.gateway.books_cloud import BILLING, CloudBooks, said
from tests.gateway.books_world import CARD, T0, V16, V201, VERSIONS, World, at_once

ASKED = os.environ.get("SITE_GATEWAY_MODEL_EXAMPLES")
EXAMPLES = int(ASKED or 100)
STEPS = 50
FATES = st.sampled_from(
    [
        *("Accepted",) * 5,
        "Blocked",
        "FormatViolation",
        "InternalError",
        "lost",
        "lost, processed",
        "silent",
        "silent, processed",
        "too big",
    ]
)
WISHES = st.sampled_from(["sample", "sample", "sample", "stop"])

PLACES = (("A", 1), ("B", 1), ("B", 2))
UPSTREAM = {("A", 1): 1, ("B", 1): 2, ("B", 2): 3}


def _step(name, *how):
    return st.tuples(st.just(name), *how)


_SPEAKS = _step(
    "a_station_speaks",
    st.sampled_from(PLACES),
    st.lists(WISHES, min_size=1, max_size=5),
)
_DEALS = _step("the_cloud_deals", st.lists(FATES, min_size=1, max_size=6))
_WEIGHTS = {
    _SPEAKS: 6,
    _DEALS: 6,
    _step("a_station_repeats_itself", st.sampled_from(["A", "B"])): 2,
    _step("the_disk_writes", st.sampled_from([0, 0, 0, 1, 2, 4])): 3,
    _step("the_disk_is_full"): 1,
    _step("the_power_goes", st.integers(0, 3), st.sampled_from([False, False, True])): 1,
    _step("time_passes", st.sampled_from([1.0, 10.0, 30.0])): 3,
    _step("the_cloud_connects", st.sampled_from([None, None, None, None, V16, V201])): 6,
    _step("the_link_is_lost"): 1,
    _step("a_person_decides", st.booleans(), st.integers(0, 9)): 2,
}
STEP = st.sampled_from([step for step, weight in _WEIGHTS.items() for _ in range(weight)]).flatmap(
    lambda step: step
)
"""What may happen next; what cannot is passed over."""


@dataclass
class Word:
    """What a station says, until it is acknowledged."""

    place: tuple[str, int]
    kind: str
    fact: int
    event: object
    transaction: "Charging"


@dataclass
class Charging:
    """A transaction as its station sees it."""

    place: tuple[str, int]
    name: str | None = None
    """None: a 1.6 station has not been told yet."""
    words: list[Word] = field(default_factory=list)
    """Acknowledged, in order."""
    is_over: bool = False


class BooksMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = World()
        self.cloud = CloudBooks()
        self.version = V201
        self.fact = 0
        self.charging: dict[tuple[str, int], Charging] = {}
        self.transactions: list[Charging] = []
        self.saying: dict[str, tuple[Word, object]] = {}
        """By station: its unanswered word, and the program's work on it (None: it is lost)."""
        self.last: dict[str, Word] = {}
        self.by_fact: dict[int, Word] = {}
        self.discarded: set[int] = set()
        self.ever_quarantined: set[int] = set()
        self.given: dict[int, str] = {}
        """By start: the number a 1.6 cloud has answered with."""
        self.was_blocked = False
        self.is_disk_slow = False

    # Stations.

    def _say(self, word):
        station_id = word.place[0]
        running = self.world.program.hear(station_id, word.event)
        self.world.settle()
        self.saying[station_id] = (word, running)
        self.world.look_again()
        self._go_on()

    def _hear(self):
        """Note what stations have been answered, and let a disk that is not slow write."""
        while self.world.program.commits and not self.is_disk_slow:
            self.world.disk_writes(1)
            self._cloud_hears()
        for station_id, (word, running) in [*self.saying.items()]:
            if running is None or not running.is_over:
                continue
            if running.error is not None:
                self.saying[station_id] = (word, None)
                continue
            del self.saying[station_id]
            self.last[station_id] = word
            transaction = word.transaction
            if word.kind == "start" and transaction.name is None:
                transaction.name = str(running.result.answer.transaction_number)
            if word not in transaction.words:
                transaction.words.append(word)
            if word.kind == "stop":
                transaction.is_over = True
                self.charging.pop(word.place, None)

    @initialize(version=st.sampled_from([V16, V201]), is_connected=st.booleans())
    def a_beginning(self, version, is_connected):
        self.version = version
        if is_connected:
            self.the_cloud_connects(None)

    def a_station_speaks(self, place, wishes):
        for wish in wishes:
            self._speak_of(place, wish)

    def _speak_of(self, place, wish):
        station_id, evse = place
        if station_id in self.saying:
            return
        self.fact += 1
        at = T0 + timedelta(seconds=self.fact)
        value = MeterValue(at, (SampledValue(str(self.fact), context="Sample.Periodic"),))
        transaction = self.charging.get(place)
        is_16 = VERSIONS[station_id] == V16
        if transaction is None:
            wish = "start"
            transaction = Charging(place, None if is_16 else f"{station_id}-{self.fact}")
            self.charging[place] = transaction
            self.transactions.append(transaction)
        if wish == "sample" and is_16:
            event = MetersSampled(evse, 1, (value,), transaction.name)
        else:
            kind, trigger = {
                "start": (EventType.STARTED, "Authorized"),
                "sample": (EventType.UPDATED, "MeterValuePeriodic"),
                "stop": (EventType.ENDED, "StopAuthorized"),
            }[wish]
            event = TransactionChanged(
                kind,
                at,
                transaction.name,
                trigger,
                0,
                evse_id=None if is_16 and wish == "stop" else evse,
                connector_id=1,
                id_token=CARD if wish == "start" else None,
                register_wh=float(self.fact) if is_16 else None,
                meter_values=() if is_16 else (value,),
                stopped_reason="Local" if wish == "stop" else None,
            )
        word = Word(place, wish, self.fact, event, transaction)
        self.by_fact[self.fact] = word
        self._say(word)

    def a_station_repeats_itself(self, station_id):
        if station_id not in self.saying:
            if station_id in self.last:
                self._say(self.last[station_id])
            return
        word, running = self.saying[station_id]
        if running is None:
            self._say(word)

    # The disk and the power.

    def the_disk_writes(self, count):
        """So many commits together; 0: one after the other as they come, until told otherwise."""
        self.is_disk_slow = count > 0
        if count:
            self.world.disk_writes(count)
        self._go_on()

    def the_disk_is_full(self):
        """One commit fails; the next are written again."""
        self.cloud.is_certain = False
        self.world.disk_writes(1, is_full=True)
        self._go_on()

    def the_power_goes(self, made, is_strict):
        self.cloud.is_certain = False
        made = min(made, len(self.world.program.commits))
        self._doubt_the_call()
        self.world.power_cut(commits_made=made, is_strict=is_strict)
        self.saying = {name: (word, None) for name, (word, _) in self.saying.items()}

    def time_passes(self, seconds):
        self.world.now += seconds
        self._go_on()

    # The cloud.

    def the_cloud_connects(self, version):
        if self.world.speaking is not None:
            return
        if version not in (None, self.version):
            self.version = version
            self.cloud.is_certain = False
            self.cloud.doubtful.clear()  # encoded anew for another version
        self.world.connect(self.version)
        self._go_on()

    def the_link_is_lost(self):
        if self.world.speaking is None:
            return
        self._doubt_the_call()
        self.cloud.is_certain = False
        self.world.drop()

    def the_cloud_deals(self, fates):
        for fate in fates:
            if self.world.call is not None:
                self._deal(fate)

    def _deal(self, fate):
        call, before = self.world.call, self._rows()
        match fate:
            case "Accepted" | "Blocked":
                self._answer(call, fate)
            case "FormatViolation" | "InternalError":
                self.cloud.is_certain &= fate in PERMANENT_ERRORS
                self.cloud.refused(call.action, call.payload, is_final=fate in PERMANENT_ERRORS)
                self.world.refuse(fate)
            case "too big":
                self.cloud.refused(call.action, call.payload, is_final=True)
                self.world.drop(is_too_big=True)
            case _:
                self.cloud.is_certain = False
                if "processed" in fate:
                    self._take(call)
                self._doubt_the_call()
                self.world.drop() if "lost" in fate else self.world.stay_silent()
        self._notice_splits(before)
        self._go_on()

    def _answer(self, call, verdict="Accepted"):
        self.was_blocked = self.was_blocked or verdict == "Blocked"
        answer = self._take(call, verdict)
        if call.action in BILLING:
            self.cloud.forget(said(call.action, call.payload).facts)
        if call.action == "StartTransaction":
            self.given[call.payload["meterStart"]] = str(answer["transactionId"])
        self.world.answer(answer)
        self._go_on()

    # People.

    def a_person_decides(self, is_retried, which):
        quarantined = at_once(self.world.disk.quarantined())
        if not quarantined:
            return
        found = quarantined[which % len(quarantined)]
        facts = _facts(found.row)
        self.cloud.forget(facts)
        if not is_retried:
            self.discarded |= set(facts)
        self.world.disk.write([[Release(found.row.id, is_retried)]])
        self.world.program.outbox.released(found.row, is_retried=is_retried)
        self._go_on()

    # Inside.

    def _go_on(self):
        """Let everybody go as far as he gets without the disk or the cloud."""
        self.world.look_again()
        self._hear()
        self.world.look_again()
        self._cloud_hears()
        self._hear()

    def _rows(self):
        return {row.id: row for row in self.world.disk.waiting()}

    def _doubt_the_call(self):
        """Its answer never comes. One that was only marked has perhaps left as well."""
        if (call := self.world.call) is not None:
            self.cloud.doubt(self.version, call.action, call.payload)

    def _notice_splits(self, before):
        """What was given up together, or put aside, is told in other words from now on."""
        while self.world.program.commits:
            self.world.disk_writes(1)
        after = self._rows()
        for row_id, row in before.items():
            now = after.get(row_id)
            lane = self.world.program.outbox._waits.lanes.get(row.lane)
            is_split = lane is not None and row_id <= lane.alone_through
            if now is None or is_split:
                ids = {row_id, *row.sent_with}
                self.cloud.forget(f for i in ids if i in before for f in _facts(before[i]))
        self._hear()

    def _cloud_hears(self):
        """Answer what is no billing at once; judge the rest as it arrives."""
        while (call := self.world.call) is not None:
            if call.unique_id in self.cloud.ids:
                return
            self.cloud.arrived(self.version, call.action, call.payload, call.unique_id)
            if call.action in BILLING:
                self._is_in_order(said(call.action, call.payload))
                return
            self.world.answer(self.cloud.take(self.version, call.action, call.payload))

    def _is_in_order(self, told):
        transactions = {self.by_fact[fact].transaction.place for fact in told.facts}
        [place] = transactions
        assert told.place in (0, UPSTREAM[place])
        first = min(self._rows_of(told.facts), default=None)
        assert first is not None, "what is not in the outbox was told"
        self._quarantine_seen()
        rows = self._rows()
        lane = rows[first].lane
        for row_id, row in rows.items():
            is_bound = row.lane == lane or "site" in (row.lane, lane)
            if row_id < first and is_bound:
                facts = set(_facts(row))
                assert facts <= self.cloud.taken.keys() | self.ever_quarantined, "out of order"
        if told.kind != "start":
            starts = {self.by_fact[fact].transaction.words[0].fact for fact in told.facts}
            [start] = starts
            assert start in self.cloud.taken or start in self.ever_quarantined
            if self.version == V16 and start in self.given and told.name is not None:
                assert told.name == self.given[start], "not the number the cloud gave"

    def _rows_of(self, facts):
        return [id_ for id_, row in self._rows().items() if set(facts) & set(_facts(row))]

    def _quarantine_seen(self):
        for found in at_once(self.world.disk.quarantined()):
            self.ever_quarantined |= set(_facts(found.row))

    def _take(self, call, verdict="Accepted"):
        return self.cloud.take(self.version, call.action, call.payload, verdict)

    # Laws.

    @rule(step=STEP)
    def something_happens(self, step):
        name, *how = step
        getattr(self, name)(*how)

    @invariant()
    def nothing_acknowledged_is_missing(self):
        self._quarantine_seen()
        on_disk = {fact for row in self.world.disk.waiting() for fact in _facts(row)}
        aside = {fact for q in at_once(self.world.disk.quarantined()) for fact in _facts(q.row)}
        for transaction in self.transactions:
            for word in transaction.words:
                places = (on_disk, aside, self.discarded, self.cloud.taken)
                assert any(word.fact in place for place in places), f"{word.kind} is lost"

    @invariant()
    def nobody_is_stopped_without_a_verdict(self):
        if not self.was_blocked:
            assert not [f for f in self.world.followups if isinstance(f, StopAtStation)]

    @invariant()
    def the_depth_is_what_waits(self):
        if self.world.program.commits:
            return
        depth = self.world.program.outbox.depth()
        confirmed = sum(
            len(write.row_ids)
            for write in self.world.program.speech._confirmations
            if hasattr(write, "row_ids")
        )
        assert depth.pending == len(self.world.disk.waiting()) - confirmed
        assert depth.quarantined == len(at_once(self.world.disk.quarantined()))

    def teardown(self):
        """A cloud that answers at last gets everything; then its books are the stations'."""
        try:
            self._deliver_everything()
            self._books_are_equal()
        finally:
            self.world.close()

    def _deliver_everything(self):
        for _ in range(400):
            while self.world.program.commits:
                self.the_disk_writes(4)
            for station_id in [*self.saying]:
                self.a_station_repeats_itself(station_id)
            if self.world.speaking is None:
                self.the_cloud_connects(None)
            elif self.world.call is not None:
                self._answer(self.world.call)
            elif not (self.world.disk.waiting() or self.saying or self.world.program.commits):
                return
            else:
                self.time_passes(30.0)
                self._cloud_hears()
        raise AssertionError("the outbox does not drain")

    def _books_are_equal(self):
        self.nothing_acknowledged_is_missing()
        self.the_depth_is_what_waits()
        aside = {fact for q in at_once(self.world.disk.quarantined()) for fact in _facts(q.row)}
        for transaction in self.transactions:
            expected = [word for word in transaction.words if word.fact not in self.discarded]
            for word in expected:
                if word.fact not in aside:
                    assert self.cloud.taken[word.fact].kind == word.kind
        told = {word.fact for transaction in self.transactions for word in transaction.words}
        assert self.cloud.taken.keys() <= told, "the cloud heard what no station said"


def _facts(row):
    """The figures of an event; one that was told at begin or end is a register too."""
    event = row.event
    facts = [int(float(s.value)) for value in event.meter_values for s in value.samples]
    if isinstance(event, TransactionChanged) and event.register_wh is not None:
        facts.append(int(event.register_wh))
    return tuple(dict.fromkeys(facts))


TestBooksAgainstTheModel = BooksMachine.TestCase
TestBooksAgainstTheModel.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not ASKED,  # the same steps in every run, unless somebody looks for more
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
