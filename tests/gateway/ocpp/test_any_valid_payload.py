"""Whatever the schemas allow is understood, and can be said again where a version has words."""

import json
from importlib.resources import files
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.commands import Unsupported
from gateway.errors import InvalidMessage, PeerError
from gateway.events import Answer
from gateway.ocpp.codec import codec_for
from gateway.ocpp.schemas import FOLDERS, SUFFIXES, validate_request, validate_response

Version = Literal["ocpp1.6", "ocpp2.0.1"]
Direction = Literal["request", "response"]

ANY = st.none() | st.text(max_size=5) | st.integers(0, 9) | st.just({"a": [1]})
INTEGERS = st.integers(-1, 3) | st.integers(-(2**31), 2**31 - 1)


def payloads(version: Version, action: str, direction: Direction) -> st.SearchStrategy[Any]:
    """Return payloads that are valid by the schema of a message."""
    name = f"{action}{SUFFIXES[version, direction]}.json"
    text = (files("ocpp") / FOLDERS[version] / "schemas" / name).read_text("utf-8-sig")
    schema = json.loads(text)
    return of_node(schema, schema.get("definitions", {}))


def of_node(node: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        return of_node(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node.get("type"):
        case "object":
            properties = node.get("properties", {})
            required = set(node.get("required", ()))
            made = {key: of_node(value, definitions) for key, value in properties.items()}
            return st.fixed_dictionaries(
                {key: made[key] for key in made if key in required},
                optional={key: made[key] for key in made if key not in required},
            )
        case "array":
            fewest = node.get("minItems", 0)
            return st.lists(of_node(node["items"], definitions), min_size=fewest, max_size=2)
        case "string" if node.get("format") == "date-time":
            return st.sampled_from(["2026-11-22T18:44:18Z", "9999-12-31T23:59:59.5-05:00"])
        case "string":
            return st.text(max_size=min(node.get("maxLength", 9), 9))
        case "integer":
            return INTEGERS
        case "number":
            return INTEGERS | st.sampled_from([0.1, 16.1, 1e3])
        case "boolean":
            return st.booleans()
        case _:
            return ANY


def cases(kind: str) -> dict[str, tuple[Version, str]]:
    versions: tuple[Version, ...] = ("ocpp1.6", "ocpp2.0.1")
    return {
        f"{version} {action}": (version, action)
        for version in versions
        for action in sorted(getattr(codec_for(version), kind))
    }


EVENTS = cases("event_actions")
COMMANDS = cases("command_actions")
fast = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("version", "action"), EVENTS.values(), ids=EVENTS)
@fast
@given(data=st.data())
def test_any_valid_event_is_understood_and_said_validly(
    version: Version, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payloads(version, action, "request"))
    event = codec_for(version).parse_event(action, payload)

    for cloud in ("ocpp1.6", "ocpp2.0.1"):
        try:
            sent = codec_for(cloud).serialize_event(event, 1)
        except InvalidMessage:
            continue
        if sent is not None and sent[0] != "NotifyReport":  # the device model is ours alone
            assert validate_request(cloud, *sent) is None


@pytest.mark.parametrize(("version", "action"), EVENTS.values(), ids=EVENTS)
@fast
@given(data=st.data())
def test_any_valid_answer_of_a_cloud_is_understood(
    version: Version, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payloads(version, action, "response"))

    answer = codec_for(version).parse_answer(action, payload)

    assert isinstance(answer, Answer)


@pytest.mark.parametrize(("version", "action"), COMMANDS.values(), ids=COMMANDS)
@fast
@given(data=st.data())
def test_any_valid_command_and_answer_is_understood_and_said_validly(
    version: Version, action: str, data: st.DataObject
) -> None:
    codec = codec_for(version)
    payload = data.draw(payloads(version, action, "request"))
    try:
        command = codec.parse_command(action, payload)
    except PeerError:
        assume(False)
    assert not isinstance(command, Unsupported)

    sent = codec.serialize_command(command)
    answer = codec.parse_command_answer(command, data.draw(payloads(version, action, "response")))
    told = codec.serialize_command_answer(command, answer)

    assert sent is not None
    assert validate_request(version, *sent) is None
    assert validate_response(version, action, told) is None
