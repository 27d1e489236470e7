"""Who may charge: the cloud's local list and the cache of its verdicts, with and without the cloud.

Rule 1: the local list goes before the cache (1.6 §3.5.3, C13.FR.01); neither shares an entry.
Rule 2: a token known as Accepted is answered at once, whatever the cloud does (LocalPreAuthorize,
C12.FR.02, C14.FR.02). Any other is the cloud's question while it is there (C10.FR.03, C14.FR.03).
Rule 3: without the cloud, what is known not Accepted, or has expired, is refused; what is known to
nobody is the installer's choice (1.6 §3.5.4, C15.FR.08) and is not remembered (C15.FR.01).
Rule 4: a token is its text without case; the type says only how it was read.

A verdict is remembered at once and its write may be lost: it is only a memory. The list changes,
and the cache is cleared, when `take` is told that the writes are stored. Pure: `now_utc` is an
argument.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.commands import LocalListEntry, SendLocalList, StatusAnswer
from gateway.events import AuthorizationStatus, IdToken, IdTokenInfo
from gateway.records import KnownToken
from gateway.writes import ForgetTokens, ReplaceLocalList, SaveToken, Write
from site_config.links import UnknownTokens

CACHE_SIZE = 10_000
LOCAL_LIST_SIZE = 10_000
"""1.6 LocalAuthListMaxLength; 2.0.1 LocalAuthListCtrlr.Entries, maxLimit."""
UPDATE_SIZE = 1_000
"""1.6 SendLocalListMaxLength; 2.0.1 ItemsPerMessageSendLocalList."""

NO_AUTHORIZATION = "NoAuthorization"
"""Token type of a start by button: there is nobody to judge (2.0.1 IdTokenEnumType, C02)."""


class Source(StrEnum):
    """Where a verdict comes from."""

    LOCAL_LIST = "local list"
    CACHE = "cache"
    POLICY = "policy"
    """offline_unknown_tokens of the site file."""
    CLOUD = "cloud"
    """Only the cloud can say."""


@dataclass(frozen=True, slots=True)
class Verdict:
    info: IdTokenInfo | None
    """None: the cloud must be asked."""
    source: Source


@dataclass(frozen=True, slots=True)
class Policy:
    """How the verdicts are used; the cloud may change it while we run."""

    has_local_list: bool = True
    """1.6 LocalAuthListEnabled, 2.0.1 LocalAuthListCtrlr.Enabled."""
    has_cache: bool = True
    """1.6 AuthorizationCacheEnabled, 2.0.1 AuthCacheCtrlr.Enabled."""
    answers_at_once: bool = True
    """LocalPreAuthorize: what is known as Accepted needs no question while the cloud is there."""
    answers_offline: bool = True
    """LocalAuthorizeOffline; else nobody starts while the cloud is away."""
    accepts_unknown: bool = False
    """AllowOfflineTxForUnknownId: a token nobody knows may start while the cloud is away."""


class Authorization:
    """Every verdict the site knows.

    Args:
        tokens: the cache as kept, in any order.
        local_list: the cloud's list, of `local_list_version`; 0: none.
    """

    def __init__(
        self,
        tokens: Iterable[KnownToken] = (),
        local_list: Iterable[KnownToken] = (),
        local_list_version: int = 0,
        *,
        unknown_tokens: UnknownTokens = UnknownTokens.REJECT,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.local_list_version = local_list_version
        self._list = _by_key(local_list)
        self.policy = Policy(accepts_unknown=unknown_tokens is UnknownTokens.ACCEPT)
        self._cache_size = cache_size
        self._conflicts: set[str] = set()
        """Tokens on which the cloud contradicted this list."""
        self._has_news_of_conflict = False
        # In order of last use: the oldest is the first to go.
        self._cache = _by_key(sorted(tokens, key=lambda token: token.heard_at))
        self._trim()

    def judge(self, token: IdToken, *, now_utc: datetime, is_cloud_connected: bool) -> Verdict:
        if token.type == NO_AUTHORIZATION:
            return Verdict(IdTokenInfo(AuthorizationStatus.ACCEPTED), Source.POLICY)
        if not is_cloud_connected and not self.policy.answers_offline:
            return Verdict(IdTokenInfo(AuthorizationStatus.INVALID), Source.POLICY)
        known, source = self._known(token)
        if known is not None:
            info = _at(known.info, now_utc)
            is_enough = info.status is AuthorizationStatus.ACCEPTED and self.policy.answers_at_once
            if is_cloud_connected and not is_enough:
                return Verdict(None, Source.CLOUD)
            return Verdict(info, source)
        if is_cloud_connected:
            return Verdict(None, Source.CLOUD)
        accepts = self.policy.accepts_unknown
        status = AuthorizationStatus.ACCEPTED if accepts else AuthorizationStatus.UNKNOWN
        return Verdict(IdTokenInfo(status), Source.POLICY)

    def learned(self, token: IdToken, info: IdTokenInfo, now_utc: datetime) -> tuple[Write, ...]:
        """Remember the cloud's word on a token, from whatever message it came (C10.FR.04, .05).

        ConcurrentTx speaks of the moment, not of the token: it is not remembered.
        """
        key = token.key
        if self.is_conflict(token, info) and key not in self._conflicts:
            self._conflicts.add(key)
            self._has_news_of_conflict = True
        if (
            key in self._list
            or token.type == NO_AUTHORIZATION
            or not self.policy.has_cache
            or info.status is AuthorizationStatus.CONCURRENT_TX
        ):
            return ()
        known = KnownToken(token, info, now_utc)
        self._cache.pop(key, None)
        self._cache[key] = known
        self._trim()
        return (SaveToken(known),)

    def is_conflict(self, token: IdToken, info: IdTokenInfo) -> bool:
        """Whether the cloud's word is against its own list (1.6 §3.5.2: LocalListConflict)."""
        entry = self._list.get(token.key)
        if entry is None or info.status is AuthorizationStatus.CONCURRENT_TX:
            return False
        return entry.info.status is not info.status

    def conflict_to_report(self) -> bool:
        """Whether the cloud has spoken against its own list since this was last asked."""
        has_news, self._has_news_of_conflict = self._has_news_of_conflict, False
        return has_news

    def may_stop(self, token: IdToken, starter: IdToken | None, now_utc: datetime) -> bool:
        """Whether `token` ends what `starter` began: the same, or a valid one of its group.

        E07.FR.01; 1.6 §3.10 Parent idTag. None: nobody showed a token, so nobody needs one.
        """
        if starter is None or token.key == starter.key:
            return True
        stopping, starting = self._known(token)[0], self._known(starter)[0]
        if (
            stopping is None
            or _at(stopping.info, now_utc).status is not AuthorizationStatus.ACCEPTED
        ):
            return False
        group = stopping.info.group
        if group is None:
            return False
        starting_group = starting.info.group if starting else None
        return group.key in {starter.key, starting_group.key if starting_group else None}

    def cleared(self) -> tuple[Write, ...]:
        """Return what forgets every cached verdict; the local list stays (C11.FR.01)."""
        return (ForgetTokens(),)

    # The local list.

    @property
    def local_list_size(self) -> int:
        return len(self._list)

    def local_list_update(
        self, command: SendLocalList, now_utc: datetime
    ) -> tuple[StatusAnswer, tuple[Write, ...]]:
        """Say what a SendLocalList does, all of it or nothing; no writes: refused."""
        if not command.is_full and command.version <= self.local_list_version:
            return StatusAnswer("VersionMismatch"), ()  # D01.FR.19
        keys = [entry.id_token.key for entry in command.entries]
        if command.version < 1:
            return _failed("versionNumber is not above 0")  # D01.FR.18
        if len(set(keys)) < len(keys):
            return _failed("a token stands in it twice")  # D01.FR.06
        if len(keys) > UPDATE_SIZE:
            return _failed(f"{len(keys)} entries, {UPDATE_SIZE} at once is the most")
        if command.is_full and any(entry.info is None for entry in command.entries):
            return _failed("a full list has an entry without idTokenInfo")
        entries = _updated({} if command.is_full else self._list, command.entries, now_utc)
        if len(entries) > LOCAL_LIST_SIZE:
            return _failed(f"{len(entries)} entries, {LOCAL_LIST_SIZE} is the most")
        update = ReplaceLocalList(command.version, tuple(entries.values()))
        return StatusAnswer("Accepted"), (update,)

    def take(self, writes: Iterable[Write]) -> None:
        """Make it true: they are on disk."""
        for write in writes:
            match write:
                case ReplaceLocalList(version, entries):
                    self.local_list_version = version
                    self._list = _by_key(entries)
                    self._conflicts.clear()
                case ForgetTokens():
                    self._cache.clear()

    # Inside.

    def _known(self, token: IdToken) -> tuple[KnownToken | None, Source]:
        entry = self._list.get(token.key) if self.policy.has_local_list else None
        if entry is not None:
            return entry, Source.LOCAL_LIST
        if not self.policy.has_cache:
            return None, Source.CACHE
        if (cached := self._cache.pop(token.key, None)) is not None:
            self._cache[token.key] = cached  # used: the last to go
        return cached, Source.CACHE

    def _trim(self) -> None:
        """Make room: what is not valid first, then the oldest (1.6 §3.5.1, C10.FR.07)."""
        excess = len(self._cache) - self._cache_size
        if excess <= 0:
            return
        accepted = AuthorizationStatus.ACCEPTED
        in_order = sorted(self._cache, key=lambda key: self._cache[key].info.status is accepted)
        for key in in_order[:excess]:
            del self._cache[key]


def _updated(
    before: dict[str, KnownToken], changes: Iterable[LocalListEntry], now_utc: datetime
) -> dict[str, KnownToken]:
    entries = dict(before)
    for change in changes:
        if change.info is None:
            entries.pop(change.id_token.key, None)  # D01.FR.17
        else:
            entries[change.id_token.key] = KnownToken(change.id_token, change.info, now_utc)
    return entries


def _failed(why: str) -> tuple[StatusAnswer, tuple[Write, ...]]:
    return StatusAnswer("Failed", "InvalidValue", why), ()


def _at(info: IdTokenInfo, now_utc: datetime) -> IdTokenInfo:
    """Return the verdict as it is now: an Accepted does not outlive its date (1.6 §3.5.4)."""
    is_over = info.expires_at is not None and info.expires_at <= now_utc
    if is_over and info.status is AuthorizationStatus.ACCEPTED:
        return replace(info, status=AuthorizationStatus.EXPIRED)
    return info


def _by_key(tokens: Iterable[KnownToken]) -> dict[str, KnownToken]:
    return {token.id_token.key: token for token in tokens}
