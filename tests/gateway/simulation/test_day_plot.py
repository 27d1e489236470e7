"""What the pictures of a simulated day are drawn from, and what is in them."""

import pytest

from gateway.simulation.day import Day, Weather
from gateway.simulation.day_plot import quarter_means, save_plot
from gateway.simulation.day_record import figures_of
from gateway.simulation.day_sessions import read_sessions
from tests.load_balancer.plant import site

CARS = """evse,phases,arrival,departure,energy_wh,max_current_a
A,L1,2019-03-01T09:00Z,2019-03-01T11:00Z,9000,32
B,L1,2019-03-01T09:30Z,2019-03-01T20:00Z,9000,32
"""


@pytest.mark.parametrize(
    ("flows", "means"),
    [
        pytest.param([(0, 10), (450, 30), (900, 0)], [(0, 20), (900, 0)], id="two in one quarter"),
        pytest.param([(600, 9), (2100, 0)], [(0, 3), (900, 9), (1800, 0)], id="over three"),
        pytest.param([(900, 7)], [(900, 7)], id="a single one"),
    ],
)
def test_a_long_time_is_drawn_as_the_mean_of_each_quarter_hour(flows, means):
    assert dict(quarter_means(flows)) == pytest.approx(dict(means))


@pytest.mark.parametrize("days", [1, 5])
def test_every_limit_and_every_car_is_named_in_the_picture(tmp_path, days):
    config = site(
        {
            "grid": {"rating_a": 32, "contract_a": 20},
            "hall": {"rating_a": 16, "parent": "grid"},
        },
        {
            name: {"circuit": circuit, "safe_current_a": 0, "evses": {1: {"phases": ["L1"]}}}
            for name, circuit in (("A", "grid"), ("B", "hall"))
        },
    )
    sessions = read_sessions(
        CARS.replace("01T09:30Z,2019-03-01", f"{days:02}T09:30Z,2019-03-{days:02}"), config
    )
    record = Day(config, sessions, Weather()).run()

    save_plot(tmp_path / "day.svg", record, config, figures_of(record, "fair", None, 0.0))

    picture = (tmp_path / "day.svg").read_text()  # text is drawn as shapes, named in comments
    words = ["rating, 32 A", "allowed", "hall", "L1, A", "cars plugged in", "waiting for current"]
    words.append("load, mean of 15 min" if days > 3 else "load")
    assert [word for word in words if f"<!-- {word} -->" not in picture] == []
