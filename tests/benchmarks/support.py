"""What the benchmarks share: processes to measure, and stations that cost next to nothing.

Whatever is measured runs in a process of its own; its CPU and memory are read from /proc (Linux).
The stations speak OCPP 1.6 over bare sockets, with messages made beforehand, so that the load
leaves the second core to what is measured.
"""

import asyncio
import base64
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 60.0

# Below the safe current: a station that draws more than it may is another benchmark.
SAMPLES = [
    {
        "value": value,
        "context": "Sample.Periodic",
        "measurand": measurand,
        "phase": f"L{phase}",
        "unit": unit,
    }
    for phase in (1, 2, 3)
    for measurand, value, unit in [
        ("Voltage", f"23{phase}.4", "V"),
        ("Current.Import", f"5.8{phase}", "A"),
        ("Power.Active.Import", f"135{phase}.2", "W"),
        ("Energy.Active.Import.Register", f"1234{phase}.6", "Wh"),
    ]
]
PAYLOAD = orjson.dumps(
    {
        "connectorId": 1,
        "transactionId": 4711,
        "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": SAMPLES}],
    }
)
METER_START_WH = 37_027
"""Just below what the samples say over all phases."""
_HEAD, _TAIL = PAYLOAD.split(b"4711")
_BETWEEN, _SAMPLES = _TAIL.split(b"2026-01-01T00:00:00Z")
TEXT, PING, PONG = 0x81, 0x89, 0x8A
"""First bytes of WebSocket frames."""

console = Console(highlight=False, width=110)


def meter_values(transaction: int, at: datetime) -> bytes:
    """Return a MeterValues of 12 sampled values, 1.35 kB; two of different times differ."""
    timestamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    return b"%s%d%s%s%s" % (_HEAD, transaction, _BETWEEN, timestamp, _SAMPLES)


# Processes.


def start(module: str, *arguments: object, quiet: bool = False) -> "subprocess.Popen[str]":
    """Start a module of this repository; with pipes, so that it can be told and asked things."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
    )


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running_peer(*arguments: str) -> Iterator[tuple[int, int]]:
    """Run a process of `peers`; gives its pid and port."""
    process = start("tests.benchmarks.peers", *arguments, quiet=True)
    try:
        yield process.pid, told_port(process)
    finally:
        stop(process)


def told_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def cpu_s(pid: int) -> float:
    """Return the CPU time a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"no memory of process {pid}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: "subprocess.Popen[str]") -> None:
    """Return as soon as somebody accepts connections there."""
    give_up_at = time.perf_counter() + START_TIMEOUT_S
    while time.perf_counter() < give_up_at:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise TimeoutError(f"nobody listens on {port}")


# Stations.


class Station(asyncio.Protocol):
    """One 1.6 station: asks one thing at a time, agrees to whatever it is asked."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.transaction = 0
        self.asked_at = 0.0
        self.on_answer: Callable[[Station, float], None] | None = None
        """Told of each answer with the seconds it took; None: somebody awaits it in `call`."""
        self._asked = 0
        self._buffer = b""
        self._waiting: asyncio.Future[Any] | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self, port: int, path: str = "/ocpp") -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {path}/S{self.number} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )
        await self._opened

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._closed(str(error or "closed"))

    def _closed(self, reason: str) -> None:
        lost = ConnectionResetError(f"S{self.number}: {reason}")
        for waiting in (self._opened, self._waiting):
            if waiting is not None and not waiting.done():
                waiting.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._opened.done():
            head, separator, self._buffer = self._buffer.partition(b"\r\n\r\n")
            assert separator and b" 101 " in head, head
            self._opened.set_result(None)
        while (found := self._next_frame()) is not None:
            kind, text = found
            if kind == PING:
                self._write(PONG, text)
            elif kind != TEXT:
                self._closed(f"frame {kind:#x} {text!r}")
            elif text[:2] == b"[2":
                self._agree(text)
            elif self.on_answer is not None:
                self.on_answer(self, time.perf_counter() - self.asked_at)
            elif self._waiting is not None:
                frame = orjson.loads(text)
                assert frame[0] == 3, text
                self._waiting.set_result(frame[2])

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        begin, size = 2, buffer[1]
        if size == 126:
            begin, size = 4, int.from_bytes(buffer[2:4], "big")
        if len(buffer) < begin + size:
            return None
        self._buffer = buffer[begin + size :]
        return buffer[0], buffer[begin : begin + size]

    def _agree(self, text: bytes) -> None:
        _, unique_id, action, _ = orjson.loads(text)
        answer: dict[str, object] = {"status": "Accepted"}
        if action == "GetConfiguration":
            answer = {"configurationKey": [], "unknownKey": []}
        self._write(TEXT, orjson.dumps([3, unique_id, answer]))

    def _write(self, kind: int, text: bytes) -> None:
        # Masked, as a client must, with a mask of zeros.
        is_long = len(text) > 125
        size = b"\xfe" + len(text).to_bytes(2, "big") if is_long else bytes((0x80 | len(text),))
        self.transport.write(bytes((kind,)) + size + bytes(4) + text)

    def ask(self, action: bytes, payload: bytes) -> None:
        self._asked += 1
        unique_id = b"%08d-0000-4000-8000-%012d" % (self.number, self._asked)
        self.asked_at = time.perf_counter()
        self._write(TEXT, b'[2,"%s","%s",%s]' % (unique_id, action, payload))

    async def call(self, action: str, payload: dict[str, object]) -> Any:
        self._waiting = asyncio.get_running_loop().create_future()
        self.ask(action.encode(), orjson.dumps(payload))
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await self._waiting

    async def boot(self) -> None:
        answer = await self.call(
            "BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "Bare"}
        )
        assert answer["status"] == "Accepted", answer

    async def begin(self) -> None:
        """Plug in and start a transaction."""
        now = datetime.now(UTC).isoformat()
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}
        await self.call("StatusNotification", status)
        start = {
            "connectorId": 1,
            "idTag": f"TAG-{self.number}",
            "meterStart": METER_START_WH,
            "timestamp": now,
        }
        answer = await self.call("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted", answer
        self.transaction = answer["transactionId"]
        await self.call("StatusNotification", status | {"status": "Charging"})

    def tell_meter_values(self) -> None:
        self.ask(b"MeterValues", meter_values(self.transaction, datetime.now(UTC)))


async def connected(port: int, numbers: Sequence[int]) -> list[Station]:
    """Connect stations, a few at a time."""
    crowd = [Station(number) for number in numbers]
    for first in range(0, len(crowd), 50):
        await asyncio.gather(*(station.connect(port) for station in crowd[first : first + 50]))
    return crowd


async def charging(port: int, count: int) -> list[Station]:
    """Connect stations, boot them and start a transaction at each."""
    crowd = await connected(port, range(count))

    async def begin(station: Station) -> None:
        await station.boot()
        await station.begin()

    for first in range(0, count, 50):
        await asyncio.gather(*(begin(station) for station in crowd[first : first + 50]))
    return crowd


def leave(crowd: Sequence[Station]) -> None:
    for station in crowd:
        station.transport.abort()


class ClosedLoop:
    """Every station asks again as soon as it is answered, until so many have been answered."""

    def __init__(self, crowd: Sequence[Station], messages: int) -> None:
        self._left_to_ask = self._left_to_answer = messages
        self._crowd = crowd
        self.waits_s: list[float] = []

    async def run(self) -> float:
        """Return the seconds it took."""
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        for station in self._crowd:
            station.on_answer = self._answered
            self._ask(station)
        await self._done
        for station in self._crowd:
            station.on_answer = None
        return time.perf_counter() - began

    def _ask(self, station: Station) -> None:
        if self._left_to_ask > 0:
            self._left_to_ask -= 1
            station.tell_meter_values()

    def _answered(self, station: Station, wait_s: float) -> None:
        self.waits_s.append(wait_s)
        self._left_to_answer -= 1
        if self._left_to_answer == 0:
            self._done.set_result(None)
        self._ask(station)


async def open_loop(crowd: Sequence[Station], rate: float, seconds: float) -> list[float]:
    """Ask at a steady rate, station after station, answered or not; return the waits in s.

    A station that still waits for an answer when its turn comes waits from its turn on.
    """
    loop = asyncio.get_running_loop()
    waits_s: list[float] = []
    due: dict[int, float] = {}
    answered = asyncio.Event()

    def take(station: Station, _: float) -> None:
        waits_s.append(time.perf_counter() - due.pop(station.number))
        answered.set()

    for station in crowd:
        station.on_answer = take
    began, asked = loop.time(), 0
    while asked < rate * seconds:
        due_at = began + asked / rate
        if (wait_s := due_at - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        station = crowd[asked % len(crowd)]
        while station.number in due:
            answered.clear()
            await answered.wait()
        due[station.number] = time.perf_counter() - max(0.0, loop.time() - due_at)
        station.tell_meter_values()
        asked += 1
    while due:
        answered.clear()
        await answered.wait()
    for station in crowd:
        station.on_answer = None
    return waits_s


# Figures.


def percentile_ms(waits_s: Sequence[float], share: float) -> float:
    ordered = sorted(waits_s)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(title: str, *headings: str) -> Table:
    """Return a table whose first column is words and whose others are figures."""
    made = Table(title=title, title_justify="left", title_style="bold", min_width=100)
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="right" if number else "left")
    return made
