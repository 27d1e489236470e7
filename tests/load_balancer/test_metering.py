"""What others draw is never believed to be less for one reading, nor a silent meter at all."""

import math

import pytest

from load_balancer.decision import MeterBack, MeterLost
from load_balancer.inputs import MeterReading
from load_balancer.metering import GOOD_READINGS, Draws, MeteredCircuit
from load_balancer.phases import PhaseCurrents
from site_config.meters import Meter, OnLoss

METER = Meter(model="eastron-sdm630", url="tcp://127.0.0.1:5020")
REPORT_S = 10
WINDOW_S = 30
ALLOWED_DA = [630, 630, 630]


class Bench:
    def __init__(self):
        self.circuit = MeteredCircuit("grid", METER, REPORT_S)
        self.now = 100.0
        self.events = []

    def read(self, current_a, *, low_a=0.0, drawn_a=None, most_a=None, seconds=1, age_s=0.0):
        """Let the meter show this on every phase, once a second."""
        drawn_a = low_a if drawn_a is None else drawn_a
        most_a = drawn_a if most_a is None else most_a
        draws = Draws(*([round(10 * value)] * 3 for value in (low_a, drawn_a, most_a)))
        for _ in range(seconds):
            self.now += 1.0
            currents = PhaseCurrents(current_a, current_a, current_a)
            reading = MeterReading(self.now - age_s, currents) if current_a is not None else None
            event = self.circuit.observe(reading, draws, ALLOWED_DA, self.now)
            if event is not None:
                self.events.append(event)
        return self.circuit.others_da[0] / 10, self.circuit.others_at_most_da[0] / 10


def test_others_are_the_reading_less_what_ours_draw():
    assert Bench().read(30, low_a=10, seconds=3) == (20, 20)


def test_others_are_never_negative():
    assert Bench().read(5, low_a=10, seconds=3) == (0, 0)


def test_the_direction_of_a_current_does_not_matter_to_a_fuse():
    assert Bench().read(-30, low_a=10, seconds=3) == (20, 20)


def test_a_step_that_ours_could_explain_is_believed_after_a_report_interval():
    """A vehicle that starts shows at the meter seconds before its station reports it."""
    bench = Bench()
    bench.read(20, low_a=0, most_a=16, seconds=30)

    at_once = bench.read(36, low_a=0, most_a=16)
    after_a_report = bench.read(36, low_a=0, most_a=16, seconds=WINDOW_S)

    assert at_once == (20, 36)
    assert after_a_report == (36, 36)


def test_a_step_that_ours_cannot_explain_is_believed_at_once():
    bench = Bench()
    bench.read(20, low_a=0, most_a=16, seconds=30)

    assert bench.read(50, low_a=0, most_a=16) == (34, 50)


def test_above_the_limit_the_likely_draw_counts_at_once():
    bench = Bench()
    bench.read(20, low_a=10, most_a=60, seconds=30)

    assert bench.read(70, low_a=10, most_a=60) == (60, 60)


def test_a_cut_on_its_way_is_not_taken_for_others():
    bench = Bench()
    bench.read(70, low_a=30, seconds=30)

    in_flight = bench.read(70, low_a=10, drawn_a=30, most_a=30)

    assert in_flight[0] == 40


def test_a_fall_is_believed_only_after_a_report_interval():
    bench = Bench()
    bench.read(40, low_a=10, seconds=30)

    assert bench.read(15, low_a=10) == (30, 30)
    assert bench.read(15, low_a=10, seconds=WINDOW_S) == (5, 5)


def test_a_late_reading_is_compared_with_what_was_known_when_it_was_taken():
    bench = Bench()
    bench.read(60, low_a=40, age_s=3, seconds=30)

    assert bench.read(60, low_a=20, age_s=3)[0] == 20


@pytest.mark.parametrize(
    "current_a", [None, math.nan, math.inf], ids=["no reading", "not a number", "infinite"]
)
def test_no_reading_is_never_zero(current_a):
    bench = Bench()
    bench.read(40, seconds=5)

    assert bench.read(current_a) == (40, 40)
    assert not bench.circuit.is_trusted
    assert bench.circuit.measured is None


def test_a_reading_is_believed_until_it_is_too_old():
    bench = Bench()
    bench.read(40, seconds=5)
    reading = MeterReading(bench.now, PhaseCurrents(40, 40, 40))
    draws = Draws([0] * 3, [0] * 3, [0] * 3)

    bench.circuit.observe(reading, draws, ALLOWED_DA, bench.now + METER.max_age_s)
    was_trusted = bench.circuit.is_trusted
    bench.circuit.observe(reading, draws, ALLOWED_DA, bench.now + METER.max_age_s + 0.1)

    assert was_trusted
    assert not bench.circuit.is_trusted


def test_trust_comes_back_with_several_good_readings_only():
    bench = Bench()
    bench.read(40, seconds=5)
    bench.read(None)

    bench.read(40, seconds=GOOD_READINGS - 1)
    was_trusted = bench.circuit.is_trusted
    bench.read(40)

    assert not was_trusted
    assert bench.circuit.is_trusted


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends():
    bench = Bench()
    bench.read(40, seconds=5)

    bench.read(None, seconds=20)
    bench.read(40, seconds=10)

    lost, back = bench.events
    assert lost == MeterLost("grid", 1.0, OnLoss.SAFE)
    assert isinstance(back, MeterBack)
    assert back.silent_s == pytest.approx(20 + GOOD_READINGS, abs=1)


def test_a_meter_that_never_spoke_is_told_after_its_time():
    bench = Bench()

    bench.read(None, seconds=5)
    early = list(bench.events)
    bench.read(None, seconds=5)

    assert early == []
    assert bench.events == [MeterLost("grid", None, OnLoss.SAFE)]


def test_after_an_outage_others_are_no_less_than_before_for_a_while():
    bench = Bench()
    bench.read(40, seconds=30)
    bench.read(None, seconds=20)

    assert bench.read(10)[1] == 40
    assert bench.read(10, seconds=WINDOW_S) == (10, 10)


def test_a_cut_on_its_way_excuses_an_overload_until_a_reading_shows_that_it_worked():
    """Told 25 A, ours are known to draw 40 A until they report."""
    bench = Bench()
    bench.read(60, low_a=40, most_a=40, seconds=30)
    overload, _ = bench.read(80, low_a=40, most_a=40)
    on_its_way, _ = bench.read(80, low_a=25, drawn_a=40, most_a=40)
    bench.read(60, low_a=25, drawn_a=40, most_a=40)
    a_new_one, _ = bench.read(70, low_a=25, drawn_a=40, most_a=40)

    assert (overload, on_its_way, a_new_one) == (40, 40, 45)
