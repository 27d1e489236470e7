"""The size of a message that the cloud takes is learnt, kept, and tried again after a day."""

from datetime import UTC, datetime, timedelta

from gateway.batches import Delivery
from gateway.merge_bound import MergeBound

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = Delivery()


def bounds(bound):
    applied = bound.applied(ALL)
    return applied.merge_meter_values, applied.merge_bytes


def test_at_first_everything_is_tried():
    assert bounds(MergeBound()) == (20, 30_000)


def test_each_refusal_halves_what_was_refused_down_to_one():
    bound = MergeBound()
    seen = []
    for _ in range(6):
        values, size = bounds(bound)
        bound.refused(values, size, NOON)
        seen.append(bounds(bound)[0])

    assert seen == [10, 5, 2, 1, 1, 1]


def test_it_is_known_after_a_restart_but_not_of_another_cloud():
    [kept] = MergeBound("wss://a DEPOT").refused(20, 9000, NOON)

    assert bounds(MergeBound("wss://a DEPOT", [kept])) == (10, 4500)
    assert bounds(MergeBound("wss://b DEPOT", [kept])) == bounds(MergeBound())


def test_a_day_later_twice_as_much_is_tried_until_all_is():
    bound = MergeBound()
    bound.refused(20, 30_000, NOON)
    early = bound.confirmed(ALL, NOON + DAY / 2)
    [late] = bound.confirmed(ALL, NOON + DAY)

    assert early == []
    assert bounds(bound) == (20, 30_000)
    assert "values" not in late.value
    assert bound.confirmed(ALL, NOON + 9 * DAY) == []


def test_a_culprit_among_them_clears_the_size():
    bound = MergeBound()
    bound.refused(20, 9000, NOON)
    bound.refused(10, 4500, NOON)
    [kept] = bound.culprit_found()

    assert bounds(bound) == (10, 4500)
    assert bounds(MergeBound("", [kept])) == (10, 4500)
    assert bound.culprit_found() == []
