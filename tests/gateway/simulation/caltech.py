"""The Caltech garage of March 2019: its half month of sessions, and a site for a capacity.

The recording (ACN-Data, converted) lies beside the checkout; who asks for it where it is missing is
skipped. Star three-phase, 208 V, each phase capped at a third of the capacity.
"""

import csv
from pathlib import Path

import pytest
import yaml

from gateway.simulation.day_sessions import read_sessions
from site_config.model import Site

VOLTAGE_V = 208
FILE = Path(__file__).parents[4] / "shared" / "data" / "caltech_2019_03_01_15.csv"


def recording():
    """The text of the sessions' file."""
    if not FILE.exists():
        pytest.skip(f"no recording {FILE.name}: the shared material is not beside the checkout")
    return FILE.read_text()


def settings_for(capacity_kw, text):
    """The site file's content for a connection of this capacity and the EVSEs of a recording."""
    phases = {row["evse"]: row["phases"].split() for row in csv.DictReader(text.splitlines())}
    return {
        "site": {
            "id": "garage",
            "name": "Garage",
            "voltage_v": VOLTAGE_V,
            "timezone": "America/Los_Angeles",
        },
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "GARAGE"},
        "circuits": {"grid": {"rating_a": capacity_kw * 1000 / 3 / VOLTAGE_V}},
        "stations": {
            evse: {
                "circuit": "grid",
                "safe_current_a": 0,
                "evses": {1: {"phases": connected, "max_current_a": 32}},
            }
            for evse, connected in phases.items()
        },
    }


def garage(capacity_kw, text):
    """The site, and the sessions."""
    site = Site.model_validate(settings_for(capacity_kw, text))
    return site, read_sessions(text, site)


def written(folder, capacity_kw, text):
    """Write both files; returns their paths."""
    site_file, sessions_file = folder / "site.yaml", folder / "sessions.csv"
    site_file.write_text(yaml.safe_dump(settings_for(capacity_kw, text)))
    sessions_file.write_text(text)
    return site_file, sessions_file
