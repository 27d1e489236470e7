"""What one value of the site file may be: a current, seconds, an address, a time of day. Pure."""

import re
from datetime import time
from math import isfinite
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticKnownError

from site_config.addresses import host_and_port, parse_bus

PHASES = 3
T = TypeVar("T")

Phase = Literal["L1", "L2", "L3"]
UNKNOWN: Literal["unknown"] = "unknown"
Conductor = Literal["L1", "L2", "L3", "unknown"]
"""The circuit's phase on a conductor of an EVSE, where it is known."""


def without_repetition(items: tuple[T, ...]) -> tuple[T, ...]:
    if repeated := [item for n, item in enumerate(items) if item in items[:n]]:
        raise ValueError(f"names {repeated[0]} twice")
    return items


def _listen_address(listen: str) -> str:
    host_and_port(listen)
    return listen


def bus_address(url: str) -> str:
    parse_bus(url)
    return url


def _same_on_each_phase(rating: object) -> object:
    """Let one number stand for three phases; what is wrong with it is said once."""
    if isinstance(rating, list | tuple):
        if len(rating) != PHASES:
            raise ValueError("is neither one number nor three, for L1, L2 and L3")
        return rating
    try:
        number = float(str(rating))
    except ValueError:
        raise PydanticKnownError("float_parsing") from None
    if not isfinite(number):
        raise PydanticKnownError("finite_number")
    if number <= 0:
        raise PydanticKnownError("greater_than", {"gt": 0})
    return (number,) * 3


def _unknown_on_each_conductor(phases: object) -> object:
    """Let one word stand for an EVSE of whose wiring nothing is known."""
    return (UNKNOWN,) * PHASES if phases == UNKNOWN else phases


def _clock_time(text: object) -> object:
    """Read `17:00` as hours and minutes, never as pydantic's seconds since midnight."""
    if isinstance(text, str):
        found = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", text.strip())
        if not found or (found[1] == "24" and found[2] != "00"):
            raise ValueError("is not a time of day like 17:00")
        return time(int(found[1]) % 24, int(found[2]))
    return text


def _limit_step(step_a: float) -> float:
    if step_a not in {0.1, 1.0}:
        raise ValueError("is neither 0.1 nor 1")
    return step_a


LimitStep = Annotated[float, AfterValidator(_limit_step)]
Current = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveCurrent = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PhaseRatings = Annotated[
    tuple[PositiveCurrent, PositiveCurrent, PositiveCurrent],
    BeforeValidator(_same_on_each_phase),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "array",
                    "items": {"type": "number", "exclusiveMinimum": 0},
                    "minItems": 3,
                    "maxItems": 3,
                },
            ]
        }
    ),
]
Conductors = Annotated[
    tuple[Conductor, ...],
    Field(min_length=1, max_length=PHASES),
    BeforeValidator(_unknown_on_each_conductor),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "unknown"},
                {
                    "type": "array",
                    "items": {"enum": ["L1", "L2", "L3", "unknown"]},
                    "minItems": 1,
                    "maxItems": 3,
                },
            ]
        }
    ),
]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Listen = Annotated[str, AfterValidator(_listen_address), Field(examples=["0.0.0.0:9000"])]
ClockTime = Annotated[
    time,
    BeforeValidator(_clock_time),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-4]):[0-5]\d$"}),
]
