"""What one message costs: MeterValues of 12 values, parsed, validated and answered.

    python -m tests.benchmarks.bench_wire [--stations 200] [--messages 6000] [--rounds 3]

Each server runs in its own process and answers at once; the same bare client asks it over loopback,
every station waiting for its answer before it asks again. CPU is the server's, read from /proc
(Linux). Figures drift with the neighbours; the ratios are the result.
"""

import argparse
import asyncio
import base64
import logging
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import orjson
import uvloop
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from websockets.asyncio.server import serve

from gateway.adapters.csms import CsmsServer
from site_config.model import Csms, Evse, Station

SAMPLES = [
    {
        "value": f"{230 + phase}.1",
        "context": "Sample.Periodic",
        "measurand": measurand,
        "phase": f"L{phase}",
        "unit": unit,
    }
    for phase in (1, 2, 3)
    for measurand, unit in [
        ("Voltage", "V"),
        ("Current.Import", "A"),
        ("Power.Active.Import", "W"),
        ("Energy.Active.Import.Register", "Wh"),
    ]
]
PAYLOAD = orjson.dumps(
    {
        "connectorId": 1,
        "transactionId": 4711,
        "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": SAMPLES}],
    }
)
SERVERS = {
    "ocpp package": ("ocpp", False),
    "ocpp package, uvloop": ("ocpp", True),
    "site-gateway": ("ours", False),
    "site-gateway, uvloop": ("ours", True),
}


# The servers.


async def serve_ours(stations: int) -> None:
    async def ignore(connection):
        pass

    async def answer(connection, call):
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
        print(csms.port, flush=True)  # noqa: T201 - how the parent learns the port
        await asyncio.Event().wait()


async def serve_ocpp_package(_: int) -> None:
    class ConnectedStation(ChargePoint):
        @on("MeterValues")
        async def on_meter_values(self, **_):
            return call_result.MeterValues()

    async def accept(websocket):
        await ConnectedStation("S", websocket).start()

    async with serve(accept, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - as above
        await asyncio.Event().wait()


def run_server(kind: str, stations: int, on_uvloop: bool) -> None:
    logging.disable(logging.CRITICAL)
    work = {"ours": serve_ours, "ocpp": serve_ocpp_package}[kind](stations)
    (uvloop.run if on_uvloop else asyncio.run)(work)


# The client: as little of its own as possible.


class Asker(asyncio.Protocol):
    """Asks, waits for the answer, asks again."""

    def __init__(self, number: int, tally: "Tally") -> None:
        self._number = number
        self._tally = tally
        self._asked = 0
        self._buffer = b""
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ocpp/S{self._number} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, separator, self._buffer = self._buffer.partition(b"\r\n\r\n")
            assert separator and b" 101 " in head, head
            self.opened.set_result(None)
        while len(self._buffer) >= 2 and len(self._buffer) >= 2 + self._buffer[1]:
            size = self._buffer[1]
            assert size < 126 and self._buffer[2:4] == b"[3", self._buffer
            self._buffer = self._buffer[2 + size :]
            self._tally.answered(self)

    def ask(self) -> None:
        self._asked += 1
        unique_id = f"{self._number:08d}-0000-4000-8000-{self._asked:012d}"
        text = b'[2,"%s","MeterValues",%s]' % (unique_id.encode(), PAYLOAD)
        head = b"\x81\xfe" + len(text).to_bytes(2, "big")  # Masked, with a mask of zeros.
        self.transport.write(head + bytes(4) + text)


class Tally:
    def __init__(self, messages: int) -> None:
        self.left_to_ask = self.left_to_answer = messages
        self.done = asyncio.get_running_loop().create_future()

    def ask(self, station: Asker) -> None:
        if self.left_to_ask > 0:
            self.left_to_ask -= 1
            station.ask()

    def answered(self, station: Asker) -> None:
        self.left_to_answer -= 1
        if self.left_to_answer == 0:
            self.done.set_result(None)
        self.ask(station)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(port: int, pid: int, stations: int, messages: int) -> tuple[float, float]:
    """Return messages per second and CPU microseconds per message."""
    loop = asyncio.get_running_loop()
    tally = Tally(stations)
    crowd = []
    for number in range(stations):
        _, station = await loop.create_connection(lambda n=number: Asker(n, tally), port=port)
        await station.opened
        crowd.append(station)
    for count in (stations, messages):  # The first time only to warm up.
        tally.__init__(count)
        before, started = cpu_s(pid), time.perf_counter()
        for station in crowd:
            tally.ask(station)
        await tally.done
        elapsed_s, used_s = time.perf_counter() - started, cpu_s(pid) - before
    for station in crowd:
        station.transport.abort()
    return messages / elapsed_s, used_s / messages * 1e6


def measure_server(kind: str, on_uvloop: bool, stations: int, messages: int) -> tuple[float, float]:
    command = [sys.executable, __file__, "--serve", kind, "--stations", str(stations)]
    command += ["--uvloop"] if on_uvloop else []
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        port = int(server.stdout.readline())
        return uvloop.run(measure(port, server.pid, stations, messages))
    finally:
        server.kill()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=["ours", "ocpp"], help=argparse.SUPPRESS)
    parser.add_argument("--uvloop", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_server(options.serve, options.stations, options.uvloop)
        return
    rounds = {name: [] for name in SERVERS}
    for _ in range(options.rounds):
        for name, (kind, on_uvloop) in SERVERS.items():
            messages = options.messages if kind == "ocpp" else options.messages * 10
            rounds[name].append(measure_server(kind, on_uvloop, options.stations, messages))
    base_us = statistics.median(cpu_us for _, cpu_us in rounds["ocpp package"])
    print(f"{options.stations} stations, MeterValues of {len(PAYLOAD)} bytes")  # noqa: T201 - a report
    for name, results in rounds.items():
        rate, cpu_us = (statistics.median(column) for column in zip(*results, strict=True))
        print(  # noqa: T201 - a report
            f"{name:24} {rate:8.0f} msg/s {cpu_us:8.1f} us CPU/msg {base_us / cpu_us:6.1f} x"
        )


if __name__ == "__main__":
    main()
