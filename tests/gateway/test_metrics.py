"""The site as Prometheus reads it: names with units, and nothing said that is not known."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from tests.gateway.adapters.demo_site import (
    NOON,
    NOW,
    busy_state,
    cloud_away,
    demo_counters,
    quiet_state,
)

UNITS = ("_amperes", "_bytes", "_ratio", "_watts", "_watt_hours", "_seconds", "_messages", "_total")
FACTS = {"connected", "registered", "healthy", "active", "status", "problem", "place"}


def samples(state, counters=None):
    text = metrics.render(state, counters or metrics.Counters(), NOW, NOON).decode()
    return {
        (sample.name.removeprefix("site_gateway_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (("cloud_connected",), 0),
        (("cloud_registered",), 0),
        (("outbox_pending_messages",), 412),
        (("outbox_quarantined_messages",), 1),
        (("outbox_oldest_age_seconds",), 63 * 60),
        (("problem", "cloud"), 1),
        (("meter_healthy", "grid"), 1),
        (("meter_age_seconds", "grid"), pytest.approx(0.4)),
        (("meter_power_watts", "grid"), 54_200),
        (("meter_energy_import_watt_hours", "grid"), 184_311_200),
        (("meter_current_amperes", "grid", "L2"), pytest.approx(83)),
        (("circuit_rating_amperes", "garage"), 63),
        (("circuit_limit_amperes", "garage", "L1"), 63),
        (("circuit_measured_amperes", "garage", "L2"), pytest.approx(57.33)),
        (("circuit_allocated_amperes", "garage", "L2"), pytest.approx(51.597)),
        (("station_connected", "CP-01"), 1),
        (("station_connected", "CP-08"), 0),
        (("evse_status", "CP-01", "1", "Occupied"), 1),
        (("evse_transaction_active", "CP-01", "1"), 1),
        (("evse_limit_amperes", "CP-01", "1"), 16),
        (("evse_queue_place", "CP-02", "2"), 1),
        (("evse_measured_amperes", "CP-01", "1", "L1"), pytest.approx(15.7)),
        (("evse_transaction_energy_watt_hours", "CP-01", "1"), 2150),
        (("messages_total", "station", "in", "MeterValues"), 2),
        (("call_errors_total", "cloud", "in", "FormationViolation"), 1),
        (("meter_failures_total", "grid"), 1),
    ],
    ids=lambda part: ".".join(part) if isinstance(part, tuple) else None,
)
def test_what_is_known_is_told(sample, value):
    name, *labels = sample

    assert samples(cloud_away(busy_state()), demo_counters())[name, *sorted(labels)] == value


def test_what_is_unknown_is_left_out_and_never_zero():
    told = {name for name, *_ in samples(quiet_state())}

    assert not told & {
        "meter_age_seconds",
        "meter_power_watts",
        "meter_current_amperes",
        "circuit_measured_amperes",
        "evse_limit_amperes",
        "evse_measured_amperes",
        "evse_transaction_energy_watt_hours",
        "evse_queue_place",
        "evse_status",
    }
    assert "circuit_rating_amperes" in told


def test_every_name_ends_in_its_unit_or_is_a_fact():
    for name, *_ in samples(cloud_away(busy_state()), demo_counters()):
        assert name.endswith(UNITS) or name.rpartition("_")[2] in FACTS, name


def test_a_wall_clock_set_back_does_not_make_an_age_negative():
    state = cloud_away(busy_state())
    state.cloud.oldest_at = NOON + timedelta(hours=1)

    assert samples(state)["outbox_oldest_age_seconds",] == 0


def test_a_name_with_quotes_and_line_breaks_stays_one_label():
    state = busy_state()
    state.problems['a "b"\n\\c'] = "odd"

    assert samples(state)["problem", 'a "b"\n\\c'] == 1


RESET, HEARTBEAT = '[2,"a","Reset",{}]', '[ 2,"a","Heartbeat",{}]'
KNOWN_ERROR, OTHER_ERROR = '[4,"a","FormationViolation","",{}]', '[4,"a","A word","",{}]'


@pytest.mark.parametrize(
    ("frame", "messages", "errors"),
    [
        (("CP-01", "out", RESET), [("station", "out", "Reset")], []),
        (("cloud", "out", HEARTBEAT), [("cloud", "out", "Heartbeat")], []),
        (("CP-01", "in", HEARTBEAT), [], []),
        (("CP-01", "in", '[3,"a",{}]'), [], []),
        (("cloud", "in", KNOWN_ERROR), [], [("cloud", "in", "FormationViolation")]),
        (("CP-01", "out", KNOWN_ERROR), [], [("station", "out", "FormationViolation")]),
        (("CP-01", "in", OTHER_ERROR), [], [("station", "in", "other")]),
        (("CP-01", "in", "no frame"), [], []),
    ],
)
def test_calls_of_ours_and_errors_both_ways_are_counted_as_they_pass(frame, messages, errors):
    counters = metrics.Counters()

    counters.count_frame(*frame)

    assert (list(counters.messages), list(counters.call_errors)) == (messages, errors)


@pytest.mark.parametrize(("drain_s", "is_told"), [(None, False), (740.0, True)])
def test_how_long_the_backlog_will_take_is_told_once_it_is_known(drain_s, is_told):
    state = busy_state()
    state.cloud.drain_s = drain_s

    text = metrics.render(state, metrics.Counters(), NOW, NOON).decode()

    assert ("site_gateway_outbox_drain_seconds 740.0" in text) is is_told
