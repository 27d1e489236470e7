"""A site may bring the registers of its meter along, and is told every slip in them at once."""

import pytest

from gateway.meters.model import UnknownMeterModel, meter_model
from gateway.meters.own_models import prove_own_models
from site_config.load import load_site
from site_config.proof import prove

SITE = """\
site: {id: depot, name: Depot}
cloud: {url: "ws://127.0.0.1/ocpp", identity: DEPOT}
meters:
  grid: {model: ./my-meter.yaml, url: "tcp://127.0.0.1"}
  solar: {model: ./my-meter.yaml, url: "tcp://127.0.0.2"}
circuits:
  grid: {rating_a: 100, meter: grid}
stations: {}
"""
MINE = """\
title: The meter of the baker's
sources: [its display]
layouts:
  - function: 4
    word_order: little
    max_registers: 20
    blocks:
      - {address: 0x10, count: 6}
    values:
      current_l1: {address: 0x10, type: int32, unit: mA}
      current_l2: {address: 0x12, type: int32, unit: mA}
      current_l3: {address: 0x14, type: int32, unit: mA}
"""


def site_with(folder, model_file):
    (folder / "site.yaml").write_text(SITE)
    if model_file is not None:
        (folder / "my-meter.yaml").write_bytes(model_file.encode("latin-1"))
    return load_site(folder / "site.yaml")


def test_path_of_a_model_begins_beside_the_site_file(tmp_path):
    site = site_with(tmp_path, MINE)

    assert meter_model(site.meters["grid"].model).title == "The meter of the baker's"
    assert prove(site, []).errors == []
    assert prove_own_models(site) == []


def test_every_slip_is_told_at_once_with_file_and_line_and_once_for_all_its_meters(tmp_path):
    slips = MINE.replace("function: 4", "function: 5").replace("0x12, type: int32", "0x12, type: i")

    found = prove_own_models(site_with(tmp_path, slips))

    assert [mistake.path for mistake in found] == ["meters.grid.model"] * 2
    assert {mistake.line for mistake in found} == {4}
    assert "my-meter.yaml:4: layouts.0.function: Input should be 3 or 4" in found[0].message
    assert "my-meter.yaml:11: layouts.0.values.current_l2.type" in found[1].message


@pytest.mark.parametrize(
    ("model_file", "words"),
    [
        (None, "cannot be read: No such file"),
        ("title: \xe9", "is not UTF-8"),
        ("title: [", "opened and never closed"),
        ("", "the file is empty"),
        ("just words", "is no data file of a meter"),
        (MINE.replace("count: 6", "count: 4"), ":3: layouts: current_l3 lies in no block"),
    ],
)
def test_file_that_is_no_model_is_told(tmp_path, model_file, words):
    site = site_with(tmp_path, model_file)

    [found] = prove_own_models(site)

    assert words in found.message
    with pytest.raises(UnknownMeterModel, match=r"my-meter\.yaml cannot be used"):
        meter_model(site.meters["grid"].model)
