"""The journal of a running site: why limits were what they were, also after a restart."""

import httpx
from rich.console import Console

from gateway.adapters.store_why import why
from gateway.simulation.cars import Car
from tests.scenarios.test_limits import live

WEB = {
    "listen": "127.0.0.1:0",
    "tokens": [{"name": "tablet", "role": "operator", "token": "operator-secret"}],
}
HEADERS = {"Authorization": "Bearer operator-secret"}


async def test_why_was_this_car_at_9_a_is_answered_before_and_after_a_restart(depot_of):
    async with depot_of("ocpp1.6", web=WEB) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))
        await live(bench, depot, lambda: bench.limit_a() >= 11, speed=5)
        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            wish = {"limit_a": 9, "reason": "works on L2"}
            await http.put("/api/v1/circuits/grid/limit", json=wish)
            await live(bench, depot, lambda: bench.limit_a() == 9.0, speed=5)
            told = (await http.get("/api/v1/journal?station=CP-01&evse=1")).json()
            draws = (await http.get("/api/v1/stations/CP-01/evses/1/draws")).json()
        limiters = depot.gateway.state.circuits["grid"].limiters
        at = depot.clock.wall().isoformat()
        await depot.stop()
        console = Console(record=True, width=200)

        code = why(depot.data_dir / "gateway.db", "CP-01/1", at, None, console)

        last = told[-1]
        assert (last["to_a"], last["rule"], last["circuit"]) == (9.0, "operator", "grid")
        assert last["from_a"] >= 11
        assert max(drawn_a or 0 for _, drawn_a in draws) >= 6
        assert [each.text for each in limiters] == ["tablet: 9 A (works on L2)"]
        assert "An operator allows 9.0 A at grid" in last["sentence"]
        assert code == 0
        assert "An operator allows 9.0 A at grid" in console.export_text()
