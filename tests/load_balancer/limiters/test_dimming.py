"""The grid operator dims down to the floor, never below it, and silence dims too."""

from datetime import UTC, datetime, timedelta

import pytest

from load_balancer.limiters.dimming import Dimming, DimmingCommand, DimmingSource
from site_config.grid_operator import FACTORS, GridOperator, together_w

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FLOOR_W = 4200.0


def command(total_w=None, source=DimmingSource.REST, until=None):
    return DimmingCommand(source, total_w, "grid full", "dso", NOON, until)


def dimming(*commands, **operator):
    return Dimming(GridOperator(**operator), 4, commands)


EACH_W = 4 * FLOOR_W
TOGETHER_W = 4200 + 3 * 0.7 * 4200


@pytest.mark.parametrize(
    ("minimum", "commands", "total_w", "point_w"),
    [
        pytest.param("each", [], None, None, id="nobody dims"),
        pytest.param("each", [command()], EACH_W, FLOOR_W, id="each to the floor"),
        pytest.param("each", [command(40_000)], 40_000, None, id="a total is shared"),
        pytest.param("each", [command(8_000)], EACH_W, None, id="never below the floors"),
        pytest.param("each", [command(0)], EACH_W, None, id="not even for nothing at all"),
        pytest.param(
            "each",
            [command(40_000), command(20_000, DimmingSource.MQTT)],
            20_000,
            None,
            id="the lowest wins",
        ),
        pytest.param(
            "each",
            [command(40_000), command(None, DimmingSource.MQTT)],
            EACH_W,
            FLOOR_W,
            id="the floor is lower than any total",
        ),
        pytest.param("together", [command()], TOGETHER_W, None, id="together to their minimum"),
        pytest.param("together", [command(8_000)], TOGETHER_W, None, id="never below that"),
        pytest.param("together", [command(14_000)], 14_000, None, id="but below the floors"),
    ],
)
def test_what_the_charge_points_may_draw(minimum, commands, total_w, point_w):
    state = dimming(*commands, minimum=minimum).state(0.0, NOON)

    assert (state.total_w, state.point_w) == (total_w, point_w)


def test_together_every_further_charge_point_adds_to_the_minimum():
    minimums_w = [together_w(points, FLOOR_W) for points in range(20)]

    assert minimums_w[:4] == pytest.approx([0, 4200, 7560, 10_500])
    assert minimums_w[9] == pytest.approx(4200 + 8 * 0.45 * 4200)
    assert minimums_w == sorted(minimums_w)
    assert all(w <= n * FLOOR_W for n, w in enumerate(minimums_w))
    assert len(FACTORS) == 9


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
    assert bound.state(502.0, NOON).total_w == 40_000


def kept(bound, points_w, now=0.0):
    found = bound.evidence(now, NOON + timedelta(seconds=now), points_w, 50_000.0)
    return [(line.what, line.before_total_w, line.after_total_w, line.cars_w) for line in found]


def test_dimming_leaves_evidence_of_before_after_and_of_obedience():
    bound = dimming()
    kept(bound, [11_000, 11_000])
    bound.take(command())

    assert kept(bound, [11_000, 11_000], 1) == [("dimmed", None, EACH_W, 22_000)]
    assert kept(bound, [11_000, 4_100], 5) == []
    assert kept(bound, [4_150, 4_100], 9) == [("obeyed", EACH_W, EACH_W, 8_250)]
    assert kept(bound, [4_150, 4_100], 10) == []
    bound.release(DimmingSource.REST)
    assert kept(bound, [4_150, 4_100], 11) == [("released", EACH_W, None, 8_250)]


def test_another_limit_is_evidence_too():
    bound = dimming(command())
    kept(bound, [])
    bound.take(command(40_000))

    assert kept(bound, [])[0][:3] == ("changed", EACH_W, 40_000)


def test_a_total_is_obeyed_when_all_of_them_keep_to_it():
    bound = dimming(command(20_000))
    kept(bound, [11_000, 11_000])

    assert kept(bound, [11_000, 9_100], 1) == []
    assert kept(bound, [11_000, 8_900], 2) == [("obeyed", 20_000, 20_000, 19_900)]


def test_evidence_tells_what_each_was_allowed_only_where_each_was():
    bound = dimming(command())
    dimmed, *_ = bound.evidence(0.0, NOON, [], None)
    bound.take(command(40_000))
    changed, *_ = bound.evidence(1.0, NOON, [], None)

    assert (dimmed.before_w, dimmed.after_w) == (None, FLOOR_W)
    assert (changed.before_w, changed.after_w) == (FLOOR_W, None)
