"""The site of the demo: an office with a car park, eight stations, two sub-circuits. Pure.

The addresses are friendly ones; `demo` replaces those that somebody else has taken.
"""

from dataclasses import dataclass
from typing import Any

from gateway.simulation.quirks import Quirks
from site_config.links import OcppVersion
from site_config.model import Site

CLOUD_IDENTITY = "DEMO-PARK"
CLOUD_PASSWORD = "demo-cloud-secret"  # noqa: S105 - both ends are this demo, on loopback
STATION_PASSWORD = "demo-station-secret"  # noqa: S105 - the same
OPERATOR_TOKEN = "operator-demo"  # noqa: S105 - the same; printed for the visitor

METER = "grid"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts of the demo listen, all on loopback."""

    stations: int = 9000
    cloud: int = 9100
    meter: int = 5020
    page: int = 8080


ABC, BCA, CAB = ["L1", "L2", "L3"], ["L2", "L3", "L1"], ["L3", "L1", "L2"]

STATIONS: dict[str, tuple[OcppVersion, str, list[tuple[list[str], int]]]] = {
    # station: version, circuit, (phases, highest current A) of each EVSE
    "GARAGE-1": ("ocpp2.0.1", "garage", [(ABC, 32), (BCA, 32)]),
    "GARAGE-2": ("ocpp1.6", "garage", [(CAB, 32)]),
    "GARAGE-3": ("ocpp1.6", "garage", [(ABC, 32), (BCA, 32)]),
    "GARAGE-4": ("ocpp2.0.1", "garage", [(CAB, 32)]),
    "GARAGE-5": ("ocpp1.6", "garage", [(["L2"], 32)]),
    "YARD-1": ("ocpp2.0.1", "yard", [(ABC, 32), (BCA, 32)]),
    "YARD-2": ("ocpp1.6", "yard", [(CAB, 16)]),
    "YARD-3": ("ocpp1.6", "yard", [(BCA, 32)]),
}

VERSIONS = {name: version for name, (version, _, _) in STATIONS.items()}

QUIRKS = {
    # Two of the eight are as one meets them outside.
    "GARAGE-5": Quirks(watts_only=True, extra_keys=True),
    "GARAGE-3": Quirks(boots_on_reconnect=True, no_status_timestamp=True),
}


def demo_site(ports: Ports) -> Site:
    """Return the demo's site file as the gateway would have loaded it."""
    return Site.model_validate(
        {
            "site": {
                "id": "demo-park",
                "name": "Demo Park",
                "timezone": "Europe/Berlin",
                "voltage_v": 230,
            },
            "cloud": {
                "url": f"ws://127.0.0.1:{ports.cloud}/ocpp",
                "identity": CLOUD_IDENTITY,
                "password": CLOUD_PASSWORD,
            },
            "csms": {"listen": f"127.0.0.1:{ports.stations}", "meter_interval_s": 5},
            "meters": {
                METER: {
                    "model": "eastron-sdm630",
                    "url": f"tcp://127.0.0.1:{ports.meter}",
                    "poll_s": 1.0,
                }
            },
            "circuits": {
                "grid": {"rating_a": 100, "unbalance_a": 20, "meter": METER},
                "garage": {"rating_a": 63, "parent": "grid"},
                "yard": {"rating_a": 40, "parent": "grid"},
            },
            "stations": _stations(),
            "grid_operator": {},
            "web": {
                "listen": f"127.0.0.1:{ports.page}",
                "tokens": [
                    {"name": "visitor", "role": "operator", "token": OPERATOR_TOKEN},
                ],
            },
        }
    )


def _stations() -> dict[str, Any]:
    number = 0
    stations: dict[str, Any] = {}
    for name, (_, circuit, evses) in STATIONS.items():
        configured: dict[int, Any] = {}
        for evse_id, (phases, max_current_a) in enumerate(evses, 1):
            number += 1
            configured[evse_id] = {
                "phases": phases,
                "max_current_a": max_current_a,
                "cloud_evse": number,
            }
        stations[name] = {
            "circuit": circuit,
            "password": STATION_PASSWORD,
            "safe_current_a": 6,
            "evses": configured,
        }
    return stations
