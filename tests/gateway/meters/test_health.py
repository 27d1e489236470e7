"""A fault of a meter is told once when it begins and once when it is over, with its register."""

from gateway.meters.doubts import Doubt, DoubtKind
from gateway.meters.health import CALM_S, Doubts
from gateway.meters.model import Quantity, meter_model

SDM630 = meter_model("eastron-sdm630").layouts[0]
NAN = Doubt(DoubtKind.NOT_AVAILABLE, Quantity.CURRENT_L2, "no current on L2")
STANDS = Doubt(DoubtKind.COUNTER_STANDS, Quantity.ENERGY_IMPORT, "energy import stands")


def play(caplog, *steps):
    caplog.set_level("INFO")
    told = []
    doubts = Doubts("grid", lambda name, words: told.append((name, words)))
    for now, found in steps:
        doubts.take(found, SDM630, now)
    return [record.getMessage() for record in caplog.records], told


def test_doubt_is_told_once_when_it_begins_with_kind_and_register(caplog):
    lines, told = play(caplog, (0, [NAN]), (1, [NAN]), (2, [NAN]))

    assert lines == [
        'meter.doubt meter=grid kind=not_available register="input register 8 (0x0008)" '
        'reason="no current on L2" refused=yes'
    ]
    assert told == []


def test_doubt_that_flickers_is_one_and_over_when_it_has_calmed_down(caplog):
    steps = [(n, [NAN] if n % 2 == 0 else []) for n in range(50)]

    lines, _ = play(caplog, *steps, (48 + CALM_S, []), (49 + CALM_S, []))

    assert [line.split()[0] for line in lines] == ["meter.doubt", "meter.sound"]
    assert lines[1] == "meter.sound meter=grid kind=not_available lasted_s=48"


def test_what_is_odd_but_used_is_told_to_the_operator_until_it_is_over(caplog):
    _, told = play(caplog, (0, [STANDS]), (1, [STANDS]), (2 + CALM_S, []))

    assert told == [
        ("grid", "energy import stands (input register 72 (0x0048))"),
        ("grid", None),
    ]
