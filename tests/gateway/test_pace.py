"""The cloud is given what it can take, and people are told how long it will last."""

import pytest

from gateway.pace import LONGEST_PAUSE_S, SPREAD_S, DrainRate, Pace


def pace(dice=0.5):
    return Pace(lambda: dice)


def test_a_cloud_that_answers_is_asked_again_at_once():
    steady = pace()
    steady.connected(0.0, 10_000)
    steady.answered(0.15, 10.0)

    assert steady.ready_at == 10.0


@pytest.mark.parametrize(("took_s", "pause_s"), [(2.0, 0.0), (5.0, 3.0), (90.0, LONGEST_PAUSE_S)])
def test_a_cloud_that_answers_late_is_left_alone_for_as_long_as_it_was_late(took_s, pause_s):
    slow = pace()
    slow.answered(took_s, 100.0)

    assert slow.ready_at == 100.0 + pause_s


def test_pauses_after_errors_double_until_an_answer():
    troubled = pace()
    pauses = []
    for _ in range(7):
        troubled.troubled(0.0)
        pauses.append(troubled.ready_at)
    troubled.answered(0.1, 0.0)
    troubled.troubled(0.0)

    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert troubled.ready_at == 1


@pytest.mark.parametrize(
    ("away_s", "waiting", "wait_s"),
    [
        pytest.param(3600, 10_000, SPREAD_S / 2, id="many may return with us"),
        pytest.param(3600, 5, 0, id="little to say"),
        pytest.param(10, 10_000, 0, id="nobody else was away"),
    ],
)
def test_sites_that_return_together_do_not_begin_together(away_s, waiting, wait_s):
    site = pace(0.5)
    site.lost(0.0)
    site.connected(away_s, waiting)

    assert max(site.ready_at - away_s, 0) == wait_s


def test_the_time_left_is_that_of_the_last_minute():
    rate = DrainRate()
    unknown = rate.seconds_for(100)
    for second in range(301):
        rate.looked(float(second))
        rate.left(20 if second < 150 else 10)

    assert unknown is None
    assert rate.seconds_for(1000) == pytest.approx(100, rel=0.15)
    assert rate.seconds_for(0) == 0


def test_rows_that_come_meanwhile_make_it_longer():
    rate = DrainRate()
    for second in range(60):
        rate.looked(float(second))
        rate.left(10)
        rate.left(-5)

    assert rate.seconds_for(100) == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("left", [0, -3])
def test_a_backlog_that_does_not_shrink_has_no_end(left):
    rate = DrainRate()
    for second in range(60):
        rate.looked(float(second))
        rate.left(left)

    assert rate.seconds_for(100) is None


def test_what_was_measured_before_an_outage_says_nothing_after_it():
    rate = DrainRate()
    for second in range(60):
        rate.looked(float(second))
        rate.left(10)
    rate.stopped()

    assert rate.seconds_for(100) is None
