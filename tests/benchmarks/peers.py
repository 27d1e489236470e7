"""The other processes of the benchmarks: a cloud that is fast, and two servers to compare.

    python -m tests.benchmarks.peers cloud VERSION | ocpp [--uvloop] | wire STATIONS [--uvloop]

Each prints its port. `cloud` accepts everything at once and is told things, a line each, on its
standard input: `open` (accept the registration, which until then is Pending), `delay SECONDS`
(answer that late), `count` (print how many CALLs and meter values came). `ocpp` is a plain
CSMS on the `ocpp` package, `wire` the gateway's OCPP server alone: neither keeps anything.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import uvloop
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve

from gateway.adapters.csms import CsmsServer, StationConnection
from gateway.ocpp.frames import Call, Payload
from site_config.links import Csms
from site_config.stations import Evse, Station

RETRY_S = 1


class FastCloud:
    """Answers every CALL in the order they came."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._is_open = False
        self._delay_s = 0.0
        self._calls = self._values = self._transactions = 0

    async def run(self) -> None:
        await self._listen_to_stdin()
        async with serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=[self._version],  # type: ignore[list-item]  # a NewType of str
            compression=None,
            max_size=None,
        ) as server:
            say(next(iter(server.sockets)).getsockname()[1])
            await asyncio.Event().wait()

    async def _serve(self, websocket: ServerConnection) -> None:
        async for text in websocket:
            message_type, unique_id, *rest = orjson.loads(text)
            if message_type != 2:
                continue
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            action, payload = rest
            self._count(payload)
            answer = orjson.dumps([3, unique_id, self._answer(action)])
            await websocket.send(answer.decode())

    def _count(self, payload: dict[str, Any]) -> None:
        self._calls += 1
        self._values += len(payload.get("meterValue", ()))

    def _answer(self, action: str) -> dict[str, Any]:
        accepted = {"status": "Accepted"}
        match action:
            case "BootNotification":
                status, interval_s = ("Accepted", 300) if self._is_open else ("Pending", RETRY_S)
                now = datetime.now(UTC).isoformat()
                return {"status": status, "currentTime": now, "interval": interval_s}
            case "Heartbeat":
                return {"currentTime": datetime.now(UTC).isoformat()}
            case "Authorize":
                name = "idTagInfo" if self._version == "ocpp1.6" else "idTokenInfo"
                return {name: accepted}
            case "StartTransaction":
                self._transactions += 1
                return {"transactionId": self._transactions, "idTagInfo": accepted}
            case _:
                return {}

    async def _listen_to_stdin(self) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        self._told = asyncio.create_task(self._obey(reader))

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            match line.decode().split():
                case ["open"]:
                    self._is_open = True
                case ["delay", seconds]:
                    self._delay_s = float(seconds)
                case ["count"]:
                    say(self._calls, self._values)


class ConnectedStation(ChargePoint):  # type: ignore[misc]  # the package ships no types for it
    """A CSMS as the `ocpp` package's own examples build it."""

    @on("BootNotification")
    async def on_boot_notification(self, **_: Any) -> Any:
        now = datetime.now(UTC).isoformat()
        return call_result.BootNotification(
            current_time=now, interval=300, status=RegistrationStatus.accepted
        )

    @on("StatusNotification")
    async def on_status_notification(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    @on("StartTransaction")
    async def on_start_transaction(self, **_: Any) -> Any:
        accepted = IdTagInfo(status=AuthorizationStatus.accepted)
        return call_result.StartTransaction(transaction_id=1, id_tag_info=accepted)

    @on("MeterValues")
    async def on_meter_values(self, **_: Any) -> Any:
        return call_result.MeterValues()


async def serve_ocpp_package() -> None:
    async def accept(websocket: ServerConnection) -> None:
        await ConnectedStation("S", websocket).start()

    async with serve(accept, "127.0.0.1", 0, subprotocols=["ocpp1.6"], backlog=1024) as server:  # type: ignore[list-item]  # as above
        say(next(iter(server.sockets)).getsockname()[1])
        await asyncio.Event().wait()


async def serve_wire(stations: int) -> None:
    async def ignore(connection: StationConnection) -> None:
        pass

    async def answer(connection: StationConnection, call: Call) -> Payload:
        return {}

    station = Station(circuit="grid", safe_current_a=6, evses={1: Evse()})
    csms = CsmsServer(
        Csms(listen="127.0.0.1:0"),
        {f"S{number}": station for number in range(stations)},
        on_connected=ignore,
        on_call=answer,
        on_disconnected=ignore,
    )
    async with csms:
        say(csms.port)
        await asyncio.Event().wait()


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - to whoever started this process


def main() -> None:
    logging.disable(logging.CRITICAL)
    kind, *options = sys.argv[1:]
    is_fast = kind == "cloud" or "--uvloop" in options
    match kind:
        case "cloud":
            work = FastCloud(options[0]).run()
        case "ocpp":
            work = serve_ocpp_package()
        case _:
            work = serve_wire(int(options[0]))
    (uvloop.run if is_fast else asyncio.run)(work)


if __name__ == "__main__":
    main()
