"""A whole simulated site, built from its configuration: stations, cars, circuits and meters.

    world = World(site, Scenario())
    await world.run()          # never returns; cancel it to switch the site off

Touches sockets through `link` and `meter`, and the clock; what happens is decided by `plant`,
`traffic` and the stations. Protocol time is real; batteries, energy registers and the building's
day run `time_scale` times as fast, together.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import meter_model
from gateway.meters.mounting import as_the_meter_sees
from gateway.simulation.cars import Conductors
from gateway.simulation.changes import Changes
from gateway.simulation.evse import EvseHardware
from gateway.simulation.link import BackOff, StationLink
from gateway.simulation.meter import Address, SimulatedMeter
from gateway.simulation.plant import Building, Load, Place, Plant, Wiring
from gateway.simulation.quirks import Quirks
from gateway.simulation.station import Station, StationSettings, epoch_of
from gateway.simulation.station_16 import Station16
from gateway.simulation.station_201 import Station201
from gateway.simulation.traffic import Habits, Happening, Leaves, PlugsIn, ShowsCard, Traffic
from load_balancer.phases import rotation
from site_config.addresses import TcpBus, host_and_port, parse_bus
from site_config.links import OcppVersion
from site_config.model import Site

log = logging.getLogger(__name__)

STATION_KINDS: dict[OcppVersion, type[Station]] = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}

VENDORS = (("Simulant", "Wallbox S1"), ("Ladewerk", "Duo 22"), ("Voltaris", "Post 11"))


SHOWS_CARD_AGAIN_S = 15.0
"""A driver whose card did nothing tries again: the cloud may be away, and nobody know him yet."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is not in a site file: who comes, and what the building does."""

    versions: Mapping[str, OcppVersion] = field(default_factory=dict)
    """Station -> version; the others take turns."""
    quirks: Mapping[str, Quirks] = field(default_factory=dict)
    loads: Mapping[str, Load] = field(default_factory=dict)
    """Circuit -> what draws there beside the EVSEs; empty: a building at the root."""
    habits: Habits | None = field(default_factory=Habits)
    """None: no car comes by itself."""
    time_scale: float = 30.0
    start_hour: float = 16.5
    building_peak_part: float = 0.6
    """The highest load of the default building, as a part of the root's rating."""
    meter_interval_s: int = 10
    back_off: BackOff = field(default_factory=BackOff)
    tick_s: float = 0.5
    seed: int = 1


class World:
    """The site's hardware, living.

    Args:
        csms_url: where the stations connect; None: where the site file says the gateway listens.
    """

    def __init__(
        self,
        site: Site,
        scenario: Scenario,
        *,
        csms_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_happening: Callable[[Happening], None] | None = None,
    ) -> None:
        self.site, self.scenario = site, scenario
        self.changes = Changes()
        self._clock = clock
        self.on_happening = on_happening
        self._csms_url = csms_url or _csms_url(site)
        self.plant = _plant_of(site, scenario)
        self.links = {
            name: self._link(name, number) for number, name in enumerate(sorted(site.stations))
        }
        self.meters: dict[str, SimulatedMeter] = {}
        """Those with a TCP address, once the world runs."""
        self._cards: dict[Place, tuple[str, float]] = {}
        """Shown where nothing has begun yet, and when they are shown again."""
        self._traffic = None
        if scenario.habits:
            self._traffic = Traffic(self.plant.wirings, scenario.habits, scenario.seed)

    @property
    def now(self) -> float:
        """Monotonic seconds by the world's clock."""
        return self._clock()

    @property
    def stations(self) -> dict[str, Station]:
        return {name: link.station for name, link in self.links.items()}

    async def run(self) -> None:
        """Live until cancelled."""
        async with AsyncExitStack() as stack:
            await self.start_meters(stack)
            async with asyncio.TaskGroup() as tasks:
                for link in self.links.values():
                    tasks.create_task(link.run())
                tasks.create_task(self._keep_ticking())

    async def start_meters(self, stack: AsyncExitStack) -> None:
        """Serve every meter of the site that has a TCP address, until the stack closes."""
        for name, meter in self.site.meters.items():
            bus = parse_bus(meter.url)
            if not isinstance(bus, TcpBus):
                log.warning('meter.skipped meter=%s reason="not a TCP address"', name)
                continue
            address = Address(bus.host, bus.port, meter.unit)
            server = SimulatedMeter(meter_model(meter.model), self._values_of(name), address)
            self.meters[name] = await stack.enter_async_context(server)

    def tick(self) -> None:
        """Let everything happen that happens until the clock's now."""
        now = self._clock()
        for happening in self._traffic.step(now) if self._traffic else ():
            self._happen(happening)
        self._show_cards_again(now)
        for name, link in self.links.items():
            for evse_id, evse in link.station.evses.items():
                evse.voltage_v = self.plant.voltage_at((name, evse_id))
            link.tick()
        self.plant.step(now, self.drawn())
        self.changes.notify()

    def drawn(self) -> dict[Place, Conductors]:
        """Return what every EVSE draws now, A on its own conductors."""
        return {
            (name, evse_id): evse.currents_a
            for name, station in self.stations.items()
            for evse_id, evse in station.evses.items()
        }

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Return once `condition` holds; it is looked at after every tick and frame."""
        await self.changes.until(condition, timeout_s)

    async def _keep_ticking(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(self.scenario.tick_s)

    def _happen(self, happening: Happening) -> None:
        name, evse_id = happening.place
        link = self.links[name]
        match happening:
            case PlugsIn(_, car):
                link.plug_in(evse_id, car)
            case ShowsCard(place, token):
                link.present(evse_id, token)
                self._cards[place] = token, self._clock() + SHOWS_CARD_AGAIN_S
            case Leaves(place, token):
                self._cards.pop(place, None)
                transaction = link.station.visits[evse_id].transaction
                if transaction and transaction.id_token == token:
                    link.present(evse_id, token)
                link.unplug(evse_id)
        if self.on_happening:
            self.on_happening(happening)

    def _show_cards_again(self, now: float) -> None:
        for (name, evse_id), (token, again_at) in [*self._cards.items()]:
            link = self.links[name]
            if link.station.visits[evse_id].transaction:
                del self._cards[name, evse_id]
            elif now >= again_at:
                self._cards[name, evse_id] = token, now + SHOWS_CARD_AGAIN_S
                link.present(evse_id, token)

    def _link(self, name: str, number: int) -> StationLink:
        configured, scenario = self.site.stations[name], self.scenario
        versions: tuple[OcppVersion, ...] = ("ocpp1.6", "ocpp2.0.1")
        version = scenario.versions.get(name, versions[number % 2])
        vendor, model = VENDORS[number % len(VENDORS)]
        settings = StationSettings(
            name,
            evses=tuple(
                EvseHardware(evse_id, evse.max_current_a, len(evse.phases))
                for evse_id, evse in sorted(configured.evses.items())
            ),
            vendor=vendor,
            model=model,
            serial_number=f"SIM-{number + 1:04d}",
            quirks=scenario.quirks.get(name, Quirks()),
            meter_interval_s=scenario.meter_interval_s,
        )
        epoch = epoch_of(datetime.now(UTC), self._clock())
        station = STATION_KINDS[version](settings, epoch)
        for evse in station.evses.values():
            evse.time_scale = scenario.time_scale
        return StationLink(
            station,
            self._csms_url,
            password=configured.password,
            back_off=scenario.back_off,
            tick_s=None,
            clock=self._clock,
            dice=random.Random(scenario.seed * 1000 + number),  # noqa: S311 - jitter, no secret
            changes=self.changes,
        )

    def _values_of(self, meter_id: str) -> Callable[[], DecodedValues]:
        circuit = next(n for n, c in self.site.circuits.items() if c.meter == meter_id)

        def read() -> DecodedValues:
            values = self.plant.circuits[circuit]
            measured = DecodedValues(
                currents=PhaseValues(*values.currents_a),
                voltages=PhaseValues(*values.voltages_v),
                powers=PhaseValues(*values.powers_w),
                power_w=sum(values.powers_w),
                energy_import_wh=values.energy_import_wh,
                frequency_hz=50.0,
            )
            return as_the_meter_sees(measured, self.site.meters[meter_id])

        return read


def _plant_of(site: Site, scenario: Scenario) -> Plant:
    parents = {name: circuit.parent for name, circuit in site.circuits.items()}
    wirings = {
        (name, evse_id): Wiring(station.circuit, rotation(evse.phases))
        for name, station in site.stations.items()
        for evse_id, evse in station.evses.items()
    }
    loads = scenario.loads
    if not loads:
        root = next(name for name, parent in parents.items() if parent is None)
        peak_a = site.circuits[root].rating_a * scenario.building_peak_part
        loads = {root: Building((peak_a, peak_a * 0.87, peak_a * 0.94), seed=scenario.seed)}
    return Plant(
        parents,
        wirings,
        loads,
        voltage_v=site.site.voltage_v,
        time_scale=scenario.time_scale,
        start_hour=scenario.start_hour,
    )


def _csms_url(site: Site) -> str:
    host, port = host_and_port(site.csms.listen)
    reachable = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    scheme = "wss" if site.csms.tls else "ws"
    return f"{scheme}://{reachable}:{port}{site.csms.path.rstrip('/')}"
