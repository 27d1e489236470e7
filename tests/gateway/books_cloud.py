"""A strict cloud on paper: what it may be told, and the books it keeps of what it took.

Every figure a station tells is a number of its own (a `fact`), so that a message can be read back:
which facts it carries says which rows it was made of, whatever the version and however merged.
"""

from dataclasses import dataclass, field
from itertools import count

import orjson

from gateway.ocpp.schemas import validate_request

BILLING = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}
V16 = "ocpp1.6"


@dataclass(frozen=True)
class Said:
    """What a billing message of either version says."""

    kind: str
    """start, sample or stop."""
    facts: tuple[int, ...]
    place: int
    """EVSE upstream; 0: a StopTransaction, which has none."""
    name: str | None
    """What it calls the transaction; None: a StartTransaction, or values outside of one."""
    seq_no: int | None = None


def said(action, payload) -> Said:
    values = [
        int(float(sample["value"]))
        for key in ("meterValue", "transactionData")
        for value in payload.get(key, ())
        for sample in value["sampledValue"]
    ]
    facts = tuple(dict.fromkeys(values))
    match action:
        case "StartTransaction":
            return Said("start", (payload["meterStart"],), payload["connectorId"], None)
        case "StopTransaction":
            assert set(facts) <= {payload["meterStop"]}
            return Said("stop", (payload["meterStop"],), 0, str(payload["transactionId"]))
        case "MeterValues" if "connectorId" in payload:
            name = payload.get("transactionId")
            name = None if name is None else str(name)
            return Said("sample", facts, payload["connectorId"], name)
        case "MeterValues":
            return Said("sample", facts, payload["evseId"], None)
        case _:
            kind = {"Started": "start", "Updated": "sample", "Ended": "stop"}[payload["eventType"]]
            name = payload["transactionInfo"]["transactionId"]
            return Said(kind, facts, payload["evse"]["id"], name, payload["seqNo"])


@dataclass
class Copy:
    """A message that may have been processed before, as it left."""

    version: str
    text: bytes
    facts: tuple[int, ...]
    is_numbered: bool


@dataclass
class CloudBooks:
    """What the cloud has taken; facts in the order in which it took them first."""

    taken: dict[int, Said] = field(default_factory=dict)
    doubtful: dict[int, Copy] = field(default_factory=dict)
    """By fact: the message that got no answer; what leaves next with this fact is that message."""
    ids: set[str] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    """The start that a transaction's name means: the number given in 1.6, the UUID in 2.0.1."""
    starts: dict[bytes, int] = field(default_factory=dict)
    """Numbers given, by the text of the StartTransaction."""
    seq_nos: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    """The facts each number of a transaction was used for, as far as taken."""
    is_certain: bool = True
    """Whatever was said has been answered: then no seqNo is ever left out."""
    numbers: count = field(default_factory=lambda: count(-1))

    def arrived(self, version, action, payload, unique_id) -> None:
        """Judge what may arrive at all."""
        assert validate_request(version, action, payload) is None, (action, payload)
        assert unique_id not in self.ids, "a message id was used twice"
        self.ids.add(unique_id)
        if action not in BILLING:
            return
        text = orjson.dumps([action, payload])
        for fact in said(action, payload).facts:
            copy = self.doubtful.get(fact)
            if copy is not None and copy.version == version:
                assert text == copy.text, "a retransmission is not byte-identical"

    def doubt(self, version, action, payload) -> None:
        """It gets no answer: it may have been processed or not."""
        if action in BILLING:
            told = said(action, payload)
            copy = Copy(version, orjson.dumps([action, payload]), told.facts, bool(told.seq_no))
            self.doubtful |= dict.fromkeys(told.facts, copy)

    def refused(self, action, payload, *, is_final: bool) -> None:
        if action in BILLING and is_final:
            self.forget(said(action, payload).facts)

    def forget(self, facts) -> None:
        """They may be told anew, in other words: a person or a split has decided so."""
        for fact in facts:
            self.doubtful.pop(fact, None)

    def take(self, version, action, payload, verdict="Accepted"):
        """Process it, once however often it comes; return the answer."""
        if action not in BILLING:
            return _courtesy(action)
        told = said(action, payload)
        is_new = not set(told.facts) <= self.taken.keys()
        if is_new:
            assert not set(told.facts) & self.taken.keys() or told.kind == "sample"
        for fact in told.facts:
            self.taken.setdefault(fact, told)
        if told.seq_no is not None:
            used_for = self.seq_nos.setdefault((told.name, told.seq_no), told.facts)
            assert used_for == told.facts, "a seqNo was used for two events"
            if self.is_certain:
                assert told.seq_no == 0 or (told.name, told.seq_no - 1) in self.seq_nos
        if action == "StartTransaction":
            text = orjson.dumps([action, payload])
            is_repeated = text in self.starts
            number = self.starts.setdefault(text, next(self.numbers) if not is_repeated else 0)
            number = self.starts[text]
            self.names[str(number)] = told.facts[0]
            status = "ConcurrentTx" if is_repeated else verdict
            return {"transactionId": number, "idTagInfo": {"status": status}}
        if told.kind == "start":
            self.names[told.name] = told.facts[0]
        if action in {"StopTransaction", "MeterValues"}:
            return {}
        return {"idTokenInfo": {"status": verdict}} if "idToken" in payload else {}


def _courtesy(action):
    at = "2026-11-22T18:00:00Z"
    return {
        "BootNotification": {"status": "Accepted", "currentTime": at, "interval": 86400},
        "Heartbeat": {"currentTime": at},
    }.get(action, {})
