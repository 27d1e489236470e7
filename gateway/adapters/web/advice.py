"""What to do about each reason why the site is degraded: one line below it on the page. Pure.

The runbook says more. What costs money or safety at once comes first, and is red.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Advice(NamedTuple):
    tone: str
    text: str


BY_KIND = {
    "store": Advice(
        "bad",
        "At once: make room on the gateway's disk, or have it replaced. Cars charge within their "
        "limits, but nothing billed is taken from the stations until the disk takes it again.",
    ),
    "damage": Advice(
        "bad",
        "Read the report beside the data file, compare the transactions with the cloud's, then "
        "remove the report.",
    ),
    "lane": Advice("bad", "Back up the data directory, then ask for help: others are delivered."),
    "storage": Advice(
        "warn",
        "Bring the cloud back, or make room and raise the bounds in the site file. What is billed "
        "is kept; near the bound meter values in between are thinned.",
    ),
    "quarantine": Advice(
        "warn", "Tab Cloud: read what the cloud said, then mend, retry or discard each."
    ),
    "cloud": Advice(
        "warn",
        "Cars charge, and what is billed waits on disk. Look at the site's internet connection, "
        "then ask the cloud's operator.",
    ),
    "stations": Advice("warn", "Look at their power and network; what they may draw is reserved."),
    "meter": Advice("warn", "Look at its power, cable and address; limits are safe until then."),
    "meter_doubt": Advice("warn", "Compare it with its display, its wiring and its transformers."),
    "safe_default": Advice(
        "warn",
        "Pull the gateway's cable while a car charges there, and see whether it falls; if not, "
        "lower the station's own maximum.",
    ),
    "profile_writes": Advice(
        "warn", "Limits change too often for flash memory: raise csms.limit_refresh_s."
    ),
    "clock": Advice("warn", "Look at the gateway's time server; times are never changed silently."),
    "backup": Advice("warn", "Look at the room and the rights of the place where backups go."),
    "mqtt": Advice("warn", "Look at the broker and its address in the site file."),
    "web": Advice("warn", "Look at web.listen and web.tls in the site file."),
}
"""By the first word of a problem's kind: `meter` of `meter.grid`."""
OTHERWISE = Advice("warn", "")


def banner(problems: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what is wrong with what to do, the worst first."""
    lines = []
    for kind, reason in problems.items():
        advice = BY_KIND.get(kind.partition(".")[0], OTHERWISE)
        lines.append({"text": reason, "advice": advice.text, "tone": advice.tone})
    return sorted(lines, key=lambda line: line["tone"] != "bad")
