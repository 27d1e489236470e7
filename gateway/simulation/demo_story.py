"""What the demo tells its visitor: one calm line for each thing that happens.

Prints on the console it is handed; decides only what is worth a line. Currents are A per phase.
"""

from datetime import timedelta

from rich.console import Console
from rich.markup import escape

from gateway.simulation.cars import Conductors
from gateway.simulation.cloud import Cloud
from gateway.simulation.demo_site import Ports
from gateway.simulation.plant import Place
from gateway.simulation.traffic import Happening, Leaves, PlugsIn, ShowsCard
from gateway.simulation.world import World
from site_config.model import Site

SUMMARY_EVERY_S = 60.0

NEWS_A = 12.0
"""A change of all limits together that is worth a line, A."""


class Story:
    """The demo, told line by line."""

    def __init__(self, console: Console, site: Site) -> None:
        self._console = console
        self._site = site
        self._root = next(name for name, c in site.circuits.items() if c.parent is None)
        self._hours: float | None = None
        self._told_limits_a: dict[Place, float] = {}
        """What was told last of every car that charges."""
        self._summary_at: float | None = None
        self._heard_before: int | None = None
        """Calls the cloud had heard when it came back; None: nothing to catch up."""
        self._complaints = 0

    def begin(self, ports: Ports, token: str) -> None:
        page = f"http://127.0.0.1:{ports.page}"
        self._console.print(f"[bold]{escape(self._site.site.name)}[/bold]: {page}")
        self._console.print(f"  sign in with [bold]{token}[/bold] · Ctrl-C ends the demo")
        self._console.print(
            f"  stations at ws://127.0.0.1:{ports.stations}/ocpp · meter on "
            f"127.0.0.1:{ports.meter} · cloud at ws://127.0.0.1:{ports.cloud}/ocpp",
            soft_wrap=True,
        )

    def end(self, cloud: Cloud) -> None:
        self._console.print(f"The demo has ended. {_booked(cloud)}", soft_wrap=True)

    def happening(self, happening: Happening) -> None:
        station, evse_id = happening.place
        where = f"{station}/{evse_id}"
        match happening:
            case PlugsIn(_, car):
                phases = {1: "single-phase", 2: "two-phase", 3: "three-phase"}[car.phases]
                self._say(
                    f"{where}: a car plugs in, {car.capacity_wh / 1000:.0f} kWh, "
                    f"{car.state_of_charge:.0%} full, {phases}"
                )
            case ShowsCard():
                pass  # The limits and the page tell what follows.
            case Leaves():
                self._say(f"{where}: the car leaves")

    def outage(self, outage_s: float) -> None:
        self._say(f"[yellow]the cloud is gone[/yellow] for {outage_s:.0f} s; cars go on charging")

    def back(self, cloud: Cloud) -> None:
        self._heard_before = cloud.calls_heard
        self._say("[green]the cloud is back[/green]")

    def look(self, world: World, cloud: Cloud, now: float) -> None:
        """Tell what has changed since the last look."""
        self._hours = world.plant.hours(now)
        self._tell_limits(world)
        self._tell_catching_up(cloud)
        for complaint in cloud.complaints[self._complaints :]:
            self._say(f"[red]the cloud complains[/red]: {escape(complaint.text)}")
        self._complaints = len(cloud.complaints)
        if self._summary_at is None:
            self._summary_at = now + SUMMARY_EVERY_S
        elif now >= self._summary_at:
            self._summary_at = now + SUMMARY_EVERY_S
            self._tell_summary(world, cloud)

    def _tell_limits(self, world: World) -> None:
        """Tell when the limits of the cars that were charging before have moved together."""
        limits_a = {
            (name, evse_id): evse.limit_a
            for name, station in world.stations.items()
            for evse_id, evse in station.evses.items()
            if evse.is_closed
        }
        told_a = {p: self._told_limits_a.get(p, limit_a) for p, limit_a in limits_a.items()}
        self._told_limits_a = told_a
        before_a, now_a = sum(told_a.values()), sum(limits_a.values())
        if abs(now_a - before_a) < NEWS_A:
            return
        self._told_limits_a = limits_a
        word = "[yellow]cut[/yellow]" if now_a < before_a else "raised"
        building_a = max(world.plant.loads[self._root](world.plant.hours(world.now)))
        rating_a = self._site.circuits[self._root].rating_a
        self._say(
            f"limits of {len(limits_a)} cars {word} from {before_a:.0f} to {now_a:.0f} A together: "
            f"the building draws {building_a:.0f} of {rating_a:.0f} A"
        )

    def _tell_catching_up(self, cloud: Cloud) -> None:
        """Tell once what had waited has been heard: the newest event is no longer a late one."""
        if self._heard_before is None:
            return
        since = cloud.calls_heard - self._heard_before
        events = [h for h in cloud.heard[-since:] if h.action == "TransactionEvent" and since]
        late = sum(bool(h.payload.get("offline")) for h in events)
        if late and not events[-1].payload.get("offline"):
            seconds = (events[-1].at - events[0].at).total_seconds()
            self._say(f"the cloud has caught up: {late} events that had waited, in {seconds:.1f} s")
            self._heard_before = None

    def _tell_summary(self, world: World, cloud: Cloud) -> None:
        measured = _phases(world.plant.circuits[self._root].currents_a)
        rating_a = self._site.circuits[self._root].rating_a
        self._say(f"grid {measured} A of {rating_a:.0f} A · {_booked(cloud)}")

    def _say(self, text: str) -> None:
        hours = self._hours or 0.0
        clock = timedelta(hours=hours % 24)
        stamp = f"{clock.seconds // 3600:02}:{clock.seconds // 60 % 60:02}"
        self._console.print(f"[dim]{stamp}[/dim] {text}", highlight=False, soft_wrap=True)


def _phases(currents_a: Conductors) -> str:
    return " / ".join(f"{current_a:.0f}" for current_a in currents_a)


def _booked(cloud: Cloud) -> str:
    ended = [t for t in cloud.transactions if not t.is_running]
    energy_wh = sum(t.energy_wh or 0.0 for t in ended)
    running = len(cloud.transactions) - len(ended)
    wrong = len(cloud.violations) + len(cloud.complaints)
    faults = "no fault" if not wrong else f"{wrong} faults"
    return (
        f"The cloud has booked {len(ended)} transactions, {energy_wh / 1000:.1f} kWh, "
        f"{running} running, {faults}."
    )
