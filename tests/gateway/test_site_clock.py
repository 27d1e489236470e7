"""The site's time goes on, whatever becomes of the machine's clock."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.site_clock import LAST_SEEN, SiteClock
from gateway.writes import SaveSetting

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Machine:
    """A clock on the wall, which may be set, and one that only counts."""

    def __init__(self, wall: datetime = T0) -> None:
        self.wall, self.now = wall, 100.0

    def clock(self, *kept: SaveSetting) -> SiteClock:
        return SiteClock(lambda: self.wall, lambda: self.now, kept)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.now += seconds


def seen(at: datetime) -> SaveSetting:
    return SaveSetting(LAST_SEEN, at.isoformat())


def test_sound_clock_is_the_machine_s():
    machine = Machine()
    clock = machine.clock(seen(T0 - timedelta(hours=1)))

    machine.passes(10)

    assert clock.now_utc() == T0 + timedelta(seconds=10)
    assert clock.is_sound
    assert clock.problem() == ""
    assert clock.step([]) is None


def test_machine_without_a_clock_goes_on_from_the_last_instant_known():
    machine = Machine(YEAR_1970)
    clock = machine.clock(seen(T0))

    machine.passes(90)

    assert clock.now_utc() == T0 + timedelta(seconds=90)
    assert not clock.is_sound
    assert "1970-01-01" in clock.problem()
    assert clock.step([]) is None, "it is not set yet"


def test_first_start_without_a_clock_is_not_in_1970():
    assert Machine(YEAR_1970).clock().now_utc().year >= 2025


def test_clock_set_by_ntp_after_the_start_is_taken_once_nothing_runs_that_began_before():
    machine = Machine(YEAR_1970)
    clock = machine.clock(seen(T0))
    machine.passes(60)
    begun = clock.now_utc()

    machine.wall = T0 + timedelta(days=2)
    waiting = clock.step([begun])
    held = clock.now_utc()
    by_s = clock.step([T0 - timedelta(hours=3)])

    assert waiting is None
    assert held == begun
    assert by_s == pytest.approx(2 * 86_400 - 60)
    assert clock.now_utc() == machine.wall
    assert clock.problem() == ""


def test_clock_that_goes_back_hours_is_not_followed_while_cars_charge():
    machine = Machine()
    clock = machine.clock()
    begun = clock.now_utc()

    machine.wall -= timedelta(hours=2)
    clock.now_utc()
    machine.passes(600)

    assert clock.now_utc() == T0 + timedelta(seconds=600)
    assert clock.step([begun]) is None
    assert clock.step([]) == pytest.approx(-7200)
    assert clock.now_utc() == T0 - timedelta(hours=2) + timedelta(seconds=600)


def test_clock_that_comes_back_is_followed_at_once():
    machine = Machine()
    clock = machine.clock()
    begun = clock.now_utc()
    machine.wall -= timedelta(hours=2)
    clock.now_utc()

    machine.wall += timedelta(hours=2)

    assert clock.step([begun]) == pytest.approx(0)
    assert clock.is_sound


def test_after_a_day_the_machine_is_believed_though_cars_still_charge():
    machine = Machine()
    clock = machine.clock()
    begun = clock.now_utc()
    machine.wall -= timedelta(hours=2)
    clock.now_utc()

    machine.passes(86_400)

    assert clock.step([begun]) == pytest.approx(-7200)


@pytest.mark.parametrize("by_s", [-29, 3 * 3600])
def test_small_steps_and_a_machine_that_slept_are_believed(by_s):
    machine = Machine()
    clock = machine.clock()
    clock.now_utc()

    machine.wall += timedelta(seconds=by_s)

    assert clock.now_utc() == machine.wall
    assert clock.is_sound


def test_newest_instant_is_kept_every_ten_minutes():
    machine = Machine()
    clock = machine.clock()

    kept = []
    for _ in range(25):
        kept.append(clock.to_keep())
        machine.passes(60)

    assert [bool(one) for one in kept].count(True) == 3
    assert kept[0] == seen(T0)
