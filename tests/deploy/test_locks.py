"""What is installed is what was tested: the two files of pinned packages agree."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTED, INSTALLED = ROOT / "requirements.txt", ROOT / "deploy" / "requirements.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(path):
    found = re.findall(r"^([a-z0-9._-]+)==([^\s;]+)[^\n]* \\$", path.read_text(), re.MULTILINE)
    return dict(found)


def names(requirements):
    return {re.match(r"[A-Za-z0-9._-]+", text)[0].lower() for text in requirements}


def test_a_site_runs_what_was_tested():
    assert pins(INSTALLED).items() <= pins(TESTED).items()


def test_everything_the_project_asks_for_is_pinned():
    extras = PROJECT["optional-dependencies"]

    assert names(PROJECT["dependencies"]) <= pins(INSTALLED).keys()
    assert (
        names([*PROJECT["dependencies"], *extras["dev"], *extras["planner"]]) <= pins(TESTED).keys()
    )


def test_a_site_installs_nothing_of_the_tests_and_the_planner():
    assert not {"pytest", "mypy", "ruff", "scipy", "matplotlib"} & pins(INSTALLED).keys()


@pytest.mark.parametrize("path", [TESTED, INSTALLED], ids=["tested", "installed"])
def test_every_package_has_its_hashes_and_no_place_of_its_own(path):
    text = path.read_text()

    assert len(re.findall(r"^\S+==[^\n]+ \\\n    --hash=sha256:", text, re.MULTILINE)) == len(
        pins(path)
    )
    assert "://" not in text
    assert not re.search(r"^(-|#.*index)", text, re.MULTILINE)
