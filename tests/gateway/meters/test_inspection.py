"""A reading is looked at as an electrician would; a wrong model is not taken for a right one."""

from dataclasses import replace

import pytest

from gateway.meters.decode import DecodedValues, PhaseValues, decode, encode
from gateway.meters.inspection import hints, is_believable
from gateway.meters.model import known_models, meter_model

SDM630, DZG = meter_model("eastron-sdm630"), meter_model("dzg-dvh4013")
GOOD = DecodedValues(
    PhaseValues(10, 20, 3),
    PhaseValues(230.2, 231, 229.8),
    PhaseValues(2250, 4500, 680),
    7430,
    1e6,
    5e3,
    49.98,
)


def test_sound_reading_has_no_hint():
    assert hints(GOOD, SDM630) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (replace(GOOD, voltages=PhaseValues(230, 3, 230)), "3.0 V on L2: is this input connected"),
        (
            replace(GOOD, voltages=PhaseValues(400, 230, 230)),
            "400.0 V on L1 is no phase",
        ),
        (replace(GOOD, powers=PhaseValues(9000, 4500, 680)), "9000 W on L1 is more than"),
        (replace(GOOD, power_w=9999), "add up to 7430 W, the total says 9999 W"),
        (replace(GOOD, frequency_hz=500.0), "500.00 Hz is no network"),
        (replace(GOOD, currents=PhaseValues(10, -20, 3)), "L2 exports"),
        (replace(GOOD, currents=PhaseValues(-10, -20, -3)), "invert: true"),
    ],
)
def test_what_is_odd_is_told(values, words):
    assert any(words in hint for hint in hints(values, SDM630))


def test_meter_without_direction_says_so():
    assert "no direction" in hints(GOOD, DZG)[0]


@pytest.mark.parametrize("name", sorted(set(known_models()) - {"sunspec"}))
def test_meter_read_as_another_is_believed_only_where_they_share_their_registers(name):
    layout = known_models()[name].layouts[0]
    words = encode(layout, GOOD)
    believed = {
        other
        for other, model in known_models().items()
        if other != "sunspec"
        and model.layouts[0].function == layout.function
        and is_believable(decode(model.layouts[0], words))
    }

    assert name in believed
    for other in believed:
        registers = known_models()[other].layouts[0].values
        assert registers["voltage_l1"] == layout.values["voltage_l1"]
        assert registers["current_l1"] == layout.values["current_l1"]
