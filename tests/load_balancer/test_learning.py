"""Phases are learnt and unused current taken back only after clear evidence, undone at once."""

from itertools import pairwise

import pytest

from load_balancer.learning import PhaseUse, UnusedOffer

ALL = (3, 4, 5)


def learnt(*reports):
    """Feed (seconds, currents) reports to a fresh EVSE and return where it counts."""
    use = PhaseUse(ALL)
    for at, measured_da in reports:
        use.learn(measured_da, at)
    return use.nodes


ONE, TWO, THREE = (160, 2, 0), (160, 0, 158), (160, 158, 160)


@pytest.mark.parametrize(
    ("reports", "nodes"),
    [
        pytest.param([(0, ONE), (29, ONE)], ALL, id="not yet"),
        pytest.param([(0, ONE), (30, ONE)], (3,), id="one phase"),
        pytest.param([(0, TWO), (30, TWO)], (3, 5), id="two phases"),
        pytest.param([(0, THREE), (60, THREE)], ALL, id="three phases"),
        pytest.param([(0, (20, 0, 0)), (60, (20, 0, 0))], ALL, id="too little to tell"),
        pytest.param([(0, ONE), (20, THREE), (40, ONE)], ALL, id="interrupted"),
        pytest.param([(0, ONE), (20, TWO), (40, TWO)], ALL, id="another pattern"),
        pytest.param([(0, ONE), (30, ONE), (40, (0, 0, 0))], (3,), id="kept during a pause"),
        pytest.param([(0, ONE), (30, ONE), (40, TWO)], ALL, id="dropped at once"),
        pytest.param([(0, TWO), (30, TWO), (40, ONE), (70, ONE)], (3,), id="narrowed"),
    ],
)
def test_phases_in_use(reports, nodes):
    assert learnt(*reports) == nodes


def test_a_new_vehicle_is_counted_on_every_conductor_again():
    use = PhaseUse(ALL)
    for at in (0, 30):
        use.learn(ONE, at)

    use.forget()

    assert use.nodes == ALL


def offers(*reports, limit_da=320):
    offer = UnusedOffer(60)
    said = []
    for at, drawn_da in reports:
        offer.learn(drawn_da, min(limit_da, offer.ceiling_da or limit_da), at)
        said.append(offer.ceiling_da)
    return said


@pytest.mark.parametrize(
    ("reports", "ceilings_da"),
    [
        pytest.param([(0, 100), (29, 100)], [None, None], id="not yet"),
        pytest.param([(0, 100), (30, 100)], [None, 130], id="given back, but for a margin"),
        pytest.param([(0, 0), (60, 0)], [None, 60], id="not below the minimum"),
        pytest.param([(0, 295), (60, 295)], [None, None], id="within the margin"),
        pytest.param([(0, 100), (20, 315), (40, 100)], [None] * 3, id="interrupted"),
        pytest.param([(0, 100), (60, 100), (70, 121)], [None, 130, None], id="offered again"),
        pytest.param([(0, 100), (60, 100), (70, 95)], [None, 130, 130], id="not for a trifle"),
        pytest.param([(0, 100), (60, 100), (70, 80)], [None, 130, 110], id="follows a taper"),
    ],
)
def test_unused_current(reports, ceilings_da):
    assert offers(*reports) == ceilings_da


def test_a_taper_is_followed_in_few_steps():
    reports = [(10 * n, 300 - 4 * n) for n in range(60)]

    said = [ceiling_da for ceiling_da in offers(*reports) if ceiling_da]

    assert sum(a != b for a, b in pairwise(said)) <= 25
    assert said[-1] <= 300 - 4 * 59 + 30 + 10


MARGIN_DA, NONE_DA = 30, 10
"""What a vehicle is left above its draw of 310: at first, and when it has not used that."""


def offer_of(drawn_da, *, until, limit_da=800):
    """What is left to a vehicle that draws the same, reported every ten seconds until then."""
    offer = UnusedOffer(60)
    for at in range(0, until + 1, 10):
        offer.learn(drawn_da, min(limit_da, offer.ceiling_da or limit_da), at)
    return offer


@pytest.mark.parametrize("limit_da", [0, 60, 150])
def test_who_is_paused_or_held_below_his_ceiling_keeps_it(limit_da):
    offer = offer_of(310, until=60)

    for at in range(70, 1000, 10):
        offer.learn(min(limit_da, 310), limit_da, at)

    assert offer.ceiling_da == 310 + MARGIN_DA


def test_a_margin_that_is_not_used_for_long_is_given_back_too():
    assert offer_of(310, until=300).ceiling_da == 310 + MARGIN_DA
    assert offer_of(310, until=400).ceiling_da == 310 + NONE_DA
    assert offer_of(310, until=3000).ceiling_da == 310 + NONE_DA


def test_the_margin_is_offered_again_every_hour_for_half_a_minute():
    offer = offer_of(310, until=400)
    said = []
    for at in range(410, 3600 + 810, 10):
        offer.learn(310, offer.ceiling_da, at)
        said.append(offer.ceiling_da)

    assert said.count(310 + MARGIN_DA) == 4  # reports, ten seconds apart


def test_who_uses_the_margin_then_is_offered_everything():
    offer = offer_of(310, until=3970)
    offer.learn(338, offer.ceiling_da, 3980)

    assert offer.ceiling_da is None


def test_who_draws_above_the_most_he_was_seen_to_take_is_offered_everything():
    offer = offer_of(310, until=400)
    offer.learn(318, offer.ceiling_da, 410)

    assert offer.ceiling_da is None


def test_who_takes_less_than_his_most_has_a_margin_again():
    offer = offer_of(310, until=400)
    offer.learn(250, offer.ceiling_da, 410)

    assert offer.ceiling_da == 250 + MARGIN_DA
