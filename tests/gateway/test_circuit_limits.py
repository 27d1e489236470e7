"""Authority is bounded: people may lower a circuit's limit, for a while, never raise it."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.circuit_limits import CircuitLimits, is_open
from gateway.operations import Caller, NotAllowed, NotFound
from gateway.records import LimitSource
from load_balancer.inputs import Ceiling
from load_balancer.reasons import Rule
from site_config.circuits import Circuit, LimitWindow
from site_config.links import Cloud, Role
from site_config.model import Site, SiteInfo

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OPERATOR = Caller("tablet", Role.OPERATOR)
EVENING = LimitWindow.model_validate({"from": "17:00", "to": "20:00", "limit_a": 30})
NIGHT = LimitWindow.model_validate(
    {"days": ["fri"], "from": "22:00", "to": "06:00", "limit_a": 20, "reason": "night"}
)
BERLIN = ZoneInfo("Europe/Berlin")


def limits(*windows: LimitWindow) -> CircuitLimits:
    site = Site(
        site=SiteInfo(id="depot", name="Depot", timezone="Europe/Berlin"),
        cloud=Cloud(url="ws://127.0.0.1", identity="DEPOT"),
        circuits={
            "grid": Circuit(rating_a=100, limit_windows=windows),
            "garage": Circuit(rating_a=63, parent="grid"),
        },
        stations={},
    )
    return CircuitLimits(site, ())


def wish(book: CircuitLimits, limit_a: float, circuit: str = "garage", **more: object) -> None:
    defaults = {"reason": "", "until": None, "source": LimitSource.OPERATOR, "caller": OPERATOR}
    book.take([book.wish(circuit, limit_a, at=NOON, **{**defaults, **more})])


def test_a_lowered_limit_holds_until_it_is_taken_back():
    book = limits()

    wish(book, 40)
    assert book.ceilings("garage", NOON) == (Ceiling(Rule.OPERATOR, 40),)

    book.take([book.unwish("garage", LimitSource.OPERATOR, OPERATOR)])
    assert book.ceilings("garage", NOON) == ()


@pytest.mark.parametrize("limit_a", [63.1, 1000, -1, float("nan"), float("inf")])
def test_nobody_goes_above_the_rating_or_below_nothing(limit_a):
    with pytest.raises(NotAllowed, match="63 A"):
        wish(limits(), limit_a)


def test_a_viewer_may_look_only():
    with pytest.raises(NotAllowed, match="operator"):
        wish(limits(), 40, caller=Caller("wall", Role.VIEWER))


def test_an_unknown_circuit_is_told_which_there_are():
    with pytest.raises(NotFound, match="grid, garage"):
        wish(limits(), 40, circuit="attic")


def test_an_end_in_the_past_is_refused():
    with pytest.raises(NotAllowed, match="past"):
        wish(limits(), 40, until=NOON)


def test_a_limit_runs_out_by_itself():
    book = limits()
    wish(book, 40, until=NOON + timedelta(hours=1))

    assert book.ceilings("garage", NOON + timedelta(minutes=59))
    assert book.ceilings("garage", NOON + timedelta(hours=1)) == ()
    assert book.expired(NOON + timedelta(hours=1))


def test_mqtt_and_operator_hold_side_by_side():
    book = limits()
    wish(book, 40)
    wish(book, 30, source=LimitSource.MQTT)

    assert set(book.ceilings("garage", NOON)) == {
        Ceiling(Rule.OPERATOR, 40),
        Ceiling(Rule.MQTT, 30),
    }
    assert book.in_words("garage", NOON) == "tablet: 30 A"


@pytest.mark.parametrize(
    ("window", "local", "expected"),
    [
        pytest.param(EVENING, "2026-06-01T16:59:59", False, id="a second before"),
        pytest.param(EVENING, "2026-06-01T17:00:00", True, id="from"),
        pytest.param(EVENING, "2026-06-01T20:00:00", False, id="to is out"),
        pytest.param(NIGHT, "2026-06-05T23:00:00", True, id="Friday night"),
        pytest.param(NIGHT, "2026-06-06T05:59:00", True, id="into Saturday"),
        pytest.param(NIGHT, "2026-06-06T06:00:00", False, id="Saturday morning"),
        pytest.param(NIGHT, "2026-06-06T23:00:00", False, id="not on Saturday night"),
        pytest.param(NIGHT, "2026-06-05T05:00:00", False, id="not on Friday morning"),
    ],
)
def test_windows(window, local, expected):
    assert is_open(window, datetime.fromisoformat(local).replace(tzinfo=BERLIN)) is expected


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        pytest.param("2026-03-28T16:30:00Z", True, id="winter: 17:30 in Berlin"),
        pytest.param("2026-03-29T15:30:00Z", True, id="summer began: 17:30 in Berlin"),
        pytest.param("2026-03-29T18:30:00Z", False, id="summer: 20:30 in Berlin"),
        pytest.param("2026-10-25T18:30:00Z", True, id="winter began: 19:30 in Berlin"),
    ],
)
def test_windows_follow_the_clock_on_the_wall_through_daylight_saving(instant, expected):
    book = limits(EVENING)

    assert bool(book.ceilings("grid", datetime.fromisoformat(instant))) is expected


def test_a_window_names_itself():
    assert limits(EVENING).in_words("grid", datetime(2026, 6, 1, 16, tzinfo=UTC)) == (
        "schedule: 30 A until 20:00"
    )
    assert EVENING.end == time(20)


def test_a_contract_holds_always_and_is_named():
    book = limits()
    grid = Circuit(rating_a=100, contract_a=80)
    site = book._site.model_copy(update={"circuits": {"grid": grid}})
    bound = CircuitLimits(site, ())

    assert bound.ceilings("grid", NOON) == (Ceiling(Rule.CONTRACT, 80),)
    assert bound.in_words("grid", NOON) == "contract: 80 A"
