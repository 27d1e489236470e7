"""The configuration the cloud may read and change."""

import pytest

from gateway.commands import (
    ChangeConfiguration,
    GetConfiguration,
    GetVariables,
    SetVariables,
    VariableRef,
)
from gateway.configuration import Configuration
from gateway.settings import SETTINGS
from gateway.writes import SaveSetting

HEARTBEAT = VariableRef("OCPPCommCtrlr", "HeartbeatInterval")


def configuration(*kept: SaveSetting) -> Configuration:
    return Configuration({"NumberOfConnectors": "12"}, kept)


def test_no_key_is_listed_twice_in_either_version():
    keys = [setting.key for setting in SETTINGS if setting.key]
    variables = [setting.variable for setting in SETTINGS if setting.variable]

    assert len(keys) == len(set(keys))
    assert len(variables) == len(set(variables))


def test_every_default_is_a_value_the_cloud_could_set():
    for setting in SETTINGS:
        assert setting.is_valid is None or setting.is_valid(setting.default), setting.name


def test_an_empty_request_means_all_keys():
    answer = configuration().get_keys(GetConfiguration())

    values = {row.key: row.value for row in answer.known}
    assert values["NumberOfConnectors"] == "12"
    assert len(values) == len([setting for setting in SETTINGS if setting.key])
    assert answer.unknown == ()


def test_unknown_keys_are_named():
    answer = configuration().get_keys(GetConfiguration(("HeartbeatInterval", "Nonsense")))

    assert [row.key for row in answer.known] == ["HeartbeatInterval"]
    assert answer.unknown == ("Nonsense",)


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        pytest.param("HeartbeatInterval", "60", "Accepted", id="seconds"),
        pytest.param("HeartbeatInterval", "soon", "Rejected", id="not a number"),
        pytest.param("HeartbeatInterval", "-1", "Rejected", id="negative"),
        pytest.param("LocalPreAuthorize", "FALSE", "Accepted", id="flag without case"),
        pytest.param("LocalPreAuthorize", "0", "Rejected", id="not a flag"),
        pytest.param("NumberOfConnectors", "3", "Rejected", id="read-only"),
        pytest.param("TransactionMessageAttempts", "0", "Rejected", id="no attempt at all"),
        pytest.param("HeartbeatInterval", "0", "Rejected", id="no interval at all"),
        pytest.param("AuthorizeRemoteTxRequests", "true", "Rejected", id="not to be had"),
        pytest.param("MaxEnergyOnInvalidId", "500", "Accepted", id="energy"),
        pytest.param("MaxEnergyOnInvalidId", "9999999", "Rejected", id="no mere rest of energy"),
        pytest.param("Nonsense", "1", "NotSupported", id="unknown"),
    ],
)
def test_change_configuration(key, value, status):
    answer, _ = configuration().change_key(ChangeConfiguration(key, value))

    assert answer.status == status


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("RetryBackOffWaitMinimum", "600", "Accepted"),
        ("RetryBackOffWaitMinimum", "604800", "Rejected"),
        ("RetryBackOffRepeatTimes", "10", "Accepted"),
        ("RetryBackOffRepeatTimes", "1000", "Rejected"),
    ],
)
def test_nobody_can_set_a_back_off_that_ends_with_a_drive_to_the_site(name, value, status):
    variable = VariableRef("OCPPCommCtrlr", name)

    answer, _ = configuration().set_variables(SetVariables(((variable, value),)))

    assert [result.status for result in answer.results] == [status]


def test_stations_are_told_only_what_the_cloud_has_set_and_they_act_upon():
    running = configuration(SaveSetting("ClockAlignedDataInterval", "900"))
    running.take([SaveSetting("ConnectionTimeOut", "33"), SaveSetting("HeartbeatInterval", "60")])

    told = {setting.key: setting.value for setting in running.for_stations()}

    assert told == {"ClockAlignedDataInterval": "900", "ConnectionTimeOut": "33"}


def test_facts_of_the_site_file_are_read_until_the_cloud_says_otherwise():
    facts = {"WebSocketPingInterval": "15"}
    kept = (SaveSetting("WebSocketPingInterval", "45"),)

    assert Configuration(facts, ()).number("WebSocketPingInterval") == 15
    assert Configuration(facts, kept).number("WebSocketPingInterval") == 45


def test_what_becomes_known_is_told_and_not_passed_on():
    running = configuration()

    running.know("ConnectionTimeOut", "45")

    (row,) = running.get_keys(GetConfiguration(("ConnectionTimeOut",))).known
    assert row.value == "45"
    assert running.for_stations() == ()


def test_a_configuration_inventory_holds_what_can_be_set():
    rows = configuration().report_rows(is_full=False)

    assert rows
    assert {row["variableAttribute"][0]["mutability"] for row in rows} == {"ReadWrite"}


def test_a_change_holds_only_once_it_is_committed_and_then_over_a_restart():
    running = configuration()

    _, writes = running.change_key(ChangeConfiguration("HeartbeatInterval", "60"))
    assert running.number("HeartbeatInterval") == 300
    running.take(writes)

    assert running.number("HeartbeatInterval") == 60
    assert configuration(*writes).number("HeartbeatInterval") == 60


def test_one_setting_has_two_names():
    running = configuration()

    answer, writes = running.set_variables(SetVariables(((HEARTBEAT, "45"),)))
    running.take(writes)

    assert [result.status for result in answer.results] == ["Accepted"]
    (row,) = running.get_keys(GetConfiguration(("HeartbeatInterval",))).known
    assert row.value == "45"


def test_names_are_found_in_letters_of_either_case():
    running = configuration()
    shouted = VariableRef("OCPPCOMMCTRLR", "heartbeatinterval")

    answer, writes = running.change_key(ChangeConfiguration("heartbeatinterval", "45"))
    running.take(writes)

    assert answer.status == "Accepted"
    assert writes == (SaveSetting("HeartbeatInterval", "45"),)
    (row,) = running.get_keys(GetConfiguration(("HEARTBEATINTERVAL",))).known
    (result,) = running.get_variables(GetVariables((shouted,))).results
    assert (row.value, result.value) == ("45", "45")
    unknown = running.get_variables(GetVariables((VariableRef("ocppcommctrlr", "x"),)))
    assert unknown.results[0].status == "UnknownVariable"


def test_as_many_results_as_asked_in_order():
    asked = (
        VariableRef("OCPPCommCtrlr", "Nonsense"),
        VariableRef("Nonsense", "HeartbeatInterval"),
        HEARTBEAT,
        VariableRef("OCPPCommCtrlr", "HeartbeatInterval", attribute="Target"),
        VariableRef("OCPPCommCtrlr", "MessageAttempts", variable_instance="TransactionEvent"),
    )

    results = configuration().get_variables(GetVariables(asked)).results

    assert [result.status for result in results] == [
        "UnknownVariable",
        "UnknownComponent",
        "Accepted",
        "NotSupportedAttributeType",
        "Accepted",
    ]
    assert [result.variable for result in results] == list(asked)


def test_what_was_kept_but_is_no_longer_valid_is_ignored():
    assert configuration(SaveSetting("HeartbeatInterval", "x")).number("HeartbeatInterval") == 300
    assert configuration(SaveSetting("Gone", "x")).number("HeartbeatInterval") == 300


def test_the_report_names_every_variable_and_no_password():
    rows = configuration().report_rows(is_full=True)

    assert len(rows) == len([setting for setting in SETTINGS if setting.variable])
    assert "Password" not in str(rows)
