"""What a station says of its vehicle counts while the vehicle is offered current."""

import pytest

from load_balancer.appetite import ASK_AGAIN_AT_MOST_S, ASK_AGAIN_S, WAKES_WITHIN_S, Appetite

START = 1000.0
WANTS, DECLINES = True, False
PAUSED, OFFERED = False, True


def told(*moments, appetite=None):
    """Tell (seconds since the start, what is said, whether it is offered, what it draws)."""
    appetite = Appetite() if appetite is None else appetite
    for second, says, is_offered, drawn_da in moments:
        appetite.learn(says, is_offered, drawn_da, START + second)
    return appetite


LATER = WAKES_WITHIN_S
FULL = ((0, WANTS, OFFERED, 60), (10, DECLINES, OFFERED, 0), (20, DECLINES, PAUSED, 0))
SLEEPS = ((0, DECLINES, OFFERED, 0), (LATER, DECLINES, OFFERED, 0), (LATER, DECLINES, PAUSED, 0))


@pytest.mark.parametrize(
    ("moments", "is_hungry"),
    [
        pytest.param([(0, DECLINES, PAUSED, 0)], True, id="paused, nothing is known yet"),
        pytest.param([(0, DECLINES, OFFERED, 0)], True, id="said before it could notice the offer"),
        pytest.param(
            [(0, DECLINES, OFFERED, 0), (LATER, DECLINES, OFFERED, 0)], False, id="does not wake up"
        ),
        pytest.param(
            [(0, DECLINES, OFFERED, 0), (LATER - 1, WANTS, OFFERED, 60)], True, id="wakes up"
        ),
        pytest.param(FULL[:2], False, id="has drawn and is full"),
        pytest.param([*FULL, (30, WANTS, PAUSED, 0)], False, id="full, and now it is paused"),
        pytest.param(
            [*FULL, (30, WANTS, PAUSED, 0), (40, WANTS, OFFERED, 0)],
            False,
            id="the station has not noticed the offer",
        ),
        pytest.param(
            [*FULL, (40, WANTS, OFFERED, 0), (50, DECLINES, OFFERED, 0), (51, WANTS, OFFERED, 0)],
            True,
            id="a change of mind while it is offered current",
        ),
        pytest.param([*FULL, (40, WANTS, OFFERED, 0), (41, WANTS, OFFERED, 60)], True, id="draws"),
        pytest.param(
            [*FULL, (40, WANTS, OFFERED, 0), (40 + LATER, WANTS, OFFERED, 0)],
            True,
            id="says so for long, though nobody reports its draw",
        ),
        pytest.param([*FULL, (40, DECLINES, OFFERED, 5)], False, id="electronics are no vehicle"),
    ],
)
def test_verdict(moments, is_hungry):
    assert told(*moments).is_hungry is is_hungry


@pytest.mark.parametrize(
    ("moments", "doublings"),
    [
        pytest.param(SLEEPS, [1, 2, 4, 8, 8], id="has never charged"),
        pytest.param(FULL, [4, 8, 8], id="has charged"),
    ],
)
def test_who_wanted_nothing_is_asked_again_and_each_time_later(moments, doublings):
    appetite = told(*moments)
    paused_at = START + moments[-1][0]
    asked_after_s = []

    for _ in doublings:
        asked_after_s.append(appetite.due_at - paused_at)
        asked_at = appetite.due_at - START
        told((asked_at - 1, WANTS, PAUSED, 0), appetite=appetite)
        assert not appetite.is_hungry
        told((asked_at, WANTS, PAUSED, 0), appetite=appetite)
        assert appetite.is_hungry
        told(
            (asked_at + 5, WANTS, OFFERED, 0),
            (asked_at + 5 + LATER, DECLINES, OFFERED, 0),
            (asked_at + 70, DECLINES, PAUSED, 0),
            appetite=appetite,
        )
        assert not appetite.is_hungry
        paused_at = START + asked_at + 70

    assert asked_after_s == [ASK_AGAIN_S * doubling for doubling in doublings]
    assert max(asked_after_s) == ASK_AGAIN_AT_MOST_S


def test_who_draws_again_is_asked_as_soon_as_at_first():
    appetite = told(*FULL)
    asked_at = appetite.due_at - START
    told(
        (asked_at, WANTS, PAUSED, 0),
        (asked_at + 1, WANTS, OFFERED, 60),
        (asked_at + 9, DECLINES, OFFERED, 0),
        (asked_at + 10, DECLINES, PAUSED, 0),
        appetite=appetite,
    )

    assert appetite.due_at == START + asked_at + 10 + 4 * ASK_AGAIN_S


def test_it_says_when_time_alone_may_change_the_verdict():
    appetite = told((0, DECLINES, OFFERED, 0))

    assert appetite.due_at == START + WAKES_WITHIN_S
    assert told(*FULL[:2]).due_at == float("inf")
