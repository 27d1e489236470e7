"""Phases that were found are known at the next start, unless something speaks against them."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from gateway.phase_findings import SEEN_EVERY_S, PhaseFindings
from gateway.records import FoundPhases
from gateway.writes import DeleteFoundPhases, SaveFoundPhases
from load_balancer.inputs import EvseKey
from load_balancer.phase_search import FoundWirings
from site_config.model import Site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
KEY = EvseKey("CP-01", 1)
ON_L2 = (("L2", "L1", "L3"), ("L2", "L3", "L1"))
BOOT = "6f0c"

EVSE, METER, GARAGE = ("stations", "CP-01", "evses"), ("meters", "main"), ("circuits", "garage")


def site(changes=()):
    """A garage without a meter below a grid that has one; `changes` are (path, settings)."""
    sections = {
        "site": {"id": "depot", "name": "Depot"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "DEPOT"},
        "meters": {
            "main": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:502"},
            "spare": {"model": "eastron-sdm630", "url": "tcp://127.0.0.1:503"},
        },
        "circuits": {
            "grid": {"rating_a": 63, "meter": "main"},
            "garage": {"rating_a": 32, "parent": "grid"},
        },
        "stations": {
            "CP-01": {"circuit": "garage", "safe_current_a": 6, "evses": {1: {"phases": "unknown"}}}
        },
    }
    for path, settings in changes:
        place = sections
        for name in path:
            place = place[name]
        place.update(settings)
    return Site.model_validate(sections)


def found(findings, wirings=ON_L2, in_sight_at=100.0, at=NOON):
    """The balancer tells it, and it goes to disk; returns the rows there."""
    findings.note({KEY: FoundWirings(wirings, in_sight_at)} if wirings else {}, at)
    changes = findings.to_keep()
    findings.take(changes)
    return [change.found for change in changes if isinstance(change, SaveFoundPhases)]


@pytest.fixture
def kept():
    return found(PhaseFindings(site(), boot_id=BOOT))


def test_the_next_start_begins_with_what_was_found(kept):
    findings = PhaseFindings(site(), kept, BOOT)

    assert findings.at_start() == {KEY: FoundWirings(ON_L2, 100.0)}
    assert findings.of(KEY).found_at == NOON
    assert findings.of(KEY).phases == ("L2", None, None)
    assert findings.to_keep() == []


@pytest.mark.parametrize("boot_id", ["another", ""])
def test_after_a_boot_nobody_knows_how_long_we_were_away(kept, boot_id):
    assert PhaseFindings(site(), kept, boot_id).at_start() == {KEY: FoundWirings(ON_L2, -inf)}


def test_where_the_machine_tells_no_boot_nobody_ever_knows():
    kept = found(PhaseFindings(site()))

    assert PhaseFindings(site(), kept).at_start() == {KEY: FoundWirings(ON_L2, -inf)}


def test_what_was_in_doubt_stays_so(kept):
    findings = PhaseFindings(site(), kept, BOOT)

    (row,) = found(findings, in_sight_at=-inf, at=LATER)

    assert (row.in_sight_at, row.found_at) == (None, NOON)
    assert PhaseFindings(site(), [row], BOOT).at_start() == {KEY: FoundWirings(ON_L2, -inf)}


VOID = {
    "EVSE's phases": [((*EVSE, 1), {"phases": ["L1", "unknown", "unknown"]})],
    "EVSE's phases known": [((*EVSE, 1), {"phases": ["L1", "L2", "L3"]})],
    "EVSE gone": [(("stations", "CP-01"), {"evses": {2: {"phases": "unknown"}}})],
    "EVSE's circuit": [(("stations", "CP-01"), {"circuit": "grid"})],
    "circuit's meter": [(("circuits", "grid"), {"meter": "spare"})],
    "no meter": [(("circuits", "grid"), {"meter": None})],
    "a meter further in": [(GARAGE, {"meter": "spare"})],
    "meter's phases": [(METER, {"phases": ["L2", "L1", "L3"]})],
    "meter's direction": [(METER, {"invert": True})],
    "meter's address": [(METER, {"url": "tcp://127.0.0.9:502"})],
    "meter's unit": [(METER, {"unit": 2})],
    "meter's model": [(METER, {"model": "eastron-sdm72d-m-2"})],
}


@pytest.mark.parametrize("changes", [pytest.param(c, id=name) for name, c in VOID.items()])
def test_what_the_site_file_says_otherwise_now_is_void(kept, changes):
    findings = PhaseFindings(site(changes), kept, BOOT)

    assert findings.at_start() == {}
    assert findings.to_keep() == [DeleteFoundPhases("CP-01", 1)]


HARMLESS = {
    "pace of the meter": [(METER, {"poll_s": 0.5, "max_age_s": 9})],
    "a rating": [(GARAGE, {"rating_a": 20})],
    "limits of the EVSE": [((*EVSE, 1), {"max_current_a": 16, "priority": 2})],
}


@pytest.mark.parametrize("changes", [pytest.param(c, id=name) for name, c in HARMLESS.items()])
def test_other_lines_of_the_site_file_void_nothing(kept, changes):
    assert PhaseFindings(site(changes), kept, BOOT).at_start() == {KEY: FoundWirings(ON_L2, 100.0)}


def test_what_the_meter_contradicts_is_gone_from_the_disk(kept):
    findings = PhaseFindings(site(), kept, BOOT)

    lines = findings.note({}, LATER)

    assert lines == ["phases.forgotten evse=CP-01/1"]
    assert findings.to_keep() == [DeleteFoundPhases("CP-01", 1)]


def test_what_is_found_is_told_once_and_what_is_found_anew_has_its_own_time(kept):
    findings = PhaseFindings(site(), kept, BOOT)

    assert findings.note({KEY: FoundWirings(ON_L2, 101.0)}, LATER) == []
    assert findings.of(KEY).found_at == NOON
    assert findings.note({KEY: FoundWirings(ON_L2[:1], 102.0)}, LATER) == [
        "phases.found evse=CP-01/1 wirings=L2-L1-L3"
    ]
    assert findings.of(KEY).found_at == LATER


def test_being_in_sight_is_written_down_now_and_then():
    findings = PhaseFindings(site(), boot_id=BOOT)

    written = [
        row.in_sight_at
        for second in range(100, 200)
        for row in found(findings, in_sight_at=float(second))
    ]

    assert written == [100.0 + n * SEEN_EVERY_S for n in range(5)]


def test_what_the_disk_refuses_is_due_again():
    findings = PhaseFindings(site(), boot_id=BOOT)
    findings.note({KEY: FoundWirings(ON_L2, 100.0)}, NOON)

    first, again = findings.to_keep(), findings.to_keep()

    assert first == again
    assert [type(change.found) for change in first] == [FoundPhases]
