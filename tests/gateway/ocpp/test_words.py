"""Every word the codecs write is one of the specification, as the `ocpp` package lists them."""

from enum import StrEnum

import pytest
from ocpp.v16 import enums as v16
from ocpp.v201 import enums as v201

from gateway import events
from gateway.commands import SendLocalList, SetProfile, UnlockConnector
from gateway.ocpp import (
    measurands,
    tokens,
    v16_command_answers,
    v16_words,
    v201_variables,
    v201_words,
)
from load_balancer import profiles


def words(enumeration: type[StrEnum]) -> set[str]:
    return {str(member) for member in enumeration}


OUR_ENUMS = {
    "connector status": (events.ConnectorStatus, v201.ConnectorStatusEnumType),
    "charging state": (events.ChargingState, v201.ChargingStateEnumType),
    "event type": (events.EventType, v201.TransactionEventEnumType),
    "authorization status": (events.AuthorizationStatus, v201.AuthorizationStatusEnumType),
    "registration status": (events.RegistrationStatus, v201.RegistrationStatusEnumType),
    "kind": (profiles.ProfileKind, v201.ChargingProfileKindEnumType),
    "recurrency": (profiles.Recurrency, v201.RecurrencyKindEnumType),
    "rate unit": (profiles.RateUnit, v201.ChargingRateUnitEnumType),
}


@pytest.mark.parametrize(("ours", "theirs"), OUR_ENUMS.values(), ids=OUR_ENUMS)
def test_our_enumerations_are_those_of_2_0_1(ours: type[StrEnum], theirs: type[StrEnum]) -> None:
    assert words(ours) == words(theirs)


def test_all_purposes_but_the_external_one_may_be_set() -> None:
    assert words(profiles.ProfilePurpose) == words(v201.ChargingProfilePurposeEnumType) - {
        "ChargingStationExternalConstraints"
    }


TABLES = {
    "1.6 measurands": (measurands.MEASURANDS_1_6, words(v16.Measurand)),
    "2.0.1 measurands": (measurands.MEASURANDS_2_0_1, words(v201.MeasurandEnumType)),
    "1.6 contexts": (measurands.CONTEXTS, words(v16.ReadingContext)),
    "2.0.1 contexts": (measurands.CONTEXTS, words(v201.ReadingContextEnumType)),
    "1.6 locations": (measurands.LOCATIONS, words(v16.Location)),
    "2.0.1 locations": (measurands.LOCATIONS, words(v201.LocationEnumType)),
    "1.6 phases": (measurands.PHASES, words(v16.Phase)),
    "2.0.1 phases": (measurands.PHASES, words(v201.PhaseEnumType)),
    "token types": (tokens.TOKEN_TYPES, words(v201.IdTokenEnumType)),
    "1.6 authorization": (set(tokens.STATUS_IN_1_6.values()), words(v16.AuthorizationStatus)),
    "1.6 statuses": (set(v16_words.STATUS), words(v16.ChargePointStatus)),
    "1.6 error codes": (v16_words.ERROR_CODES, words(v16.ChargePointErrorCode)),
    "1.6 reasons": (set(v16_words.REASON), words(v16.Reason)),
    "1.6 diagnostics": (
        set(v16_words.DIAGNOSTICS_STATUS.values()),
        words(v16.DiagnosticsStatus),
    ),
    "1.6 purposes": (set(v16_words.PURPOSE), words(v16.ChargingProfilePurposeType)),
    "our purposes": (set(v16_words.PURPOSE.values()), words(profiles.ProfilePurpose)),
    "1.6 triggers": (
        set(v16_words.TRIGGER) | set(v16_words.EXTENDED_TRIGGER),
        words(v16.MessageTrigger),
    ),
    "trigger reasons": (v201_words.TRIGGER_REASONS, words(v201.TriggerReasonEnumType)),
    "stopped reasons": (v201_words.STOPPED_REASONS, words(v201.ReasonEnumType)),
    "boot reasons": (v201_words.BOOT_REASONS, words(v201.BootReasonEnumType)),
    "firmware statuses": (v201_words.FIRMWARE_STATUSES, words(v201.FirmwareStatusEnumType)),
    "firmware statuses said in 1.6": (
        set(v16_words.FIRMWARE_STATUS),
        words(v201.FirmwareStatusEnumType),
    ),
    "log statuses": (v201_words.LOG_STATUSES, words(v201.UploadLogStatusEnumType)),
    "1.6 log statuses": (v16_words.LOG_STATUS, words(v16.UploadLogStatus)),
    "triggers": (v201_words.TRIGGERS, words(v201.MessageTriggerEnumType)),
    "purposes": (v201_words.PURPOSES, words(v201.ChargingProfilePurposeEnumType)),
    "attributes": (v201_words.ATTRIBUTES, words(v201.AttributeEnumType)),
    "data statuses": (v201_words.DATA_STATUSES, words(v201.DataTransferStatusEnumType)),
    "get statuses": (v201_variables.GET_STATUSES, words(v201.GetVariableStatusEnumType)),
    "set statuses": (v201_variables.SET_STATUSES, words(v201.SetVariableStatusEnumType)),
    "1.6 unlock": (
        v16_command_answers.WORDS[UnlockConnector].known,
        words(v16.UnlockStatus),
    ),
    "1.6 local list": (v16_command_answers.WORDS[SendLocalList].known, words(v16.UpdateStatus)),
    "1.6 profile": (
        v16_command_answers.WORDS[SetProfile].known,
        words(v16.ChargingProfileStatus),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), TABLES.values(), ids=TABLES)
def test_a_table_of_words_is_the_enumeration(ours: set[str], theirs: set[str]) -> None:
    assert set(ours) == theirs


PARTS = {
    "reasons that 1.6 stops become": (
        {stopped for stopped, _ in v16_words.REASON.values()},
        v201_words.STOPPED_REASONS,
    ),
    "triggers that 1.6 stops become": (
        {trigger for _, trigger in v16_words.REASON.values()},
        v201_words.TRIGGER_REASONS,
    ),
    "1.6 firmware": (set(v16_words.FIRMWARE_STATUS.values()), words(v16.FirmwareStatus)),
    "1.6 units": (set(measurands.UNITS_1_6.values()), words(v16.UnitOfMeasure)),
    "triggers asked in 1.6": (
        set(v16_words.TRIGGER.values()) | set(v16_words.EXTENDED_TRIGGER.values()),
        v201_words.TRIGGERS,
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), PARTS.values(), ids=PARTS)
def test_a_table_of_words_is_within_the_enumeration(ours: set[str], theirs: set[str]) -> None:
    assert set(ours) <= set(theirs)


def test_every_status_of_1_6_is_read_back_as_it_was() -> None:
    assert len(set(v16_words.STATUS.values())) == len(v16_words.STATUS)
