"""What every meter of the library sends is understood: frames written down by hand.

The words come from the register tables, never from our own encoder. Every meter sits in the same
place: 230.2, 231.0 and 229.8 V; 10, 5 and 0.5 A, L2 exporting; 2300, -1150 and 115 W; 50 Hz (or
49.99); 1000 kWh or, where it counts in kWh floats, 100.25 kWh taken and 1 kWh given.
"""

import pytest

from gateway.meters.decode import decode
from gateway.meters.model import MeterLibraryError, known_models, meter_model, parse_model


def at(**rows):
    """`x5B00="0000 08FE"` puts two registers at address 0x5B00; `d35=…` counts in tens."""
    return {
        int(place[1:], 16 if place[0] == "x" else 10) + n: int(word, 16)
        for place, row in rows.items()
        for n, word in enumerate(row.split())
    }


# Pieces that many meters share.
VOLTS = "4366 3333 4367 0000 4365 CCCD"
AMPS = "4120 0000 40A0 0000 3F00 0000"
WATTS = "450F C000 C48F C000 42E6 0000"
KILOWATTS = "4013 3333 BF93 3333 3DEB 851F"
TOTAL, TOTAL_KW = "449E 2000", "3FA1 EB85"
HERTZ = "4247 F5C3"
TAKEN_KWH, GIVEN_KWH = "42C8 8000", "3F80 0000"
TAKEN_WH, GIVEN_WH = "4974 2400", "447A 0000"
ENERGY_KWH, ENERGY_WH = (100_250, 1000), (1_000_000, 1000)

EASTRON = at(x00=VOLTS, x06=AMPS, x0C=WATTS, x34=TOTAL, x46=HERTZ, x48=TAKEN_KWH, x4A=GIVEN_KWH)
GAVAZZI = at(
    x00="08FE 0000 0906 0000 08FA 0000",  # tenths of a volt
    x0C="2710 0000 EC78 FFFF 01F4 0000",  # mA
    x12="59D8 0000 D314 FFFF 047E 0000",  # tenths of a watt
    x28="316A 0000",
)
GAVAZZI_E1 = GAVAZZI | at(x33="01F4", x34="2710 0000", x4E="000A 0000")
SCHNEIDER = at(
    d2999=AMPS,
    d3027=VOLTS,
    d3053=KILOWATTS,
    d3059=TOTAL_KW,
    d3109=HERTZ,
    d3203="0000 0000 000F 4240",
    d3207="0000 0000 0000 03E8",
)
INEPRO = at(
    x5002=VOLTS,
    x5008=HERTZ,
    x500C=AMPS,
    x5012=TOTAL_KW,
    x5014=KILOWATTS,
    x600C=TAKEN_KWH,
    x6018=GIVEN_KWH,
)
SUNSPEC_INTEGERS = at(
    d3="2710 EC78 01F4 FFFD",  # thousandths of an ampere
    d8="08FE 0906 08FA",  # tenths of a volt
    d15="FFFF 1387 FFFE",  # hundredths of a hertz
    d18="04F1 08FC FB82 0073 0000",
    d38="0000 0064",  # tens of Wh
    d46="0001 86A0",
    d54="0001",
)
SUNSPEC_FLOATS = at(
    d4="4120 0000 C0A0 0000 3F00 0000",
    d12=VOLTS,
    d26=HERTZ,
    d28=TOTAL,
    d30=WATTS,
    d60=GIVEN_WH,
    d68=TAKEN_WH,
)
FRAMES = {
    "abb-b23": at(
        x5B00="0000 08FE 0000 0906 0000 08FA",  # tenths of a volt
        x5B0C="0000 03E8 0000 01F4 0000 0032",  # hundredths of an ampere
        x5B14="0001 EE24",  # hundredths of a watt
        x5B16="0003 8270 FFFE 3EC8 0000 2CEC",
        x5B2C="1387",
        x5000="0000 0000 0001 86A0",  # hundredths of a kWh
        x5004="0000 0000 0000 0064",
    ),
    "acrel-adw300": at(
        d20="08FE 0906 08FA",
        d26="03E8 01F4 0032",
        d30="0000 08FC FFFF FB82 0000 0073",
        d36="0000 04F1",
        d62="0001 86A0 0000 0064",
    ),
    "carlo-gavazzi-em24-din": GAVAZZI | at(x37="01F4", x42="2710 0000", x5C="000A 0000"),
    "carlo-gavazzi-em24-e1": GAVAZZI_E1,
    "carlo-gavazzi-em340": GAVAZZI_E1,
    "chint-dtsu666": at(
        x2006="450F E000 4510 6000 450F A000",  # tenths of a volt, as floats
        x200C="461C 4000 459C 4000 43FA 0000",  # mA
        x2012="4645 A800",  # tenths of a watt
        x2014="46B3 B000 C633 B000 448F C000",
        x2044="459C 3800",  # hundredths of a hertz
        x101E=TAKEN_KWH,
        x1028=GIVEN_KWH,
    ),
    "dzg-dvh4013": at(
        x00="0000 316A 0000 0000",  # tenths of a watt taken, then given
        x04="0000 59EC 0000 5A3C 0000 59C4",  # hundredths of a volt
        x0A="0000 2710 0000 1388 0000 01F4",  # mA
        x12="0000 C346",  # mHz
        x4000="000F 4240",
        x4100="0000 03E8",
    ),
    "eastron-sdm54": EASTRON,
    "eastron-sdm630": EASTRON,
    "eastron-sdm72d-m-v2": EASTRON,
    "finder-7e78": at(x1000=VOLTS, x100E=AMPS, x1026=TOTAL, x1106=TAKEN_WH, x110E=GIVEN_WH),
    "finder-7m38": at(
        d2500=VOLTS,
        d2516=AMPS,
        d2530=WATTS,
        d2536=TOTAL,
        d2584=HERTZ,
        d2752=TAKEN_WH,
        d2756=GIVEN_WH,
    ),
    "inepro-pro380": INEPRO,
    "janitza-umg604": at(
        d1317=VOLTS,
        d1325=AMPS,
        d1333=WATTS,
        d1369=TOTAL,
        d1439=HERTZ,
        d9851=TAKEN_WH,
        d9863=GIVEN_WH,
    ),
    "janitza-umg96rm": at(
        d19000=VOLTS,
        d19012=AMPS,
        d19020=WATTS,
        d19026=TOTAL,
        d19050=HERTZ,
        d19068=TAKEN_WH,
        d19076=GIVEN_WH,
    ),
    "lovato-dmg610": at(
        x01="0000 59EC 0000 5A3C 0000 59C4",  # hundredths of a volt
        x07="0001 86A0 0000 C350 0000 1388",  # tenths of a mA
        x13="0003 8270 FFFE 3EC8 0000 2CEC",  # hundredths of a watt
        x39="0001 EE24",
        x1B1F="0000 0000 0001 86A0",
        x1B23="0000 0000 0000 0064",
    ),
    "orno-we516": at(
        x0E=VOLTS,
        x14=HERTZ,
        x16=AMPS,
        x1C=TOTAL_KW,
        x1E=KILOWATTS,
        x108=TAKEN_KWH,
        x110=GIVEN_KWH,
    ),
    "phoenix-contact-eem-350": at(
        x00="08FE 0000 0906 0000 08FA 0000",
        x0C="2710 0000 1388 0000 01F4 0000",
        x28="316A 0000",
        x3E="2710 0000",
    ),
    "phoenix-contact-eem-ma": at(
        x8006="3333 4366 0000 4367 CCCD 4365",
        x800C="F5C3 4247",
        x800E="0000 4120 0000 40A0 0000 3F00",
        x8016="2000 449E",
        x801E="C000 450F C000 C48F 0000 42E6",
        x8100="2400 4974",
        x8106="0000 447A",
    ),
    "saia-axx3": at(
        d35="00E6 0064 00E6 0000 0000",  # V, tenths of an ampere, hundredths of a kW; two unread
        d40="00E7 0032 FF8D 0000 0000",
        d45="00E6 0005 000C 0000 0000",
        d50="007F",
        d27="0001 86A0",
        d31="0000 0064",
    ),
    "schneider-iem3000": SCHNEIDER,
    "schneider-pm5000": SCHNEIDER,
    "siemens-7kt1665": at(
        d1="0000 59EC 0000 5A3C 0000 59C4",
        d7="0001 86A0 0000 C350 0000 1388",
        d57="0001 EE24",
        d6687="000F 4240",
    ),
    "siemens-pac2200": at(
        d1=VOLTS,
        d13=AMPS,
        d25=WATTS,
        d55=HERTZ,
        d65=TOTAL,
        d801="412E 8480 0000 0000",
        d809="408F 4000 0000 0000",
    ),
    "socomec-countis": at(
        xC558="0000 59EC 0000 5A3C 0000 59C4",
        xC55E="0000 1387",
        xC560="0000 2710 0000 1388 0000 01F4",
        xC568="0000 007F",  # tens of watts: 1270 for 1265
        xC570="0000 00E6 FFFF FF8D 0000 000C",
        xC702="0001 86A0",  # tens of Wh
        xC708="0000 0064",
    ),
    "sunspec 203": SUNSPEC_INTEGERS,
    "sunspec 204": SUNSPEC_INTEGERS,
    "sunspec 213": SUNSPEC_FLOATS,
    "sunspec 214": SUNSPEC_FLOATS,
    "wago-879-3000": INEPRO,
}
LAYOUTS = {
    f"{name}{'' if layout.sunspec_model is None else f' {layout.sunspec_model}'}": layout
    for name, model in known_models().items()
    for layout in model.layouts
}
ENERGIES = {
    **dict.fromkeys(FRAMES, ENERGY_WH),
    **dict.fromkeys(
        (
            "chint-dtsu666",
            "eastron-sdm54",
            "eastron-sdm630",
            "eastron-sdm72d-m-v2",
            "inepro-pro380",
            "orno-we516",
            "wago-879-3000",
        ),
        ENERGY_KWH,
    ),
    "phoenix-contact-eem-350": (1_000_000, None),
    "siemens-7kt1665": (1_000_000, None),
}
WITHOUT_DIRECTION = {"dzg-dvh4013", "finder-7e78", "phoenix-contact-eem-350", "siemens-7kt1665"}
WITHOUT_FREQUENCY = {
    "acrel-adw300",
    "finder-7e78",
    "lovato-dmg610",
    "phoenix-contact-eem-350",
    "saia-axx3",
    "siemens-7kt1665",
}
COARSE = {"saia-axx3": (0.6, 6), "socomec-countis": (0.06, 6)}
"""Name -> within how many V, and how many W, its registers tell the truth."""


def test_every_meter_of_the_library_has_a_frame_and_there_are_at_least_20():
    assert set(FRAMES) == set(LAYOUTS)
    assert len(known_models()) >= 20


@pytest.mark.parametrize("name", FRAMES)
def test_frame_is_understood_to_the_digit(name):
    volts, watts = COARSE.get(name, (0.001, 0.01))
    l2_a = 5.0 if name in WITHOUT_DIRECTION else -5.0

    values = decode(LAYOUTS[name], FRAMES[name])

    assert values.voltages == pytest.approx((230.2, 231.0, 229.8), abs=volts)
    assert values.currents == pytest.approx((10.0, l2_a, 0.5))
    if name not in WITHOUT_DIRECTION:
        assert values.powers == pytest.approx((2300, -1150, 115), abs=watts)
    assert values.power_w == pytest.approx(1265, abs=watts)
    assert (values.frequency_hz is None) == (name in WITHOUT_FREQUENCY)
    assert values.frequency_hz in (None, pytest.approx(50, abs=0.011))
    assert values.energy_import_wh == pytest.approx(ENERGIES[name][0])
    assert values.energy_export_wh in (None, pytest.approx(ENERGIES[name][1] or 0))


@pytest.mark.parametrize("name", FRAMES)
def test_frame_lies_in_what_is_read(name):
    read = {address for block in LAYOUTS[name].blocks for address in block.addresses}

    assert set(FRAMES[name]) <= read


@pytest.mark.parametrize("name", LAYOUTS)
def test_direction_of_a_current_is_told_by_the_power_of_its_phase_or_by_nobody(name):
    assert LAYOUTS[name].direction == ("none" if name in WITHOUT_DIRECTION else "power")


# Where the sources contradict one another: what was chosen, and that the other is not read.


def address(name, quantity):
    return LAYOUTS[name].values[quantity].address


def test_energy_of_the_janitza_is_the_total_not_that_of_l1():
    assert address("janitza-umg96rm", "energy_import") == 19068  # not 19062
    assert address("janitza-umg96rm", "energy_export") == 19076  # not 19070


def test_address_beyond_the_last_register_is_no_slip_that_gets_delivered():
    """190076 for 19076 stood in a driver of the Weidmüller EM525."""
    text = "title: x\nsources: [y]\nlayouts:\n  - {function: 3, word_order: big, max_registers: 9,"
    text += " blocks: [{address: 190076, count: 2}], values: {}}"

    with pytest.raises(MeterLibraryError, match="less than or equal to 65535"):
        parse_model("weidmueller", text)


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_two_values_stand_on_one_register(name):
    """A driver of the ABB B23 put four values on the power of L3."""
    places = [a for register in LAYOUTS[name].values.values() for a in register.addresses]

    assert len(places) == len(set(places))


def test_frequency_of_the_pac2200_is_55_as_in_five_models_not_46():
    assert address("siemens-pac2200", "frequency") == 55


def test_energy_of_the_iem3000_is_the_exact_integer_not_the_float():
    register = LAYOUTS["schneider-iem3000"].values["energy_import"]

    assert (register.address, register.type, register.unit) == (0x0C83, "int64", "Wh")


def test_energy_of_the_7m38_is_where_the_makers_manual_has_it():
    assert address("finder-7m38", "energy_import") == 2752  # not 2638


def test_frequency_that_two_sources_read_ten_times_apart_is_not_read():
    assert "frequency" not in LAYOUTS["lovato-dmg610"].values


def test_voltages_of_the_dtsu666_are_to_neutral_not_between_phases():
    assert address("chint-dtsu666", "voltage_l1") == 0x2006  # not 0x2000


def test_em24_with_rs485_and_with_ethernet_share_currents_but_not_energies():
    din, e1 = LAYOUTS["carlo-gavazzi-em24-din"].values, LAYOUTS["carlo-gavazzi-em24-e1"].values

    assert din["current_l1"] == e1["current_l1"]
    assert (din["energy_import"].address, e1["energy_import"].address) == (0x42, 0x34)
    assert (din["frequency"].address, e1["frequency"].address) == (0x37, 0x33)


@pytest.mark.parametrize(
    ("name", "quantity", "in_the_manual"),
    [("schneider-pm5000", "current_l1", 3000), ("saia-axx3", "current_l1", 37)],
)
def test_addresses_travel_one_lower_than_a_manual_that_counts_from_1(name, quantity, in_the_manual):
    assert address(name, quantity) == in_the_manual - 1


def test_lovato_is_read_at_the_numbers_its_driver_sends():
    """Its manual says to take one off, its numbers are those that travel."""
    assert address("lovato-dmg610", "current_l1") == 0x07


def test_energies_never_steer_for_a_meter_may_count_its_phases_apart():
    """A three-phase meter that does not net its phases takes and gives energy at once."""
    words = FRAMES["eastron-sdm630"]
    counted = words | at(x48="4640 0000", x4A="4640 0000")
    steering = [decode(meter_model("eastron-sdm630").layouts[0], w) for w in (words, counted)]

    assert steering[0].currents == steering[1].currents
    assert steering[0].power_w == steering[1].power_w
