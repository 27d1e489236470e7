"""What the page says of the site, without a browser."""

import copy
import doctest
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.web import page_limit, page_wish, view_evses, wording
from gateway.adapters.web.page_limit import FOREVER, HOUR, TOMORROW, ends_at
from gateway.adapters.web.view import changes, circuit_order, plot_history, view_of
from gateway.events import ChargingState, ConnectorStatus
from gateway.operations import Caller
from gateway.site_state import snapshot
from load_balancer.limiters.dimming import DimmingSource
from load_balancer.phases import PhaseCurrents
from site_config.circuits import Circuit
from site_config.links import Role
from tests.gateway.adapters.demo_site import (
    NOON,
    NOW,
    busy_state,
    cloud_away,
    demo_grid_operator,
    limited,
    meter_lost,
    quiet_state,
)

OK = {"status": "ok", "reasons": []}


def looked_at(state, now=NOW, now_utc=NOON):
    return view_of(state, now, now_utc, OK)


def told(page, news):
    """Do what the page does with what it is told."""
    page = copy.deepcopy(page)
    for key, value in news.items():
        if key in ("circuits", "evses"):
            page[key].update(value)
        else:
            page[key] = value
    return page


@settings(deadline=None)
@given(
    measured=st.lists(st.sampled_from([0.0, 16.0, 31.5]), min_size=10, max_size=10),
    statuses=st.lists(st.sampled_from([None, *ConnectorStatus]), min_size=10, max_size=10),
    later_s=st.integers(0, 7200),
)
def test_a_page_that_is_told_every_change_shows_the_site_as_it_is(measured, statuses, later_s):
    state = busy_state()
    before = looked_at(state)
    for (*_, evse), current_a, status in zip(state.evse_states(), measured, statuses, strict=True):
        evse.measured, evse.status = PhaseCurrents(current_a, 0, 0), status
    after = looked_at(state, NOW + later_s, NOON + timedelta(seconds=later_s))

    assert told(before, changes(before, after)) == after


def test_a_site_at_rest_tells_nothing_but_the_time():
    state = busy_state()
    before, after = looked_at(state), looked_at(state, NOW + 1, NOON + timedelta(seconds=1))

    assert changes(before, after) == {"clock": "14:00:01"}


def test_one_car_that_draws_more_costs_one_row():
    state = busy_state()
    before = looked_at(state)
    state.stations["CP-01"].evses[1].measured = PhaseCurrents(9, 9, 9)
    after = looked_at(state)

    news = changes(before, after)

    assert news.keys() == {"evses", "totals"}
    assert list(news["evses"]) == ["CP-01/1"]


@pytest.mark.parametrize(
    ("status", "charging_state", "has_transaction", "text", "kind"),
    [
        (ConnectorStatus.OCCUPIED, ChargingState.CHARGING, True, "Charging", "charging"),
        (ConnectorStatus.OCCUPIED, ChargingState.SUSPENDED_EVSE, True, "Waiting", "waiting"),
        (ConnectorStatus.OCCUPIED, ChargingState.SUSPENDED_EV, True, "Vehicle pauses", "waiting"),
        (ConnectorStatus.OCCUPIED, ChargingState.IDLE, True, "Finished", "waiting"),
        (ConnectorStatus.OCCUPIED, None, True, "Plugged in", "waiting"),
        (ConnectorStatus.OCCUPIED, ChargingState.CHARGING, False, "Plugged in", "waiting"),
        (ConnectorStatus.AVAILABLE, None, False, "Free", "free"),
        (ConnectorStatus.RESERVED, None, False, "Reserved", "free"),
        (None, None, False, "Not heard yet", "free"),
        (ConnectorStatus.FAULTED, ChargingState.CHARGING, True, "Fault", "problem"),
        (ConnectorStatus.UNAVAILABLE, None, False, "Out of service", "problem"),
    ],
)  # fmt: skip
def test_every_state_of_an_evse_has_one_chip(status, charging_state, has_transaction, text, kind):
    state = busy_state()
    evse = state.stations["CP-01"].evses[1]
    evse.status, evse.charging_state = status, charging_state
    evse.transaction_id = "t" if has_transaction else None

    row = looked_at(state)["evses"]["CP-01/1"]

    assert (row["text"], row["kind"]) == (text, kind)


def test_a_lost_station_is_offline_whatever_it_said_last():
    row = looked_at(busy_state())["evses"]["CP-08/1"]

    assert (row["text"], row["kind"]) == ("Offline", "problem")
    assert row["note"] == "offline since 13:18 (42 min)"


def test_nobody_has_spoken_yet_and_nothing_is_invented():
    view = looked_at(quiet_state())

    assert view["totals"]["power_kw"] is None
    assert view["cloud"]["text"] == "Cloud not reached yet"
    assert view["point"] is None
    assert all(row["note"] == "has never connected" for row in view["evses"].values())
    assert view["circuits"]["grid"]["note"] == "meter grid has not answered yet"


def test_a_lost_meter_shows_no_power_and_how_long_it_is_silent():
    view = looked_at(meter_lost(busy_state()))

    assert view["totals"]["power_kw"] is None
    assert view["circuits"]["grid"]["note"] == "meter grid silent for 73 s"
    assert [phase["tone"] for phase in view["circuits"]["grid"]["phases"]] == ["unknown"] * 3


def test_a_circuit_below_its_rating_says_who_limits_it_and_one_above_its_limit_is_red():
    garage = looked_at(limited(busy_state()))["circuits"]["garage"]

    assert garage["limiters"] == [
        {"text": "contract: 50 A", "tone": "idle"},
        {"text": "operator-tablet: 40 A until Mon 18:00 (party next door)", "tone": "info"},
    ]
    assert [phase["tone"] for phase in garage["phases"]] == ["warn", "bad", "good"]


def test_the_outbox_tells_the_age_of_the_oldest_message():
    outbox = looked_at(cloud_away(busy_state()))["outbox"]

    assert outbox == {
        "tone": "bad", "pending": 412, "quarantined": 1, "detail": "oldest 1 h 3 min",
    }  # fmt: skip


def test_circuits_stand_below_their_parents():
    assert circuit_order(busy_state()) == {"grid": 0, "garage": 1, "yard": 1}


def test_the_plot_begins_with_an_hour_in_a_thousand_points_at_most():
    state = busy_state()

    points = plot_history(state)

    assert points[-1] == looked_at(state)["point"]
    assert 850 <= len(points) <= 1000
    assert points == sorted(points)
    assert all(len(point) == 5 for point in points)


@pytest.mark.parametrize(
    ("choice", "now_utc", "end"),
    [
        (HOUR, datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 13, tzinfo=UTC)),
        (TOMORROW, datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 6, 2, 4, tzinfo=UTC)),
        # the night in which the clocks go back: 06:00 is an hour later in UTC
        (TOMORROW, datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 5, tzinfo=UTC)),
        # 23:30 UTC is already tomorrow in Berlin
        (TOMORROW, datetime(2026, 6, 1, 23, 30, tzinfo=UTC), datetime(2026, 6, 3, 4, tzinfo=UTC)),
        (FOREVER, datetime(2026, 6, 1, 12, tzinfo=UTC), None),
    ],
)
def test_a_limit_ends_by_the_clock_on_the_sites_wall(choice, now_utc, end):
    assert ends_at(choice, now_utc, ZoneInfo("Europe/Berlin")) == end


@pytest.mark.parametrize("module", [page_limit, page_wish, view_evses, wording])
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("apart_s", [-0.4, 0.0, 0.4])
def test_a_turn_is_told_by_the_minute_it_is_nearest_to(apart_s):
    """Two clocks, looked at one after the other, never agree on a second."""
    rows = looked_at(busy_state(), NOW + apart_s, NOON)["evses"].values()

    texts = [row["queue"] for row in rows if row["queue"]]
    assert texts and all("come at 14:09," in text for text in texts)


def test_who_waits_for_current_sees_his_place_and_when_his_turn_should_come():
    rows = looked_at(busy_state())["evses"].values()

    texts = [row["queue"] for row in rows if row["queue"]]
    expected = f"{(NOON + timedelta(seconds=540)).astimezone(ZoneInfo('Europe/Berlin')):%H:%M}"
    said = f"Number 1 in the queue, its turn should come at {expected}, in about 9 min."
    assert set(texts) == {said}
    queue = [
        evse["queue"]
        for station in snapshot(busy_state(), NOW, NOON)["stations"].values()
        for evse in station["evses"].values()
        if evse["queue"]
    ]
    at = (NOON + timedelta(seconds=540)).isoformat(timespec="seconds")
    waits = {"place": 1, "wait_s": 540, "expected_at": at}
    assert queue and all(each == waits for each in queue)


async def test_who_may_be_dimmed_sees_to_what_by_whom_and_how_much_evidence_there_is():
    state = busy_state()
    desk = demo_grid_operator(state)
    await desk.keep()
    before = view_of(state, NOW, NOON, OK, desk.status())
    caller = Caller("grid", Role.OPERATOR)
    await desk.dim(None, reason="works", until=None, source=DimmingSource.REST, caller=caller)
    await desk.keep()

    after = view_of(state, NOW, NOON, OK, desk.status())

    assert before["circuits"]["grid"]["limiters"] == [
        {"text": "grid operator: does not dim; 0 lines of evidence", "tone": "idle"}
    ]
    (limiter,) = after["circuits"]["grid"]["limiters"]
    assert limiter["text"] == (
        "grid operator: 4.2 kW for each charge point over REST since 14:00 (works); "
        "1 line of evidence"
    )
    assert after["circuits"]["garage"]["limiters"] == []


def test_each_phase_is_measured_against_its_own_fuse():
    state = busy_state()
    different = {"garage": Circuit(parent="grid", rating_a=[63, 63, 50])}
    state.site = state.site.model_copy(update={"circuits": state.site.circuits | different})
    state.circuits["garage"].rating = PhaseCurrents(63, 63, 50)

    garage = looked_at(state)["circuits"]["garage"]

    assert garage["rating"] == "63/63/50 A"
    assert [phase["rating_a"] for phase in garage["phases"]] == [63, 63, 50]
