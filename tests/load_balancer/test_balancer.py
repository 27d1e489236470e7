"""What one step decides, case by case; `test_closed_loop` has the stories."""

import pytest

from load_balancer.balancer import (
    Balancer,
    Ceiling,
    CircuitInput,
    EvseInput,
    EvseKey,
    MeterLost,
    MeterReading,
    SiteInputs,
)
from load_balancer.phases import ZERO, PhaseCurrents
from load_balancer.reasons import Rule
from load_balancer.steering import AT_ONCE
from tests.load_balancer.plant import one_circuit, site

START = 1000.0
TWO = (EvseKey("S0", 1), EvseKey("S1", 1))


class Steps:
    """A balancer of EVSEs that do as they are told, unless a step says otherwise."""

    def __init__(self, count=2, *, reading_a=10.0, poll_s=1.0, **settings):
        self.balancer = Balancer(one_circuit(count, poll_s=poll_s, **settings))
        self.keys = [EvseKey(f"S{n}", 1) for n in range(count)]
        self.now = START
        self.reading_a, self.reading_at = reading_a, None
        """The second: when the last one was taken; None: one is taken each second."""
        self.limits = ()
        self.told_a = dict.fromkeys(self.keys, 0.0)
        self.others = {}

    def step(self, seconds=1, **changes):
        """Run on; `changes` are of single EVSEs: `S0={"wants_current": False}`."""
        for _ in range(seconds):
            self.now += 1.0
            evses = tuple(self._evse(key, changes.get(key.station_id, {})) for key in self.keys)
            reading = None
            if self.reading_a is not None:
                taken_at = self.now if self.reading_at is None else self.reading_at
                reading = MeterReading(taken_at, PhaseCurrents(*[self.reading_a] * 3))
            circuit = CircuitInput("grid", reading, self.limits)
            self.decision = self.balancer.step(SiteInputs(evses, (circuit,)), self.now)
            self.told_a = {key: limit.limit_a for key, limit in self.decision.limits.items()}
        return list(self.told_a.values())

    def _evse(self, key, changes):
        told_a = self.told_a[key]
        known = {
            "is_reachable": True,
            "wants_current": True,
            "believed_a": told_a,
            "measured": None,
            "measured_at": None,
        }
        return EvseInput(key=key, **(known | changes))

    def reason(self, station="S0"):
        return self.decision.limits[EvseKey(station, 1)].reason


IDLE = {"wants_current": False}


def test_every_evse_of_the_site_gets_an_answer_and_who_wants_nothing_gets_nothing():
    steps = Steps(3)

    assert steps.step(S1=IDLE, S2=IDLE) == [6, 0, 0]
    assert steps.reason("S1").rule is Rule.NO_DEMAND


def test_before_the_first_reading_everybody_starts_low_and_stays_there():
    steps = Steps(reading_a=None)

    assert steps.step() == [6, 6]
    assert steps.step(60) == [6, 6]
    assert steps.reason().rule is Rule.METER_STALE
    assert steps.decision.circuits["grid"].reading_is_stale
    assert steps.decision.circuits["grid"].measured is None


def test_a_meter_that_never_spoke_is_an_event_once():
    steps = Steps(reading_a=None)
    events = []
    for _ in range(20):
        steps.step()
        events += steps.decision.events

    assert [type(event) for event in events] == [MeterLost]


@pytest.mark.parametrize(
    ("on_loss", "expected_a", "rule"),
    [
        pytest.param("safe", [6, 6], Rule.METER_STALE, id="safe"),
        pytest.param("hold", [16, 16], Rule.METER_STALE, id="hold"),
        pytest.param("panic", [0, 0], Rule.METER_PANIC, id="panic"),
    ],
)
def test_a_lost_meter_does_what_its_policy_says_at_once(on_loss, expected_a, rule):
    steps = Steps(on_loss=on_loss, reading_a=0.0, max_current_a=16)
    steps.step(60)
    steps.reading_a = None

    assert steps.step() == expected_a
    assert steps.reason().rule is rule
    assert steps.reason().compared_to_a == 16
    assert steps.step(30) == expected_a


def test_safe_is_never_more_than_he_had():
    steps = Steps(2, rating_a=17, reading_a=10.0)
    before_a = steps.step(30)
    steps.reading_a = None

    assert before_a == [7, 0]
    assert steps.step(5) == [6, 0]


def test_who_comes_while_the_meter_is_lost_gets_the_minimum():
    steps = Steps(2)
    steps.step(30, S1=IDLE)
    steps.reading_a = None
    steps.step(5, S1=IDLE)

    assert steps.step(S1={"believed_a": 6.0}) == [6, 6]


def test_a_limit_nobody_confirmed_is_counted_at_the_old_one():
    """A cut of one is given to another only when it is confirmed."""
    steps = Steps(2, rating_a=32, meter=False)
    steps.step(100, S1=IDLE)
    unconfirmed = {"believed_a": 32.0}

    waiting_a = steps.step(5, S0=unconfirmed)
    confirmed_a = steps.step(2)

    assert waiting_a == [16, 0]
    assert confirmed_a == [16, 6]


def test_an_unknown_limit_is_counted_as_all_the_evse_can_give():
    steps = Steps(2, rating_a=40, meter=False)

    soon_a = steps.step(13, S0={"believed_a": None})
    steps.step(87, S0={"believed_a": None})

    assert soon_a == [11, 40 - 32]  # The first is counted at 32 A anyway.
    assert steps.told_a[TWO[1]] == 40 - 32


@pytest.mark.parametrize(
    ("believed_a", "reserved_a"),
    [
        pytest.param(16.0, 16, id="as believed"),
        pytest.param(0.0, 0, id="believed to be off"),
        pytest.param(None, 6, id="unknown: its safe current at least"),
    ],
)
def test_what_an_unreachable_station_may_draw_is_reserved(believed_a, reserved_a):
    steps = Steps(2, rating_a=40, meter=False)
    lost = {"is_reachable": False, "wants_current": False, "believed_a": believed_a}

    steps.step(150, S1=lost)

    assert steps.told_a[EvseKey("S0", 1)] == min(32, 40 - reserved_a)
    allocated = steps.decision.circuits["grid"].allocated
    assert allocated.l1 == reserved_a + min(32, 40 - reserved_a)
    assert steps.reason("S1").rule is Rule.STATION_UNREACHABLE


def test_a_station_lost_while_charging_is_told_its_safe_current_and_keeps_its_reservation():
    steps = Steps(1, meter=False)
    steps.step(100)
    lost = {"is_reachable": False, "believed_a": 32.0}

    assert steps.step(S0=lost) == [6]
    assert steps.reason().rule is Rule.STATION_SAFE
    assert steps.reason().compared_to_a == 32


def test_what_the_meter_shows_of_a_lost_station_is_not_counted_twice():
    steps = Steps(2, rating_a=40, reading_a=26.0)
    drawn = PhaseCurrents(16, 16, 16)
    lost = {
        "is_reachable": False,
        "believed_a": 16.0,
        "measured": drawn,
        "measured_at": START,
    }

    steps.step(60, S1=lost)

    circuit = steps.decision.circuits["grid"]
    assert circuit.uncontrolled == PhaseCurrents(10, 10, 10)
    assert circuit.allocated.l1 == pytest.approx(steps.told_a[EvseKey("S0", 1)] + 16)


def test_who_wants_nothing_is_counted_with_what_he_draws():
    steps = Steps(2, rating_a=40, meter=False)
    leaking = {
        "wants_current": False,
        "measured": PhaseCurrents(10, 0, 0),
        "measured_at": START + 200,
    }
    steps.now = START + 190

    steps.step(20, S1=leaking)

    assert steps.decision.circuits["grid"].allocated == PhaseCurrents(
        10 + steps.told_a[TWO[0]], steps.told_a[TWO[0]], steps.told_a[TWO[0]]
    )


def test_a_full_vehicle_keeps_its_minimum_to_wake_up_as_long_as_there_is_room():
    full = {"wants_current": False, "has_transaction": True}
    steps = Steps(2, rating_a=40, meter=False, max_current_a=32)

    with_room_a = steps.step(140, S1=full)
    tight = Steps(2, rating_a=32, meter=False, max_current_a=32)
    without_room_a = tight.step(140, S1=full)

    assert with_room_a == [32, 6]
    assert without_room_a == [32, 0]


@pytest.mark.parametrize(
    ("rule", "value_a"),
    [
        pytest.param(Rule.OPERATOR, 20, id="operator"),
        pytest.param(Rule.SCHEDULE, 24, id="schedule"),
        pytest.param(Rule.MQTT, 12, id="mqtt"),
        pytest.param(Rule.CLOUD_PROFILE, 18, id="cloud"),
    ],
)
def test_the_lowest_limit_of_a_circuit_wins_and_is_named(rule, value_a):
    steps = Steps(2, meter=False)
    steps.limits = (Ceiling(Rule.OPERATOR, 50), Ceiling(rule, value_a), Ceiling(Rule.MQTT, 60))

    steps.step(60)

    reason = steps.reason()
    assert sum(steps.told_a.values()) == value_a
    assert (reason.rule, reason.circuit, reason.value_a) == (rule, "grid", value_a)
    assert steps.decision.circuits["grid"].rule is rule


def test_nobody_raises_the_installers_rating():
    steps = Steps(2, rating_a=20, meter=False)
    steps.limits = (Ceiling(Rule.OPERATOR, 100),)

    steps.step(60)

    assert steps.decision.circuits["grid"].limit == PhaseCurrents(20, 20, 20)
    assert sum(steps.told_a.values()) == 20


@pytest.mark.parametrize(
    ("ceilings", "limit_a", "rule"),
    [
        pytest.param((), 32, Rule.EVSE_MAXIMUM, id="its own"),
        pytest.param((Ceiling(Rule.CLOUD_PROFILE, 10),), 10, Rule.CLOUD_PROFILE, id="cloud"),
        pytest.param((Ceiling(Rule.CLOUD_PROFILE, 5),), 0, Rule.CLOUD_PROFILE, id="below minimum"),
        pytest.param(
            (Ceiling(Rule.CLOUD_PROFILE, 20), Ceiling(Rule.OPERATOR, 15)),
            15,
            Rule.OPERATOR,
            id="the lowest",
        ),
    ],
)
def test_an_evses_own_ceiling_holds_and_is_named(ceilings, limit_a, rule):
    steps = Steps(1, meter=False)

    assert steps.step(80, S0={"ceilings": ceilings}) == [limit_a]
    assert steps.reason().rule is rule
    assert steps.reason().circuit is None


def test_a_ceiling_that_falls_is_followed_at_once():
    steps = Steps(1, meter=False)
    steps.step(80)

    assert steps.step(S0={"ceilings": (Ceiling(Rule.CLOUD_PROFILE, 8),)}) == [8]


def test_who_is_paused_is_told_for_want_of_what():
    steps = Steps(2, rating_a=10, meter=False)

    limits_a = steps.step(5)

    reason = steps.reason("S1")
    assert limits_a == [6, 0]
    assert (reason.rule, reason.circuit, reason.phase) == (Rule.MINIMUM_UNAVAILABLE, "grid", "L1")
    assert reason.compared_to_a == 6


def test_since_stays_while_rule_and_place_stay_whatever_the_numbers():
    steps = Steps(2, rating_a=40, meter=False)
    steps.step(60)
    before = steps.reason()
    steps.limits = (Ceiling(Rule.OPERATOR, 30),)
    steps.step()
    lowered = steps.reason()
    steps.limits = (Ceiling(Rule.OPERATOR, 20),)
    steps.step(10)

    assert (before.rule, lowered.rule) == (Rule.FAIR_SHARE, Rule.OPERATOR)
    assert lowered.since > before.since
    assert steps.reason().value_a == 20
    assert steps.reason().since == lowered.since


def test_priority_is_a_weight():
    steps = Steps(2, rating_a=30, meter=False, priority=1)
    heavy = Steps(1, rating_a=30, meter=False, priority=2)
    steps.balancer._memories[0].node = heavy.balancer._memories[0].node

    steps.step(60)

    assert list(steps.told_a.values()) == [20, 10]


def test_an_overload_that_no_limit_can_help_pauses_all_and_says_so():
    steps = Steps(2)
    steps.step(60)
    steps.reading_a = 90.0

    assert steps.step() == [0, 0]
    circuit = steps.decision.circuits["grid"]
    assert circuit.overloaded
    assert circuit.measured == PhaseCurrents(90, 90, 90)
    assert steps.reason().rule is Rule.FUSE


def test_an_evse_left_out_is_unknown_not_idle():
    steps = Steps(1, meter=False, rating_a=40)
    steps.step(100)

    decision = steps.balancer.step(SiteInputs(()), steps.now + 1)

    assert decision.circuits["grid"].allocated.l1 == 32
    assert decision.circuits["grid"].uncontrolled == ZERO


def test_a_station_that_takes_more_than_told_is_named_and_counted_at_that():
    steps = Steps(2, rating_a=40, meter=False)
    steps.step(60)
    takes_30 = {"measured": PhaseCurrents(30, 30, 30), "measured_at": steps.now + 15}

    steps.step(16, S0=takes_30)

    assert steps.reason("S0").rule is Rule.NOT_FOLLOWED
    assert steps.reason("S0").compared_to_a == 30
    assert steps.told_a[TWO[1]] == 10


def test_a_station_that_takes_more_than_there_is_and_never_obeys_is_paused_at_last():
    steps = Steps(1, rating_a=20, meter=False)
    steps.step(60)
    takes_30 = {"measured": PhaseCurrents(30, 30, 30), "measured_at": steps.now + 1}

    assert steps.step(5, S0=takes_30) == [0]


def test_alone_on_a_full_circuit_it_is_the_fuse_among_several_the_fair_share():
    alone, together = Steps(1, rating_a=20, meter=False), Steps(2, rating_a=20, meter=False)
    alone.step(60)
    together.step(60)

    assert (alone.reason().rule, alone.reason().value_a) == (Rule.FUSE, 20)
    assert (together.reason().rule, together.reason().value_a) == (Rule.FAIR_SHARE, 10)


def test_while_a_meter_is_lost_nobody_rises_though_he_might():
    steps = Steps(on_loss="hold", reading_a=0.0)
    before_a = steps.step(13)
    steps.reading_a = None

    assert before_a == [11, 11]
    assert steps.step(60) == [11, 11]


def test_while_a_meter_is_lost_who_was_paused_stays_paused():
    steps = Steps(on_loss="hold", reading_a=0.0)
    steps.step(13)
    steps.reading_a = None
    steps.step(5, S0={"ceilings": (Ceiling(Rule.CLOUD_PROFILE, 0),)})

    assert steps.step(60) == [0, 11]


def test_while_a_meter_is_lost_no_full_vehicle_is_offered_anything_new():
    full = {"wants_current": False, "has_transaction": True}
    refused = full | {"ceilings": (Ceiling(Rule.CLOUD_PROFILE, 0),)}
    steps = Steps(on_loss="hold", reading_a=0.0)
    assert steps.step(100, S1=full) == [32, 6]
    steps.step(S1=refused)
    steps.reading_a = None
    steps.step(S1=refused)

    assert steps.step(30, S1=full) == [32, 0]


def test_a_lower_ceiling_holds_at_once_and_what_it_leaves_goes_to_others_within_seconds():
    steps = Steps(2, rating_a=32, meter=False)
    steps.step(60)
    lowered = {"ceilings": (Ceiling(Rule.CLOUD_PROFILE, 10.0),)}

    at_once_a = steps.step(S0=lowered)
    reason = steps.reason()
    later_a = steps.step(5, S0=lowered)

    assert at_once_a[0] == 10
    assert (reason.rule, reason.value_a) == (Rule.CLOUD_PROFILE, 10)
    assert later_a == [10, 21]


SILENCES = {"silent": {}, "lost": {"is_reachable": False, "believed_a": 6.0}}


@pytest.mark.parametrize("silence", SILENCES.values(), ids=SILENCES)
def test_a_station_that_does_not_obey_and_falls_silent_is_counted_as_it_was_heard(silence):
    """On a fuse without a meter nothing else tells what it draws."""
    steps = Steps(rating_a=40, meter=False)
    for _ in range(120):
        draws = {"measured": PhaseCurrents(32, 32, 32), "measured_at": steps.now}
        steps.step(S0=draws)
    others_a = steps.told_a[steps.keys[1]]

    steps.step(200, S0=draws | silence)

    assert others_a == 8
    assert steps.told_a[steps.keys[1]] == 8
    steps.step(S0=IDLE)
    assert steps.step(60, S0=IDLE)[1] == 32


def test_a_ceiling_that_comes_and_goes_within_seconds_leaves_nothing_behind():
    steps = Steps(2, rating_a=32, meter=False)
    steps.step(60)
    high, low = ({"ceilings": (Ceiling(Rule.CLOUD_PROFILE, a),)} for a in (14.0, 10.0))
    steps.step(S0=high)

    assert steps.step(S0=low)[0] == 10
    assert steps.step(40, S0=high) == [14, 18]


def test_a_meter_that_is_overdue_freezes_rises_before_anybody_falls():
    heard, overdue = (Steps(1, reading_a=0.0) for _ in range(2))
    heard.step(8)
    overdue.step(8)
    overdue.reading_at = overdue.now

    assert heard.step(4) == [11]
    assert overdue.step(4) == [6]
    assert overdue.reason().rule is Rule.RISING


@pytest.mark.parametrize("poll_s", [1, 2, 3, 4])
def test_a_meter_that_is_read_rarely_is_not_overdue_between_two_readings(poll_s):
    steps = Steps(1, reading_a=0.0, poll_s=poll_s)
    for second in range(120):
        steps.reading_at = steps.now + 1.0 - second % poll_s
        steps.step()

    assert steps.told_a[steps.keys[0]] == 32


def test_limits_rise_only_beside_the_most_that_others_were_seen_to_draw():
    steps = Steps(1)
    for second in range(120):
        steps.reading_a = 40.0 if second % 10 == 5 else 10.0
        steps.step()

        assert steps.told_a[TWO[0]] <= 63 - 40


def test_a_lost_station_lets_nobody_rise_for_a_while():
    steps = Steps(2, rating_a=40, meter=False)
    steps.step(10)
    lost = {"is_reachable": False, "believed_a": 6.0}

    assert steps.step(15, S1=lost)[0] == 6
    assert steps.step(15, S1=lost)[0] > 6


@pytest.mark.parametrize(
    ("above", "below", "expected_a"),
    [("hold", "panic", 0), ("panic", "hold", 0), ("hold", "safe", 6), ("safe", "hold", 6)],
)
def test_of_several_lost_meters_the_strictest_policy_holds(above, below, expected_a):
    config = site(
        {
            "grid": {"rating_a": 63, "meter": "above"},
            "garage": {"parent": "grid", "rating_a": 40, "meter": "below"},
        },
        {"S0": {"circuit": "garage", "evses": {1: {}}}},
        {"above": {"on_loss": above}, "below": {"on_loss": below}},
    )
    balancer = Balancer(config)
    told_a = 0.0
    for second in range(40):
        now = START + second
        evse = EvseInput(TWO[0], True, True, told_a, None, None)
        reading = MeterReading(now, ZERO) if second < 39 else None
        circuits = tuple(CircuitInput(name, reading) for name in ("grid", "garage"))
        told_a = balancer.step(SiteInputs((evse,), circuits), now).limits[TWO[0]].limit_a

    assert told_a == expected_a


def test_a_lost_meter_lets_nobody_rise_on_the_circuits_above_it_either():
    config = site(
        {"grid": {"rating_a": 63}, "garage": {"parent": "grid", "rating_a": 40, "meter": "garage"}},
        {"S0": {"circuit": "grid", "evses": {1: {}}}},
        {"garage": {}},
    )
    balancer = Balancer(config)
    told_a = {}
    for second in range(30):
        now = START + second
        evse = EvseInput(TWO[0], True, True, told_a.get(second - 1, 0.0), None, None)
        reading = MeterReading(now, ZERO) if second < 10 else None
        circuits = (CircuitInput("garage", reading),)
        told_a[second] = balancer.step(SiteInputs((evse,), circuits), now).limits[TWO[0]].limit_a

    assert told_a[9] == told_a[29] == 6


def test_who_needs_more_to_begin_gets_that_or_nothing():
    """A station that takes watts, with a car whose phases nobody knows yet."""
    steps = Steps(1)
    steps.step(5, S0={"minimum_a": 18.0})
    begun_a = steps.told_a[steps.keys[0]]

    steps.limits = (Ceiling(Rule.OPERATOR, 27.0),)  # the building draws 10 A of them
    steps.step(5, S0={"minimum_a": 18.0})
    paused_a = steps.told_a[steps.keys[0]]
    steps.step(60)

    assert begun_a >= 18.0
    assert paused_a == 0.0
    assert steps.told_a[steps.keys[0]] >= 6.0


def test_who_takes_whole_amperes_is_told_whole_amperes_and_the_rest_goes_to_others():
    steps = Steps(3, reading_a=10.0, rating_a=55)
    told_a = set()

    for _ in range(120):
        steps.step(1, S0={"step_a": 1.0}, S1={"step_a": 1.0, "minimum_a": 6.5})
        told_a |= {steps.told_a[key] for key in steps.keys[:2]}

    assert all(limit_a == int(limit_a) for limit_a in told_a)
    assert 6.0 in told_a  # S0's minimum
    assert list(steps.told_a.values()) == [15.0, 15.0, 15.0]


def test_limits_rise_at_once_where_the_pace_says_so():
    balancer = Balancer(one_circuit(1, meter=False), AT_ONCE)
    told_a = [0.0]
    for now in (START, START + 1):
        evse = EvseInput(TWO[0], True, True, told_a[-1], PhaseCurrents(*[told_a[-1]] * 3), now)
        decision = balancer.step(SiteInputs((evse,)), now)
        told_a.append(decision.limits[TWO[0]].limit_a)

    assert told_a == [0.0, 6.0, 32.0]


@pytest.mark.parametrize("ceiling_a", [15.1, 15.2, 15.4, 15.6])
def test_a_ceiling_is_never_compared_with_less_than_itself(ceiling_a):
    steps = Steps(2, rating_a=32, meter=False)
    steps.step(120, S0={"ceilings": (Ceiling(Rule.UNBALANCE, 15.1),)})

    told_a, _ = steps.step(30, S0={"ceilings": (Ceiling(Rule.UNBALANCE, ceiling_a),)})

    # The fuse is full and half an ampere more is not worth telling: the ceiling rises all the same.
    assert told_a == 15.1
    assert steps.reason("S0").value_a <= steps.reason("S0").compared_to_a
