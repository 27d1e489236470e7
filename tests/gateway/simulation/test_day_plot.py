"""What the pictures of a simulated day are drawn from."""

import pytest

from gateway.simulation.day_plot import quarter_means


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
