"""The REST interface: `/healthz`, `/metrics` and `/api/v1`.

Translates between HTTP and `Operations`; decides only who may knock. Whether a limit is
granted is decided there. Every error is `{"error": …, "advice": …}`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPBearer

from gateway import metrics
from gateway.adapters.web.access import Access, may
from gateway.adapters.web.answers import (
    Refusal,
    Refused,
    limit_json,
    message_json,
    outbox_row_json,
    quarantined_json,
    transaction_json,
)
from gateway.adapters.web.desk import Desk
from gateway.limit_wish import Instant, LimitWish
from gateway.operations import Caller
from gateway.records import LimitSource
from site_config.model import Role

MAX_ROWS = 10_000
"""Most rows of outbox or trace in one answer."""


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def viewer(request: Request) -> Caller:
    """Return who asks. Raises a 401 without a token of the site file."""
    access: Access = request.app.state.access
    caller = access.by_header(request.headers.get("authorization"))
    if caller is None:
        raise Refusal(
            401,
            "no valid token",
            "send the header `Authorization: Bearer TOKEN` with a token of web.tokens in the "
            "site file",
        )
    return caller


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


@api.get("/transactions", tags=["transactions"])
async def transactions(
    desk: OurDesk, since: Instant = None, until: Instant = None
) -> list[dict[str, Any]]:
    """Transactions that started in [since, until), newest first; `ended_at` null: running."""
    found = await desk.operations.transactions(since, until)
    return [transaction_json(transaction) for transaction in found]


@api.get("/outbox", tags=["outbox"])
async def outbox(
    desk: OurDesk, limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 1000
) -> dict[str, Any]:
    """What the cloud has not confirmed, oldest first, and what it will never accept as it is."""
    return {
        "pending": [outbox_row_json(row) for row in await desk.operations.outbox(limit)],
        "quarantined": [quarantined_json(row) for row in await desk.operations.quarantined()],
    }


@api.post("/outbox/{row_id}/retry", tags=["outbox"], status_code=204, responses=FORBIDDEN)
async def retry(row_id: int, desk: OurDesk, caller: Operator) -> None:
    """Put a quarantined message back into its lane."""
    await desk.operations.release(row_id, is_retried=True, caller=caller)


@api.post("/outbox/{row_id}/discard", tags=["outbox"], status_code=204, responses=FORBIDDEN)
async def discard(row_id: int, desk: OurDesk, caller: Operator) -> None:
    """Give a quarantined message up for good. It will never be billed."""
    await desk.operations.release(row_id, is_retried=False, caller=caller)


@api.get("/messages", tags=["messages"])
async def messages(
    desk: OurDesk,
    station: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 200,
) -> list[dict[str, Any]]:
    """The newest OCPP frames, oldest first. `station` is an identity of the site file, or
    `cloud`; without it: of all sockets."""
    return [message_json(entry) for entry in desk.operations.messages(station, limit)]


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
