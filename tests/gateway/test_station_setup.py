"""What the gateway asks of a station when it connects."""

import pytest

from gateway.commands import (
    ChangeConfiguration,
    ConfigurationAnswer,
    ConfigurationKey,
    GetConfiguration,
    GetVariables,
    SetProfile,
    SetVariables,
    StatusAnswer,
    Trigger,
    VariableRef,
    VariableResult,
    VariablesAnswer,
)
from gateway.configuration import FleetSetting
from gateway.errors import CallRefused, Unavailable
from gateway.settings import MEASURANDS
from gateway.station_setup import Wishes, set_up_station, tell_wishes
from load_balancer.profiles import ProfilePurpose, RateUnit
from site_config.stations import Station

V16, V201 = "ocpp1.6", "ocpp2.0.1"
STATION = Station.model_validate(
    {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}, 2: {"phases": ["L2"]}}}
)
TIMEOUT = FleetSetting("ConnectionTimeOut", VariableRef("TxCtrlr", "EVConnectionTimeOut"), "33")


class Asked:
    """A station on paper: notes what it is asked, and refuses what it is told to refuse."""

    def __init__(self, *, units="Current,Power", refuses=(), error=None):
        self.commands = []
        self._units = units
        self._refuses = refuses
        self._error = error

    async def __call__(self, command):
        self.commands.append(command)
        if self._error is not None:
            raise self._error
        match command:
            case GetConfiguration((key,)):
                return ConfigurationAnswer((ConfigurationKey(key, self._units),))
            case GetVariables((variable,)):
                return VariablesAnswer((VariableResult(variable, "Accepted", self._units),))
            case SetVariables(((variable, value),)):
                word = "Rejected" if value in self._refuses else "Accepted"
                return VariablesAnswer((VariableResult(variable, word),))
            case ChangeConfiguration(_, value):
                return StatusAnswer("Rejected" if value in self._refuses else "Accepted")
            case SetProfile(_, profile):
                return StatusAnswer(
                    "Rejected" if profile.schedule.unit in self._refuses else "Accepted"
                )
        return StatusAnswer("Accepted")

    def kinds(self):
        return [type(command).__name__ for command in self.commands]


async def set_up(ask, version=V16, **wishes):
    wanted = Wishes(**({"interval_s": 10} | wishes))
    return await set_up_station(STATION, version, ask, wanted, voltage_v=230.0)


@pytest.mark.parametrize("version", [V16, V201])
async def test_the_safe_default_comes_before_everything_that_is_only_useful(version):
    ask = Asked(units={V16: "Current,Power", V201: "A,W"}[version])

    report = await set_up(ask, version)

    kinds = ask.kinds()
    assert kinds[1] == "SetProfile"
    assert kinds[-2:] == ["Trigger", "Trigger"]
    assert (report.has_safe_default, report.unit, report.notes) == (True, "A", [])
    profile = ask.commands[1].profile
    assert profile.purpose is ProfilePurpose.TX_DEFAULT
    assert profile.schedule.periods[0].limit == 6


@pytest.mark.parametrize(
    ("version", "units", "unit"),
    [
        (V16, "Current", "A"),
        (V16, "Power", "W"),
        (V201, "A", "A"),
        (V201, "W", "W"),
        (V201, "A,W", "A"),
    ],
)
async def test_profiles_come_in_the_unit_the_station_allows(version, units, unit):
    ask = Asked(units=units)

    report = await set_up(ask, version)

    assert report.unit == unit
    assert ask.commands[1].profile.schedule.unit == unit


async def test_a_station_that_does_not_say_is_tried_in_both_units():
    ask = Asked(units="", refuses=(RateUnit.A,))

    report = await set_up(ask)

    assert report.has_safe_default
    assert report.unit == "W"


@pytest.mark.parametrize(
    "error", [Unavailable("silent"), CallRefused("NotImplemented", "no smart charging")]
)
async def test_a_station_that_refuses_everything_is_noted_and_left_alone(error):
    report = await set_up(Asked(error=error))

    assert not report.has_safe_default
    assert len(report.notes) == 3
    assert "may draw all they can" in report.notes[0]


ALL = ",".join(MEASURANDS)


@pytest.mark.parametrize("version", [V16, V201])
@pytest.mark.parametrize(
    ("refuses", "taken"),
    [
        pytest.param((), f"{ALL},SoC", id="all that is wanted"),
        pytest.param((f"{ALL},SoC",), ALL, id="the site's own"),
        pytest.param((f"{ALL},SoC", ALL), "Energy.Active.Import.Register,Current.Import", id="two"),
    ],
)
async def test_a_station_is_asked_for_fewer_measurands_until_it_agrees(version, refuses, taken):
    ask = Asked(refuses=refuses)

    notes = await tell_wishes(version, ask, Wishes(10, (*MEASURANDS, "SoC")))

    last = ask.commands[-1]
    value = last.value if version == V16 else last.variables[0][1]
    assert value == taken
    assert notes == []


@pytest.mark.parametrize("version", [V16, V201])
async def test_what_the_cloud_wants_of_stations_is_passed_on_in_their_words(version):
    ask = Asked()

    await tell_wishes(version, ask, Wishes(7, settings=(TIMEOUT,)))

    first, last = ask.commands[0], ask.commands[-1]
    if version == V16:
        assert first == ChangeConfiguration("MeterValueSampleInterval", "7")
        assert last == ChangeConfiguration("ConnectionTimeOut", "33")
    else:
        assert first.variables[0][1] == "7"
        assert last == SetVariables(((TIMEOUT.variable, "33"),))


async def test_what_a_station_does_not_take_is_noted():
    notes = await tell_wishes(V16, Asked(refuses=("7", "33")), Wishes(7, settings=(TIMEOUT,)))

    assert [note.split(":")[0] for note in notes] == [
        "does not take a meter value interval of 7 s",
        "does not take ConnectionTimeOut = 33, as the cloud wants",
    ]


async def test_every_connector_is_asked_where_it_stands():
    ask = Asked()

    await set_up(ask)

    triggers = [command for command in ask.commands if isinstance(command, Trigger)]
    assert triggers == [Trigger("StatusNotification", n, 1) for n in (1, 2)]
