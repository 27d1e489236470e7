"""What a simulated 2.0.1 station does with each command of its CSMS. Pure.

Answers are payloads; `PeerError` becomes a CALLERROR.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.errors import PeerError
from gateway.ocpp.frames import Payload
from gateway.simulation.charging_profiles import STATION_MAX, TX, Profile, profile_of, read_profile
from gateway.simulation.quirks import refuses
from gateway.simulation.station import MEASURANDS, StationSettings

if TYPE_CHECKING:
    from gateway.simulation.station_201 import Station201

Command = Callable[[Payload, float], Payload]

ACCEPTED: Payload = {"status": "Accepted"}
REJECTED: Payload = {"status": "Rejected"}

READ_ONLY = frozenset(
    {
        "ChargingStation.Model",
        "ChargingStation.VendorName",
        "SmartChargingCtrlr.Available",
        "SmartChargingCtrlr.ProfileStackLevel",
        "SmartChargingCtrlr.RateUnit",
        "DeviceDataCtrlr.ItemsPerMessage",
    }
)


class Variables:
    """The device model of one station, as far as anybody asks: `Component.Variable` -> value."""

    def __init__(self, settings: StationSettings) -> None:
        quirks = settings.quirks
        self._values = {
            "ChargingStation.Model": settings.model,
            "ChargingStation.VendorName": settings.vendor,
            "OCPPCommCtrlr.HeartbeatInterval": "300",
            "OCPPCommCtrlr.OfflineThreshold": "60",
            "AlignedDataCtrlr.Interval": str(settings.clock_aligned_s),
            "SampledDataCtrlr.TxUpdatedInterval": str(settings.meter_interval_s),
            "SampledDataCtrlr.TxUpdatedMeasurands": ",".join(MEASURANDS),
            "TxCtrlr.TxStartPoint": "PowerPathClosed",
            "TxCtrlr.TxStopPoint": "EVConnected,Authorized",
            "TxCtrlr.StopTxOnInvalidId": "true",
            "TxCtrlr.StopTxOnEVSideDisconnect": "true",
            "TxCtrlr.EVConnectionTimeOut": "60",
            "AuthCtrlr.AuthorizeRemoteStart": "false",
            "AuthCtrlr.LocalAuthorizeOffline": "true",
            "AuthCtrlr.LocalPreAuthorize": "false",
            "DeviceDataCtrlr.ItemsPerMessage": "10",
            "SmartChargingCtrlr.Available": "false" if quirks.refuses_profiles else "true",
        }
        if not quirks.refuses_profiles:
            self._values["SmartChargingCtrlr.ProfileStackLevel"] = "8"
            self._values["SmartChargingCtrlr.RateUnit"] = "W" if quirks.watts_only else "A,W"
        self._values |= settings.settings
        self._components = {key.partition(".")[0] for key in self._values}

    def get(self, key: str) -> str:
        return self._values[key]

    def read(self, component: str, variable: str) -> tuple[str, str | None]:
        """Return GetVariableStatusEnumType and the value."""
        key = f"{component}.{variable}"
        if key in self._values:
            return "Accepted", self._values[key]
        known = component in self._components
        return ("UnknownVariable" if known else "UnknownComponent"), None

    def write(self, component: str, variable: str, value: str) -> str:
        """Return SetVariableStatusEnumType; a value that is stored is Accepted."""
        status, _ = self.read(component, variable)
        if status != "Accepted":
            return status
        key = f"{component}.{variable}"
        if key in READ_ONLY or (key.endswith("Interval") and not value.isdecimal()):
            return "Rejected"
        self._values[key] = value
        return "Accepted"

    def report(self, *, is_configuration: bool) -> list[Payload]:
        """Return rows of ReportDataType; a ConfigurationInventory holds what can be set."""
        rows: list[Payload] = []
        for key, value in self._values.items():
            if is_configuration and key in READ_ONLY:
                continue
            component, _, variable = key.partition(".")
            mutability = "ReadOnly" if key in READ_ONLY else "ReadWrite"
            rows.append(
                {
                    "component": {"name": component},
                    "variable": {"name": variable},
                    "variableAttribute": [{"value": value, "mutability": mutability}],
                    "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False},
                }
            )
        return rows


def commands_of(station: "Station201") -> dict[str, Command]:
    """Return action -> what this station does."""
    profiles = _ProfileCommands(station)
    commands = _Commands(station)
    settings = _SettingCommands(station)
    return {
        "RequestStartTransaction": commands.request_start,
        "RequestStopTransaction": commands.request_stop,
        "GetTransactionStatus": commands.transaction_status,
        "ChangeAvailability": commands.change_availability,
        "UnlockConnector": commands.unlock,
        "Reset": commands.reset,
        "TriggerMessage": commands.trigger,
        "ClearCache": lambda _, __: ACCEPTED,
        "DataTransfer": lambda _, __: {"status": "UnknownVendorId"},
        "GetVariables": settings.get,
        "SetVariables": settings.set,
        "GetBaseReport": settings.base_report,
        "SendLocalList": settings.send_local_list,
        "GetLocalListVersion": lambda _, __: {"versionNumber": station.local_list_version},
        "SetChargingProfile": profiles.install,
        "ClearChargingProfile": profiles.clear,
        "GetCompositeSchedule": profiles.composite,
    }


class _ProfileCommands:
    def __init__(self, station: "Station201") -> None:
        self._station = station

    def install(self, payload: Payload, _: float) -> Payload:
        self._check_supported()
        profile = read_profile(payload)
        reason = self._why_not(profile)
        if reason:
            return REJECTED | {"statusInfo": {"reasonCode": reason}}
        if not self._station.quirks.ignores_limits:
            self._station.profiles.install(profile)
        return ACCEPTED

    def clear(self, payload: Payload, _: float) -> Payload:
        self._check_supported()
        criteria = payload.get("chargingProfileCriteria", {})
        cleared = self._station.profiles.clear(
            profile_id=payload.get("chargingProfileId"),
            evse_id=criteria.get("evseId"),
            purpose=criteria.get("chargingProfilePurpose"),
            stack_level=criteria.get("stackLevel"),
        )
        return ACCEPTED if cleared else {"status": "Unknown"}

    def composite(self, payload: Payload, now: float) -> Payload:
        self._check_supported()
        station, evse_id = self._station, payload["evseId"]
        if evse_id not in station.evses:
            return REJECTED
        evse, transaction = station.evses[evse_id], station.visits[evse_id].transaction
        supply, at = station.supply(evse), station.wall(now)
        unit = payload.get("chargingRateUnit", "W" if station.quirks.watts_only else "A")
        factor = supply.voltage_v * supply.phases if unit == "W" else 1.0
        steps = station.profiles.composite(
            evse_id,
            at,
            payload["duration"],
            started_at=transaction.started_at if transaction else None,
            supply=supply,
            unlimited_a=evse.hardware.max_current_a,
        )
        schedule = {
            "evseId": evse_id,
            "duration": payload["duration"],
            "scheduleStart": station.instant(now),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [
                {"startPeriod": start_s, "limit": round(limit_a * factor, 1)}
                for start_s, limit_a in steps
            ],
        }
        return ACCEPTED | {"schedule": schedule}

    def _check_supported(self) -> None:
        if self._station.quirks.refuses_profiles:
            raise PeerError("NotImplemented", "no smart charging")

    def _why_not(self, profile: Profile) -> str | None:
        """Return the reasonCode of a refusal (2.0.1 appendix 5), or None."""
        station = self._station
        if station.quirks.watts_only and profile.unit == "A":
            return "UnsupportedRateUnit"
        if refuses(profile, station.quirks):
            return "InvalidSchedule"
        if profile.evse_id and profile.evse_id not in station.evses:
            return "InvalidProfile"
        if profile.purpose in STATION_MAX and profile.evse_id:
            return "InvalidProfile"
        if profile.purpose == TX:
            running = station.visits[profile.evse_id].transaction if profile.evse_id else None
            if running is None:
                return "TxNotFound"  # K01.FR.09
            if profile.transaction_id != running.transaction_id:
                return "TxNotFound"  # K01.FR.33
        return None


class _Commands:
    def __init__(self, station: "Station201") -> None:
        self._station = station

    def request_start(self, payload: Payload, now: float) -> Payload:
        station = self._station
        evse_id = payload.get("evseId") or self._free_evse()
        if not station.talk.is_online or evse_id not in station.evses:
            return REJECTED  # B02.FR.05
        visit = station.visits[evse_id]
        if visit.token or not visit.is_operational:
            return REJECTED
        answer = dict(ACCEPTED)
        if visit.transaction and visit.transaction.transaction_id:
            answer["transactionId"] = visit.transaction.transaction_id  # F01.FR.13
        token = payload["idToken"]["idToken"]
        station.remote_start(evse_id, token, payload["remoteStartId"], now)
        if body := payload.get("chargingProfile"):
            station.profiles.install(profile_of(evse_id, body))
        return answer

    def _free_evse(self) -> int | None:
        station = self._station
        free = [n for n, visit in station.visits.items() if not visit.token]
        plugged = [n for n in free if station.evses[n].car]
        return next(iter(plugged or free), None)

    def request_stop(self, payload: Payload, now: float) -> Payload:
        for evse_id, visit in self._station.visits.items():
            transaction = visit.transaction
            if transaction and transaction.transaction_id == payload["transactionId"]:
                self._station.stop(evse_id, "Remote", now)
                return ACCEPTED
        return REJECTED

    def transaction_status(self, payload: Payload, _: float) -> Payload:
        station, wanted = self._station, payload.get("transactionId")
        waiting = any(message.is_transactional for message in station.talk.pending)
        if wanted is None:
            return {"messagesInQueue": waiting}
        same = [book for book in station.books if book.transaction_id == wanted]
        return {
            "ongoingIndicator": any(book.is_running for book in same),
            "messagesInQueue": any(not book.is_delivered and waiting for book in same),
        }

    def change_availability(self, payload: Payload, now: float) -> Payload:
        station, wanted = self._station, payload["operationalStatus"] == "Operative"
        evse_ids = [payload["evse"]["id"]] if "evse" in payload else list(station.evses)
        if any(evse_id not in station.evses for evse_id in evse_ids):
            return REJECTED
        is_scheduled = False
        for evse_id in evse_ids:
            visit = station.visits[evse_id]
            if visit.transaction and not wanted:
                visit.next_operational, is_scheduled = wanted, True
            else:
                visit.is_operational, visit.next_operational = wanted, None
        station.send_statuses(now, only_changed=True)
        return {"status": "Scheduled"} if is_scheduled else ACCEPTED

    def unlock(self, payload: Payload, _: float) -> Payload:
        if payload["evseId"] not in self._station.evses or payload["connectorId"] != 1:
            return {"status": "UnknownConnector"}  # F05.FR.03
        if self._station.visits[payload["evseId"]].token:
            return {"status": "OngoingAuthorizedTransaction"}  # F05.FR.02
        return {"status": "Unlocked"}

    def reset(self, payload: Payload, now: float) -> Payload:
        if "evseId" in payload:
            return REJECTED  # B11.FR.09: EVSEs cannot be reset one by one
        reason = "ImmediateReset" if payload["type"] == "Immediate" else "OnIdleReset"
        self._station.restart(now, reason)
        return ACCEPTED

    def trigger(self, payload: Payload, now: float) -> Payload:
        station = self._station
        evse_id = payload.get("evse", {}).get("id")
        if evse_id is not None and evse_id not in station.evses:
            return REJECTED
        evse_ids = [evse_id] if evse_id else list(station.evses)
        match payload["requestedMessage"]:
            case "BootNotification":
                if station.talk.registration == "Accepted":
                    return REJECTED  # F06.FR.17
                station.talk.trigger_boot(now)
            case "Heartbeat":
                station.talk.say_heartbeat(now)
            case "StatusNotification":
                for told in evse_ids:
                    station.send_status(told, now)
            case "MeterValues" | "TransactionEvent":
                for told in evse_ids:
                    is_running = station.visits[told].transaction is not None
                    if is_running or payload["requestedMessage"] == "MeterValues":
                        station.trigger_event(told, now)
            case _:
                return {"status": "NotImplemented"}
        return ACCEPTED


class _SettingCommands:
    def __init__(self, station: "Station201") -> None:
        self._station = station

    def get(self, payload: Payload, _: float) -> Payload:
        results: list[Payload] = []
        for asked in payload["getVariableData"]:
            component, variable = asked["component"], asked["variable"]
            status, value = self._station.variables.read(component["name"], variable["name"])
            result = {"attributeStatus": status, "component": component, "variable": variable}
            results.append(result if value is None else result | {"attributeValue": value})
        return {"getVariableResult": results}

    def set(self, payload: Payload, now: float) -> Payload:
        results: list[Payload] = []
        for asked in payload["setVariableData"]:
            component, variable = asked["component"]["name"], asked["variable"]["name"]
            value = asked["attributeValue"]
            status = self._station.variables.write(component, variable, value)
            if status == "Accepted":
                self._apply(f"{component}.{variable}", value, now)
            results.append(
                {
                    "attributeStatus": status,
                    "component": asked["component"],
                    "variable": asked["variable"],
                }
            )
        return {"setVariableResult": results}

    def _apply(self, key: str, value: str, now: float) -> None:
        match key:
            case "SampledDataCtrlr.TxUpdatedInterval":
                self._station.set_meter_interval(int(value), now)
            case "SampledDataCtrlr.TxUpdatedMeasurands":
                self._station.measurands = tuple(value.split(","))
            case "OCPPCommCtrlr.HeartbeatInterval":
                self._station.talk.heartbeat_interval_s = float(value)

    def base_report(self, payload: Payload, now: float) -> Payload:
        is_configuration = payload["reportBase"] == "ConfigurationInventory"
        rows = self._station.variables.report(is_configuration=is_configuration)
        size = int(self._station.variables.get("DeviceDataCtrlr.ItemsPerMessage"))
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        for number, part in enumerate(parts):
            report = {
                "requestId": payload["requestId"],
                "generatedAt": self._station.instant(now),
                "seqNo": number,
                "tbc": number < len(parts) - 1,
                "reportData": part,
            }
            self._station.say("NotifyReport", report, now)
        return ACCEPTED

    def send_local_list(self, payload: Payload, _: float) -> Payload:
        station = self._station
        if payload["updateType"] == "Full":
            station.local_list = {}
        elif payload["versionNumber"] <= station.local_list_version:
            return {"status": "VersionMismatch"}  # D01.FR.19
        for entry in payload.get("localAuthorizationList", ()):
            token = entry["idToken"]["idToken"]
            if "idTokenInfo" in entry:
                station.local_list[token] = entry["idTokenInfo"]["status"]
            else:
                station.local_list.pop(token, None)
        station.local_list_version = payload["versionNumber"]
        return ACCEPTED
