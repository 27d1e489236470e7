"""`simulate day` answers people and programs, and says what is wrong with their files."""

import io
import json
import subprocess
import sys

import pytest
import yaml
from rich.console import Console

from gateway.simulation.day import Weather
from gateway.simulation.day_command import (
    EXIT_MISTAKES,
    EXIT_OK,
    Outputs,
    find_in_days,
    simulate_day,
)
from gateway.simulation.day_search import Aim
from tests.gateway.simulation.caltech import written

CSV = """evse,phases,arrival,departure,energy_wh,max_current_a
A,L1,2019-03-01T09:00:00-08:00,2019-03-01T11:00:00-08:00,5000,32
B,L1,2019-03-01T09:30:00-08:00,2019-03-01T12:00:00-08:00,6000,32
"""
KEYS = [
    "policy",
    "sessions",
    "demand_wh",
    "delivered_wh",
    "optimum_wh",
    "served_90_share",
    "jain",
    "worst_overload_a",
    "worst_overload_s",
    "fuse_share",
    "switchings_per_session",
    "seconds",
]


def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def run(tmp_path):
    """Run it on a garage of 12 kW; returns exit code, answer and notes."""

    def run(text=CSV, capacity_kw=12, **outputs):
        site_file, sessions_file = written(tmp_path, capacity_kw, CSV)
        sessions_file.write_text(text)
        answer, notes = console(), console()
        code = simulate_day(site_file, sessions_file, Weather(), Outputs(answer, notes, **outputs))
        return code, answer.file.getvalue(), notes.file.getvalue()

    return run


def test_people_get_a_table_and_a_verdict(run):
    code, answer, _ = run()

    assert code == EXIT_OK
    assert "11.0 kWh" in answer
    assert "2 of 2 cars leave with 90 % of their wish or more" in answer


def test_a_connection_that_is_too_small_is_called_so(run):
    _, answer, _ = run(capacity_kw=4.5)

    assert "too many cars for the connection" in answer


def test_programs_get_one_json_object(tmp_path):
    site_file, sessions_file = written(tmp_path, 20, CSV)

    command = ["-m", "gateway", "simulate", "day", "--json"]
    files = ["--site", str(site_file), "--sessions", str(sessions_file)]
    done = subprocess.run(
        [sys.executable, *command, *files], capture_output=True, text=True, check=True
    )

    figures = json.loads(done.stdout)
    assert list(figures) == KEYS
    assert figures["delivered_wh"] == figures["demand_wh"] == figures["optimum_wh"] == 11_000


def test_the_plot_is_a_picture(run, tmp_path):
    _, _, notes = run(plot=tmp_path / "day.png")

    assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")
    assert "day.png" in notes


@pytest.mark.parametrize("name", ["nowhere/day.png", "day.nonsense"])
def test_a_plot_that_cannot_be_written_is_told_beside_the_answer(run, tmp_path, name):
    code, answer, notes = run(plot=tmp_path / name)

    assert code == EXIT_OK
    assert "cannot be written" in notes
    assert "11.0 kWh" in answer


def test_without_the_extra_the_answer_comes_without_optimum_and_plot(run, tmp_path, monkeypatch):
    for module in ("scipy.optimize", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)

    code, answer, notes = run(plot=tmp_path / "day.png", as_json=True)

    assert code == EXIT_OK
    assert json.loads(answer)["optimum_wh"] is None
    assert "no optimum without scipy" in notes
    assert "no plot without matplotlib" in notes


def test_every_mistake_of_the_sessions_is_told_with_its_line(run):
    code, answer, notes = run(CSV.replace("A,L1", "X,L1").replace("6000", "much"))

    assert code == EXIT_MISTAKES
    assert answer == ""
    assert "sessions.csv:2: evse: the site has no EVSE 'X'" in notes
    assert "sessions.csv:3: energy_wh: 'much' is not a number above 0" in notes


def test_a_wrong_site_file_is_told(tmp_path):
    site_file, sessions_file = written(tmp_path, 12, CSV)
    site_file.write_text("site: {}\n")
    notes = console()

    code = simulate_day(site_file, sessions_file, Weather(), Outputs(notes, notes))

    assert code == EXIT_MISTAKES
    assert "site.id" in notes.file.getvalue()


def test_a_missing_file_is_told(tmp_path):
    site_file, sessions_file = written(tmp_path, 12, CSV)
    sessions_file.unlink()
    notes = console()

    code = simulate_day(site_file, sessions_file, Weather(), Outputs(notes, notes))

    assert code == EXIT_MISTAKES
    assert "cannot be read" in notes.file.getvalue()


def test_what_is_not_simulated_is_named(tmp_path):
    site_file, sessions_file = written(tmp_path, 12, CSV)
    content = yaml.safe_load(site_file.read_text())
    content["meters"] = {"m": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:1"}}
    content["circuits"]["grid"] |= {"meter": "m", "unbalance_a": 20}
    content["grid_operator"] = {}
    site_file.write_text(yaml.safe_dump(content))
    notes = console()

    code = simulate_day(site_file, sessions_file, Weather(), Outputs(console(), notes))

    assert code == EXIT_OK
    assert "not simulated: grid_operator" in notes.file.getvalue()
    assert "not simulated: what else draws on circuit grid" in notes.file.getvalue()
    assert "unbalance" not in notes.file.getvalue()


def find(tmp_path, sought, capacity_kw=9.0, text=CSV, served=0.9, **outputs):
    site_file, sessions_file = written(tmp_path, capacity_kw, CSV)
    sessions_file.write_text(text)
    answer, notes = console(), console()
    aim, outputs = Aim(sought, served), Outputs(answer, notes, **outputs)
    code = find_in_days(site_file, sessions_file, Weather(), aim, outputs)
    return code, answer.file.getvalue(), notes.file.getvalue()


@pytest.mark.parametrize(
    ("sought", "words"), [("cars", "carries 1 car a day"), ("rating", "Circuit grid needs 18 A")]
)
def test_people_get_every_try_and_the_answer(tmp_path, sought, words):
    code, answer, notes = find(tmp_path, sought, plot=tmp_path / "curve.png")

    assert code == EXIT_OK
    assert words in answer
    assert "yes" in answer
    assert "no" in answer
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "curve.png" in notes


def test_programs_get_one_object_of_a_search(tmp_path):
    site_file, sessions_file = written(tmp_path, 6.0, CSV)

    command = ["-m", "gateway", "simulate", "day", "--json", "--find", "rating", "--served", "0.5"]
    files = ["--site", str(site_file), "--sessions", str(sessions_file)]
    done = subprocess.run(
        [sys.executable, *command, *files], capture_output=True, text=True, check=True
    )

    found = json.loads(done.stdout)
    assert list(found) == ["find", "policy", "served", "answer", "tries", "seconds"]
    assert found["served"] == 0.5
    assert found["answer"] in found["tries"]
    assert found["answer"]["served_90_share"] >= 0.5


def test_cars_that_cannot_be_served_by_any_connection_are_told(tmp_path):
    code, answer, notes = find(tmp_path, "rating", text=CSV.replace("6000", "60000"))

    assert code == EXIT_MISTAKES
    assert answer == ""
    assert "only 50.0% of the cars stay long enough" in notes
    assert "--served" in notes


def test_an_answer_with_which_the_gateway_would_not_start_is_told(tmp_path):
    site_file, sessions_file = written(tmp_path, 14, CSV)
    content = site_file.read_text().replace("safe_current_a: 0", "safe_current_a: 10")
    site_file.write_text(content)
    sessions_file.write_text(CSV.replace("5000", "2000").replace("6000", "2000"))
    notes = console()

    find_in_days(site_file, sessions_file, Weather(), Aim("rating"), Outputs(console(), notes))

    assert "circuits.grid.rating_a: without the gateway L1 carries 20 A" in notes.file.getvalue()
    assert "with the answer `run` would refuse to start" in notes.file.getvalue()


def test_energies_that_look_like_kwh_are_doubted(run):
    _, _, notes = run(CSV.replace("5000", "5").replace("6000", "6"))

    assert "energy_wh is in Wh, not in kWh" in notes


def test_a_file_in_another_encoding_is_told(tmp_path):
    site_file, sessions_file = written(tmp_path, 12, CSV)
    sessions_file.write_text(CSV, encoding="utf-16")
    notes = console()

    simulate_day(site_file, sessions_file, Weather(), Outputs(notes, notes))

    assert "sessions.csv: is not a text in UTF-8 → save it as CSV UTF-8" in notes.file.getvalue()
