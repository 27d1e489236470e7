"""Variables of the 2.0.1 device model: payload rows <-> `VariableRef` and results. Pure.

Clauses: OCPP 2.0.1 edition 3, Part 2, B05 and B06.
"""

from gateway.commands import VariableRef, VariableResult
from gateway.ocpp.frames import Payload
from gateway.ocpp.v201_words import ATTRIBUTES

LONGEST_NAME = 50
LONGEST_VALUE = 2500

GET_STATUSES = frozenset(
    {"Accepted", "NotSupportedAttributeType", "Rejected", "UnknownComponent", "UnknownVariable"}
)
"""GetVariableStatusEnumType."""

SET_STATUSES = GET_STATUSES | {"RebootRequired"}
"""SetVariableStatusEnumType."""


def parse_variable(row: Payload) -> VariableRef:
    """Read what GetVariables and SetVariables, and the answers to them, say a row is about."""
    component = row["component"]
    variable = row["variable"]
    evse = component.get("evse") or {}
    return VariableRef(
        component["name"],
        variable["name"],
        component.get("instance"),
        variable.get("instance"),
        evse.get("id"),
        evse.get("connectorId"),
        row.get("attributeType", "Actual"),
    )


def serialize_variable(ref: VariableRef) -> Payload:
    """Write what a row is about, always with its attribute (B06.FR.11)."""
    component: Payload = {"name": ref.component[:LONGEST_NAME]}
    if ref.component_instance is not None:
        component["instance"] = ref.component_instance[:LONGEST_NAME]
    if ref.evse_id is not None:
        component["evse"] = {"id": ref.evse_id}
        if ref.connector_id is not None:
            component["evse"]["connectorId"] = ref.connector_id
    variable: Payload = {"name": ref.variable[:LONGEST_NAME]}
    if ref.variable_instance is not None:
        variable["instance"] = ref.variable_instance[:LONGEST_NAME]
    attribute = ref.attribute if ref.attribute in ATTRIBUTES else "Actual"
    return {"component": component, "variable": variable, "attributeType": attribute}


def parse_result(row: Payload) -> VariableResult:
    return VariableResult(parse_variable(row), row["attributeStatus"], row.get("attributeValue"))


def serialize_get_result(result: VariableResult) -> Payload:
    """Write a row of GetVariablesResponse; a value goes with Accepted only (B06.FR.06 to 13)."""
    status = result.status if result.status in GET_STATUSES else "Rejected"
    row = serialize_variable(result.variable) | {"attributeStatus": status}
    if status == "Accepted":
        row["attributeValue"] = (result.value or "")[:LONGEST_VALUE]
    return row


def serialize_set_result(result: VariableResult) -> Payload:
    """Write a row of SetVariablesResponse."""
    status = result.status if result.status in SET_STATUSES else "Rejected"
    return serialize_variable(result.variable) | {"attributeStatus": status}
