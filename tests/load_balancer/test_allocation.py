"""`allocate` keeps every node within what is free, every vehicle above its minimum, and is fair."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.allocation import Demand, Share, allocate

ALL = (0, 1, 2)
ONE_CIRCUIT = (-1, -1, -1)
TWO_LEVELS = (-1, -1, -1, 0, 1, 2, 0, 1, 2)
LEFT, RIGHT = (3, 4, 5), (6, 7, 8)


def demand(nodes, *, at_most_a=32, weight=1.0):
    return Demand(nodes, 60, at_most_a * 10, weight)


def limits_a(free_a, demands, parents=ONE_CIRCUIT):
    free_da = [10 * free for free in free_a]
    return [share.limit_da / 10 for share in allocate(free_da, parents, demands)]


@pytest.mark.parametrize(
    ("free_a", "demands", "expected_a"),
    [
        pytest.param((32, 32, 32), [demand(ALL)], [32], id="alone: all of it"),
        pytest.param((20, 20, 20), [demand((0,)), demand((0,))], [10, 10], id="fair"),
        pytest.param((20, 20, 20), [demand(ALL), demand((0,))], [10, 10], id="phases do not count"),
        pytest.param((11, 11, 11), [demand((0,)), demand((0,))], [11, 0], id="the first goes on"),
        pytest.param((5, 32, 32), [demand(ALL)], [0], id="weakest phase decides"),
        pytest.param((-3, -3, -3), [demand((0,))], [0], id="overloaded: pause"),
        pytest.param((16, 32, 32), [demand((0,)), demand((1,))], [16, 32], id="other phase"),
        pytest.param(
            (30, 30, 30), [demand((0,), weight=2), demand((0,))], [20, 10], id="twice the share"
        ),
        pytest.param(
            (14, 14, 14), [demand((0,), weight=2), demand((0,))], [8, 6], id="but the minimum"
        ),
        pytest.param(
            (40, 40, 40), [demand((0,), at_most_a=10), demand((0,))], [10, 30], id="what one leaves"
        ),
        pytest.param((40, 40, 40), [demand((0,), at_most_a=5)], [0], id="cannot use its minimum"),
        pytest.param(
            (19, 19, 19), [demand((0,))] * 3, [6.4, 6.3, 6.3], id="the rest goes to the first"
        ),
        pytest.param(
            (13, 7, 32),
            [demand(ALL), demand((1,)), demand((0,))],
            [6.5, 0, 6.5],
            id="who is refused leaves room for the next",
        ),
    ],
)
def test_one_circuit(free_a, demands, expected_a):
    assert limits_a(free_a, demands) == expected_a


@pytest.mark.parametrize(
    ("free_a", "expected_a"),
    [
        pytest.param([60] * 3 + [16] * 3 + [63] * 3, [16, 22, 22], id="leaf first, rest shared"),
        pytest.param([30] * 3 + [63] * 6, [10, 10, 10], id="only the root is full"),
        pytest.param([99] * 3 + [20] * 6, [20, 10, 10], id="only the leaves are full"),
        pytest.param([13] * 3 + [63] * 6, [6.5, 6.5, 0], id="root carries two minimums"),
    ],
)
def test_tree(free_a, expected_a):
    demands = [demand(LEFT), demand(RIGHT), demand(RIGHT)]

    assert limits_a(free_a, demands, TWO_LEVELS) == expected_a


def test_the_full_node_is_named():
    shares = allocate(
        [600] * 3 + [160, 320, 320] + [630] * 3,
        TWO_LEVELS,
        [demand(LEFT), demand((6,), at_most_a=10), demand((8,), at_most_a=5)],
    )

    assert shares == [Share(160, 3), Share(100, None), Share(0, None)]


def test_what_rounding_leaves_goes_to_the_smallest_share_first():
    wishes = [Demand((0,), 60, 61), Demand((0,), 0, 2), Demand((0,), 0, 2)]

    assert [share.limit_da for share in allocate([63], [-1], wishes)] == [60, 2, 1]


PARENTS = (-1, -1, -1, 0, 1, 2, 0, 1, 2, 3, 4, 5)
"""Three levels: root, two feeders, and one more below the first feeder."""

conductors = st.sampled_from([(0,), (1,), (2,), (0, 1, 2), (1, 2, 0), (0, 2)])
demands = st.lists(
    st.builds(
        lambda circuit, phases, minimum_da, maximum_da, weight: Demand(
            tuple(3 * circuit + phase for phase in phases), minimum_da, maximum_da, weight
        ),
        st.integers(0, 3),
        conductors,
        st.sampled_from([60, 60, 80, 0]),
        st.integers(0, 320),
        st.sampled_from([1.0, 1.0, 2.0, 0.5, 3.0]),
    ),
    max_size=9,
)
free = st.lists(st.integers(-100, 900), min_size=12, max_size=12)
promise = settings(max_examples=100, deadline=None)


def path(node):
    return () if node < 0 else (node, *path(PARENTS[node]))


def nodes_of(wish):
    return [node for leaf in wish.nodes for node in path(leaf)]


def left_da(free_da, wishes, shares):
    left = list(free_da)
    for wish, share in zip(wishes, shares, strict=True):
        for node in nodes_of(wish):
            left[node] -= share.limit_da
    return left


@promise
@given(free, demands)
def test_no_node_is_ever_above_what_is_free(free_da, wishes):
    shares = allocate(free_da, PARENTS, wishes)

    left = left_da(free_da, wishes, shares)
    assert all(rest >= min(0, before) for rest, before in zip(left, free_da, strict=True))


@promise
@given(free, demands)
def test_nobody_is_between_zero_and_his_minimum_nor_above_his_maximum(free_da, wishes):
    for wish, share in zip(wishes, allocate(free_da, PARENTS, wishes), strict=True):
        assert share.limit_da == 0 or wish.minimum_da <= share.limit_da <= wish.maximum_da


@promise
@given(free, demands)
def test_nothing_is_left_that_somebody_could_use(free_da, wishes):
    shares = allocate(free_da, PARENTS, wishes)

    left = left_da(free_da, wishes, shares)
    for wish, share in zip(wishes, shares, strict=True):
        useful_da = max(1, wish.minimum_da) if share.limit_da == 0 else 1
        if share.limit_da + useful_da <= wish.maximum_da:
            assert min(left[node] for node in nodes_of(wish)) < useful_da
            assert share.bound in nodes_of(wish)


@promise
@given(free, demands)
def test_nobody_could_have_more_without_taking_it_from_a_smaller_share(free_da, wishes):
    """Weighted max-min fairness, to within the deci-amp per EVSE that rounding may shift."""
    shares = allocate(free_da, PARENTS, wishes)

    left = left_da(free_da, wishes, shares)
    running = [(w, s.limit_da) for w, s in zip(wishes, shares, strict=True) if s.limit_da > 0]
    for wish, limit_da in running:
        if limit_da == wish.maximum_da:
            continue
        full = [node for node in nodes_of(wish) if left[node] < len(wishes)]
        level = (limit_da + len(wishes)) / wish.weight
        assert any(
            all(
                other_da - len(wishes) <= max(other.minimum_da, level * other.weight)
                for other, other_da in running
                if node in nodes_of(other)
            )
            for node in full
        )


@promise
@given(free, demands)
def test_the_minimum_goes_to_the_most_important(free_da, wishes):
    """Who is refused would not fit beside the minimums of those before him."""
    shares = allocate(free_da, PARENTS, wishes)

    left = list(free_da)
    for wish, share in zip(wishes, shares, strict=True):
        fits = all(left[node] >= max(1, wish.minimum_da) for node in nodes_of(wish))
        if wish.minimum_da == 60 and wish.maximum_da >= 60 and all(w.minimum_da for w in wishes):
            assert (share.limit_da > 0) == fits
        if share.limit_da > 0:
            for node in nodes_of(wish):
                left[node] -= wish.minimum_da


@promise
@given(st.integers(0, 900), st.integers(0, 100), demands)
def test_on_one_shared_conductor_less_free_gives_nobody_more(free_da, less_da, wishes):
    """Precisely: with one contended node and all minimums met. With several nodes nobody can
    promise it: who is cut on one of them leaves his current on the others to his neighbours.
    """
    wishes = [replace(wish, nodes=(0,)) for wish in wishes]
    if free_da - less_da < sum(wish.minimum_da for wish in wishes):
        return

    before, after = (allocate([room], [-1], wishes) for room in (free_da, free_da - less_da))

    for more, fewer in zip(before, after, strict=True):
        assert fewer.limit_da <= more.limit_da + 1


@pytest.mark.parametrize(
    ("free_da", "steps", "expected_da"),
    [
        pytest.param(195, (10, 10), [100, 90], id="whole amperes, the rest is left"),
        pytest.param(195, (10, 1), [90, 105], id="but to who takes tenths"),
        pytest.param(645, (10, 10), [320, 320], id="their maximum"),
        pytest.param(125, (50, 50), [60, 60], id="a minimum need not be a multiple"),
    ],
)
def test_shares_are_what_the_station_takes(free_da, steps, expected_da):
    wishes = [Demand((0,), 60, 320, step_da=step_da) for step_da in steps]

    assert [share.limit_da for share in allocate([free_da], [-1], wishes)] == expected_da


@promise
@given(free, demands, st.sampled_from([1, 5, 10]))
def test_with_steps_nothing_is_left_that_somebody_could_take(free_da, wishes, step_da):
    wishes = [replace(wish, step_da=step_da) for wish in wishes]
    shares = allocate(free_da, PARENTS, wishes)

    left = list(free_da)
    for wish, share in zip(wishes, shares, strict=True):
        for node in nodes_of(wish):
            left[node] -= share.limit_da
    for wish, share in zip(wishes, shares, strict=True):
        if 0 < share.limit_da <= wish.maximum_da - step_da:
            assert min(left[node] for node in nodes_of(wish)) < step_da
    assert all(room >= 0 or free < 0 for room, free in zip(left, free_da, strict=True))


@promise
@given(free, demands)
def test_same_question_same_answer(free_da, wishes):
    assert allocate(free_da, PARENTS, wishes) == allocate(free_da, PARENTS, list(wishes))
