"""`site-gateway simulate`: parts of a site for whoever has no hardware."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.running import first_of, run_until_signalled

simulate = typer.Typer(help="Stations, a meter or a cloud for whoever has no hardware.")

console = Console()


class SimulatedVersion(StrEnum):
    V16 = "1.6"
    V201 = "2.0.1"
    MIXED = "mixed"


@simulate.command()
def stations(
    url: Annotated[str, typer.Option(help="The CSMS, e.g. ws://127.0.0.1:9000/ocpp")],
    count: Annotated[int, typer.Option(help="How many.")] = 10,
    version: SimulatedVersion = SimulatedVersion.MIXED,
    evses: Annotated[int, typer.Option(help="EVSEs of each.")] = 1,
    prefix: Annotated[str, typer.Option(help="Identities are PREFIX-01, -02, …")] = "SIM",
    password: Annotated[str | None, typer.Option(envvar="STATION_PASSWORD")] = None,
) -> None:
    """Connect charging stations to a CSMS; cars come and go."""
    from gateway.simulation.commands import simulate_stations

    run_until_signalled(
        lambda stop: first_of(
            simulate_stations(
                url,
                count,
                version.value,
                console=console,
                evses=evses,
                prefix=prefix,
                password=password,
            ),
            stop.wait(),
        )
    )


@simulate.command(name="meter")
def simulated_meter(
    model: Annotated[str, typer.Option(help="A name of `meter models`.")] = "eastron-sdm630",
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:5020",
) -> None:
    """Serve a Modbus TCP meter with the load of an office building."""
    from gateway.simulation.commands import simulate_meter

    run_until_signalled(
        lambda stop: first_of(simulate_meter(model, listen, console=console), stop.wait())
    )


@simulate.command()
def cloud(
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:9100",
) -> None:
    """Serve a schema-strict cloud CSMS of both versions; tells what it books."""
    from gateway.simulation.commands import simulate_cloud

    run_until_signalled(lambda stop: first_of(simulate_cloud(listen, console=console), stop.wait()))


class DayPolicy(StrEnum):
    FAIR = "fair"
    DEPARTURE = "departure"


class Sought(StrEnum):
    CARS = "cars"
    RATING = "rating"


@simulate.command()
def day(
    site_file: Annotated[Path, typer.Option("--site", help="The site file.")],
    sessions: Annotated[
        Path,
        typer.Option(
            help="A CSV file with a heading: evse (a station, or station/evse), phases (of the "
            "circuit: L2, or L1 L2 L3), arrival, departure, energy_wh, max_current_a."
        ),
    ],
    policy: Annotated[
        DayPolicy, typer.Option(help="What is known of the cars: who draws, or departures too.")
    ] = DayPolicy.FAIR,
    departure_error_s: Annotated[
        float, typer.Option(min=0, help="Told departures are wrong by this, RMS.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same day.")] = 1,
    step_s: Annotated[
        float | None, typer.Option(min=0.5, help="Between two steps; 60, or 5 with --realistic.")
    ] = None,
    realistic: Annotated[
        bool, typer.Option("--realistic", help="Delays, tapering cars, rises as slow as live.")
    ] = False,
    find: Annotated[
        Sought | None,
        typer.Option(
            help="cars: the most cars like these that the connection carries. rating: the smallest "
            "rating_a of the grid connection point that carries these cars."
        ),
    ] = None,
    served: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1,
            help="With --find: the part of the cars that must get 90 % of their wish.",
        ),
    ] = 0.9,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Save a picture, such as day.png.")] = None,
) -> None:
    """Charge the cars of a CSV file on a site, in virtual time: what can its connection carry?

    --find cars tries fewer cars, some being left out by lot (--seed), evenly
    on each day and phase; or more, the same ones coming once more at the same
    times, to EVSEs beside theirs on the same circuit, one phase on. --find
    rating changes the grid connection point alone. Both try about ten times,
    and are as sharp as one in a hundred.
    """
    from gateway.simulation.day import Weather
    from gateway.simulation.day_command import Outputs, find_in_days, simulate_day
    from gateway.simulation.day_search import Aim

    weather = Weather(
        policy=policy.value,
        departure_error_s=departure_error_s,
        seed=seed,
        step_s=step_s or (5.0 if realistic else 60.0),
        is_realistic=realistic,
    )
    outputs = Outputs(console, Console(stderr=True), as_json, plot)
    if find is None:
        raise typer.Exit(simulate_day(site_file, sessions, weather, outputs))
    raise typer.Exit(find_in_days(site_file, sessions, weather, Aim(find.value, served), outputs))
