"""The REST interface: `/healthz`, `/metrics` and `/api/v1`.

Translates between HTTP and `Operations`; decides only who may knock. Whether a limit is
granted is decided there. Every error is `{"error": …, "advice": …}`.
"""

import asyncio
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPBearer

from gateway import metrics
from gateway.adapters.web.access import COOKIE, Access, address_of, may
from gateway.adapters.web.answers import Refusal, Refused, limit_json, message_json
from gateway.adapters.web.desk import Desk
from gateway.adapters.web.files import EditWish, Format, JournalAsked, MessageQuery, as_file
from gateway.dimming_desk import EVIDENCE_COLUMNS, evidence_json
from gateway.exports import (
    JOURNEY_TABLE,
    OUTBOX_TABLE,
    TRANSACTION_TABLE,
    exported_json,
    journey_json,
    outbox_row_json,
    quarantined_json,
    transaction_json,
)
from gateway.journal import COLUMNS, JournalOf, JournalQuery, journal_json
from gateway.limit_wish import DimmingWish, Instant, LimitWish
from gateway.operations import Caller, GridOperatorOperations, NotFound, TraceQuery
from gateway.quarantine_edits import edit_json
from gateway.recording import as_recording
from gateway.records import LimitSource
from gateway.trace import CLOUD
from load_balancer.limiters.dimming import DimmingSource
from site_config.links import Role

MAX_ROWS = 10_000
"""Most rows of the outbox in one answer."""


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def viewer(request: Request, desk: Annotated[Desk, Depends(desk_of)]) -> Caller:
    """Return who asks. Raises a 401 without a token of the site file, a 429 after many wrong ones.

    A browser that has signed in may look, and load files, with its cookie.
    """
    access: Access = request.app.state.access
    header = request.headers.get("authorization")
    if header is None:
        cookie = request.cookies.get(COOKIE) if request.method == "GET" else None
        if (caller := access.by_cookie(cookie, desk.now_utc())) is not None:
            return caller
        raise _no_token()
    address, now = address_of(request), desk.now()
    if (wait_s := access.guesses.wait_s(address, now)) > 0:
        raise Refusal(
            429,
            f"too many wrong tokens from {address}",
            f"wait {wait_s:.0f} s and use a token of web.tokens in the site file",
            {"Retry-After": str(ceil(wait_s))},
        )
    if (caller := access.by_header(header)) is None:
        access.guesses.wrong(address, now)
        raise _no_token()
    return caller


def _no_token() -> Refusal:
    return Refusal(
        401,
        "no valid token",
        "send the header `Authorization: Bearer TOKEN` with a token of web.tokens in the site file",
    )


def operator(caller: Annotated[Caller, Depends(viewer)]) -> Caller:
    """Return who asks. Raises a 403 for a viewer."""
    if not may(caller, Role.OPERATOR):
        raise Refusal(
            403,
            f"{caller.name} is a {caller.role} and may look, not change",
            "use a token whose role in the site file is operator or installer",
        )
    return caller


OurDesk = Annotated[Desk, Depends(desk_of)]
Viewer = Annotated[Caller, Depends(viewer)]
Operator = Annotated[Caller, Depends(operator)]

open_to_all = APIRouter(tags=["monitoring"])
api = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(viewer), Depends(HTTPBearer(auto_error=False))],
    responses={401: {"model": Refused, "description": "No token, or an unknown one"}},
)

FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"model": Refused, "description": "Above the rating, or not this role's to do"},
    404: {"model": Refused, "description": "Unknown; the answer names what exists"},
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: FORBIDDEN[404]}


@open_to_all.get("/healthz")
async def health(desk: OurDesk) -> dict[str, Any]:
    """Whether the site works as it should, and if not, why; always 200 while the process lives."""
    return desk.operations.health()


@open_to_all.get("/metrics", response_class=Response)
async def prometheus(desk: OurDesk) -> Response:
    """Everything measured and counted, in Prometheus' text format."""
    text = metrics.render(desk.state, desk.counters, desk.now(), desk.now_utc())
    return Response(text, headers={"content-type": metrics.CONTENT_TYPE})


@api.get("/site", tags=["site"])
async def site(desk: OurDesk) -> dict[str, Any]:
    """The whole site as it is now: cloud, meters, circuits, stations and why limits are what
    they are. Currents are A RMS per phase, positive towards the vehicles; `null` is unknown."""
    return desk.snapshot()


@api.get("/limits", tags=["limits"])
async def limits(desk: OurDesk) -> list[dict[str, Any]]:
    """Limits that operators and MQTT have set and that have not run out."""
    return [limit_json(limit) for limit in desk.operations.circuit_limits()]


@api.put("/circuits/{circuit}/limit", tags=["limits"], responses=FORBIDDEN)
async def set_limit(
    circuit: str, wish: LimitWish, desk: OurDesk, caller: Operator
) -> dict[str, Any]:
    """Lower what a circuit may draw on each phase. On disk and in force when answered."""
    limit = await desk.operations.set_circuit_limit(
        circuit,
        wish.limit_a,
        reason=wish.reason,
        until=wish.until,
        source=LimitSource.OPERATOR,
        caller=caller,
    )
    return limit_json(limit)


@api.delete("/circuits/{circuit}/limit", tags=["limits"], status_code=204, responses=FORBIDDEN)
async def clear_limit(circuit: str, desk: OurDesk, caller: Operator) -> None:
    """Give the circuit back to its rating; limits of MQTT, schedule and cloud stay."""
    await desk.operations.clear_circuit_limit(circuit, source=LimitSource.OPERATOR, caller=caller)


@api.get("/transactions", tags=["transactions"], response_model=None)
async def transactions(
    desk: OurDesk,
    since: Instant = None,
    until: Instant = None,
    format: Format = "json",  # noqa: A002 - the word of the address
) -> list[dict[str, Any]] | Response:
    """Transactions that started in [since, until), newest first; `ended_at` null: running.
    With `format=csv` as a table."""
    found = await desk.operations.transactions(since, until)
    rows = [transaction_json(transaction) for transaction in found]
    return rows if format == "json" else as_file(rows, format, "transactions", TRANSACTION_TABLE)


@api.get(
    "/transactions/{number}/journey", tags=["transactions"], response_model=None, responses=UNKNOWN
)
async def journey(
    number: int,
    desk: OurDesk,
    format: Format = "json",  # noqa: A002 - the word of the address
) -> dict[str, Any] | Response:
    """The way of every message of a transaction: when the station sent it, when it was on disk,
    with which message the cloud got it, when that was confirmed."""
    told = journey_json(await desk.operations.journey(number))
    if format == "json":
        return told
    return as_file(told["steps"], format, f"transaction-{number}", JOURNEY_TABLE)


@api.get("/outbox", tags=["outbox"], response_model=None)
async def outbox(
    desk: OurDesk,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 1000,
    format: Format = "json",  # noqa: A002 - the word of the address
) -> dict[str, Any] | Response:
    """What the cloud has not confirmed, oldest first, and what it will never accept as it is.
    As a file (`format=csv`, `jsonl`) with all that the rows tell, signed values included."""
    pending = await desk.operations.outbox(limit)
    quarantined = await desk.operations.quarantined()
    if format != "json":
        rows = [exported_json(row) for row in pending]
        rows += [exported_json(found.row, found) for found in quarantined]
        return as_file(rows, format, "outbox", OUTBOX_TABLE)
    return {
        "pending": [outbox_row_json(row) for row in pending],
        "quarantined": [quarantined_json(row) for row in quarantined],
    }


@api.get("/outbox/depth", tags=["outbox"])
async def outbox_depth(desk: OurDesk) -> list[list[int]]:
    """How much waited over the last hours: milliseconds since 1970, waiting, in quarantine."""
    return [
        [round(point.at.timestamp() * 1000), point.pending, point.quarantined]
        for point in desk.state.cloud.depths
    ]


@api.get("/outbox/{row_id}", tags=["outbox"], responses=UNKNOWN)
async def quarantined_row(row_id: int, desk: OurDesk) -> dict[str, Any]:
    """A quarantined message with all that it tells, and who has changed what of it."""
    for found in await desk.operations.quarantined():
        if found.row.id == row_id:
            edits = await desk.operations.quarantine_edits(row_id)
            return exported_json(found.row, found) | {"edits": [edit_json(edit) for edit in edits]}
    raise NotFound(f"row {row_id} is not in quarantine")


@api.patch("/outbox/{row_id}", tags=["outbox"], responses=FORBIDDEN)
async def edit(row_id: int, wish: EditWish, desk: OurDesk, caller: Operator) -> dict[str, Any]:
    """Mend a quarantined message before it is sent again. What it said before is kept, with who
    changed it and why. On disk when answered; `retry` sends it."""
    await desk.operations.edit(
        row_id, changes=wish.changes, event=wish.event, note=wish.note, caller=caller
    )
    return await quarantined_row(row_id, desk)


@api.post("/outbox/{row_id}/retry", tags=["outbox"], status_code=204, responses=FORBIDDEN)
async def retry(row_id: int, desk: OurDesk, caller: Operator) -> None:
    """Put a quarantined message back into its lane."""
    await desk.operations.release(row_id, is_retried=True, caller=caller)


@api.post("/outbox/{row_id}/discard", tags=["outbox"], status_code=204, responses=FORBIDDEN)
async def discard(row_id: int, desk: OurDesk, caller: Operator) -> None:
    """Give a quarantined message up for good. It will never be billed."""
    await desk.operations.release(row_id, is_retried=False, caller=caller)


def dimming_of(desk: OurDesk) -> GridOperatorOperations:
    if desk.operations.grid_operator is None:
        advice = "describe grid_operator in the site file"
        raise Refusal(404, "the grid operator cannot dim this site", advice)
    return desk.operations.grid_operator


GridOperatorDesk = Annotated[GridOperatorOperations, Depends(dimming_of)]


@api.get("/grid-operator", tags=["grid operator"], responses=UNKNOWN)
async def grid_operator(dimming: GridOperatorDesk) -> dict[str, Any]:
    """Whether the grid operator dims the charge points, to what, and who said so."""
    return dimming.status()


@api.put("/grid-operator/limit", tags=["grid operator"], responses=FORBIDDEN)
async def dim(wish: DimmingWish, dimming: GridOperatorDesk, caller: Operator) -> dict[str, Any]:
    """Dim the charge points. On disk and in force when answered."""
    await dimming.dim(
        wish.total_w,
        reason=wish.reason,
        until=wish.until,
        source=DimmingSource.REST,
        caller=caller,
    )
    return dimming.status()


@api.delete("/grid-operator/limit", tags=["grid operator"], status_code=204, responses=FORBIDDEN)
async def release(dimming: GridOperatorDesk, caller: Operator) -> None:
    """Take back what was set here; the contact, MQTT and a missing heartbeat still dim."""
    await dimming.release(DimmingSource.REST, caller)


@api.post("/grid-operator/heartbeat", tags=["grid operator"], status_code=204, responses=FORBIDDEN)
async def heartbeat(dimming: GridOperatorDesk, caller: Operator) -> None:
    """Tell that whoever dims can be heard; without it the charge points fall to their minimum."""
    dimming.heard(caller)


@api.get("/grid-operator/evidence", tags=["grid operator"], response_model=None, responses=UNKNOWN)
async def evidence(
    dimming: GridOperatorDesk,
    since: Instant = None,
    until: Instant = None,
    format: Format = "json",  # noqa: A002 - the word of the address
) -> list[dict[str, Any]] | Response:
    """Who dimmed when, to what, and what was drawn; kept for three years."""
    rows = [evidence_json(line) for line in await dimming.evidence(since, until)]
    return rows if format == "json" else as_file(rows, format, "evidence", EVIDENCE_COLUMNS)


@api.get("/journal", tags=["limits"], response_model=None, responses=UNKNOWN)
async def journal(
    desk: OurDesk, asked: Annotated[JournalAsked, Query()]
) -> list[dict[str, object]] | Response:
    """Why limits were what they were, of the last 24 hours, oldest first: which rule, where, and
    the two numbers that were compared. `at=18:04` asks what held then."""
    query = JournalQuery(
        JournalOf(asked.station, asked.evse), asked.at, asked.since, asked.until, asked.limit
    )
    try:
        rows = [journal_json(entry) for entry in await desk.operations.journal(query)]
    except ValueError as reason:
        raise Refusal(422, f"at {reason}", "write a time like 18:04 or RFC 3339") from reason
    return rows if asked.format == "json" else as_file(rows, asked.format, "journal", COLUMNS)


@api.get("/messages", tags=["messages"], response_model=None)
async def messages(
    desk: OurDesk, caller: Viewer, wanted: Annotated[MessageQuery, Query()]
) -> list[dict[str, Any]] | Response:
    """The newest OCPP frames, oldest first. Passwords and keys are shown to nobody, drivers'
    tokens to operators. With `format=jsonl` as a recording that can be played again."""
    query = TraceQuery(
        station=wanted.station,
        limit=wanted.limit,
        text=wanted.text,
        action=wanted.action,
        direction=wanted.direction,
        since=wanted.since,
        until=wanted.until,
        has_tokens=may(caller, Role.OPERATOR),
    )
    found = await asyncio.to_thread(desk.operations.messages, query)
    if wanted.format == "json":
        return [message_json(entry) for entry in found]
    protocols = {name: station.protocol for name, station in desk.state.stations.items()}
    protocols[CLOUD] = desk.state.cloud.protocol
    recording = as_recording(found, protocols, desk.state.site.cloud.identity)
    return as_file(list(recording), "jsonl", f"messages-{wanted.station or 'all'}")


@api.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """This interface's own description."""
    description: dict[str, Any] = request.app.openapi()
    return description


@api.api_route(
    "/{rest:path}",
    methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
    include_in_schema=False,
)
async def nothing_here(rest: str, request: Request) -> None:
    raise Refusal(
        404,
        f"there is no {request.method} /api/v1/{rest}",
        "GET /api/v1/openapi.json describes what there is",
    )
