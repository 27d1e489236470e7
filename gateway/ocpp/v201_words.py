"""The enumerations of OCPP 2.0.1 that events and commands carry as plain text. Pure; tables only.

What is not in them is never sent: a peer may refuse the whole message for one unknown word.
"""

TRIGGER_REASONS = frozenset(
    {
        "AbnormalCondition",
        "Authorized",
        "CablePluggedIn",
        "ChargingRateChanged",
        "ChargingStateChanged",
        "Deauthorized",
        "EnergyLimitReached",
        "EVCommunicationLost",
        "EVConnectTimeout",
        "EVDeparted",
        "EVDetected",
        "MeterValueClock",
        "MeterValuePeriodic",
        "RemoteStart",
        "RemoteStop",
        "ResetCommand",
        "SignedDataReceived",
        "StopAuthorized",
        "TimeLimitReached",
        "Trigger",
        "UnlockCommand",
    }
)
"""TriggerReasonEnumType."""

STOPPED_REASONS = frozenset(
    {
        "DeAuthorized",
        "EmergencyStop",
        "EnergyLimitReached",
        "EVDisconnected",
        "GroundFault",
        "ImmediateReset",
        "Local",
        "LocalOutOfCredit",
        "MasterPass",
        "Other",
        "OvercurrentFault",
        "PowerLoss",
        "PowerQuality",
        "Reboot",
        "Remote",
        "SOCLimitReached",
        "StoppedByEV",
        "TimeLimitReached",
        "Timeout",
    }
)
"""ReasonEnumType."""

BOOT_REASONS = frozenset(
    {
        "ApplicationReset",
        "FirmwareUpdate",
        "LocalReset",
        "PowerUp",
        "RemoteReset",
        "ScheduledReset",
        "Triggered",
        "Unknown",
        "Watchdog",
    }
)
"""BootReasonEnumType."""

FIRMWARE_STATUSES = frozenset(
    {
        "Downloaded",
        "DownloadFailed",
        "Downloading",
        "DownloadPaused",
        "DownloadScheduled",
        "Idle",
        "InstallationFailed",
        "Installed",
        "Installing",
        "InstallRebooting",
        "InstallScheduled",
        "InstallVerificationFailed",
        "InvalidSignature",
        "SignatureVerified",
    }
)
"""FirmwareStatusEnumType."""

LOG_STATUSES = frozenset(
    {
        "AcceptedCanceled",
        "BadMessage",
        "Idle",
        "NotSupportedOperation",
        "PermissionDenied",
        "Uploaded",
        "UploadFailure",
        "Uploading",
    }
)
"""UploadLogStatusEnumType."""

TRIGGERS = frozenset(
    {
        "BootNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "PublishFirmwareStatusNotification",
        "SignChargingStationCertificate",
        "SignCombinedCertificate",
        "SignV2GCertificate",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""MessageTriggerEnumType."""

PURPOSES = frozenset(
    {
        "ChargingStationExternalConstraints",
        "ChargingStationMaxProfile",
        "TxDefaultProfile",
        "TxProfile",
    }
)
"""ChargingProfilePurposeEnumType."""

ATTRIBUTES = frozenset({"Actual", "MaxSet", "MinSet", "Target"})
"""AttributeEnumType."""

DATA_STATUSES = frozenset({"Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"})
"""DataTransferStatusEnumType, DataTransferStatus in 1.6."""
