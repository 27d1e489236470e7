"""How soon an address may try another token, after wrong ones. Pure; `now` is monotonic seconds.

A few mistakes are free; each one more doubles the wait, up to a minute: 1,500 guesses a day. While
an address waits, its right token is not looked at either: else guessing would cost nothing. An
IPv6 network counts as one address, because whoever has one has all of it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

FREE = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
FORGOTTEN_AFTER_S = 900.0
"""Without a wrong token an address is as good as any other."""
MOST_ADDRESSES = 1000
"""Remembered; of more than that the one that has been quiet for longest is forgotten."""
NETWORK_GROUPS = 4
"""Of an IPv6 address: a /64."""


@dataclass(slots=True)
class _Record:
    wrong: int = 0
    at: float = 0.0
    """Of the last wrong one."""


class Guesses:
    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """Return how long until the address may try again; 0: now."""
        record = self._records.get(_network(address))
        if record is None or record.wrong < FREE or now - record.at > FORGOTTEN_AFTER_S:
            return 0.0
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (record.wrong - FREE))
        return max(0.0, record.at + wait_s - now)

    def wrong(self, address: str, now: float) -> None:
        """Count a token that nobody has."""
        network = _network(address)
        record = self._records.setdefault(network, _Record())
        if now - record.at > FORGOTTEN_AFTER_S:
            record.wrong = 0
        record.wrong, record.at = record.wrong + 1, now
        self._records.move_to_end(network)
        if len(self._records) > MOST_ADDRESSES:
            self._records.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return ":".join(parsed.exploded.split(":")[:NETWORK_GROUPS])
    return str(parsed)
