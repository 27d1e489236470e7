"""Who may charge, with the cloud and without."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authorization import UPDATE_SIZE, Authorization, Policy, Source, Verdict
from gateway.commands import LocalListEntry, SendLocalList
from gateway.events import AuthorizationStatus as Status
from gateway.events import IdToken, IdTokenInfo
from gateway.records import KnownToken
from gateway.writes import ForgetTokens, ReplaceLocalList, SaveToken
from site_config.links import UnknownTokens

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
CARD = IdToken("Card1", "ISO14443")
FLEET = IdToken("FLEET")


def known(token: IdToken, status: Status = Status.ACCEPTED, **more) -> KnownToken:
    return KnownToken(token, IdTokenInfo(status, **more), NOW)


def judge(authorization: Authorization, token: IdToken = CARD, *, connected: bool) -> Verdict:
    return authorization.judge(token, now_utc=NOW, is_cloud_connected=connected)


ASK = (None, Source.CLOUD)
ACCEPTED, BLOCKED, EXPIRED = Status.ACCEPTED, Status.BLOCKED, Status.EXPIRED
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("listed", "cached", "online", "offline"),
    [
        pytest.param(
            [known(CARD)],
            [known(CARD, BLOCKED)],
            (ACCEPTED, Source.LOCAL_LIST),
            (ACCEPTED, Source.LOCAL_LIST),
            id="C13.FR.01 the list goes before the cache",
        ),
        pytest.param(
            [known(CARD, BLOCKED)],
            [known(CARD)],
            ASK,
            (BLOCKED, Source.LOCAL_LIST),
            id="C14.FR.03 listed not Accepted: asked, refused offline",
        ),
        pytest.param(
            [known(CARD, expires_at=PAST)],
            [],
            ASK,
            (EXPIRED, Source.LOCAL_LIST),
            id="C14.FR.05 listed and over",
        ),
        pytest.param(
            [known(CARD, expires_at=FUTURE)],
            [],
            (ACCEPTED, Source.LOCAL_LIST),
            (ACCEPTED, Source.LOCAL_LIST),
            id="C14.FR.04 listed and not over",
        ),
        pytest.param(
            [],
            [known(CARD)],
            (ACCEPTED, Source.CACHE),
            (ACCEPTED, Source.CACHE),
            id="C12.FR.02 cached Accepted",
        ),
        pytest.param(
            [],
            [known(CARD, BLOCKED)],
            ASK,
            (BLOCKED, Source.CACHE),
            id="C10.FR.03 cached not Accepted",
        ),
        pytest.param(
            [],
            [known(CARD, expires_at=PAST)],
            ASK,
            (EXPIRED, Source.CACHE),
            id="C10.FR.10 cached and over",
        ),
        pytest.param([], [], ASK, (Status.UNKNOWN, Source.POLICY), id="never seen"),
    ],
)
def test_known_tokens_are_judged_here(listed, cached, online, offline):
    authorization = Authorization(cached, listed, 1)

    answers = [judge(authorization, connected=True), judge(authorization, connected=False)]

    assert [(answer.info and answer.info.status, answer.source) for answer in answers] == [
        online,
        offline,
    ]


@pytest.mark.parametrize("status", [BLOCKED, EXPIRED, Status.INVALID])
def test_unknown_tokens_may_be_accepted_offline_but_refused_ones_never(status):
    authorization = Authorization(
        [known(IdToken("cached"), status)],
        [known(IdToken("listed"), status)],
        1,
        unknown_tokens=UnknownTokens.ACCEPT,
    )

    answers = {
        name: judge(authorization, IdToken(name), connected=False).info.status
        for name in ("new", "cached", "listed")
    }

    assert answers == {"new": ACCEPTED, "cached": status, "listed": status}


INVALID = (Status.INVALID, Source.POLICY)
UNKNOWN = (Status.UNKNOWN, Source.POLICY)


@pytest.mark.parametrize(
    ("policy", "online", "offline"),
    [
        pytest.param(
            Policy(), (ACCEPTED, Source.LOCAL_LIST), (ACCEPTED, Source.LOCAL_LIST), id="-"
        ),
        pytest.param(
            Policy(answers_at_once=False),
            ASK,
            (ACCEPTED, Source.LOCAL_LIST),
            id="LocalPreAuthorize",
        ),
        pytest.param(
            Policy(answers_offline=False),
            (ACCEPTED, Source.LOCAL_LIST),
            INVALID,
            id="LocalAuthorizeOffline",
        ),
        pytest.param(
            Policy(has_local_list=False), ASK, (BLOCKED, Source.CACHE), id="LocalAuthListEnabled"
        ),
        pytest.param(Policy(has_local_list=False, has_cache=False), ASK, UNKNOWN, id="neither"),
        pytest.param(
            Policy(has_local_list=False, has_cache=False, accepts_unknown=True),
            ASK,
            (ACCEPTED, Source.POLICY),
            id="AllowOfflineTxForUnknownId",
        ),
    ],
)
def test_the_cloud_may_set_how_verdicts_are_used(policy, online, offline):
    authorization = Authorization([known(CARD, BLOCKED)], [known(CARD)], 1)
    authorization.policy = policy

    for connected, (status, source) in ((True, online), (False, offline)):
        verdict = judge(authorization, connected=connected)
        assert (verdict.info and verdict.info.status, verdict.source) == (status, source)


def test_without_a_cache_nothing_is_remembered():
    authorization = Authorization()
    authorization.policy = Policy(has_cache=False)

    assert authorization.learned(CARD, IdTokenInfo(ACCEPTED), NOW) == ()


def test_tokens_are_compared_without_case_and_type():
    authorization = Authorization([known(IdToken("CARD1", "Local"))])

    assert judge(authorization, IdToken("card1", "ISO14443"), connected=True).info.status is (
        ACCEPTED
    )


def test_start_by_button_has_nobody_to_judge():
    token = IdToken("", "NoAuthorization")

    assert judge(Authorization(), token, connected=True).info.status is ACCEPTED
    assert Authorization().learned(token, IdTokenInfo(BLOCKED), NOW) == ()


def test_cloud_verdict_is_remembered_and_stored():
    authorization = Authorization()
    info = IdTokenInfo(ACCEPTED, FUTURE, FLEET)

    writes = authorization.learned(CARD, info, NOW)

    assert writes == (SaveToken(KnownToken(CARD, info, NOW)),)
    assert judge(authorization, connected=False) == Verdict(info, Source.CACHE)


def test_listed_token_is_not_put_in_the_cache():
    authorization = Authorization((), [known(CARD)], 1)

    assert authorization.learned(CARD, IdTokenInfo(BLOCKED), NOW) == ()
    assert authorization.is_conflict(CARD, IdTokenInfo(BLOCKED))
    assert not authorization.is_conflict(CARD, IdTokenInfo(ACCEPTED))


def test_conflict_with_the_list_is_reported_once_for_each_token_and_list():
    authorization = Authorization((), [KnownToken(CARD, IdTokenInfo(ACCEPTED), NOW)], 3)
    assert not authorization.conflict_to_report()

    authorization.learned(CARD, IdTokenInfo(BLOCKED), NOW)
    reported = [authorization.conflict_to_report() for _ in range(2)]
    authorization.learned(CARD, IdTokenInfo(BLOCKED), NOW)
    again = authorization.conflict_to_report()
    authorization.take([ReplaceLocalList(4, (KnownToken(CARD, IdTokenInfo(ACCEPTED), NOW),))])
    authorization.learned(CARD, IdTokenInfo(BLOCKED), NOW)

    assert (reported, again) == ([True, False], False)
    assert authorization.conflict_to_report()


def test_concurrent_tx_is_not_remembered_against_the_token():
    authorization = Authorization([known(CARD)])

    assert authorization.learned(CARD, IdTokenInfo(Status.CONCURRENT_TX), NOW) == ()
    assert judge(authorization, connected=False).info.status is ACCEPTED


def test_full_cache_drops_the_invalid_first_then_the_least_recently_used():
    authorization = Authorization(
        [known(IdToken("old")), known(IdToken("bad"), BLOCKED), known(IdToken("used"))],
        cache_size=3,
    )
    judge(authorization, IdToken("old"), connected=False)

    authorization.learned(IdToken("new1"), IdTokenInfo(ACCEPTED), NOW)
    authorization.learned(IdToken("new2"), IdTokenInfo(ACCEPTED), NOW)

    remembered = {
        name
        for name in ("old", "bad", "used", "new1", "new2")
        if judge(authorization, IdToken(name), connected=False).source is Source.CACHE
    }
    assert remembered == {"old", "new1", "new2"}


def test_clear_cache_leaves_the_local_list():
    authorization = Authorization([known(FLEET)], [known(CARD)], 1)

    writes = authorization.cleared()
    authorization.take(writes)

    assert writes == (ForgetTokens(),)
    assert judge(authorization, FLEET, connected=True).source is Source.CLOUD
    assert judge(authorization, CARD, connected=True).source is Source.LOCAL_LIST


@pytest.mark.parametrize(
    ("tokens", "may"),
    [
        pytest.param([], False, id="unknown"),
        pytest.param(
            [known(IdToken("wife"), group=FLEET), known(CARD, group=FLEET)], True, id="group"
        ),
        pytest.param([known(IdToken("wife"), group=CARD)], True, id="its group is the starter"),
        pytest.param([known(IdToken("wife"), group=FLEET), known(CARD)], False, id="other group"),
        pytest.param([known(IdToken("wife")), known(CARD)], False, id="neither has a group"),
        pytest.param(
            [known(IdToken("wife"), BLOCKED, group=FLEET), known(CARD, group=FLEET)],
            False,
            id="blocked",
        ),
    ],
)
def test_E07_FR_01_token_of_the_same_group_may_stop(tokens, may):
    assert Authorization(tokens).may_stop(IdToken("wife"), CARD, NOW) is may


def test_token_that_began_it_may_always_stop_it():
    assert Authorization().may_stop(IdToken("CARD1"), CARD, NOW)


def entry(value: str, status: Status | None = ACCEPTED) -> LocalListEntry:
    return LocalListEntry(IdToken(value), IdTokenInfo(status) if status else None)


def names(authorization: Authorization, *candidates: str) -> set[str]:
    return {
        name
        for name in candidates
        if judge(authorization, IdToken(name), connected=True).source is Source.LOCAL_LIST
    }


@pytest.mark.parametrize(
    ("command", "status", "version", "left"),
    [
        pytest.param(
            SendLocalList(3, True, (entry("c"),)), "Accepted", 3, {"c"}, id="D01.FR.15 full"
        ),
        pytest.param(SendLocalList(9, True), "Accepted", 9, set(), id="D01.FR.04 empty full"),
        pytest.param(
            SendLocalList(6, False, (entry("c"), entry("A", None))),
            "Accepted",
            6,
            {"b", "c"},
            id="D01.FR.16 D01.FR.17 differential",
        ),
        pytest.param(
            SendLocalList(6, False), "Accepted", 6, {"a", "b"}, id="D01.FR.05 empty differential"
        ),
        pytest.param(
            SendLocalList(5, False, (entry("c"),)),
            "VersionMismatch",
            5,
            {"a", "b"},
            id="D01.FR.19 same version",
        ),
        pytest.param(
            SendLocalList(6, False, (entry("c"), entry("C"))),
            "Failed",
            5,
            {"a", "b"},
            id="D01.FR.06 twice",
        ),
        pytest.param(SendLocalList(0, True), "Failed", 5, {"a", "b"}, id="D01.FR.18 version 0"),
        pytest.param(
            SendLocalList(6, True, (entry("c"), entry("d", None))),
            "Failed",
            5,
            {"a", "b"},
            id="full without info",
        ),
        pytest.param(
            SendLocalList(6, False, tuple(entry(str(n)) for n in range(UPDATE_SIZE + 1))),
            "Failed",
            5,
            {"a", "b"},
            id="too long",
        ),
    ],
)
def test_local_list_update_is_all_or_nothing(command, status, version, left):
    authorization = Authorization((), [known(IdToken("a")), known(IdToken("b"))], 5)

    answer, writes = authorization.local_list_update(command, NOW)
    authorization.take(writes)

    assert answer.status == status
    assert authorization.local_list_version == version
    assert names(authorization, "a", "b", "c", "d") == left


def test_local_list_is_unchanged_until_it_is_stored():
    authorization = Authorization((), [known(CARD)], 5)

    _, writes = authorization.local_list_update(SendLocalList(6, True), NOW)

    assert writes == (ReplaceLocalList(6, ()),)
    assert authorization.local_list_version == 5
    assert names(authorization, CARD.value) == {CARD.value}


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([ACCEPTED, BLOCKED]))))
def test_cache_never_outgrows_its_size_and_keeps_the_newest_word(words):
    authorization = Authorization(cache_size=4)
    for name, status in words:
        authorization.learned(IdToken(name), IdTokenInfo(status), NOW)

    cached = [
        name
        for name in "abcdefgh"
        if judge(authorization, IdToken(name), connected=False).source is Source.CACHE
    ]
    assert len(cached) <= 4
    for name in cached:
        said = [status for other, status in words if other == name][-1]
        assert judge(authorization, IdToken(name), connected=False).info.status is said
