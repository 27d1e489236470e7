"""Which event a station has told before. Pure.

A station that did not get our answer says the same again, and 1.6 as well as 2.0.1 make it do so
until it is answered. It has one unanswered CALL, so the last event of each station is enough to
know after a restart; some more are remembered for those that lose count.
"""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b

from gateway.events import MetersSampled, StatusChanged, TransactionChanged
from gateway.writes import SaveSetting

HEARD = "heard/"
"""Prefix of the settings that keep the fingerprint of each station's last event."""
FINGERPRINTS_PER_STATION = 32

TransactionEvent = TransactionChanged | MetersSampled | StatusChanged


class Heard:
    """The fingerprints of what each station told last."""

    def __init__(self, kept: Iterable[SaveSetting]) -> None:
        self._by_station: dict[str, dict[str, None]] = {}
        """Dictionaries as ordered sets, the last told at the end."""
        for setting in kept:
            if setting.key.startswith(HEARD):
                self.remember(setting.key.removeprefix(HEARD), setting.value)

    def __contains__(self, told: tuple[str, str | None]) -> bool:
        station_id, seen = told
        return seen in self._by_station.get(station_id, ())

    def is_last(self, station_id: str, seen: str) -> bool:
        """Whether it is the one that is kept on disk."""
        return next(reversed(self._by_station[station_id])) == seen

    def remember(self, station_id: str, seen: str) -> None:
        heard = self._by_station.setdefault(station_id, {})
        heard.pop(seen, None)
        heard[seen] = None
        if len(heard) > FINGERPRINTS_PER_STATION:
            del heard[next(iter(heard))]


def to_keep(station_id: str, seen: str) -> SaveSetting:
    """Return what makes it known after a restart."""
    return SaveSetting(HEARD + station_id, seen)


def fingerprint(event: TransactionEvent) -> str | None:
    """Return what only a retransmission shares: all it says, but for `offline` (E11.FR.07).

    seqNo alone is no key: there are stations that always send 0.
    """
    if isinstance(event, StatusChanged):
        return None
    words: list[object] = [type(event).__name__, event.transaction_id, event.evse_id]
    if isinstance(event, TransactionChanged):
        words += (
            event.event_type,
            event.told_at,
            event.seq_no,
            event.trigger_reason,
            event.charging_state,
            event.register_wh,
            event.id_token.value if event.id_token else None,
        )
    shift = timedelta(seconds=event.clock_shift_s)  # it differs from one arrival to the next
    for value in event.meter_values:
        words.append(value.at - shift if shift else value.at)
        words += [sample.value for sample in value.samples]
    return blake2b("|".join(map(str, words)).encode(), digest_size=12).hexdigest()
