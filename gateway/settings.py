"""Every setting the cloud may read or change: 1.6 keys and 2.0.1 variables, one table. Pure.

What nobody here would act upon is read-only: a change that is accepted takes effect. Passwords are
never here (1.6 §5.8, SecurityCtrlr.BasicAuthPassword is write-only). Durations in s; values are
text, as on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.authorization import LOCAL_LIST_SIZE, UPDATE_SIZE
from gateway.events import ENERGY_REGISTER

PROFILE_STACK_LEVEL_MAXIMUM = 100
SCHEDULE_PERIODS_MAXIMUM = 1000
PROFILES_MAXIMUM = 1000

LONGEST_WAIT_S = 600
MOST_DOUBLINGS = 10
MOST_ENERGY_WH = 1_000_000

MEASURANDS = (ENERGY_REGISTER, "Current.Import", "Power.Active.Import", "Voltage")
"""Energy is billed, current is balanced; the others are for people."""


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
    is_fleet: bool = False
    """It is the charging stations that act on it: what the cloud sets is passed on to them."""

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


def _is_wait(text: str) -> bool:
    """A back-off nobody has to drive to the site for."""
    return _is_seconds(text) and int(text) <= LONGEST_WAIT_S


def _is_few(text: str) -> bool:
    return _is_positive(text) and int(text) <= MOST_DOUBLINGS


def _is_energy(text: str) -> bool:
    return text.isdecimal() and int(text) <= MOST_ENERGY_WH


def _is_flag(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _is_short(text: str) -> bool:
    return len(text) <= 500


def _seconds(
    key: str | None, component: str, variable: str, default: int, *, is_fleet: bool = False
) -> Setting:
    name = (component, variable, None)
    return Setting(key, name, str(default), _is_seconds, "integer", is_fleet)


def _flag(
    key: str | None, component: str, variable: str, default: bool, *, is_fleet: bool = False
) -> Setting:
    name = (component, variable, None)
    return Setting(key, name, str(default).lower(), _is_flag, "boolean", is_fleet)


def _measurands(
    key: str, component: str, variable: str, default: str, *, is_fleet: bool = True
) -> Setting:
    name = (component, variable, None)
    return Setting(key, name, default, _is_short, "MemberList", is_fleet)


def _fixed(key: str | None, variable: tuple[str, str, str | None] | None, value: str) -> Setting:
    return Setting(key, variable, value)


SETTINGS = (
    Setting(
        "HeartbeatInterval",
        ("OCPPCommCtrlr", "HeartbeatInterval", None),
        "300",
        _is_positive,
        "integer",
    ),
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
    Setting(None, ("OCPPCommCtrlr", "RetryBackOffWaitMinimum", None), "2", _is_wait, "integer"),
    Setting(None, ("OCPPCommCtrlr", "RetryBackOffRandomRange", None), "3", _is_wait, "integer"),
    Setting(None, ("OCPPCommCtrlr", "RetryBackOffRepeatTimes", None), "5", _is_few, "integer"),
    Setting(None, ("OCPPCommCtrlr", "MessageTimeout", "Default"), "30"),
    Setting(None, ("OCPPCommCtrlr", "FileTransferProtocols", None), "HTTPS"),
    Setting(None, ("OCPPCommCtrlr", "NetworkConfigurationPriority", None), "1"),
    Setting(None, ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", None), "3"),
    Setting(None, ("OCPPCommCtrlr", "ResetRetries", None), "1"),
    Setting(None, ("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", None), "true"),
    _seconds("MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", 0),
    _measurands(
        "MeterValuesSampledData",
        "SampledDataCtrlr",
        "TxUpdatedMeasurands",
        ",".join(MEASURANDS),
        is_fleet=False,  # the stations are asked for these and the site's own
    ),
    _seconds("ClockAlignedDataInterval", "AlignedDataCtrlr", "Interval", 0, is_fleet=True),
    _measurands("MeterValuesAlignedData", "AlignedDataCtrlr", "Measurands", ENERGY_REGISTER),
    _measurands("StopTxnSampledData", "SampledDataCtrlr", "TxEndedMeasurands", ENERGY_REGISTER),
    _measurands("StopTxnAlignedData", "AlignedDataCtrlr", "TxEndedMeasurands", ""),
    _fixed(
        None,
        ("SampledDataCtrlr", "TxStartedMeasurands", None),
        ENERGY_REGISTER,
    ),
    _seconds("ConnectionTimeOut", "TxCtrlr", "EVConnectionTimeOut", 60, is_fleet=True),
    _flag("StopTransactionOnInvalidId", "TxCtrlr", "StopTxOnInvalidId", True, is_fleet=True),
    Setting(
        "MaxEnergyOnInvalidId",
        ("TxCtrlr", "MaxEnergyOnInvalidId", None),
        "0",
        _is_energy,
        "integer",
    ),
    _flag(
        "StopTransactionOnEVSideDisconnect",
        "TxCtrlr",
        "StopTxOnEVSideDisconnect",
        True,
        is_fleet=True,
    ),
    _fixed(None, ("TxCtrlr", "TxStartPoint", None), "PowerPathClosed"),
    _fixed(None, ("TxCtrlr", "TxStopPoint", None), "EVConnected,Authorized"),
    _fixed("AuthorizeRemoteTxRequests", ("AuthCtrlr", "AuthorizeRemoteStart", None), "false"),
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
    _fixed("MaxChargingProfilesInstalled", None, str(PROFILES_MAXIMUM)),
    _fixed(None, ("SmartChargingCtrlr", "Entries", "ChargingProfiles"), "0"),
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
