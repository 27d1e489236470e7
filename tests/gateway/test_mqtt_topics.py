"""What is said over MQTT, and where."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt_topics import Topics, messages, without_ages
from tests.gateway.adapters.demo_site import NOON, NOW, busy_state, cloud_away, limited

HEALTH = {"status": "ok", "reasons": []}


def said(state, now=NOW, now_utc=NOON):
    topics = Topics("site-gateway", "depot-north", state.site.circuits)
    return messages(state, topics, HEALTH, now, now_utc)


def test_the_whole_site_is_said_each_part_in_its_topic():
    told = said(limited(busy_state(2)))

    assert list(told) == [
        "site-gateway/depot-north/site",
        "site-gateway/depot-north/meters/grid",
        "site-gateway/depot-north/circuits/grid",
        "site-gateway/depot-north/circuits/garage",
        "site-gateway/depot-north/circuits/yard",
        "site-gateway/depot-north/stations/CP-01",
        "site-gateway/depot-north/stations/CP-02",
    ]
    assert told["site-gateway/depot-north/site"]["health"] == HEALTH
    garage = told["site-gateway/depot-north/circuits/garage"]
    assert garage["limit_a"] == [40, 40, 40]
    assert garage["limited_by"] == "operator-tablet: 40 A until Mon 18:00 (party next door)"
    json.dumps(told, allow_nan=False)


def test_getting_older_is_no_news():
    state = cloud_away(busy_state())
    before, after = said(state), said(state, NOW + 100, NOON + timedelta(seconds=100))

    assert before != after
    assert without_ages(before) == without_ages(after)


def test_a_current_is_news():
    state = busy_state()
    before = without_ages(said(state))
    state.circuits["garage"].measured = state.circuits["grid"].measured

    assert without_ages(said(state)) != before


@given(st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=5))
def test_every_name_is_one_level_of_its_own_and_found_again(circuits):
    topics = Topics("a/b", "site", circuits)

    wishes = [topics.wish(circuit) for circuit in circuits]

    assert [topics.circuit_of(wish) for wish in wishes] == circuits
    for wish in wishes:
        assert wish.count("/") == "a/b/site/circuits/x/limit/set".count("/")
        assert not {"+", "#", "\0"} & set(wish)


@pytest.mark.parametrize(
    "topic", ["", "a/site/circuits/x/limit/set", "b/site/circuits/y/limit/set"]
)
def test_a_wish_for_nobody_is_for_nobody(topic):
    assert Topics("b", "site", ["x"]).circuit_of(topic) is None
