"""The REST interface of one EVSE: what its driver wants, what was drawn. The rest is in `api`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer

from gateway.adapters.web.answers import Refused
from gateway.adapters.web.api import FORBIDDEN, UNKNOWN, Operator, OurDesk, viewer
from gateway.limit_wish import DriverWish
from gateway.operations import NotFound
from gateway.site_state import wish_json
from load_balancer.inputs import EvseKey

evses = APIRouter(
    prefix="/api/v1/stations/{station}/evses/{evse}",
    dependencies=[Depends(viewer), Depends(HTTPBearer(auto_error=False))],
    responses={401: {"model": Refused, "description": "No token, or an unknown one"}},
)


def key_of(station: str, evse: int) -> EvseKey:
    return EvseKey(station, evse)


OfEvse = Annotated[EvseKey, Depends(key_of)]


@evses.put("/wish", tags=["wishes"], responses=FORBIDDEN)
async def wish(
    key: OfEvse, wanted: DriverWish, desk: OurDesk, caller: Operator
) -> dict[str, Any] | None:
    """Say what the driver wants: so much energy from now on, by such an hour. It orders the fair
    shares, outranks what the car says, and ends with the transaction. On disk when answered."""
    told = await desk.operations.set_wish(
        key, energy_wh=wanted.energy_wh, departs_at=wanted.departs_at, caller=caller
    )
    return wish_json(told)


@evses.delete("/wish", tags=["wishes"], status_code=204, responses=FORBIDDEN)
async def forget_wish(key: OfEvse, desk: OurDesk, caller: Operator) -> None:
    """Take back what is wished there, be it an operator's or the car's word."""
    await desk.operations.clear_wish(key, caller)


@evses.get("/draws", tags=["limits"], responses=UNKNOWN)
async def draws(key: OfEvse, desk: OurDesk) -> list[list[float | None]]:
    """What it drew over the last day, since the gateway's start: milliseconds since 1970, the
    highest current of that minute on any phase, A; null: not known."""
    station = desk.state.stations.get(key.station_id)
    if station is None or key.evse_id not in station.evses:
        raise NotFound(f"there is no EVSE {key.station_id}/{key.evse_id}")
    points = station.evses[key.evse_id].draws.points()
    return [[point.at.timestamp() * 1000, point.drawn_a] for point in points]
