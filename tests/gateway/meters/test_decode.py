"""What a meter says is understood to the digit; what it does not say stays unknown."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.meters.decode import DecodedValues, PhaseValues, decode, encode
from gateway.meters.model import known_models
from gateway.meters.words import WordOrder

LAYOUTS = {
    f"{name}{'' if layout.sunspec_model is None else f' {layout.sunspec_model}'}": layout
    for name, model in known_models().items()
    for layout in model.layouts
}
SDM630, EM340 = LAYOUTS["eastron-sdm630"], LAYOUTS["carlo-gavazzi-em340"]
INTEGERS, FLOATS = LAYOUTS["sunspec 203"], LAYOUTS["sunspec 213"]


def placed(**words):
    """`at_12="0000 00FF"` puts two registers at address 12."""
    return {
        int(place.removeprefix("at_")) + n: int(word, 16)
        for place, row in words.items()
        for n, word in enumerate(row.split())
    }


# Frames written down by hand from the register tables, never by our own encoder.
SDM630_WORDS = placed(
    at_0="4366 3333 4367 0000 4365 CCCD",  # 230.2, 231.0, 229.8 V
    at_6="4120 0000 40A0 0000 3F00 0000",  # 10, 5, 0.5 A, without sign
    at_12="450F C000 C48F C000 42E6 0000",  # 2300, -1150, 115 W
    at_52="449E 2000",  # 1265 W
    at_70="4247 F5C3 42C8 8000 3F80 0000",  # 49.99 Hz, 100.25 kWh, 1 kWh
)
EM340_WORDS = placed(
    at_0="08FE 0000 0906 0000 08FA 0000",  # 230.2, 231.0, 229.8 V
    at_12="2710 0000 EC78 FFFF 01F4 0000",  # 10 A, -5 A, 0.5 A
    at_18="59D8 0000 D314 FFFF 047E 0000",  # 2300, -1150, 115 W
    at_40="316A 0000",  # 1265 W
    at_51="01F4 86A0 0001",  # 50.0 Hz; 10000.0 kWh
    at_78="000A 0000",  # 1.0 kWh
)
SUNSPEC_203_WORDS = placed(
    at_3="2710 EC78 01F4 FFFD",  # 10, -5, 0.5 A: thousandths
    at_8="08FE 0906 08FA",  # 230.2, 231.0, 229.8 V
    at_15="FFFF 1387 FFFE",  # tenths of a volt; 49.99 Hz: hundredths
    at_18="04F1 08FC FB82 0073 0000",  # 1265, 2300, -1150, 115 W
    at_38="0000 0064",  # 1000 Wh: tens
    at_46="0001 86A0",  # 1000000 Wh
    at_54="0001",
)
SUNSPEC_213_WORDS = placed(
    at_4="4120 0000 C0A0 0000 3F00 0000",
    at_12="4366 3333 4367 0000 4365 CCCD",
    at_26="4247 F5C3 449E 2000 450F C000 C48F C000 42E6 0000",
    at_60="447A 0000",
    at_68="4974 2400",
)


def test_current_without_sign_takes_it_from_the_power_of_its_phase():
    values = decode(SDM630, SDM630_WORDS)

    assert [current > 0 for current in values.currents] == [True, False, True]


def test_current_with_a_sign_of_its_own_keeps_it():
    layout = replace(SDM630, signed_currents=True)

    assert decode(layout, SDM630_WORDS).currents == pytest.approx((10.0, 5.0, 0.5))


def test_total_power_is_the_sum_where_the_meter_has_no_total():
    words = {address: word for address, word in SDM630_WORDS.items() if address not in (52, 53)}

    assert decode(SDM630, words).power_w == pytest.approx(2300 - 1150 + 115)


@pytest.mark.parametrize(
    ("layout", "words", "marks"),
    [
        pytest.param(SDM630, SDM630_WORDS, placed(at_8="7FC0 0000"), id="NaN"),
        pytest.param(SDM630, SDM630_WORDS, placed(at_8="7F80 0000"), id="infinity"),
        pytest.param(EM340, EM340_WORDS, placed(at_14="FFFF 7FFF"), id="EEE"),
        pytest.param(INTEGERS, SUNSPEC_203_WORDS, placed(at_4="8000"), id="not implemented"),
        pytest.param(FLOATS, SUNSPEC_213_WORDS, placed(at_6="FFC0 0000"), id="negative NaN"),
    ],
)
def test_mark_for_not_available_is_unknown_and_not_a_number(layout, words, marks):
    assert decode(layout, words | marks).currents.l2 is None


@pytest.mark.parametrize("scale", ["8000", "0063", "FF9D"], ids=["not implemented", "99", "-99"])
def test_without_a_sane_scale_factor_nothing_is_known(scale):
    values = decode(INTEGERS, SUNSPEC_203_WORDS | placed(at_6=scale))

    assert values.currents == (None, None, None)
    assert values.voltages == pytest.approx((230.2, 231.0, 229.8))


def test_registers_that_were_not_read_are_unknown():
    values = decode(EM340, {a: word for a, word in EM340_WORDS.items() if a < 51})

    assert (values.energy_import_wh, values.energy_export_wh, values.frequency_hz) == (None,) * 3


def test_nothing_read_is_nothing_known():
    assert DecodedValues() == decode(SDM630, {})


amounts = st.floats(0.01, 600)
phases = st.builds(PhaseValues, amounts, amounts, amounts)
measured = st.builds(
    DecodedValues,
    currents=phases,
    voltages=st.builds(PhaseValues, *[st.floats(80, 300)] * 3),
    powers=st.builds(PhaseValues, *[st.floats(20, 20_000)] * 3),
    power_w=st.floats(-60_000, 60_000),
    energy_import_wh=st.floats(1_000, 9e7),
    energy_export_wh=st.floats(1_000, 9e7),
    frequency_hz=st.floats(45, 65),
)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(LAYOUTS)),
    order=st.sampled_from(WordOrder),
    values=measured,
    exporting=st.booleans(),
)
def test_encode_is_the_inverse_of_decode(name, order, values, exporting):
    layout = replace(LAYOUTS[name], word_order=order)
    if exporting:
        values = replace(
            values,
            currents=PhaseValues(*(-current for current in values.currents)),
            powers=PhaseValues(*(-power for power in values.powers)),
        )

    back = decode(layout, encode(layout, values))

    for one, other in zip(values.currents, back.currents, strict=True):
        magnitude = abs(one) if layout.direction == "none" else one
        assert other == pytest.approx(magnitude, abs=0.06, rel=1e-6)
    for quantity in layout.values:
        one, other = told(quantity, values), told(quantity, back)
        if quantity.kind != "current":
            assert other == pytest.approx(one, abs=51, rel=1e-6)


def told(quantity, values):
    """Return what stands for one quantity; power as two magnitudes is told as their difference."""
    kind, _, phase = quantity.partition("_l")
    if phase:
        return getattr(values, f"{kind}s")[int(phase) - 1]
    name = "power" if quantity.startswith("power") else quantity.value
    unit = {"power": "w", "frequency": "hz"}.get(quantity.kind, "wh")
    return getattr(values, f"{name}_{unit}")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_unknown_stays_unknown_on_the_way_through_registers(name):
    layout = LAYOUTS[name]
    values = DecodedValues(voltages=PhaseValues(230, 230, 230), frequency_hz=math.nan)

    assert decode(layout, encode(layout, values)).currents == (None, None, None)
