"""The whole gateway, end to end: stations below, disk in the middle, a cloud above.

    python -m tests.benchmarks.bench_gateway [--stations 200 1000] [--messages 20000] [--cloud …]

Everything is a process of its own: the gateway as `site-gateway run` starts it, a cloud that
answers at once, the stations in this one, and beside the gateway a plain CSMS on the `ocpp`
package under the same load. A message is a MeterValues of 12 values in a running transaction:
parsed, validated, committed to disk (FULL), answered, and forwarded to the cloud. CPU and memory
are the gateway's alone, from /proc (Linux). Figures drift with the neighbours; the ratios of one
run are the result.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import uvloop
import yaml

from tests.benchmarks import support
from tests.benchmarks.support import ClosedLoop, console, percentile_ms

OPEN_RATE = 200.0
"""Messages a second of the whole site in open loop."""
DRAIN_RTT_S = 0.15
QUIET_S = 0.5
"""A cloud that hears nothing for so long has heard everything."""
WARM_UP = 3
"""Messages of each station before anything is measured."""


def site_file(folder: Path, stations: int, port: int, cloud_port: int, version: str) -> Path:
    """Write a site without a page: one fuse that is large enough for everybody."""
    site = {
        "site": {"id": "bench", "name": "Benchmark"},
        "cloud": {
            "url": f"ws://127.0.0.1:{cloud_port}/ocpp",
            "identity": "BENCH",
            "protocols": [version],
            "offline_unknown_tokens": "accept",
        },
        "csms": {"listen": f"127.0.0.1:{port}"},
        "circuits": {"grid": {"rating_a": 16.0 * max(stations, 2)}},
        "stations": {
            f"S{number}": {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}}}
            for number in range(stations)
        },
    }
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    return path


class Cloud(NamedTuple):
    """The fast cloud, told and asked over pipes."""

    process: "subprocess.Popen[str]"
    port: int

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def count(self) -> tuple[int, int]:
        """Return the CALLs and the meter values it has received."""
        self.tell("count")
        assert self.process.stdout is not None
        calls, values = self.process.stdout.readline().split()
        return int(calls), int(values)

    def wait_until_quiet(self) -> None:
        """Return when it has been told everything."""
        before = (-1, -1)
        while (now := self.count()) != before:
            before = now
            time.sleep(QUIET_S)


class Gateway(NamedTuple):
    pid: int
    port: int
    cloud: Cloud
    started_s: float
    """From exec to the first accepted connection."""


@contextmanager
def running_gateway(
    stations: int, version: str, folder: Path | None, *, is_cloud_open: bool = True
) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        cloud_process = support.start("tests.benchmarks.peers", "cloud", version)
        cloud = Cloud(cloud_process, support.told_port(cloud_process))
        if is_cloud_open:
            cloud.tell("open")
        port = support.free_port()
        site = site_file(Path(temporary), stations, port, cloud.port, version)
        began = time.perf_counter()
        process = support.start(
            "gateway", "run", site, "--data", Path(temporary) / "data", quiet=True
        )
        try:
            support.wait_for_port(port, process)
            yield Gateway(process.pid, port, cloud, time.perf_counter() - began)
        finally:
            support.stop(process)
            support.stop(cloud_process)


# Throughput and latency.


@dataclass(frozen=True, slots=True)
class Load:
    """What one server did under load."""

    rate: float
    cpu_us: float
    closed_s: Sequence[float]
    """Waits of the closed loop."""
    forwarded: float
    """Messages a second, counted until the cloud had the last one."""
    open_s: Sequence[float]
    """Waits at `OPEN_RATE`."""


async def load(
    port: int,
    pid: int,
    stations: int,
    messages: int,
    seconds: float,
    settle: Callable[[], None] = lambda: None,
) -> Load:
    """Load a server in closed loop; then, once `settle` has returned, in open loop."""
    crowd = await support.charging(port, stations)
    await ClosedLoop(crowd, WARM_UP * stations).run()
    before = support.cpu_s(pid)
    closed = ClosedLoop(crowd, messages)
    began = time.perf_counter()
    elapsed_s = await closed.run()
    cpu_us = (support.cpu_s(pid) - before) / messages * 1e6
    await asyncio.to_thread(settle)
    forwarded = (messages + WARM_UP * stations) / (time.perf_counter() - began)
    open_s = await support.open_loop(crowd, OPEN_RATE, seconds)
    support.leave(crowd)
    return Load(messages / elapsed_s, cpu_us, closed.waits_s, forwarded, open_s)


def loaded(options: argparse.Namespace, stations: int) -> dict[str, Load]:
    few = max(stations * WARM_UP, options.messages // 10)
    with support.running_peer("ocpp") as (pid, port):
        plain = uvloop.run(load(port, pid, stations, few, options.seconds))
    with running_gateway(stations, options.cloud, options.folder) as gateway:
        ours = uvloop.run(
            load(
                *(gateway.port, gateway.pid, stations, options.messages, options.seconds),
                gateway.cloud.wait_until_quiet,
            )
        )
    return {"ocpp package": plain, "site-gateway": ours}


def throughput(options: argparse.Namespace) -> None:
    busy = support.table(
        f"MeterValues of 12 values ({len(support.PAYLOAD)} B), durable, answered, forwarded",
        *("as fast as they are answered", "stations", "msg/s", "CPU us/msg", "x ocpp package"),
        *("p50 ms", "p99 ms", "forwarded/s"),
    )
    calm = support.table("", f"{OPEN_RATE:.0f} msg/s in all", "stations", "p50 ms", "p99 ms")
    for stations in options.stations:
        found = loaded(options, stations)
        for name, figures in found.items():
            busy.add_row(
                name,
                f"{stations:,}",
                f"{figures.rate:,.0f}",
                f"{figures.cpu_us:,.0f}",
                f"{found['ocpp package'].cpu_us / figures.cpu_us:.1f}",
                f"{percentile_ms(figures.closed_s, 0.5):.1f}",
                f"{percentile_ms(figures.closed_s, 0.99):.1f}",
                f"{figures.forwarded:,.0f}" if name == "site-gateway" else "",
            )
            calm.add_row(
                name,
                f"{stations:,}",
                f"{percentile_ms(figures.open_s, 0.5):.2f}",
                f"{percentile_ms(figures.open_s, 0.99):.2f}",
            )
    console.print(busy)
    console.print("target: >= 4,000 msg/s")
    console.print(calm)
    console.print("target: p50 <= 2 ms, p99 <= 10 ms\n")


# Memory and reconnecting.


async def settled_rss_kib(gateway: Gateway, stations: int) -> int:
    crowd = await support.charging(gateway.port, stations)
    for _ in range(5 if crowd else 0):
        await ClosedLoop(crowd, stations).run()
        await asyncio.sleep(0.5)
    await asyncio.sleep(1)
    kib = support.rss_kib(gateway.pid)
    support.leave(crowd)
    return kib


def memory(options: argparse.Namespace) -> None:
    table = support.table("memory, without the page", "stations charging", "RSS MB", "KiB/station")
    base_kib = 0
    for stations in (0, *options.stations):
        with running_gateway(stations, options.cloud, options.folder) as gateway:
            kib = uvloop.run(settled_rss_kib(gateway, stations))
        base_kib = base_kib or kib
        each = f"{(kib - base_kib) / stations:.1f}" if stations else ""
        table.add_row(f"{stations:,}", f"{kib / 1024:.1f}", each)
    console.print(table)
    console.print("target: <= 90 MB + 30 KiB per station\n")


async def reconnect(gateway: Gateway, stations: int) -> tuple[float, int]:
    """Cut every connection; return the seconds until all have booted again, and how many did."""
    support.leave(await support.charging(gateway.port, stations))
    await asyncio.sleep(2)
    began = time.perf_counter()

    async def come_back(number: int) -> support.Station:
        station = support.Station(number)
        await station.connect(gateway.port)
        await station.boot()
        return station

    back = await asyncio.gather(*map(come_back, range(stations)), return_exceptions=True)
    elapsed_s = time.perf_counter() - began
    there = [station for station in back if isinstance(station, support.Station)]
    support.leave(there)
    return elapsed_s, len(there)


def reconnecting(options: argparse.Namespace) -> None:
    table = support.table(
        "all stations reconnect at once", "stations", "booted", "s", "CPU ms each"
    )
    stations = max(options.stations)
    with running_gateway(stations, options.cloud, options.folder) as gateway:
        for _ in range(options.rounds):
            before = support.cpu_s(gateway.pid)
            elapsed_s, booted = uvloop.run(reconnect(gateway, stations))
            each_ms = (support.cpu_s(gateway.pid) - before) / stations * 1e3
            table.add_row(f"{stations:,}", f"{booted:,}", f"{elapsed_s:.2f}", f"{each_ms:.2f}")
            time.sleep(1)
    console.print(table)
    console.print("target: 1,000 within 3 s, none lost (CPU: with the first start of each)\n")


# Start and backlog.


def starting(options: argparse.Namespace) -> None:
    times_s = []
    for _ in range(5):
        with running_gateway(2, options.cloud, options.folder) as gateway:
            times_s.append(gateway.started_s)
    table = support.table("start to listening", "", "median s", "slowest s", "target s")
    table.add_row("5 starts", f"{support.median(times_s):.2f}", f"{max(times_s):.2f}", "1.50")
    console.print(table)


async def fill(gateway: Gateway, stations: int, messages: int) -> None:
    crowd = await support.charging(gateway.port, stations)
    await ClosedLoop(crowd, messages).run()
    support.leave(crowd)


def drain(options: argparse.Namespace) -> None:
    stations = 100
    with running_gateway(stations, options.cloud, options.folder, is_cloud_open=False) as gateway:
        cloud = gateway.cloud
        uvloop.run(fill(gateway, stations, options.backlog))
        cloud.tell("open")
        while cloud.count()[1] < 5 * stations:  # statuses and starts first, as fast as can be
            time.sleep(0.05)
        cloud.tell(f"delay {DRAIN_RTT_S}")
        time.sleep(2 * DRAIN_RTT_S)
        before, began = cloud.count(), time.perf_counter()
        time.sleep(options.seconds)
        after, elapsed_s = cloud.count(), time.perf_counter() - began
    calls, values = after[0] - before[0], after[1] - before[1]
    table = support.table(
        f"backlog of {options.backlog:,} meter values, drained at RTT {DRAIN_RTT_S * 1e3:.0f} ms",
        *("", "CALLs/s", "CALLs/s x RTT", "meter values per CALL", "meter values/s"),
    )
    rate = calls / elapsed_s
    table.add_row(
        "site-gateway",
        f"{rate:.2f}",
        f"{rate * DRAIN_RTT_S:.2f}",
        f"{values / max(calls, 1):.1f}",
        f"{values / elapsed_s:.0f}",
    )
    console.print(table)
    console.print("target: >= 0.9 / RTT CALLs per second, >= 10 meter values per CALL\n")


MEASURES = {
    "throughput": throughput,
    "memory": memory,
    "reconnecting": reconnecting,
    "starting": starting,
    "drain": drain,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", choices=[*MEASURES, []], help="default: all")
    parser.add_argument("--stations", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--messages", type=int, default=20_000, help="of the closed loop")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the open loop")
    parser.add_argument("--backlog", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="of reconnecting")
    parser.add_argument("--cloud", choices=["ocpp2.0.1", "ocpp1.6"], default="ocpp2.0.1")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    options = parser.parse_args(arguments)
    for name in options.measures or MEASURES:
        MEASURES[name](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
