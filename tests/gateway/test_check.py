"""`site-gateway check` prints every mistake where an editor can jump to it, and the site."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.check import run_check

EXAMPLE = Path(__file__).parents[2] / "deploy" / "site.example.yaml"


@pytest.fixture
def check(tmp_path):
    def run(text):
        console = Console(file=io.StringIO(), width=60)
        file = tmp_path / "site.yaml"
        file.write_text(text, encoding="utf-8")
        return run_check(file, console), console.file.getvalue().replace(f"{tmp_path}/", "")

    return run


@pytest.fixture
def example():
    return EXAMPLE.read_text(encoding="utf-8")


def test_example_passes_and_is_drawn(check, example):
    code, printed = check(example)

    assert code == 0
    assert "site.yaml: 0 errors, 2 warnings" in printed
    assert "garage 63 A per phase" in printed


def test_mistakes_of_form_stand_on_lines_of_their_own_with_their_cure(check, example):
    code, printed = check(
        example.replace("rating_a: 63", "rating: 63").replace("unit: 1", "unit: x")
    )

    assert code == 2
    lines = printed.splitlines()
    assert lines[0].startswith("site.yaml:31: meters.grid.unit: 'x' is not a whole number → ")
    assert lines[1].startswith("site.yaml:41: circuits.garage.rating: is not a key")
    assert lines[1].endswith("→ did you mean rating_a?")
    assert lines[2] == "site.yaml: 2 errors"
    assert lines[3].startswith("Names that refer to each other")


def test_errors_of_the_proof_come_with_warnings_and_the_tree(check, example):
    code, printed = check(example.replace("rating_a: 63", "rating_a: 16"))

    assert code == 2
    assert "circuits.garage.rating_a: without the gateway L1 carries 18 A" in printed
    assert "warning: cloud.password" in printed
    assert "CP-01" in printed
    assert "1 error, " in printed


def test_unknown_meter_model_offers_the_nearest(check, example):
    code, printed = check(example.replace("eastron-sdm630", "eastron-sdm63"))

    assert code == 2
    assert "did you mean eastron-sdm630?" in printed


def test_slip_in_the_sites_own_meter_model_is_told_with_its_line(check, example, tmp_path):
    (tmp_path / "mine.yaml").write_text("title: mine\nsources: []\nlayouts: [{function: 7}]\n")

    code, printed = check(example.replace("eastron-sdm630", "./mine.yaml"))

    assert code == 2
    assert "meters.grid.model: mine.yaml:3: layouts.0.function: Input should be 3 or 4" in printed


def test_file_that_does_not_exist_is_told_without_a_line(tmp_path):
    console = Console(file=io.StringIO(), width=200)

    assert run_check(tmp_path / "none.yaml", console) == 2
    assert "none.yaml cannot be read: No such file" in console.file.getvalue()


def test_values_that_look_like_markup_are_printed_as_they_are(check, example):
    _, printed = check(example.replace("circuit: garage", "circuit: '[red]x[/red]'", 1))

    assert "'[red]x[/red]'" in printed


def test_serial_line_that_is_too_slow_for_its_meters_is_a_warning(check):
    meters = "".join(
        f'  m{n}: {{model: eastron-sdm630, url: "rtu:///dev/ttyUSB0", unit: {n}}}\n'
        for n in range(1, 21)
    )
    code, printed = check(
        "site: {id: one, name: One}\ncloud: {url: 'ws://127.0.0.1:9', identity: ONE}\n"
        f"meters:\n{meters}circuits: {{grid: {{rating_a: 63, meter: m1}}}}\nstations: {{}}\n"
    )

    assert code == 0
    assert "site.yaml:4: warning: meters.m1.max_age_s: reading the 20 meters" in printed
