"""`prove` finds what does not fit together before a socket opens: errors stop, warnings tell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from site_config.load import parse_site
from site_config.proof import prove

KNOWN = {"eastron-sdm630", "carlo-gavazzi-em340", "sunspec"}

CLEAN = """\
site: {id: depot, name: Depot, timezone: Europe/Berlin}
cloud: {url: "wss://csms.example.com/ocpp", identity: DEPOT, password: 0123456789abcdefghij}
csms: {listen: "127.0.0.1:9000"}
meters:
  m1: {model: eastron-sdm630, url: "tcp://127.0.0.1:502"}
circuits:
  grid: {rating_a: 100, meter: m1}
  garage: {parent: grid, rating_a: 63}
stations:
  CP-01:
    circuit: garage
    safe_current_a: 6
    evses:
      1: {phases: [L1, L2, L3], cloud_evse: 1}
      2: {phases: [L2, L3, L1], cloud_evse: 2}
  CP-02:
    circuit: grid
    safe_current_a: 0
    evses:
      1: {phases: [L3], max_current_a: 16, cloud_evse: 3}
web:
  listen: 127.0.0.1:8080
  tokens:
    - {name: tablet, role: operator, token: operator-secret}
    - {name: wall, role: viewer, token: viewer-secret}
"""


def proof_of(*swaps, text=CLEAN):
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return prove(parse_site(text, {}), KNOWN)


def test_clean_site_gives_neither_errors_nor_warnings():
    assert proof_of() == ([], [])


def test_example_is_proved_with_warnings_about_its_short_passwords_only(example):
    errors, warnings = prove(parse_site(example, {}), KNOWN)

    assert errors == []
    assert {"cloud.password", "stations.CP-01.password"} == {w.path for w in warnings}


ERRORS = [
    ("parent: grid, ", "", "circuits.garage", 8, "grid connection point", "parent: grid"),
    ("parent: grid", "parent: gird", "circuits.garage.parent", 8, "'gird'", "grid?"),
    ("parent: grid", "parent: garage", "circuits.garage.parent", 8, "garage → garage", "outside"),
    ("grid: {", "grid: {parent: garage, ", "circuits", 6, "every circuit has a parent", "remove"),
    ("circuit: garage", "circuit: garge", "stations.CP-01.circuit", 11, "'garge'", "garage?"),
    ("meter: m1", "meter: m2", "circuits.grid.meter", 7, "'m2'", "m1?"),
    ("eastron-sdm630", "eastron-sdm360", "meters.m1.model", 5, "library", "eastron-sdm630?"),
    ("eastron-sdm630", "abc", "meters.m1.model", 5, "library", "carlo-gavazzi-em340, eastron"),
    (":502", ':502", poll_s: 10, max_age_s: "5', "meters.m1.max_age_s", 5, "5 s", "at least 30"),
    ("cloud_evse: 2", "cloud_evse: 1", "stations.CP-01.evses.2.cloud_evse", 15, "line 14", "2 is"),
    (
        "      2: {",
        "      3: {",
        "stations.CP-01.evses",
        13,
        "EVSEs 1, 3, but no 2",
        "without gaps",
    ),
    ("[L2, L3, L1]", "[L2, L2, unknown]", "stations.CP-01.evses.2.phases", 15, "twice", "own"),
    ("[L2, L3, L1]", "[L2, L2]", "stations.CP-01.evses.2.phases", 15, "twice", "own phase"),
    (
        "phases: [L3]",
        "power_type: DC, phases: [L3]",
        "stations.CP-02.evses.1.phases",
        20,
        "draws on three phases, 1 are named",
        "all three",
    ),
    (
        "max_current_a: 16",
        "max_current_a: 5",
        "stations.CP-02.evses.1.min_current_a",
        20,
        "6 A is above max_current_a, 5 A",
        "correct",
    ),
    ("safe_current_a: 6", "safe_current_a: 4", "stations.CP-01.safe_current_a", 12, "6 A", "0"),
    ("safe_current_a: 0", "safe_current_a: 20", "stations.CP-02.safe_current_a", 18, "16 A", "16"),
    (
        "parent: grid, rating_a: 63",
        "parent: grid, rating_a: 11",
        "circuits.garage.rating_a",
        8,
        "L1 carries 12 A and L2 carries 12 A and L3 carries 12 A (CP-01/1 6 A, CP-01/2 6 A)",
        "only 1 of 2",
    ),
    ("Europe/Berlin", "Europe/Berln", "site.timezone", 1, "'Europe/Berln'", "Europe/Berlin?"),
    ("Europe/Berlin", "Europe", "site.timezone", 1, "'Europe'", ""),
    ("Europe/Berlin", "../etc/passwd", "site.timezone", 1, "no time zone", ""),
    ("viewer-secret", "operator-secret", "web.tokens.1.token", 25, "tablet", "of its own"),
    ("127.0.0.1:8080", "127.0.0.1:9000", "web.listen", 22, "csms.listen", "port of its own"),
    ("127.0.0.1:9000", "0.0.0.0:8080", "web.listen", 22, "csms.listen", "port of its own"),
    ("  garage:", "  gar/age:", "circuits.gar/age", 8, "topic", "letters"),
    ("identity: DEPOT", 'identity: "A:B"', "cloud.identity", 2, "colon", "without"),
    ("CP-02:", "CP/02:", "stations.CP/02", 16, "topic", "without /"),
    ("CP-02:", f"{'x' * 49}:", f"stations.{'x' * 49}", 16, "49", "shorten"),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "message", "advice"),
    [pytest.param(*row, id=f"{row[2]}: {row[1][:30]}") for row in ERRORS],
)
def test_error_names_path_line_and_cure(old, new, path, line, message, advice):
    swaps = [(old, new)]
    if old == "  garage:":
        swaps.append(("circuit: garage", "circuit: gar/age"))

    errors = proof_of(*swaps).errors

    assert [(path, line)] == [(error.path, error.line) for error in errors if error.path == path]
    [error] = [error for error in errors if error.path == path]
    assert message in error.message
    assert advice in error.advice


WARNINGS = [
    ("cloud_evse: 3", "cloud_evse: 5", "stations", "number 3, 4 upstream"),
    (
        "parent: grid, rating_a: 63",
        "parent: grid, rating_a: 125",
        "circuits.garage.rating_a",
        "125",
    ),
    ("rating_a: 63", "rating_a: 13", "circuits.garage.rating_a", None),
    (
        "grid: {rating_a: 100",
        "grid: {limit_windows: [{from: 17:00, to: 20:00, limit_a: 120}], rating_a: 100",
        "circuits.grid.limit_windows.0.limit_a",
        "120 A is above the rating, 100 A",
    ),
    (", meter: m1", "", "meters.m1", "measures no circuit"),
    ("rating_a: 63", "rating_a: 63, meter: m1", "circuits.garage.meter", "grid as well"),
    ("role: operator", "role: viewer", "web.tokens", "nobody may change a limit"),
    ("name: wall", "name: tablet", "web.tokens.1.name", "named twice"),
    ("127.0.0.1:8080", "0.0.0.0:8080", "web.listen", "without TLS"),
    ("0123456789abcdefghij", "short", "cloud.password", "5 characters; OCPP asks for 16 to 40"),
    ("0123456789abcdefghij", "x" * 41, "cloud.password", "41 characters"),
    ("wss://csms", "ws://csms", "cloud.url", "clear text"),
    ("identity: DEPOT", "identity: DÉPOT", "cloud.identity", "identifierString"),
    ("phases: [L3]", "min_current_a: 5", "stations.CP-02.evses.1.min_current_a", "IEC 61851"),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [pytest.param(*row, id=f"{row[2]}: {row[1][:30]}") for row in WARNINGS],
)
def test_warning_does_not_stop_the_gateway(old, new, path, message):
    errors, warnings = proof_of((old, new))

    assert errors == []
    if message is None:
        assert warnings == []
    else:
        [warning] = warnings
        assert warning.path == path
        assert message in warning.message
        assert warning.advice
        assert warning.line > 0


def test_smallest_currents_that_do_not_fit_are_a_warning_with_their_sum():
    errors, warnings = proof_of(
        ("rating_a: 63", "rating_a: 10"), ("safe_current_a: 6", "safe_current_a: 0")
    )

    assert errors == []
    [warning] = warnings
    assert "L1 carries 12 A" in warning.message
    assert "allows 10 A" in warning.message


def test_safe_currents_count_up_the_whole_tree():
    errors = proof_of(("rating_a: 100", "rating_a: 11")).errors

    assert [error.path for error in errors] == ["circuits.grid.rating_a"]


def test_safe_currents_count_only_on_the_phases_an_evse_uses():
    """CP-02 draws on L3 alone: L3 carries 22 A, the others 12 A."""
    errors = proof_of(
        ("safe_current_a: 0", "safe_current_a: 10"), ("rating_a: 100", "rating_a: 21")
    ).errors

    assert "L3 carries 22 A" in errors[0].message
    assert "L1" not in errors[0].message


def test_safe_currents_of_unknown_phases_count_on_every_phase_they_could_be_on():
    """Two of 6 A on all three, and one of 6 A on one, nobody knows which."""
    errors, _ = proof_of(
        ("rating_a: 63", "rating_a: 17"),
        ("safe_current_a: 0", "safe_current_a: 6"),
        ("circuit: grid", "circuit: garage"),
        ("phases: [L3]", "phases: [unknown]"),
    )

    (error,) = errors
    assert error.path == "circuits.garage.rating_a"
    assert "L1 carries 18 A and L2 carries 18 A and L3 carries 18 A" in error.message


def test_equal_sum_fits_exactly():
    assert proof_of(("rating_a: 63", "rating_a: 12")).errors == []


def test_advice_says_what_would_fit_each_evse():
    errors = proof_of(
        ("safe_current_a: 6", "safe_current_a: 16"), ("rating_a: 63", "rating_a: 20")
    ).errors

    assert "10 A for each EVSE would fit" in errors[0].advice


def test_same_password_twice_is_a_warning_that_does_not_show_it():
    swap = ("circuit: garage", "circuit: garage\n    password: 0123456789abcdefghij")

    [warning] = proof_of(swap).warnings

    assert "same as cloud.password" in warning.message
    assert "0123456789" not in str(warning)


def test_two_meters_with_one_address_and_unit_are_a_warning():
    second = '  m2: {model: sunspec, url: "tcp://127.0.0.1"}\ncircuits:'

    warnings = proof_of(("circuits:", second), ("rating_a: 63", "rating_a: 63, meter: m2")).warnings

    assert [warning.path for warning in warnings] == ["meters.m2.unit"]


def test_numbers_left_open_fill_the_gaps_upstream():
    swaps = [("cloud_evse: 1}", "cloud_evse: 4}"), (", cloud_evse: 2", ""), (", cloud_evse: 3", "")]

    [warning] = proof_of(*swaps).warnings

    assert "number 3 upstream" in warning.message


def test_web_on_a_port_chosen_by_the_system_never_collides():
    swaps = [("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:9000", "127.0.0.1:0")]

    assert proof_of(*swaps).errors == []


def test_findings_come_in_the_order_of_the_file():
    swaps = [
        ("Europe/Berlin", "Mars/Base"),
        ("meter: m1", "meter: x"),
        ("circuit: grid", "circuit: y"),
    ]

    lines = [error.line for error in proof_of(*swaps).errors]

    assert lines == sorted(lines)
    assert len(lines) == 3


names = st.sampled_from(["a", "b", "c", "d"])
station = st.tuples(names, st.sampled_from([0, 6, 10]), st.sampled_from(["L1", "L2"]))


@settings(max_examples=200, deadline=None)
@given(
    parents=st.fixed_dictionaries({"b": st.just("a"), "c": st.sampled_from("ab"), "d": names}),
    ratings=st.fixed_dictionaries(dict.fromkeys("abcd", st.sampled_from([6, 10, 16, 40]))),
    stations=st.lists(station, max_size=6),
)
def test_a_proved_site_cannot_overload_a_fuse_with_its_safe_currents(parents, ratings, stations):
    """Whatever the tree, a circuit that feeds itself included: no errors means every sum fits."""
    text = CLEAN.partition("meters:")[0] + "circuits:\n"
    for name, rating_a in ratings.items():
        text += f"  {name}: {{rating_a: {rating_a}, parent: {parents.get(name, '')}}}\n"
    text += "stations:\n" if stations else "stations: {}\n"
    for n, (circuit, safe_a, phase) in enumerate(stations):
        text += f"  S{n}: {{circuit: {circuit}, safe_current_a: {safe_a}, "
        text += f"evses: {{1: {{phases: [{phase}]}}}}}}\n"

    errors = prove(parse_site(text, {}), KNOWN).errors

    if parents["d"] == "d":
        assert "circuits.d.parent" in {error.path for error in errors}
        return
    carried_a = dict.fromkeys([(name, phase) for name in "abcd" for phase in ("L1", "L2")], 0)
    for circuit, safe_a, phase in stations:
        while circuit:
            carried_a[circuit, phase] += safe_a
            circuit = parents.get(circuit)  # noqa: PLW2901  climbs to the root
    over = {name for (name, _), current_a in carried_a.items() if current_a > ratings[name]}
    assert over == {error.path.split(".")[1] for error in errors}


def test_safe_currents_are_proved_against_the_rating_of_their_own_phase():
    errors, _ = proof_of(
        ("garage: {parent: grid, rating_a: 63}", "garage: {parent: grid, rating_a: [63, 63, 11]}")
    )

    assert [error.path for error in errors] == ["circuits.garage.rating_a"]
    assert "L3 carries 12 A" in errors[0].message
    assert "63/63/11 A" in errors[0].message


@pytest.mark.parametrize("key", ["demand_w: 9000", "unbalance_a: 20", "fuse_allowance: {curve: B}"])
def test_a_limiter_that_needs_a_meter_is_refused_without_one(key):
    garage = "garage: {parent: grid, rating_a: 63"

    errors, _ = proof_of((garage, f"{garage}, {key}"))

    assert [error.path for error in errors] == [f"circuits.garage.{key.partition(':')[0]}"]


def test_a_contract_above_the_rating_is_told():
    _, warnings = proof_of(("rating_a: 63}", "rating_a: 63, contract_a: 64}"))

    assert [warning.path for warning in warnings] == ["circuits.garage.contract_a"]


def dimmed(section):
    return proof_of(text=f"{CLEAN}grid_operator: {section}\n")


@pytest.mark.parametrize(
    ("section", "paths"),
    [
        ("{}", []),
        ("{floor_w: 4000}", [f"stations.CP-01.evses.{n}.min_current_a" for n in (1, 2)]),
        # Two points keep 1400 + 0.8 * 1400 = 2520 W together, and one car needs 4140 W.
        (
            "{floor_w: 1400, minimum: together, exempt: [CP-02]}",
            [f"stations.CP-01.evses.{n}.min_current_a" for n in (1, 2)],
        ),
        ("{minimum: together}", ["stations.CP-02.evses.1.max_current_a"]),
        ("{minimum: together, exempt: [CP-02]}", []),
        ("{exempt: [CP-01, CP-02]}", ["grid_operator"]),
    ],
)
def test_what_dimming_would_mean_for_each_charge_point_is_told(section, paths):
    errors, warnings = dimmed(section)

    assert errors == []
    assert [warning.path for warning in warnings] == paths


def test_an_exempt_station_must_be_there():
    errors, _ = dimmed("{exempt: [CP-2]}")

    assert [error.path for error in errors] == ["grid_operator.exempt.0"]
    assert "did you mean" in errors[0].advice


def test_a_serial_port_that_is_to_run_at_two_speeds_is_refused():
    errors, _ = proof_of(
        ("tcp://127.0.0.1:502", "rtu:///dev/ttyUSB0?baudrate=9600"),
        text=f"{CLEAN}grid_operator: {{input: {{url: 'rtu:///dev/ttyUSB0?baudrate=19200'}}}}\n",
    )

    assert [error.path for error in errors] == ["grid_operator.input.url"]
    assert "19200 8N1" in errors[0].message and "9600 8N1" in errors[0].message


@pytest.mark.parametrize("scheme", ["tcp://h", "rtutcp://h", "tls://h", "rtu:///dev/ttyUSB0"])
def test_a_contact_may_be_where_a_meter_may_be(scheme):
    errors, _ = dimmed(f"{{input: {{url: '{scheme}'}}}}")

    assert errors == []
