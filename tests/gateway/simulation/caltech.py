"""The Caltech garage of March 2019: its half month of sessions, and a site for a capacity.

The recording (ACN-Data, converted) lies beside the checkout; who asks for it where it is missing is
skipped. Star three-phase, 208 V, each phase capped at a third of the capacity.

`HOLD_OUTS` are the same garage on other days, as far as one recording can tell of them.
"""

import csv
import random
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from math import floor
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


def settings_for(capacity_kw, text, voltage_v=VOLTAGE_V, *, whole_amperes=False):
    """The site file's content for a connection of this capacity and the EVSEs of a recording.

    Args:
        whole_amperes: leave out the fraction of an ampere that limits in whole amperes cannot use.
    """
    rating_a = capacity_kw * 1000 / 3 / voltage_v
    phases = {row["evse"]: row["phases"].split() for row in csv.DictReader(text.splitlines())}
    return {
        "site": {
            "id": "garage",
            "name": "Garage",
            "voltage_v": voltage_v,
            "timezone": "America/Los_Angeles",
        },
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "GARAGE"},
        "circuits": {"grid": {"rating_a": floor(rating_a) if whole_amperes else rating_a}},
        "stations": {
            evse: {
                "circuit": "grid",
                "safe_current_a": 0,
                "evses": {1: {"phases": connected, "max_current_a": 32}},
            }
            for evse, connected in phases.items()
        },
    }


def garage(capacity_kw, text, voltage_v=VOLTAGE_V, **settings):
    """The site, and the sessions."""
    site = Site.model_validate(settings_for(capacity_kw, text, voltage_v, **settings))
    return site, read_sessions(text, site)


def written(folder, capacity_kw, text):
    """Write both files; returns their paths."""
    site_file, sessions_file = folder / "site.yaml", folder / "sessions.csv"
    site_file.write_text(yaml.safe_dump(settings_for(capacity_kw, text)))
    sessions_file.write_text(text)
    return site_file, sessions_file


def days(first, last, text):
    """The sessions that begin in [first, last), ISO dates."""
    heading, *rows = text.splitlines()
    return "\n".join([heading, *(row for row in rows if first <= row.split(",")[2] < last)])


def shifted(text):
    """Everybody comes and goes up to 20 minutes earlier or later, at his own EVSE."""
    heading, *lines = text.splitlines()
    dice = random.Random(1)
    rows, by_evse = [], {}
    for line in lines:
        evse, phases, *times, energy_wh, most_a = line.split(",")
        by = timedelta(seconds=dice.randrange(-1200, 1201))
        rows.append([evse, phases, *(datetime.fromisoformat(at) + by for at in times)])
        rows[-1] += [energy_wh, most_a]
        by_evse.setdefault(evse, []).append(rows[-1])
    for visits in by_evse.values():
        visits.sort(key=lambda row: row[2])
        for before, after in pairwise(visits):
            after[2] = max(after[2], before[3])
    stays = [row for row in rows if row[2] < row[3]]
    return "\n".join(
        [heading, *(",".join([*r[:2], *(at.isoformat() for at in r[2:4]), *r[4:]]) for r in stays)]
    )


def rewired(text):
    """The EVSEs are dealt to the phases anew."""
    heading, *rows = text.splitlines()
    dice = random.Random(1)
    evses = sorted({row.split(",")[0] for row in rows})
    phases = {evse: dice.choice(["L1", "L2", "L3"]) for evse in evses}
    cells = [row.split(",") for row in rows]
    return "\n".join([heading, *(",".join([c[0], phases[c[0]], *c[2:]]) for c in cells)])


HOLD_OUTS = {
    "first week": partial(days, "2019-03-01", "2019-03-08"),
    "second week": partial(days, "2019-03-08", "2019-03-16"),
    "shifted": shifted,
    "rewired": rewired,
}
