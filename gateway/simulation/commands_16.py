"""What a simulated 1.6 station does with each command of its CSMS. Pure.

Answers are payloads; `PeerError` becomes a CALLERROR.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.errors import PeerError
from gateway.ocpp.frames import Payload
from gateway.simulation.charging_profiles import TX, Profile, profile_of, read_profile
from gateway.simulation.quirks import refuses
from gateway.simulation.station import MEASURANDS, StationSettings

if TYPE_CHECKING:
    from gateway.simulation.station_16 import Station16

Command = Callable[[Payload, float], Payload]

ACCEPTED: Payload = {"status": "Accepted"}
REJECTED: Payload = {"status": "Rejected"}

READ_ONLY = frozenset(
    {
        "NumberOfConnectors",
        "SupportedFeatureProfiles",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
        "LocalAuthListMaxLength",
        "SendLocalListMaxLength",
        "GetConfigurationMaxKeys",
    }
)

WRITE_ONLY = "AuthorizationKey"
"""Never told (security whitepaper, table 3)."""


class Configuration:
    """The configuration keys of one station (1.6 §9)."""

    def __init__(self, settings: StationSettings) -> None:
        is_smart = not settings.quirks.refuses_profiles
        profiles = "Core,LocalAuthListManagement,RemoteTrigger"
        self.values = {
            "AuthorizeRemoteTxRequests": "false",
            "ClockAlignedDataInterval": str(settings.clock_aligned_s),
            "ConnectionTimeOut": "60",
            "HeartbeatInterval": "300",
            "LocalAuthorizeOffline": "true",
            "LocalPreAuthorize": "false",
            "MeterValueSampleInterval": str(settings.meter_interval_s),
            "MeterValuesSampledData": ",".join(MEASURANDS),
            "NumberOfConnectors": str(len(settings.evses)),
            "StopTransactionOnEVSideDisconnect": "true",
            "StopTransactionOnInvalidId": "true",
            "SupportedFeatureProfiles": profiles + (",SmartCharging" if is_smart else ""),
            "TransactionMessageAttempts": "3",
            "TransactionMessageRetryInterval": "60",
            "UnlockConnectorOnEVSideDisconnect": "true",
            "WebSocketPingInterval": "30",
            "LocalAuthListEnabled": "true",
            "LocalAuthListMaxLength": "1000",
            "SendLocalListMaxLength": "100",
            WRITE_ONLY: "",
        }
        if is_smart:
            unit = "Power" if settings.quirks.watts_only else "Current,Power"
            self.values |= {
                "ChargeProfileMaxStackLevel": "8",
                "ChargingScheduleAllowedChargingRateUnit": unit,
                "ChargingScheduleMaxPeriods": "24",
                "MaxChargingProfilesInstalled": "10",
            }
        self.values |= settings.settings

    def get(self, payload: Payload, _: float) -> Payload:
        keys = payload.get("key") or list(self.values)
        return {
            "configurationKey": [self._row(key) for key in keys if key in self.values],
            "unknownKey": [key for key in keys if key not in self.values],
        }

    def _row(self, key: str) -> Payload:
        row: Payload = {"key": key, "readonly": key in READ_ONLY}
        return row if key == WRITE_ONLY else row | {"value": self.values[key]}

    def change(self, payload: Payload) -> str:
        """Return the ConfigurationStatus; a value that is stored is Accepted."""
        key, value = payload["key"], payload["value"]
        if key not in self.values:
            return "NotSupported"
        if key in READ_ONLY:
            return "Rejected"
        if key.endswith("Interval") and not value.isdecimal():
            return "Rejected"
        self.values[key] = value
        return "Accepted"


def commands_of(station: "Station16") -> dict[str, Command]:
    """Return action -> what this station does."""
    profiles = _ProfileCommands(station)
    commands = _Commands(station)
    return {
        "RemoteStartTransaction": commands.remote_start,
        "RemoteStopTransaction": commands.remote_stop,
        "ChangeAvailability": commands.change_availability,
        "UnlockConnector": commands.unlock,
        "Reset": commands.reset,
        "TriggerMessage": commands.trigger,
        "GetConfiguration": station.configuration.get,
        "ChangeConfiguration": commands.change_configuration,
        "SendLocalList": commands.send_local_list,
        "GetLocalListVersion": lambda _, __: {"listVersion": station.local_list_version},
        "ClearCache": lambda _, __: ACCEPTED,
        "DataTransfer": lambda _, __: {"status": "UnknownVendorId"},
        "SetChargingProfile": profiles.install,
        "ClearChargingProfile": profiles.clear,
        "GetCompositeSchedule": profiles.composite,
    }


class _ProfileCommands:
    def __init__(self, station: "Station16") -> None:
        self._station = station

    def install(self, payload: Payload, _: float) -> Payload:
        self._check_supported()
        profile = read_profile(payload)
        if not self._may_install(profile):
            return REJECTED
        if not self._station.quirks.ignores_limits:
            self._station.profiles.install(profile)
        return ACCEPTED

    def clear(self, payload: Payload, _: float) -> Payload:
        self._check_supported()
        cleared = self._station.profiles.clear(
            profile_id=payload.get("id"),
            evse_id=payload.get("connectorId"),
            purpose=payload.get("chargingProfilePurpose"),
            stack_level=payload.get("stackLevel"),
        )
        return ACCEPTED if cleared else {"status": "Unknown"}

    def composite(self, payload: Payload, now: float) -> Payload:
        self._check_supported()
        station, connector = self._station, payload["connectorId"]
        if connector not in station.evses:
            return REJECTED
        evse, transaction = station.evses[connector], station.visits[connector].transaction
        supply, at = station.supply(evse), station.wall(now)
        unit = payload.get("chargingRateUnit", "W" if station.quirks.watts_only else "A")
        factor = supply.voltage_v * supply.phases if unit == "W" else 1.0
        started_at = transaction.started_at if transaction else None
        steps = station.profiles.composite(
            connector,
            at,
            payload["duration"],
            started_at=started_at,
            supply=supply,
            unlimited_a=evse.hardware.max_current_a,
        )
        periods = [
            {"startPeriod": start_s, "limit": round(limit_a * factor, 1)}
            for start_s, limit_a in steps
        ]
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": station.instant(now),
            "chargingSchedule": {
                "duration": payload["duration"],
                "chargingRateUnit": unit,
                "chargingSchedulePeriod": periods,
            },
        }

    def _check_supported(self) -> None:
        if self._station.quirks.refuses_profiles:
            raise PeerError("NotImplemented", "no smart charging")

    def _may_install(self, profile: Profile) -> bool:
        """1.6 §5.16: a TxProfile needs its transaction, the station's maximum connector 0."""
        station = self._station
        if refuses(profile, station.quirks):
            return False
        if profile.evse_id and profile.evse_id not in station.evses:
            return False
        if profile.purpose == TX:
            running = station.visits[profile.evse_id].transaction if profile.evse_id else None
            return running is not None and profile.transaction_id in (None, running.transaction_id)
        return profile.purpose != "ChargePointMaxProfile" or profile.evse_id == 0


class _Commands:
    def __init__(self, station: "Station16") -> None:
        self._station = station

    def remote_start(self, payload: Payload, now: float) -> Payload:
        station = self._station
        connector = payload.get("connectorId") or self._free_connector()
        if not station.talk.is_online or connector not in station.evses:
            return REJECTED  # 1.6 §4.2: not while Pending
        visit = station.visits[connector]
        if visit.transaction or visit.token or not visit.is_operational:
            return REJECTED
        station.remote_start(connector, payload["idTag"], now)
        if body := payload.get("chargingProfile"):
            station.profiles.install(profile_of(connector, body))
        return ACCEPTED

    def _free_connector(self) -> int | None:
        station = self._station
        free = [n for n, visit in station.visits.items() if not visit.transaction]
        plugged = [n for n in free if station.evses[n].car]
        return next(iter(plugged or free), None)

    def remote_stop(self, payload: Payload, now: float) -> Payload:
        for evse_id, visit in self._station.visits.items():
            transaction = visit.transaction
            if transaction and transaction.transaction_id == str(payload["transactionId"]):
                self._station.stop(evse_id, "Remote", now)
                return ACCEPTED
        return REJECTED

    def change_availability(self, payload: Payload, now: float) -> Payload:
        station, wanted = self._station, payload["type"] == "Operative"
        connectors = [payload["connectorId"]] if payload["connectorId"] else list(station.evses)
        if any(connector not in station.evses for connector in connectors):
            return REJECTED
        is_scheduled = False
        for connector in connectors:
            visit = station.visits[connector]
            if visit.transaction and not wanted:
                visit.next_operational, is_scheduled = wanted, True
            else:
                visit.is_operational, visit.next_operational = wanted, None
        station.send_statuses(now, only_changed=payload["connectorId"] != 0)
        return {"status": "Scheduled"} if is_scheduled else ACCEPTED

    def unlock(self, payload: Payload, now: float) -> Payload:
        connector = payload["connectorId"]
        if connector not in self._station.evses:
            return {"status": "NotSupported"}  # errata 3.85
        if self._station.visits[connector].transaction:
            self._station.stop(connector, "UnlockCommand", now)
        return {"status": "Unlocked"}

    def reset(self, payload: Payload, now: float) -> Payload:
        reason = "ImmediateReset" if payload["type"] == "Hard" else "OnIdleReset"
        self._station.restart(now, reason)
        return ACCEPTED

    def trigger(self, payload: Payload, now: float) -> Payload:
        station, connector = self._station, payload.get("connectorId")
        if connector is not None and connector not in (0, *station.evses):
            return REJECTED
        connectors = [connector] if connector else list(station.evses)
        match payload["requestedMessage"]:
            case "BootNotification":
                station.talk.trigger_boot(now)
            case "Heartbeat":
                station.talk.say_heartbeat(now)
            case "StatusNotification":
                if connector is None or connector == 0:
                    station.send_status(0, now)
                for evse_id in connectors if connector != 0 else ():
                    station.send_status(evse_id, now)
            case "MeterValues":
                for evse_id in connectors:
                    station.send_sample(evse_id, now)
            case _:
                return {"status": "NotImplemented"}
        return ACCEPTED

    def change_configuration(self, payload: Payload, now: float) -> Payload:
        station = self._station
        status = station.configuration.change(payload)
        if status == "Accepted" and payload["key"] == "MeterValueSampleInterval":
            station.set_meter_interval(int(payload["value"]), now)
        if status == "Accepted" and payload["key"] == "MeterValuesSampledData":
            station.measurands = tuple(payload["value"].split(","))
        if status == "Accepted" and payload["key"] == "HeartbeatInterval":
            station.talk.heartbeat_interval_s = float(payload["value"])
        return {"status": status}

    def send_local_list(self, payload: Payload, _: float) -> Payload:
        station = self._station
        if payload["updateType"] == "Full":
            station.local_list = {}
        elif payload["listVersion"] <= station.local_list_version:
            return {"status": "VersionMismatch"}
        for entry in payload.get("localAuthorizationList", ()):
            if "idTagInfo" in entry:
                station.local_list[entry["idTag"]] = entry["idTagInfo"]["status"]
            else:
                station.local_list.pop(entry["idTag"], None)
        station.local_list_version = payload["listVersion"]
        return ACCEPTED
