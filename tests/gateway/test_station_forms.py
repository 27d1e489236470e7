"""In which words a station takes a limit: found out by refusals, remembered by its model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.station_forms import Form, ModelKey, StationForms, StationModels
from load_balancer.profiles import ProfilePurpose, RateUnit
from site_config.stations import Station

TX, DEFAULT = ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT
MODEL = ModelKey.of("Vendor", "Model", None)


def forms_of(**words):
    return StationForms.of(Station(circuit="grid", safe_current_a=6, evses={1: {}}, **words))


def negotiate(forms, takes, limits_a):
    """Say the limits until the station takes them; return how often it was asked."""
    for asked in range(1, 100):
        if takes(forms.current, limits_a):
            forms.accepted(limits_a)
            return asked
        forms.refused(limits_a)
    raise AssertionError("never")


def whole_amperes(form, limits_a):
    return form.unit is RateUnit.A and all(form.said_a(a) == int(form.said_a(a)) for a in limits_a)


def no_zero(form, limits_a):
    return all(form.said_a(a) > 0 for a in limits_a)


def one_period(form, limits_a):
    return form.ends_by_duration or len(limits_a) == 1


def watts_by_default(form, limits_a):
    return form.unit is RateUnit.W and form.purpose is DEFAULT


@pytest.mark.parametrize(
    ("takes", "limits_a", "form", "most_asked"),
    [
        (lambda *_: True, (16.0, 6.0), Form(RateUnit.A, TX), 1),
        (whole_amperes, (10.7, 6.0), Form(RateUnit.A, TX, step_a=1.0), 2),
        (no_zero, (0.0,), Form(RateUnit.A, TX, pause_a=1.0), 2),
        (no_zero, (16.0, 0.0), Form(RateUnit.A, TX, pause_a=1.0), 2),
        (one_period, (16.0, 6.0), Form(RateUnit.A, TX, ends_by_duration=True), 2),
        (watts_by_default, (16.0, 6.0), Form(RateUnit.W, DEFAULT, ends_by_duration=True), 8),
    ],
    ids=["anything", "whole amperes", "no 0", "no safe 0", "one period", "watts by default"],
)
def test_every_station_is_understood_after_a_few_refusals(takes, limits_a, form, most_asked):
    forms = forms_of()

    asked = negotiate(forms, takes, limits_a)

    assert takes(forms.current, limits_a)
    assert asked <= most_asked
    if asked <= 2:
        assert forms.current == form


def test_a_fraction_refused_after_whole_limits_were_taken_is_a_lesson():
    forms = forms_of()
    forms.accepted((16.0, 6.0))

    assert forms.refused((10.7, 6.0))
    assert forms.current == Form(RateUnit.A, TX, step_a=1.0)


def test_a_refusal_of_what_was_taken_before_is_about_the_moment():
    forms = forms_of()
    forms.accepted((16.0, 6.0))

    assert not forms.refused((12.0, 6.0))
    assert forms.current == Form(RateUnit.A, TX)


def test_the_site_files_word_is_the_last():
    forms = forms_of(charging_rate_unit="A", limit_purpose="TxDefaultProfile", limit_step_a=1)

    forms.remembered(Form(RateUnit.W, TX))
    forms.suggested("W")
    while forms.refused((10.7, 0.0)):
        assert forms.current[:2] == (RateUnit.A, DEFAULT)
        assert forms.current.step_a == 1.0


def test_a_rectifier_is_never_told_amperes():
    station = Station(circuit="grid", safe_current_a=6, evses={1: {"power_type": "DC"}})

    forms = StationForms.of(station)

    assert {form.unit for form in forms.candidates} == {RateUnit.W}


def test_the_stations_own_unit_is_tried_first():
    forms = forms_of()

    forms.suggested("W")

    assert forms.current == Form(RateUnit.W, TX)


def test_what_a_model_has_proved_is_where_the_next_begins_over_a_restart():
    proved = Form(RateUnit.W, DEFAULT, ends_by_duration=True, pause_a=1.0)
    rows = StationModels(()).learned(MODEL, proved)
    forms = forms_of()

    forms.remembered(StationModels(rows).of(MODEL))

    assert forms.current == proved
    assert StationModels(rows).learned(MODEL, proved) == []


def test_what_a_station_proved_itself_outranks_its_model():
    forms = forms_of()
    forms.accepted((16.0,))

    forms.remembered(Form(RateUnit.W, TX))

    assert forms.current.unit is RateUnit.A


FORMS = st.builds(
    Form,
    st.just(RateUnit.A),
    st.sampled_from([TX, DEFAULT]),
    st.booleans(),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.1, 1.0]),
)


@given(FORMS, st.floats(0, 1000))
def test_no_form_says_more_than_is_allowed_but_for_a_pause(form, limit_a):
    assert form.said_a(limit_a) <= max(limit_a + 1e-6, form.pause_a)


@given(st.lists(st.tuples(st.floats(0, 80), st.booleans()), max_size=60))
def test_whatever_is_refused_there_is_always_a_form_of_the_candidates(story):
    forms = forms_of()

    for limit_a, is_taken in story:
        forms.accepted((limit_a,)) if is_taken else forms.refused((limit_a,))

    assert forms.current in forms.candidates
