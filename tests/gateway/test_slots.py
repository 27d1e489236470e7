"""Numbers upstream: given once, never to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records import Slot
from gateway.slots import SlotConflict, SlotTable
from gateway.writes import SaveSlot
from site_config.model import Site


def a_site(stations: dict[str, dict[int, int | None]]) -> Site:
    return Site.model_validate(
        {
            "site": {"id": "s", "name": "S"},
            "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
            "circuits": {"grid": {"rating_a": 100}},
            "stations": {
                station_id: {
                    "circuit": "grid",
                    "safe_current_a": 6,
                    "evses": {evse_id: {"cloud_evse": number} for evse_id, number in evses.items()},
                }
                for station_id, evses in stations.items()
            },
        }
    )


def test_configured_numbers_are_used_and_stored():
    table = SlotTable(a_site({"A": {1: 2}, "B": {1: 1, 2: 3}}))

    assert (table.to_cloud("A", 1), table.to_cloud("B", 1), table.to_cloud("B", 2)) == (2, 1, 3)
    assert table.to_station(3) == ("B", 2)
    assert table.active() == (("B", 1), ("A", 1), ("B", 2))
    assert table.count == 3
    assert set(table.writes) == {
        SaveSlot(Slot(1, "B", 1)),
        SaveSlot(Slot(2, "A", 1)),
        SaveSlot(Slot(3, "B", 2)),
    }


def test_evse_without_a_number_gets_the_lowest_free_one():
    table = SlotTable(a_site({"A": {1: None}, "B": {1: 1}, "C": {1: None}}))

    assert (table.to_cloud("A", 1), table.to_cloud("C", 1)) == (2, 3)


def test_kept_numbers_stay_whatever_the_order_of_the_file():
    kept = [Slot(1, "B", 1), Slot(2, "A", 1)]

    table = SlotTable(a_site({"A": {1: None}, "B": {1: None}}), kept)

    assert (table.to_cloud("A", 1), table.to_cloud("B", 1)) == (2, 1)
    assert table.writes == ()


def test_removed_station_leaves_its_number_unavailable_and_gets_it_back():
    kept = [Slot(1, "A", 1), Slot(2, "B", 1)]

    without = SlotTable(a_site({"B": {1: None}, "C": {1: None}}), kept)
    back = SlotTable(a_site({"A": {1: None}, "B": {1: None}}), list(without))

    assert without.to_station(1) is None
    assert without.unavailable() == (1,)
    assert without.to_cloud("C", 1) == 3
    assert SaveSlot(Slot(1, "A", 1, is_removed=True)) in without.writes
    assert back.to_station(1) == ("A", 1)


def test_gap_is_a_number_that_is_unavailable():
    table = SlotTable(a_site({"A": {1: 3}}))

    assert table.count == 3
    assert table.unavailable() == (1, 2)
    assert table.connected() == (3,)
    assert table.to_station(2) is None


@pytest.mark.parametrize(
    ("kept", "stations", "says"),
    [
        pytest.param(
            [Slot(1, "A", 1), Slot(2, "B", 1)],
            {"A": {1: 1}, "B": {1: None}, "C": {1: 2}},
            "stations.C.evses.1.cloud_evse 2 belongs to B/1 for ever",
            id="number of another",
        ),
        pytest.param(
            [Slot(1, "A", 1)],
            {"C": {1: 1}},
            "belongs to A/1 (no longer in the site file) for ever",
            id="number of one that is gone",
        ),
        pytest.param(
            [Slot(1, "A", 1)],
            {"A": {1: 7}},
            "keep cloud_evse 1",
            id="another number for one the cloud knows",
        ),
    ],
)
def test_renumbering_is_refused_with_what_to_do(kept, stations, says):
    with pytest.raises(SlotConflict) as caught:
        SlotTable(a_site(stations), kept)

    assert says in str(caught.value)


def test_all_conflicts_are_told_at_once():
    kept = [Slot(1, "A", 1), Slot(2, "B", 1)]

    with pytest.raises(SlotConflict) as caught:
        SlotTable(a_site({"A": {1: 2}, "B": {1: 1}}), kept)

    assert len(caught.value.conflicts) == 2


sites = st.dictionaries(
    st.sampled_from("ABCDE"),
    st.dictionaries(st.integers(1, 3), st.none(), min_size=1),
    min_size=1,
)


@given(st.lists(sites, min_size=1, max_size=4))
def test_no_history_of_site_files_renumbers_an_evse(history):
    kept: tuple[Slot, ...] = ()
    given_numbers: dict[tuple[str, int], int] = {}
    for stations in history:
        table = SlotTable(a_site(stations), kept)
        kept = tuple(table)
        for slot in kept:
            place = (slot.station_id, slot.evse_id)
            assert given_numbers.setdefault(place, slot.cloud_evse) == slot.cloud_evse
        assert len({slot.cloud_evse for slot in kept}) == len(kept)
        assert sorted(table.connected() + table.unavailable()) == list(range(1, table.count + 1))
