"""What our own EVSEs draw below a meter is told on the circuit's phases; doubts reach operators."""

import pytest

from gateway.meter_news import MeterNews, phases_below
from gateway.metrics import Counters
from gateway.site_state import SiteState
from load_balancer.phases import PhaseCurrents
from site_config.load import parse_site

SITE = """\
site: {id: depot, name: Depot}
cloud: {url: "ws://127.0.0.1/ocpp", identity: DEPOT}
csms: {meter_interval_s: 10}
meters:
  main: {model: sunspec, url: "tcp://127.0.0.1"}
  yard: {model: sunspec, url: "tcp://127.0.0.1", unit: 2}
circuits:
  grid: {rating_a: 100, meter: main}
  garage: {rating_a: 63, parent: grid}
  outside: {rating_a: 63, parent: grid, meter: yard}
stations:
  IN: {circuit: garage, safe_current_a: 0, evses: {1: {phases: [L2, L3, L1]}}}
  OUT: {circuit: outside, safe_current_a: 0, evses: {1: {phases: [L3]}}}
"""


@pytest.fixture
def state():
    return SiteState.of(parse_site(SITE, {}), {("IN", 1): 1, ("OUT", 1): 2})


@pytest.fixture
def problems():
    return {}


@pytest.fixture
def news(state, problems):
    return MeterNews(state, Counters(), problems.__setitem__, lambda: None)


def drawing(state, station, currents, at):
    evse = state.stations[station].evses[1]
    evse.measured, evse.measured_at, evse.transaction_id = PhaseCurrents(*currents), at, "t"


def test_draw_below_a_meter_lies_on_the_phases_of_its_circuit(state, news):
    drawing(state, "IN", (16, 10, 6), 100.0)
    drawing(state, "OUT", (8, 0, 0), 100.0)

    assert news.drawn("main", 101.0) == (6, 16, 18)
    assert news.drawn("yard", 101.0) == (0, 0, 8)


def test_phases_below_a_meter_are_those_its_evses_are_wired_to(state):
    assert phases_below(state.site, "main") == {0, 1, 2}
    assert phases_below(state.site, "yard") == {2}
    unknown = parse_site(SITE.replace("[L3]", "[L3, unknown]"), {})
    assert phases_below(unknown, "yard") == {2}


def test_draw_that_was_not_reported_for_three_intervals_counts_no_more(state, news):
    drawing(state, "IN", (16, 16, 16), 100.0)

    assert news.drawn("main", 131.0) == (0, 0, 0)


def test_draw_of_a_transaction_that_is_over_counts_no_more(state, news):
    drawing(state, "IN", (16, 16, 16), 100.0)
    state.stations["IN"].evses[1].transaction_id = None

    assert news.drawn("main", 101.0) == (0, 0, 0)


def test_what_is_odd_but_used_degrades_the_site_and_leaves_the_meter_healthy(state, news, problems):
    news.health("main", None)
    news.doubt("main", "energy import stands")

    assert problems["meter_doubt.main"] == "meter main is odd, but used: energy import stands"
    assert state.meters["main"].is_healthy
    news.doubt("main", None)
    assert problems["meter_doubt.main"] == ""
