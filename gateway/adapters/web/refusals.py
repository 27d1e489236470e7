"""Exceptions of a request turned into statuses with words, for every route at once."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from gateway.adapters.web.answers import Refusal
from gateway.errors import StoreFailed
from gateway.limit_wish import (
    EXAMPLE,
    EXAMPLE_OF_A_DRIVER,
    EXAMPLE_OF_DIMMING,
    NotAWish,
    in_words,
)
from gateway.operations import NotAllowed, NotFound
from gateway.quarantine import EditRefused

EXAMPLE_OF_AN_EDIT = '{"changes": {"register_wh": 15200}, "note": "typing error"}'

HOW_TO_ASK = (
    "GET /api/v1/openapi.json describes what may be asked; times are written like "
    "2026-06-01T18:00:00+02:00"
)
HOW_TO_WRITE = (
    # the longest address first
    (
        "/grid-operator/limit",
        f"a dimming is written like {EXAMPLE_OF_DIMMING}; times need a time zone",
    ),
    ("/limit", f"a limit is written like {EXAMPLE}; times need a time zone"),
    ("/wish", f"what a driver wants is written like {EXAMPLE_OF_A_DRIVER}; times need a time zone"),
)
"""Last part of an address -> what its body looks like."""

BEARER = {"WWW-Authenticate": "Bearer"}
"""RFC 6750 §3: a 401 says what is missing."""


def speak_plainly(app: FastAPI) -> None:
    """Register what each exception is answered with."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(EditRefused, _no_edit)
    app.add_exception_handler(NotAWish, _no_wish)
    app.add_exception_handler(StoreFailed, _not_stored)
    app.add_exception_handler(RequestValidationError, _nonsense)


def _answer(refusal: Refusal) -> JSONResponse:
    headers = BEARER if refusal.status == 401 else refusal.headers
    return JSONResponse(refusal.body.model_dump(), refusal.status, headers)


async def _refusal(_: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refusal)
    return _answer(refusal)


async def _not_allowed(_: Request, reason: Exception) -> JSONResponse:
    advice = "a limit is 0 A or more, at most the installer's rating, and ends in the future"
    return _answer(Refusal(403, str(reason), advice))


async def _not_found(_: Request, reason: Exception) -> JSONResponse:
    advice = (
        "GET /api/v1/site names circuits and stations, GET /api/v1/transactions the transactions, "
        "GET /api/v1/outbox the rows"
    )
    return _answer(Refusal(404, str(reason), advice))


async def _no_edit(_: Request, reason: Exception) -> JSONResponse:
    advice = "nothing was changed; GET /api/v1/outbox/{row} shows what the message tells"
    return _answer(Refusal(422, str(reason), advice))


async def _no_wish(_: Request, reason: Exception) -> JSONResponse:
    advice = f"what a driver wants is written like {EXAMPLE_OF_A_DRIVER}; times need a time zone"
    return _answer(Refusal(422, str(reason), advice))


async def _not_stored(_: Request, reason: Exception) -> JSONResponse:
    advice = "nothing was changed; look at the disk of the gateway and try again"
    return _answer(Refusal(503, f"the disk did not take it: {reason}", advice))


async def _nonsense(request: Request, invalid: Exception) -> JSONResponse:
    assert isinstance(invalid, RequestValidationError)
    errors = invalid.errors()
    is_body = any(error["loc"][0] == "body" for error in errors)
    advice = _how_to_write(request.url.path) if is_body else HOW_TO_ASK
    return _answer(Refusal(422, in_words(errors), advice))


def _how_to_write(path: str) -> str:
    """Return what a body for this address looks like."""
    for end, advice in HOW_TO_WRITE:
        if path.endswith(end):
            return advice
    return f"a change is written like {EXAMPLE_OF_AN_EDIT}"
