"""`describe` draws the site as the gateway understood it."""

import io

import pytest
from rich.console import Console

from site_config.load import parse_site
from site_config.tree import describe


def drawn(site):
    console = Console(file=io.StringIO(), width=160)
    console.print(describe(site))
    return console.file.getvalue()


@pytest.fixture
def text(example):
    window = "rating_a: 63\n    limit_windows: [{days: [mon], from: 17:00, to: 20:00, limit_a: 40}]"
    return example.replace("rating_a: 63", window)


def test_tree_shows_circuits_meters_stations_and_evses(text):
    tree = drawn(parse_site(text, {}))

    assert "Depot North (depot-north), Europe/Berlin, 230 V" in tree
    assert "meter grid: eastron-sdm630 at tcp://127.0.0.1:5020 unit 1" in tree
    assert "40 A mon 17:00–20:00 (schedule)" in tree
    assert "EVSE 1: L2-L3-L1, 6 to 32 A → cloud EVSE 2" in tree
    assert tree.index("garage") < tree.index("CP-01") < tree.index("CP-02")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("{}", "may dim 3 charge points to 4200 W each, 12600 W together"),
        ("{minimum: together}", "may dim 3 charge points to 10500 W together"),
        ("{exempt: [CP-02]}", "may dim 1 charge point to 4200 W each, 4200 W together"),
    ],
)
def test_how_far_the_grid_operator_may_dim_is_drawn(example, section, line):
    assert line in drawn(parse_site(f"{example}\ngrid_operator: {section}\n", {}))


def test_sums_of_safe_currents_stand_beside_the_rating(text):
    tree = drawn(parse_site(text, {}))

    assert "garage 63 A per phase · safe 18/18/18 A · all at once 96/96/96 A" in tree


@pytest.mark.parametrize(
    ("phases", "shown"),
    [
        ("unknown", "EVSE 1: phases unknown (counts on each), 6 to 32 A"),
        ("[unknown]", "EVSE 1: phases unknown (one conductor, counts on each), 6 to 32 A"),
        ("[L2, unknown, unknown]", "EVSE 1: L2-unknown-unknown, 6 to 32 A"),
    ],
)
def test_tree_says_where_phases_are_unknown(text, phases, shown):
    assert shown in drawn(parse_site(text.replace("[L2, L3, L1]", phases), {}))


def test_tree_shows_no_secret(text):
    tree = drawn(parse_site(text, {}))

    assert "station-secret" not in tree
    assert "safe 6 A, password" in tree


def test_a_site_that_is_still_wrong_can_be_drawn(text):
    """A cycle, and a station on a circuit nobody knows."""
    text = text.replace("grid:\n    rating_a", "grid:\n    parent: garage\n    rating_a")
    text = text.replace("circuit: garage\n    safe", "circuit: nowhere\n    safe")

    assert "CP-02" in drawn(parse_site(text, {}))
