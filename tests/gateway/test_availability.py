"""What the cloud wants the station and each of its EVSEs to be."""

import pytest

from gateway.availability import Availability
from gateway.commands import ChangeAvailability
from gateway.writes import SaveAvailability

NUMBERS = (1, 2, 3)


def availability(*kept):
    return Availability(kept, NUMBERS)


def after(version, *said):
    """What each EVSE is wanted to be after the cloud has said this, one after the other."""
    wanted = availability()
    for is_operational, evse in said:
        wish = wanted.wish(ChangeAvailability(is_operational, evse), version)
        wanted.take(wish.writes)
    return [wanted.wanted(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("version", "said", "wanted"),
    [
        pytest.param("ocpp2.0.1", [], [None, None, None], id="nothing"),
        pytest.param("ocpp2.0.1", [(False, 2)], [None, False, None], id="one EVSE"),
        pytest.param("ocpp2.0.1", [(False, None)], [False, False, False], id="the whole"),
        pytest.param(
            "ocpp2.0.1", [(False, None), (True, 2)], [False, False, False], id="G04.FR.07"
        ),
        pytest.param(
            "ocpp2.0.1",
            [(False, 2), (False, None), (True, None)],
            [True, False, True],
            id="G04.FR.08 the whole returns, the EVSE keeps its own word",
        ),
        pytest.param("ocpp1.6", [(False, 2), (True, None)], [True, True, True], id="1.6: 0 is all"),
        pytest.param(
            "ocpp1.6", [(False, None), (True, 2)], [False, True, False], id="1.6: one of them again"
        ),
    ],
)
def test_the_last_word_holds_on_its_level(version, said, wanted):
    assert after(version, *said) == wanted


def test_a_wish_is_about_the_evses_it_names_and_changes_nothing_yet():
    wanted = availability()

    wish = wanted.wish(ChangeAvailability(False, 2), "ocpp2.0.1")

    assert wish.is_operational == {2: False}
    assert wish.writes == (SaveAvailability(2, False),)
    assert wanted.wanted(2) is None


def test_it_outlives_a_restart():
    before = availability()
    before.take(before.wish(ChangeAvailability(False), "ocpp1.6").writes)

    restarted = availability(SaveAvailability(0, False), SaveAvailability(3, True))

    assert not before.is_station_operational
    assert not restarted.is_station_operational
    assert restarted.wanted(3) is False
