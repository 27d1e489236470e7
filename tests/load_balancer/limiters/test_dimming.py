"""The grid operator dims down to the floor, never below it, and silence dims too."""

from datetime import UTC, datetime, timedelta

import pytest

from load_balancer.limiters.dimming import Dimming, DimmingCommand, DimmingSource

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FLOOR_W = 4200.0


def command(total_w=None, source=DimmingSource.REST, until=None):
    return DimmingCommand(source, total_w, "grid full", "dso", NOON, until)


def dimming(*commands, heartbeat_s=None):
    return Dimming(4, FLOOR_W, heartbeat_s, commands)


@pytest.mark.parametrize(
    ("commands", "point_w"),
    [
        pytest.param([], None, id="nobody dims"),
        pytest.param([command()], 4200, id="to the floor"),
        pytest.param([command(40_000)], 10_000, id="a total is shared by all charge points"),
        pytest.param([command(8_000)], 4200, id="never below the floor"),
        pytest.param([command(0)], 4200, id="not even for nothing at all"),
        pytest.param(
            [command(40_000), command(20_000, DimmingSource.MQTT)], 5000, id="the lowest wins"
        ),
    ],
)
def test_what_a_charge_point_may_draw(commands, point_w):
    assert dimming(*commands).state(0.0, NOON).point_w == point_w


def test_the_one_who_dims_most_is_named():
    low = command(None, DimmingSource.INPUT)

    assert dimming(command(40_000), low).state(0.0, NOON).command is low


def test_a_command_ends_by_itself():
    bound = dimming(command(until=NOON + timedelta(hours=1)))

    assert bound.state(0.0, NOON + timedelta(minutes=59)).point_w == FLOOR_W
    assert bound.state(0.0, NOON + timedelta(hours=1)).point_w is None
    assert bound.expired(NOON + timedelta(hours=1)) == [DimmingSource.REST]


def test_a_missing_heartbeat_dims_to_the_floor_and_the_next_one_gives_back():
    bound = dimming(heartbeat_s=120)
    bound.state(1000.0, NOON)
    in_time = bound.state(1120.0, NOON)
    lost = bound.state(1121.0, NOON)
    bound.heard(1130.0)
    back = bound.state(1131.0, NOON)

    assert (in_time.point_w, lost.point_w, back.point_w) == (None, FLOOR_W, None)
    assert lost.command.source is DimmingSource.FAIL_SAFE
    assert "120 s" in lost.command.reason


def test_a_command_outlives_a_heartbeat_that_comes_back():
    bound = dimming(command(40_000), heartbeat_s=120)
    bound.state(0.0, NOON)
    lost_w = bound.state(500.0, NOON).point_w
    bound.heard(501.0)

    assert lost_w == FLOOR_W
    assert bound.state(502.0, NOON).point_w == 10_000


def kept(bound, points_w, now=0.0):
    found = bound.evidence(now, NOON + timedelta(seconds=now), points_w, 50_000.0)
    return [(line.what, line.before_w, line.after_w, line.cars_w) for line in found]


def test_dimming_leaves_evidence_of_before_after_and_of_obedience():
    bound = dimming()
    kept(bound, [11_000, 11_000])
    bound.take(command())

    assert kept(bound, [11_000, 11_000], 1) == [("dimmed", None, 4200, 22_000)]
    assert kept(bound, [11_000, 4_100], 5) == []
    assert kept(bound, [4_150, 4_100], 9) == [("obeyed", 4200, 4200, 8_250)]
    assert kept(bound, [4_150, 4_100], 10) == []
    bound.release(DimmingSource.REST)
    assert kept(bound, [4_150, 4_100], 11) == [("released", 4200, None, 8_250)]


def test_another_limit_is_evidence_too():
    bound = dimming(command())
    kept(bound, [])
    bound.take(command(40_000))

    assert kept(bound, [])[0][:3] == ("changed", 4200, 10_000)
