"""Which frames of the trace somebody wants to see, and what of them he may. Pure.

Passwords and keys are shown to nobody. Drivers' tokens are shortened to their last four characters
for whoever may only look, and not found by what was left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gateway.operations import TraceEntry, TraceQuery

HINT_LENGTH = 4

_HEAD = re.compile(r'\s*\[\s*(\d)\s*,\s*"([^"\\]*)"\s*(?:,\s*"([^"\\]*)")?')
_TEXT = r'"(?:[^"\\]|\\.)*"'
SECRETS = ("AuthorizationKey", "BasicAuthPassword")
_VALUE = re.compile(rf'("(?:value|attributeValue)"\s*:\s*){_TEXT}')
_PASSWORD = re.compile(
    rf'("(?:basicAuthPassword|identityPassword|apnPassword|password|simPin)"\s*:\s*)(?:{_TEXT}|\d+)'
)
_VPN_KEY = re.compile(rf'("key"\s*:\s*){_TEXT}')
_LOGIN = re.compile(r'(://)[^/"\s@]*@')
_TOKEN = re.compile(
    r'("(?:idTag|parentIdTag|idToken|additionalIdToken)"\s*:\s*")((?:[^"\\]|\\.)*)"'
)


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame begins with."""

    kind: int
    """2: CALL, 3: CALLRESULT, 4: CALLERROR."""
    unique_id: str
    word: str
    """A CALL's action, a CALLERROR's code; empty where there is none."""


def head_of(text: str) -> FrameHead | None:
    """Return what a frame begins with, without parsing the rest; None: it is no frame."""
    found = _HEAD.match(text)
    return None if found is None else FrameHead(int(found[1]), found[2], found[3] or "")


def shown(entry: TraceEntry, *, has_tokens: bool) -> TraceEntry:
    """Return the entry as it may be seen."""
    frame = _without_secrets(entry.frame)
    if not has_tokens and ("idTag" in frame or "IdTag" in frame or "Token" in frame):
        frame = _TOKEN.sub(_hint, frame)
    return entry if frame is entry.frame else replace(entry, frame=frame)


def wanted(
    query: TraceQuery, rings: Iterable[Iterable[TraceEntry]], entries: Iterable[TraceEntry]
) -> Iterator[TraceEntry]:
    """Yield of the entries those that are asked for, as they may be seen.

    `rings`: all frames in which an answer may have its CALL.
    """
    text = query.text.casefold()
    # What is not in the whole frame is not in what is shown of it, and masking takes longest.
    is_told_whole = "*" not in text
    calls = None if query.action is None else set(_calls(query.action.casefold(), rings))
    for entry in entries:
        if (
            query.direction not in (None, entry.direction)
            or (query.since is not None and entry.at < query.since)
            or (query.until is not None and entry.at >= query.until)
            or (calls is not None and _conversation(entry) not in calls)
            or (text and is_told_whole and text not in entry.frame.casefold())
        ):
            continue
        seen = shown(entry, has_tokens=query.has_tokens)
        if text in seen.frame.casefold():
            yield seen


def _calls(action: str, rings: Iterable[Iterable[TraceEntry]]) -> Iterator[tuple[str, str]]:
    for entries in rings:
        for entry in entries:
            head = head_of(entry.frame)
            if head is not None and head.kind == 2 and head.word.casefold() == action:
                yield entry.station_id, head.unique_id


def _conversation(entry: TraceEntry) -> tuple[str, str] | None:
    head = head_of(entry.frame)
    return None if head is None else (entry.station_id, head.unique_id)


def since_only(query: TraceQuery, newest_first: Iterable[TraceEntry]) -> Iterator[TraceEntry]:
    """Yield what is not older than what is asked for."""
    for entry in newest_first:
        if query.since is not None and entry.at < query.since:
            return
        yield entry


def _without_secrets(frame: str) -> str:
    """Mask every value of a frame that names a secret: whichever of them it is, it stays ours."""
    if any(secret in frame for secret in SECRETS):
        frame = _VALUE.sub(r'\1"***"', frame)
    if "assword" in frame or "simPin" in frame:
        frame = _PASSWORD.sub(r'\1"***"', frame)
    if '"vpn"' in frame:
        frame = _VPN_KEY.sub(r'\1"***"', frame)
    if "://" in frame:
        frame = _LOGIN.sub(r"\1***@", frame)
    return frame


def _hint(found: re.Match[str]) -> str:
    value = found[2]
    return f'{found[1]}***{value[-HINT_LENGTH:] if len(value) > HINT_LENGTH else ""}"'
