"""What the gateway asks of a station when it connects: report often enough, fall low by itself.

After a boot the station gets, in this order: the safe TxDefaultProfile (until it is there a car
may draw anything when we are gone), the interval and the measurands the balancer steers by, what
the cloud has set that stations must act upon, and a request for the statuses of its connectors.
After a mere reconnect only what is not known to hold, see `arrivals`.
Every step may fail on its own: a station that refuses still charges, and is noted.

Short orchestration, handed the call it awaits; owns no socket and no clock. Currents A per phase.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import product

from gateway.commands import (
    ChangeConfiguration,
    Command,
    CommandAnswer,
    ConfigurationAnswer,
    GetConfiguration,
    GetVariables,
    SetVariables,
    StatusAnswer,
    Trigger,
    VariableRef,
    VariablesAnswer,
)
from gateway.configuration import FleetSetting
from gateway.errors import GatewayError
from gateway.limit_delivery import safe_default
from gateway.settings import MEASURANDS
from gateway.station_forms import LITTLE_A
from load_balancer.profiles import RateUnit
from site_config.stations import ChargingRateUnit, Station

UNIT_KEY = "ChargingScheduleAllowedChargingRateUnit"
UNIT_VARIABLE = VariableRef("SmartChargingCtrlr", "RateUnit")
INTERVAL_VARIABLE = VariableRef("SampledDataCtrlr", "TxUpdatedInterval")
MEASURANDS_VARIABLE = VariableRef("SampledDataCtrlr", "TxUpdatedMeasurands")

Ask = Callable[[Command], Awaitable[CommandAnswer]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a station is to report and behave: the site's wishes, and the cloud's."""

    interval_s: int
    """Between two samples of a transaction."""
    measurands: tuple[str, ...] = MEASURANDS
    """The site's own first: a station that does not know all is asked for fewer."""
    settings: tuple[FleetSetting, ...] = ()


@dataclass(slots=True)
class SetupReport:
    """What a station turned out to accept."""

    unit: ChargingRateUnit | None = None
    """Unit of its profiles; None: it did not say."""
    has_safe_default: bool = False
    notes: list[str] = field(default_factory=list)
    """What an electrician should know, one sentence each."""


async def set_up_station(
    station: Station, version: str, ask: Ask, wishes: Wishes, *, voltage_v: float
) -> SetupReport:
    """Bring a freshly booted station into the state the site relies on."""
    report = SetupReport(station.charging_rate_unit)
    if report.unit is None:
        report.unit = await _allowed_unit(version, ask)
    await _install_safe_default(station, ask, report, voltage_v)
    report.notes.extend(await tell_wishes(version, ask, wishes))
    await ask_for_statuses(station, ask)
    return report


async def ask_for_statuses(station: Station, ask: Ask) -> None:
    """Ask where every connector stands; stations that cannot be asked will tell in time."""
    for evse_id in station.evses:
        answer = await _try(ask, Trigger("StatusNotification", evse_id, 1))
        if not _is_accepted(answer):
            return


async def _allowed_unit(version: str, ask: Ask) -> ChargingRateUnit | None:
    value = ""
    if version == "ocpp1.6":
        answer = await _try(ask, GetConfiguration((UNIT_KEY,)))
        if isinstance(answer, ConfigurationAnswer) and answer.known:
            value = answer.known[0].value or ""
    else:
        answer = await _try(ask, GetVariables((UNIT_VARIABLE,)))
        if isinstance(answer, VariablesAnswer) and answer.results:
            value = answer.results[0].value or ""
    # 1.6 says Current / Power, 2.0.1 says A / W; both may list both.
    if "Current" in value or "A" in value.split(","):
        return ChargingRateUnit.A
    if "Power" in value or "W" in value.split(","):
        return ChargingRateUnit.W
    return None


async def _install_safe_default(
    station: Station, ask: Ask, report: SetupReport, voltage_v: float
) -> None:
    phases = max(len(evse.phases) for evse in station.evses.values())
    # Where all of it is rectified, watts are sure to be spread over three phases.
    spread_over = phases if all(evse.is_dc for evse in station.evses.values()) else 1
    voltage_v *= min(evse.outlet_part for evse in station.evses.values())
    units = [RateUnit(report.unit)] if report.unit else [RateUnit.A, RateUnit.W]
    if any(evse.is_dc for evse in station.evses.values()):
        units = [RateUnit.W]
    for unit, current_a in product(units, _ways_to_say(station.safe_current_a)):
        command = safe_default(current_a, unit, phases, voltage_v, spread_over=spread_over)
        if _is_accepted(await _try(ask, command)):
            report.unit, report.has_safe_default = ChargingRateUnit(unit), True
            return
    report.notes.append(
        f"refused the safe default of {station.safe_current_a:g} A: "
        "without the gateway its cars may draw all they can"
    )


def _ways_to_say(safe_current_a: float) -> list[float]:
    """Return the safe current, and what to try where it is refused: some know no fraction, no 0."""
    instead_a = math.floor(safe_current_a) if safe_current_a >= LITTLE_A else LITTLE_A
    return list(dict.fromkeys((safe_current_a, float(instead_a))))


async def tell_wishes(version: str, ask: Ask, wishes: Wishes) -> list[str]:
    """Ask a station to report and behave so; return what it does not do, one sentence each."""
    notes = []
    interval = FleetSetting("MeterValueSampleInterval", INTERVAL_VARIABLE, str(wishes.interval_s))
    if not await _set(version, ask, interval):
        notes.append(
            f"does not take a meter value interval of {wishes.interval_s} s: "
            "its draw is seen as often as it likes to tell"
        )
    for count in _fewer_and_fewer(wishes.measurands):
        value = ",".join(wishes.measurands[:count])
        if await _set(
            version, ask, FleetSetting("MeterValuesSampledData", MEASURANDS_VARIABLE, value)
        ):
            break
    else:
        notes.append("does not take any list of measurands: it tells what it likes to tell")
    for setting in wishes.settings:
        if not await _set(version, ask, setting):
            notes.append(f"does not take {setting.key} = {setting.value}, as the cloud wants")
    return notes


def _fewer_and_fewer(measurands: tuple[str, ...]) -> tuple[int, ...]:
    """Return how many to ask for, try by try: all, the site's own, energy and current, energy."""
    return tuple(dict.fromkeys((len(measurands), len(MEASURANDS), 2, 1)))


async def _set(version: str, ask: Ask, setting: FleetSetting) -> bool:
    if version == "ocpp1.6":
        return _is_accepted(await _try(ask, ChangeConfiguration(setting.key, setting.value)))
    answer = await _try(ask, SetVariables(((setting.variable, setting.value),)))
    return isinstance(answer, VariablesAnswer) and all(
        result.status in {"Accepted", "RebootRequired"} for result in answer.results
    )


async def _try(ask: Ask, command: Command) -> CommandAnswer | None:
    try:
        return await ask(command)
    except GatewayError:
        return None  # refused or silent: the caller goes on with what it has


def _is_accepted(answer: CommandAnswer | None) -> bool:
    return isinstance(answer, StatusAnswer) and answer.status in {"Accepted", "RebootRequired"}
