"""Frames that real stacks sent, and what clouds of both versions are told of them."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from gateway.events import Event, IdToken, MetersSampled, StatusChanged, TransactionChanged
from gateway.ocpp.codec import codec_for
from gateway.ocpp.schemas import validate_request

Version = Literal["ocpp1.6", "ocpp2.0.1"]
Message = tuple[str, dict[str, Any]]


def sampled(value: str, measurand: str, unit: str, phase: str | None = None) -> dict[str, str]:
    sample = {"context": "Sample.Periodic", "location": "Outlet", "measurand": measurand}
    return sample | {"unit": unit, "value": value} | ({"phase": phase} if phase else {})


MICROOCPP_16_METERS: Message = (
    "MeterValues",
    {
        "connectorId": 1,
        "transactionId": 1001,
        "meterValue": [
            {
                "timestamp": "2026-11-22T18:35:50.484Z",
                "sampledValue": [
                    {
                        "value": "6",
                        "context": "Sample.Periodic",
                        "measurand": "Energy.Active.Import.Register",
                        "unit": "Wh",
                    },
                    {
                        "value": "10993.95",
                        "context": "Sample.Periodic",
                        "measurand": "Power.Active.Import",
                        "unit": "W",
                    },
                    {"value": "44.00", "context": "Sample.Periodic", "measurand": "SoC"},
                ],
            }
        ],
    },
)
SAP_16_METERS: Message = (
    "MeterValues",
    {
        "connectorId": 1,
        "transactionId": 1001,
        "meterValue": [
            {
                "sampledValue": [
                    sampled("227.05", "Voltage", "V"),
                    sampled("227.05", "Voltage", "V", "L1-N"),
                    sampled("4822.14", "Power.Active.Import", "W"),
                    sampled("5.6", "Current.Import", "A", "L1"),
                ],
                "timestamp": "2026-11-22T18:41:10.940Z",
            }
        ],
    },
)
VCP_16_STOP: Message = (
    "StopTransaction",
    {
        "meterStop": 22,
        "timestamp": "2026-11-22T18:44:38.669Z",
        "transactionId": 1002,
        "transactionData": [
            {
                "timestamp": "2026-11-22T18:44:38.669Z",
                "sampledValue": [
                    {
                        "value": '{"signedMeterData":"T0NNRnx7fXx7fQ==","encodingMethod":"OCMF",'
                        '"publicKey":"MzA1NjMwMTA="}',
                        "context": "Transaction.End",
                        "format": "SignedData",
                    }
                ],
            }
        ],
    },
)
MICROOCPP_201_STARTED: Message = (
    "TransactionEvent",
    {
        "eventType": "Started",
        "timestamp": "2026-11-22T18:40:36.083Z",
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {
            "transactionId": "754A2AB320C87997B9E89BA49D83E11482",
            "chargingState": "Charging",
        },
        "idToken": {"idToken": "CARD1", "type": "ISO14443"},
        "evse": {"id": 1, "connectorId": 1},
    },
)
MICROOCPP_201_UPDATED: Message = (
    "TransactionEvent",
    {
        "eventType": "Updated",
        "timestamp": "2026-11-22T18:40:38.102Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "754A2AB320C87997B9E89BA49D83E11482"},
        "meterValue": [
            {
                "timestamp": "2026-11-22T18:40:38.102Z",
                "sampledValue": [
                    {
                        "value": 5,
                        "measurand": "Energy.Active.Import.Register",
                        "unitOfMeasure": {"unit": "Wh"},
                    },
                    {
                        "value": 11001.84082,
                        "measurand": "Power.Active.Import",
                        "unitOfMeasure": {"unit": "W"},
                    },
                ],
            }
        ],
    },
)
MICROOCPP_201_ENDED: Message = (
    "TransactionEvent",
    {
        "eventType": "Ended",
        "timestamp": "2026-11-22T18:40:50.235Z",
        "triggerReason": "StopAuthorized",
        "seqNo": 10,
        "transactionInfo": {
            "transactionId": "754A2AB320C87997B9E89BA49D83E11482",
            "chargingState": "EVConnected",
        },
        "idToken": {"idToken": "CARD1", "type": "ISO14443"},
    },
)
VCP_201_STARTED: Message = (
    "TransactionEvent",
    {
        "eventType": "Started",
        "timestamp": "2026-11-22T18:44:53.768Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {
            "transactionId": "e9f8838b-f626-4d5f-8a3b-cabc3a7ba08d",
            "remoteStartId": 5,
        },
        "idToken": {"idToken": "APP1", "type": "Central"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [
            {
                "timestamp": "2026-11-22T18:44:53.768Z",
                "sampledValue": [
                    {
                        "value": 150.01,
                        "measurand": "Energy.Active.Import.Register",
                        "unitOfMeasure": {"unit": "kWh"},
                    }
                ],
            }
        ],
    },
)

FRAMES: dict[str, tuple[Version, Message]] = {
    "MicroOcpp 1.6 boot": (
        "ocpp1.6",
        (
            "BootNotification",
            {"chargePointModel": "MicroOcpp Simulator", "chargePointVendor": "MicroOcpp"},
        ),
    ),
    "MicroOcpp 1.6 meter values": ("ocpp1.6", MICROOCPP_16_METERS),
    "SAP 1.6 status without time": (
        "ocpp1.6",
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
    ),
    "SAP 1.6 meter values": ("ocpp1.6", SAP_16_METERS),
    "VCP 1.6 stop with signed data": ("ocpp1.6", VCP_16_STOP),
    "MicroOcpp 2.0.1 started without values": ("ocpp2.0.1", MICROOCPP_201_STARTED),
    "MicroOcpp 2.0.1 updated": ("ocpp2.0.1", MICROOCPP_201_UPDATED),
    "MicroOcpp 2.0.1 ended without reason or values": ("ocpp2.0.1", MICROOCPP_201_ENDED),
    "VCP 2.0.1 started": ("ocpp2.0.1", VCP_201_STARTED),
}


def upstream(event: Event) -> Event:
    """What the gateway adds before it tells the cloud: its own ids and what it has seen."""
    match event:
        case TransactionChanged():
            return replace(
                event,
                transaction_id="ea2ae2ad-2ee3-4fb5-aaef-ac37a8bca307",
                evse_id=17,
                id_token=event.id_token or IdToken("CARD1"),
                register_wh=25.0 if event.register_wh is None else event.register_wh,
            )
        case StatusChanged(at=None):
            _, payload = MICROOCPP_201_STARTED
            started = codec_for("ocpp2.0.1").parse_event("TransactionEvent", payload)
            assert isinstance(started, TransactionChanged)
            return replace(event, evse_id=17, at=started.at)
        case _:
            return event


@pytest.mark.parametrize("cloud", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize(("version", "message"), FRAMES.values(), ids=FRAMES)
def test_a_recorded_frame_can_be_told_to_either_cloud(
    version: Version, message: Message, cloud: Version
) -> None:
    assert validate_request(version, *message) is None
    event = upstream(codec_for(version).parse_event(*message))

    sent = codec_for(cloud).serialize_event(event, 4711)

    assert sent is not None
    assert validate_request(cloud, *sent) is None


def told(version: Version, message: Message, cloud: Version) -> dict[str, Any]:
    sent = codec_for(cloud).serialize_event(
        upstream(codec_for(version).parse_event(*message)), 4711
    )
    assert sent is not None
    return sent[1]


def test_a_reading_of_2_0_1_reaches_a_1_6_cloud_with_its_digits_and_unit() -> None:
    assert told("ocpp2.0.1", MICROOCPP_201_UPDATED, "ocpp1.6") == {
        "connectorId": 17,
        "transactionId": 4711,
        "meterValue": [
            {
                "timestamp": "2026-11-22T18:40:38.102Z",
                "sampledValue": [
                    {
                        "value": "5",
                        "measurand": "Energy.Active.Import.Register",
                        "context": "Sample.Periodic",
                        "unit": "Wh",
                    },
                    {
                        "value": "11001.84082",
                        "measurand": "Power.Active.Import",
                        "context": "Sample.Periodic",
                        "unit": "W",
                    },
                ],
            }
        ],
    }


def test_values_of_1_6_reach_a_2_0_1_cloud_as_numbers_with_unit_and_phase() -> None:
    message = told("ocpp1.6", SAP_16_METERS, "ocpp2.0.1")

    assert message["meterValue"][0]["sampledValue"][1] == {
        "value": 227.05,
        "measurand": "Voltage",
        "context": "Sample.Periodic",
        "phase": "L1-N",
        "location": "Outlet",
        "unitOfMeasure": {"unit": "V"},
    }


def test_signed_data_of_a_1_6_stop_reaches_a_2_0_1_cloud_beside_the_register() -> None:
    message = told("ocpp1.6", VCP_16_STOP, "ocpp2.0.1")

    (sample,) = message["meterValue"][0]["sampledValue"]
    assert (sample["value"], sample["unitOfMeasure"]) == (22.0, {"unit": "Wh"})
    assert sample["signedMeterValue"]["signedMeterData"] == "T0NNRnx7fXx7fQ=="


def test_a_token_the_station_took_for_a_card_is_central_upstream() -> None:
    message = told("ocpp2.0.1", MICROOCPP_201_STARTED, "ocpp2.0.1")

    assert message["idToken"] == {"idToken": "CARD1", "type": "Central"}


def test_meter_values_of_a_1_6_transaction_know_it() -> None:
    event = codec_for("ocpp1.6").parse_event(*MICROOCPP_16_METERS)

    assert isinstance(event, MetersSampled)
    assert event.transaction_id == "1001"
