"""The meter library is complete, and a slip in a data file cannot be delivered."""

import pytest

from gateway.meters.model import (
    CURRENTS,
    Mark,
    MeterLibraryError,
    UnknownMeterModel,
    known_models,
    meter_model,
    parse_model,
)

VALID = """\
title: A meter
sources: [its manual]
layouts:
  - function: 4
    word_order: big
    max_registers: 80
    blocks: [{address: 0, count: 6}]
    values:
      current_l1: {address: 0, type: float32, unit: A}
      current_l2: {address: 2, type: float32, unit: A}
      current_l3: {address: 4, type: float32, unit: A}
"""


def test_library_knows_the_meters_of_the_contract():
    assert {"eastron-sdm630", "carlo-gavazzi-em340", "sunspec"} <= set(known_models())


@pytest.mark.parametrize("name", list(known_models()))
def test_what_the_balancer_needs_is_one_read_if_the_meter_gives_so_much(name):
    for layout in meter_model(name).layouts:
        reads = [block for block in layout.blocks if block.every == 1]
        assert len(reads) == 1 or layout.max_registers < 20


@pytest.mark.parametrize("name", list(known_models()))
def test_the_three_currents_are_of_one_moment(name):
    for layout in meter_model(name).layouts:
        current = {a for q in CURRENTS for a in layout.values[q].addresses}
        assert any(current <= set(block.addresses) for block in layout.blocks)


@pytest.mark.parametrize("name", list(known_models()))
def test_every_model_says_where_its_registers_come_from(name):
    assert meter_model(name).sources


def test_unknown_model_is_refused_with_those_that_may_be_meant():
    with pytest.raises(UnknownMeterModel, match="eastron-sdm630"):
        meter_model("sdm")


def test_shortest_data_file():
    assert len(parse_model("a", VALID).layouts) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("count: 6", "count: 5", "current_l3 lies in no block", id="block too short"),
        pytest.param("count: 6", "count: 6, every: 10", "too seldom", id="currents too seldom"),
        pytest.param("max_registers: 80", "max_registers: 5", "6 of 5", id="too much in one read"),
        pytest.param("current_l3", "voltage_l3", "no current_l3", id="a current is missing"),
        pytest.param("unit: A}", "unit: V}", "cannot be in V", id="wrong unit"),
        pytest.param("unit: A}", "unit: A, scal: 1}", "scal", id="unknown key"),
        pytest.param("float32", "float23", "float23", id="unknown type"),
        pytest.param("current_l1", "curent_l1", "curent_l1", id="unknown quantity"),
        pytest.param("function: 4", "function: 5", "function", id="unknown function"),
        pytest.param(
            "unit: A}", "unit: A, scale_address: 9}", "lies in no block", id="scale not read"
        ),
        pytest.param(
            "[{address: 0, count: 6}]",
            "[{address: 0, count: 6}, {address: 5, count: 2}]",
            "overlap",
            id="blocks overlap",
        ),
        pytest.param(
            "sources: [", "sunspec_bases: [40000]\nsources: [", "sunspec_model", id="no number"
        ),
        pytest.param("address: 4", "address: 2", "on the registers of", id="two on one register"),
        pytest.param("address: 4", "address: 65536", "65535", id="beyond the last register"),
        pytest.param(
            "layouts:",
            "marks: [{function: 3, address: 1}]\nlayouts:",
            "numbers or an ASCII text",
            id="mark of nothing",
        ),
        pytest.param("layouts:", "layouts: [", "a: ", id="no YAML"),
        pytest.param(VALID, "text", "a: ", id="no mapping"),
    ],
)
def test_slip_in_a_data_file_is_refused(old, new, words):
    with pytest.raises(MeterLibraryError, match=words):
        parse_model("a", VALID.replace(old, new))


@pytest.mark.parametrize(
    ("mark", "words", "is_on"),
    [
        (Mark(3, 0x8960, text="B23"), [0x4232, 0x3320], True),
        (Mark(3, 0x8960, text="B23"), [0x4232, 0x3420], False),
        (Mark(3, 0xC350, text="SOCO"), [0x534F, 0x434F], True),
        (Mark(3, 0xC350, text="SOCO"), [], False),
        (Mark(3, 0x0B, numbers=(1648, 1650)), [1650], True),
        (Mark(3, 0x0B, numbers=(1648, 1650)), [1649], False),
        (Mark(3, 0x0B, numbers=(1648, 1650)), [], False),
    ],
)
def test_mark_is_a_number_or_the_beginning_of_a_text(mark, words, is_on):
    assert mark.is_on(words) is is_on
    assert mark.count == (2 if mark.text else 1)
