"""The configuration the cloud may read and change: 1.6 keys and 2.0.1 variables, one table. Pure.

Each row is one setting with both its names. What the cloud changes is kept (`SaveSetting`) and
read by whoever it concerns with `number` or `flag`; what only describes the gateway is read-only.
Names are found in letters of either case (1.6 §7.17, 2.0.1 Part 2 §2.1.4 identifierString).
Passwords are never here (1.6 §5.8, SecurityCtrlr.BasicAuthPassword is write-only).

Durations in s. Values are text, as on the wire.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.authorization import LOCAL_LIST_SIZE, UPDATE_SIZE
from gateway.commands import (
    ChangeConfiguration,
    ConfigurationAnswer,
    ConfigurationKey,
    GetConfiguration,
    GetVariables,
    SetVariables,
    StatusAnswer,
    VariableRef,
    VariableResult,
    VariablesAnswer,
)
from gateway.records import SaveSetting

PROFILE_STACK_LEVEL_MAXIMUM = 100
SCHEDULE_PERIODS_MAXIMUM = 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting under both its names; either may be missing."""

    key: str | None
    """1.6 configuration key."""
    variable: tuple[str, str, str | None] | None
    """2.0.1 component, variable, variable instance."""
    default: str
    is_valid: Callable[[str], bool] | None = None
    """None: read-only."""
    data_type: str = "string"
    """DataEnumType, for the device model report."""

    @property
    def name(self) -> str:
        """Under which it is kept; never changes once released."""
        if self.key is not None:
            return self.key
        assert self.variable is not None
        component, variable, instance = self.variable
        return f"{component}.{variable}" + (f".{instance}" if instance else "")

    @property
    def is_read_only(self) -> bool:
        return self.is_valid is None


def _is_seconds(text: str) -> bool:
    return text.isdecimal() and int(text) <= 7 * 86_400


def _is_positive(text: str) -> bool:
    return _is_seconds(text) and int(text) > 0


def _is_flag(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _is_short(text: str) -> bool:
    return len(text) <= 500


def _seconds(key: str | None, component: str, variable: str, default: int) -> Setting:
    return Setting(key, (component, variable, None), str(default), _is_seconds, "integer")


def _flag(key: str | None, component: str, variable: str, default: bool) -> Setting:
    return Setting(key, (component, variable, None), str(default).lower(), _is_flag, "boolean")


def _fixed(key: str | None, variable: tuple[str, str, str | None] | None, value: str) -> Setting:
    return Setting(key, variable, value)


SETTINGS = (
    _seconds("HeartbeatInterval", "OCPPCommCtrlr", "HeartbeatInterval", 300),
    _seconds("WebSocketPingInterval", "OCPPCommCtrlr", "WebSocketPingInterval", 30),
    Setting(
        "TransactionMessageAttempts",
        ("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"),
        "3",
        _is_positive,
        "integer",
    ),
    Setting(
        "TransactionMessageRetryInterval",
        ("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent"),
        "60",
        _is_seconds,
        "integer",
    ),
    _seconds(None, "OCPPCommCtrlr", "OfflineThreshold", 60),
    _seconds(None, "OCPPCommCtrlr", "RetryBackOffWaitMinimum", 2),
    _seconds(None, "OCPPCommCtrlr", "RetryBackOffRandomRange", 3),
    Setting(None, ("OCPPCommCtrlr", "RetryBackOffRepeatTimes", None), "5", _is_positive, "integer"),
    Setting(None, ("OCPPCommCtrlr", "MessageTimeout", "Default"), "30"),
    Setting(None, ("OCPPCommCtrlr", "FileTransferProtocols", None), "HTTPS"),
    Setting(None, ("OCPPCommCtrlr", "NetworkConfigurationPriority", None), "1"),
    Setting(None, ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", None), "3"),
    Setting(None, ("OCPPCommCtrlr", "ResetRetries", None), "1"),
    Setting(None, ("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", None), "true"),
    _seconds("MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", 0),
    Setting(
        "MeterValuesSampledData",
        ("SampledDataCtrlr", "TxUpdatedMeasurands", None),
        "Energy.Active.Import.Register,Current.Import,Power.Active.Import,Voltage",
        _is_short,
        "MemberList",
    ),
    _seconds("ClockAlignedDataInterval", "AlignedDataCtrlr", "Interval", 0),
    Setting(
        "MeterValuesAlignedData",
        ("AlignedDataCtrlr", "Measurands", None),
        "Energy.Active.Import.Register",
        _is_short,
        "MemberList",
    ),
    Setting(
        "StopTxnSampledData",
        ("SampledDataCtrlr", "TxEndedMeasurands", None),
        "Energy.Active.Import.Register",
        _is_short,
        "MemberList",
    ),
    Setting("StopTxnAlignedData", ("AlignedDataCtrlr", "TxEndedMeasurands", None), "", _is_short),
    _fixed(
        None,
        ("SampledDataCtrlr", "TxStartedMeasurands", None),
        "Energy.Active.Import.Register",
    ),
    _seconds("ConnectionTimeOut", "TxCtrlr", "EVConnectionTimeOut", 60),
    _flag("StopTransactionOnInvalidId", "TxCtrlr", "StopTxOnInvalidId", True),
    _flag("StopTransactionOnEVSideDisconnect", "TxCtrlr", "StopTxOnEVSideDisconnect", True),
    _fixed(None, ("TxCtrlr", "TxStartPoint", None), "PowerPathClosed"),
    _fixed(None, ("TxCtrlr", "TxStopPoint", None), "EVConnected,Authorized"),
    _flag("AuthorizeRemoteTxRequests", "AuthCtrlr", "AuthorizeRemoteStart", False),
    _flag("LocalAuthorizeOffline", "AuthCtrlr", "LocalAuthorizeOffline", True),
    _flag("LocalPreAuthorize", "AuthCtrlr", "LocalPreAuthorize", True),
    _flag("AllowOfflineTxForUnknownId", "AuthCtrlr", "OfflineTxForUnknownIdEnabled", False),
    _flag("AuthorizationCacheEnabled", "AuthCacheCtrlr", "Enabled", True),
    _flag("LocalAuthListEnabled", "LocalAuthListCtrlr", "Enabled", True),
    _fixed("LocalAuthListMaxLength", None, str(LOCAL_LIST_SIZE)),
    _fixed(
        "SendLocalListMaxLength",
        ("LocalAuthListCtrlr", "ItemsPerMessage", None),
        str(UPDATE_SIZE),
    ),
    _fixed(None, ("LocalAuthListCtrlr", "BytesPerMessage", None), "1000000"),
    _fixed(None, ("LocalAuthListCtrlr", "Entries", None), "0"),
    _fixed("ReserveConnectorZeroSupported", None, "false"),
    _fixed(
        "ChargeProfileMaxStackLevel",
        ("SmartChargingCtrlr", "ProfileStackLevel", None),
        str(PROFILE_STACK_LEVEL_MAXIMUM),
    ),
    _fixed(
        "ChargingScheduleAllowedChargingRateUnit",
        ("SmartChargingCtrlr", "RateUnit", None),
        "Current,Power",
    ),
    _fixed(
        "ChargingScheduleMaxPeriods",
        ("SmartChargingCtrlr", "PeriodsPerSchedule", None),
        str(SCHEDULE_PERIODS_MAXIMUM),
    ),
    _fixed("MaxChargingProfilesInstalled", ("SmartChargingCtrlr", "Entries", None), "1000"),
    _fixed(None, ("SmartChargingCtrlr", "Enabled", None), "true"),
    _fixed(None, ("SmartChargingCtrlr", "LimitChangeSignificance", None), "1.0"),
    _fixed("ConnectorPhaseRotation", None, "NotApplicable"),
    _fixed("GetConfigurationMaxKeys", None, "100"),
    _fixed("ResetRetries", None, "1"),
    _fixed("UnlockConnectorOnEVSideDisconnect", None, "true"),
    _fixed(
        "SupportedFeatureProfiles",
        None,
        "Core,LocalAuthListManagement,SmartCharging,RemoteTrigger",
    ),
    _fixed("NumberOfConnectors", None, "0"),
    _fixed(None, ("SecurityCtrlr", "SecurityProfile", None), "1"),
    _fixed(None, ("SecurityCtrlr", "OrganizationName", None), "site-gateway"),
    _fixed(None, ("SecurityCtrlr", "CertificateEntries", None), "0"),
    _fixed(None, ("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"), "100"),
    _fixed(None, ("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables"), "100"),
    _fixed(None, ("DeviceDataCtrlr", "ItemsPerMessage", "GetReport"), "100"),
    _fixed(None, ("DeviceDataCtrlr", "BytesPerMessage", "GetVariables"), "65536"),
    _fixed(None, ("DeviceDataCtrlr", "BytesPerMessage", "SetVariables"), "65536"),
    _fixed(None, ("DeviceDataCtrlr", "BytesPerMessage", "GetReport"), "65536"),
    _fixed(None, ("ClockCtrlr", "TimeSource", None), "Heartbeat"),
    _fixed(None, ("ChargingStation", "AvailabilityState", None), "Available"),
    _fixed(None, ("ChargingStation", "Available", None), "true"),
)


class Configuration:
    """Values in force: the table's defaults, over them what the cloud has changed.

    Args:
        facts: values only the running gateway knows, by 1.6 key or `Component.Variable`, such as
            NumberOfConnectors; they replace the table's defaults.
        kept: what was changed before the restart.
    """

    def __init__(self, facts: dict[str, str], kept: Iterable[SaveSetting]) -> None:
        self._settings = {setting.name: setting for setting in SETTINGS}
        self._by_key = {setting.key.casefold(): setting for setting in SETTINGS if setting.key}
        self._by_variable = {
            _folded(setting.variable): setting for setting in SETTINGS if setting.variable
        }
        self._values = {name: setting.default for name, setting in self._settings.items()}
        self._values |= {name: value for name, value in facts.items() if name in self._settings}
        for row in kept:
            setting = self._settings.get(row.key)
            if setting is not None and setting.is_valid and setting.is_valid(row.value):
                self._values[row.key] = row.value

    def number(self, name: str) -> int:
        return int(self._values[name])

    def flag(self, name: str) -> bool:
        return self._values[name].lower() == "true"

    # 1.6

    def get_keys(self, command: GetConfiguration) -> ConfigurationAnswer:
        """1.6 §5.8: unknown keys are listed, an empty request means all."""
        wanted = command.keys or tuple(setting.key for setting in SETTINGS if setting.key)
        known = tuple(
            ConfigurationKey(key, self._values[setting.name], setting.is_read_only)
            for key in wanted
            if (setting := self._by_key.get(key.casefold())) is not None
        )
        unknown = tuple(key for key in wanted if key.casefold() not in self._by_key)
        return ConfigurationAnswer(known, unknown)

    def change_key(
        self, command: ChangeConfiguration
    ) -> tuple[StatusAnswer, tuple[SaveSetting, ...]]:
        """1.6 §5.3. The value is in force once its write is committed and `take` was called."""
        setting = self._by_key.get(command.key.casefold())
        if setting is None:
            return StatusAnswer("NotSupported"), ()
        if setting.is_valid is None or not setting.is_valid(command.value):
            return StatusAnswer("Rejected"), ()
        return StatusAnswer("Accepted"), (SaveSetting(setting.name, command.value),)

    # 2.0.1

    def get_variables(self, command: GetVariables) -> VariablesAnswer:
        """One result for each asked, in order (B06.FR.01)."""
        return VariablesAnswer(tuple(map(self._get_variable, command.variables)))

    def set_variables(
        self, command: SetVariables
    ) -> tuple[VariablesAnswer, tuple[SaveSetting, ...]]:
        """One result for each asked, in order (B05.FR.01)."""
        results, writes = [], []
        for variable, value in command.variables:
            status = self._status_of(variable)
            setting = self._find(variable)
            if status == "Accepted" and setting is not None:
                if setting.is_valid is None or not setting.is_valid(value):
                    status = "Rejected"
                else:
                    writes.append(SaveSetting(setting.name, value))
            results.append(VariableResult(variable, status))
        return VariablesAnswer(tuple(results)), tuple(writes)

    def report_rows(self) -> list[dict[str, object]]:
        """Every variable as 2.0.1 ReportDataType, for GetBaseReport."""
        return [
            _report_row(setting, self._values[setting.name])
            for setting in SETTINGS
            if setting.variable is not None
        ]

    def take(self, writes: Iterable[SaveSetting]) -> None:
        """Put committed changes in force."""
        for write in writes:
            self._values[write.key] = write.value

    def _find(self, variable: VariableRef) -> Setting | None:
        if variable.evse_id is not None or variable.component_instance is not None:
            return None
        name = (variable.component, variable.variable, variable.variable_instance)
        return self._by_variable.get(_folded(name))

    def _status_of(self, variable: VariableRef) -> str:
        if self._find(variable) is not None:
            return "Accepted" if variable.attribute == "Actual" else "NotSupportedAttributeType"
        components = {component for component, _, _ in self._by_variable}
        if variable.component.casefold() in components and variable.evse_id is None:
            return "UnknownVariable"
        return "UnknownComponent"

    def _get_variable(self, variable: VariableRef) -> VariableResult:
        status, setting = self._status_of(variable), self._find(variable)
        if status != "Accepted" or setting is None:
            return VariableResult(variable, status)
        return VariableResult(variable, status, self._values[setting.name])


def _folded(name: tuple[str, str, str | None]) -> tuple[str, str, str | None]:
    """Return a variable's name for comparison: letters of either case are the same."""
    component, variable, instance = name
    return component.casefold(), variable.casefold(), instance and instance.casefold()


def _report_row(setting: Setting, value: str) -> dict[str, object]:
    assert setting.variable is not None
    component, name, instance = setting.variable
    variable = {"name": name} | ({"instance": instance} if instance else {})
    return {
        "component": {"name": component},
        "variable": variable,
        "variableAttribute": [
            {
                "type": "Actual",
                "value": value,
                "mutability": "ReadOnly" if setting.is_read_only else "ReadWrite",
            }
        ],
        "variableCharacteristics": {"dataType": setting.data_type, "supportsMonitoring": False},
    }
