"""One face for both versions: payloads <-> the gateway's own events, commands and answers. Pure.

From a station: `parse_event`, then `serialize_answer`; `serialize_command`, then
`parse_command_answer`. To the cloud: `serialize_event`, then `parse_answer`; from it
`parse_command`, then `serialize_command_answer`. What is parsed must be valid by its schema, what
is serialized is. Two errors: `PeerError` (they erred; becomes a CALLERROR) from parsing,
`InvalidMessage` (what we were to say lacks what the version requires; not sent) from serializing.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.commands import Command, CommandAnswer
from gateway.events import Answer, Event
from gateway.ocpp import (
    v16_answers,
    v16_command_answers,
    v16_commands,
    v16_events,
    v201_answers,
    v201_command_answers,
    v201_commands,
    v201_events,
)
from gateway.ocpp.frames import Payload
from site_config.links import OcppVersion

Message = tuple[str, Payload]
"""Action and payload of a CALL."""


class SerializeEvent(Protocol):
    def __call__(self, event: Event, transaction_number: int | None = None) -> Message | None:
        """Return the CALL, or None where the version has no word for the event.

        `transaction_number`: the cloud's transactionId in 1.6; None: never learnt.
        """
        ...


class Codec(NamedTuple):
    version: OcppVersion
    event_actions: frozenset[str]
    """What a station may send."""
    command_actions: frozenset[str]
    """What a CSMS may ask of us; the others parse as `Unsupported`."""
    parse_event: Callable[[str, Payload], Event]
    serialize_event: SerializeEvent
    serialize_answer: Callable[[Event, Answer], Payload]
    parse_answer: Callable[[str, Payload], Answer]
    parse_command: Callable[[str, Payload], Command]
    serialize_command: Callable[[Command], Message | None]
    """None where the version has no word for the command."""
    serialize_command_answer: Callable[[Command, CommandAnswer], Payload]
    parse_command_answer: Callable[[Command, Payload], CommandAnswer]


_CODECS: dict[OcppVersion, Codec] = {
    "ocpp1.6": Codec(
        version="ocpp1.6",
        event_actions=v16_events.EVENT_ACTIONS,
        command_actions=v16_commands.COMMAND_ACTIONS,
        parse_event=v16_events.parse_event,
        serialize_event=v16_events.serialize_event,
        serialize_answer=v16_answers.serialize_answer,
        parse_answer=v16_answers.parse_answer,
        parse_command=v16_commands.parse_command,
        serialize_command=v16_commands.serialize_command,
        serialize_command_answer=v16_command_answers.serialize_command_answer,
        parse_command_answer=v16_command_answers.parse_command_answer,
    ),
    "ocpp2.0.1": Codec(
        version="ocpp2.0.1",
        event_actions=v201_events.EVENT_ACTIONS,
        command_actions=v201_commands.COMMAND_ACTIONS,
        parse_event=v201_events.parse_event,
        serialize_event=v201_events.serialize_event,
        serialize_answer=v201_answers.serialize_answer,
        parse_answer=v201_answers.parse_answer,
        parse_command=v201_commands.parse_command,
        serialize_command=v201_commands.serialize_command,
        serialize_command_answer=v201_command_answers.serialize_command_answer,
        parse_command_answer=v201_command_answers.parse_command_answer,
    ),
}


def codec_for(version: OcppVersion) -> Codec:
    """Return the codec of a negotiated version."""
    return _CODECS[version]
