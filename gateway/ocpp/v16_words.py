"""What OCPP 1.6 calls things that 2.0.1 calls otherwise. Pure; tables only.

Left the word of 1.6, right ours. A word of ours that 1.6 lacks has the nearest one.
"""

from gateway.events import ChargingState, ConnectorStatus

_OCCUPIED = ConnectorStatus.OCCUPIED

STATUS: dict[str, tuple[ConnectorStatus, ChargingState | None]] = {
    "Available": (ConnectorStatus.AVAILABLE, None),
    "Preparing": (_OCCUPIED, ChargingState.EV_CONNECTED),
    "Charging": (_OCCUPIED, ChargingState.CHARGING),
    "SuspendedEV": (_OCCUPIED, ChargingState.SUSPENDED_EV),
    "SuspendedEVSE": (_OCCUPIED, ChargingState.SUSPENDED_EVSE),
    "Finishing": (_OCCUPIED, ChargingState.IDLE),
    "Reserved": (ConnectorStatus.RESERVED, None),
    "Unavailable": (ConnectorStatus.UNAVAILABLE, None),
    "Faulted": (ConnectorStatus.FAULTED, None),
}
"""ChargePointStatus (§7.7)."""

STATUS_OF_STATION = frozenset({"Available", "Unavailable", "Faulted"})
"""All that connector 0 may be (§4.9)."""

ERROR_CODES = frozenset(
    {
        "ConnectorLockFailure",
        "EVCommunicationError",
        "GroundFailure",
        "HighTemperature",
        "InternalError",
        "LocalListConflict",
        "NoError",
        "OtherError",
        "OverCurrentFailure",
        "OverVoltage",
        "PowerMeterFailure",
        "PowerSwitchFailure",
        "ReaderFailure",
        "ResetFailure",
        "UnderVoltage",
        "WeakSignal",
    }
)
"""ChargePointErrorCode (§7.6)."""

REASON: dict[str, tuple[str, str]] = {
    "DeAuthorized": ("DeAuthorized", "Deauthorized"),
    "EmergencyStop": ("EmergencyStop", "AbnormalCondition"),
    "EVDisconnected": ("EVDisconnected", "EVDeparted"),
    "HardReset": ("ImmediateReset", "ResetCommand"),
    "Local": ("Local", "StopAuthorized"),
    "Other": ("Other", "AbnormalCondition"),
    "PowerLoss": ("PowerLoss", "AbnormalCondition"),
    "Reboot": ("Reboot", "ResetCommand"),
    "Remote": ("Remote", "RemoteStop"),
    "SoftReset": ("Other", "ResetCommand"),
    "UnlockCommand": ("Other", "UnlockCommand"),
}
"""Reason (§7.36): stoppedReason and triggerReason."""

REASON_OF_STOP = {stopped: reason for reason, (stopped, _) in REASON.items() if stopped != "Other"}
REASON_OF_OTHER = {"ResetCommand": "SoftReset", "UnlockCommand": "UnlockCommand"}
"""By the triggerReason, where stoppedReason says Other."""

FIRMWARE_STATUS = {
    "Downloaded": "Downloaded",
    "DownloadFailed": "DownloadFailed",
    "Downloading": "Downloading",
    "DownloadPaused": "Downloading",
    "DownloadScheduled": "Idle",
    "Idle": "Idle",
    "InstallationFailed": "InstallationFailed",
    "Installed": "Installed",
    "Installing": "Installing",
    "InstallRebooting": "Installing",
    "InstallScheduled": "Downloaded",
    "InstallVerificationFailed": "InstallationFailed",
    "InvalidSignature": "InstallationFailed",
    "SignatureVerified": "Downloaded",
}
"""The 14 of 2.0.1 and of the security extension -> the 7 of 1.6 (§7.25)."""

DIAGNOSTICS_STATUS = {
    "AcceptedCanceled": "UploadFailed",
    "BadMessage": "UploadFailed",
    "Idle": "Idle",
    "NotSupportedOperation": "UploadFailed",
    "PermissionDenied": "UploadFailed",
    "Uploaded": "Uploaded",
    "UploadFailure": "UploadFailed",
    "Uploading": "Uploading",
}
"""UploadLogStatusEnumType of 2.0.1 -> DiagnosticsStatus (§7.24)."""

LOG_STATUS = frozenset(DIAGNOSTICS_STATUS) - {"AcceptedCanceled"}
"""UploadLogStatusEnumType of the security extension."""

PURPOSE = {
    "ChargePointMaxProfile": "ChargingStationMaxProfile",
    "TxDefaultProfile": "TxDefaultProfile",
    "TxProfile": "TxProfile",
}
"""ChargingProfilePurposeType (§7.10)."""
PURPOSE_IN_1_6 = {ours: word for word, ours in PURPOSE.items()}

TRIGGER = {
    "BootNotification": "BootNotification",
    "DiagnosticsStatusNotification": "LogStatusNotification",
    "FirmwareStatusNotification": "FirmwareStatusNotification",
    "Heartbeat": "Heartbeat",
    "MeterValues": "MeterValues",
    "StatusNotification": "StatusNotification",
}
"""MessageTrigger (§7.32)."""
TRIGGER_IN_1_6 = {ours: word for word, ours in TRIGGER.items()}

EXTENDED_TRIGGER = {
    **{word: word for word in TRIGGER if word != "DiagnosticsStatusNotification"},
    "LogStatusNotification": "LogStatusNotification",
    "SignChargePointCertificate": "SignChargingStationCertificate",
}
"""MessageTriggerEnumType of the security extension."""
EXTENDED_TRIGGER_IN_1_6 = {ours: word for word, ours in EXTENDED_TRIGGER.items()}
