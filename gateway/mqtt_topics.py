"""What the gateway says over MQTT and where: topics and payloads below `<prefix>/<site>/`.

Pure. A name from the site file becomes one topic level whatever it contains: `/`, `+`, `#` and `%`
are written as %2F, %2B, %23 and %25. Payloads are the parts of `GET /api/v1/site`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gateway.site_state import SiteState, snapshot

ONLINE, OFFLINE = "online", "offline"

PARTS = ("meters", "circuits", "stations")
AGEING = frozenset({"age_s", "oldest_age_s", "drain_s", "since", "wait_s"})
"""Keys that grow by themselves: no reason to publish anew."""

Messages = dict[str, dict[str, Any]]
"""Topic -> JSON object."""


class Topics:
    """The topics of one site."""

    def __init__(self, prefix: str, site_id: str, circuits: Iterable[str]) -> None:
        self._base = f"{prefix.strip('/')}/{_level(site_id)}"
        self.availability = f"{self._base}/availability"
        self.wishes = f"{self._base}/circuits/+/limit/set"
        """Filter of every wish to limit a circuit."""
        self.dimming = f"{self._base}/grid_operator/limit/set"
        """The grid operator's wish to dim the charge points."""
        self.heartbeat = f"{self._base}/grid_operator/heartbeat"
        self.parts = tuple(f"{self._base}/{part}/+" for part in PARTS)
        """Filters of what is said about each meter, circuit and station."""
        self._circuits = {self.wish(circuit): circuit for circuit in circuits}

    def wish(self, circuit: str) -> str:
        return f"{self._base}/circuits/{_level(circuit)}/limit/set"

    def circuit_of(self, wish_topic: str) -> str | None:
        """Return the circuit a wish is for; None: there is none of that name."""
        return self._circuits.get(wish_topic)

    def error_of(self, wish_topic: str) -> str:
        """Return where it is said why a wish was refused."""
        return wish_topic.removesuffix("/set") + "/error"

    def is_part(self, topic: str) -> bool:
        """Whether the topic is one of a meter, circuit or station, be it of this site or not."""
        head, _, name = topic.rpartition("/")
        return bool(name) and any(head == part.removesuffix("/+") for part in self.parts)

    def of(self, part: str, name: str | None = None) -> str:
        return f"{self._base}/{part}" if name is None else f"{self._base}/{part}/{_level(name)}"


def messages(
    state: SiteState, topics: Topics, health: Mapping[str, Any], now: float, now_utc: datetime
) -> Messages:
    """Return everything that is published and retained about the site."""
    seen = snapshot(state, now, now_utc)
    told: Messages = {
        topics.of("site"): {"site": seen["site"], "cloud": seen["cloud"], "health": dict(health)}
    }
    for part in PARTS:
        for name, payload in seen[part].items():
            told[topics.of(part, name)] = payload
    for name, circuit in state.circuits.items():
        told[topics.of("circuits", name)]["limited_by"] = circuit.limited_by
    return told


def topics_of_parts(state: SiteState, topics: Topics) -> set[str]:
    """Return the topics of the meters, circuits and stations that the site has."""
    names: tuple[Iterable[str], ...] = (state.meters, state.circuits, state.stations)
    return {topics.of(part, name) for part, own in zip(PARTS, names, strict=True) for name in own}


def without_ages(payload: Any) -> Any:
    """Return the payload without what changes by itself, to see whether anything else did."""
    if isinstance(payload, dict):
        return {key: without_ages(value) for key, value in payload.items() if key not in AGEING}
    return payload


def _level(name: str) -> str:
    for character in "%/+#\0":
        name = name.replace(character, f"%{ord(character):02X}")
    return name
