"""Every limit explains itself with both numbers, and for as long as it holds."""

import pytest

from load_balancer.reasons import SENTENCES, Reason, Rule


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_speaks_and_names_both_numbers(rule):
    sentence = Reason(rule, "garage", "L2", 12.3, 45.6, 0.0).sentence()

    assert "12.3 A" in sentence
    assert "45.6 A" in sentence
    assert sentence.endswith(".")


def test_a_place_is_named_as_the_electrician_labels_it():
    assert "garage L2" in Reason(Rule.FUSE, "garage", "L2", 63, 67.4, 0.0).sentence()
    assert "grid is lost" in Reason(Rule.METER_STALE, "grid", None, 6, 16, 0.0).sentence()
    assert "this EVSE" in Reason(Rule.CLOUD_PROFILE, None, None, 6, 16, 0.0).sentence()


def test_an_unknown_number_is_said_to_be_unknown():
    assert "unknown" in Reason(Rule.FUSE, "garage", "L2", 63, None, 0.0).sentence()


def test_no_rule_is_without_words():
    assert set(SENTENCES) == set(Rule)
