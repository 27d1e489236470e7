"""Everything of one site that decides, built from its file and from what was kept. Pure.

What touches the world (sockets, disk, clocks) is put around it by `app`.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from gateway.actions import running_transaction
from gateway.authorization import Authorization
from gateway.balancing import Authorities, Deliveries
from gateway.circuit_limits import CircuitLimits
from gateway.cloud_profiles import CloudProfiles, EvseSupply, RunningTransaction
from gateway.cloud_station import CloudStation
from gateway.configuration import Configuration
from gateway.events import Booted
from gateway.outbox import Outbox
from gateway.records import Kept
from gateway.registration import BackOff, Registration
from gateway.site_state import SiteState
from gateway.slots import SlotTable
from gateway.status_board import StatusBoard
from gateway.transactions import TransactionBooks
from site_config.model import Cloud, Site

SERIAL_LENGTH = 25
"""chargePointSerialNumber and serialNumber, CiString25."""


@dataclass(frozen=True, slots=True)
class Parts:
    site: Site
    slots: SlotTable
    books: TransactionBooks
    authorization: Authorization
    configuration: Configuration
    state: SiteState
    profiles: CloudProfiles
    limits: CircuitLimits
    deliveries: Deliveries
    outbox: Outbox
    cloud: CloudStation

    @classmethod
    def of(cls, site: Site, kept: Kept, *, firmware: str, at: datetime) -> "Parts":
        """Build them; raises SlotConflict when the file would renumber what the cloud knows."""
        slots = SlotTable(site, kept.slots)
        state = SiteState.of(site, _numbers(site, slots))
        configuration = Configuration({"NumberOfConnectors": str(slots.count)}, kept.settings)
        outbox = Outbox()
        return cls(
            site=site,
            slots=slots,
            books=TransactionBooks(slots, kept, lambda: str(uuid4())),
            authorization=Authorization(
                kept.tokens,
                kept.local_list,
                kept.local_list_version,
                unknown_tokens=site.cloud.offline_unknown_tokens,
            ),
            configuration=configuration,
            state=state,
            profiles=CloudProfiles(kept.profiles, _supplies(state), site.site.voltage_v),
            limits=CircuitLimits(site, kept.circuit_limits),
            deliveries=Deliveries(site),
            outbox=outbox,
            cloud=CloudStation(
                _registration(site.cloud, configuration, firmware),
                StatusBoard(slots.connected(), slots.count, at),
                outbox,
            ),
        )

    @property
    def authorities(self) -> Authorities:
        return Authorities(self.limits, self.profiles, self.running)

    def running(self, cloud_evse: int) -> RunningTransaction | None:
        """Return what runs on an EVSE upstream."""
        slot = self.slots.to_station(cloud_evse)
        return running_transaction(self.books.open_on(*slot) if slot else None)

    def local_limit_a(self, cloud_evse: int) -> float:
        """Return what the site itself allows now, A per phase: an EVSE, or the grid for 0."""
        if cloud_evse == 0:
            return min(self.state.circuits[self.state.root].limit)
        slot = self.slots.to_station(cloud_evse)
        if slot is None:
            return 0.0
        return self.state.stations[slot[0]].evses[slot[1]].limit_a or 0.0

    def judge_health(self, store_failure: str | None) -> None:
        """Write down why the site is degraded, as far as nobody else has said it."""
        cloud = self.state.cloud
        away = [name for name, station in self.state.stations.items() if not station.is_connected]
        self.problem("cloud", "" if cloud.is_registered else "the cloud is away")
        self.problem(
            "quarantine",
            f"{cloud.quarantined} rows in quarantine: the cloud refused them"
            if cloud.quarantined
            else "",
        )
        self.problem(
            "store",
            f"the disk does not take what is billed: {store_failure}" if store_failure else "",
        )
        self.problem("stations", f"charging stations offline: {', '.join(away)}" if away else "")

    def problem(self, kind: str, reason: str) -> None:
        """Set, or with an empty reason clear, why the site is degraded."""
        if reason:
            self.state.problems[kind] = reason
        else:
            self.state.problems.pop(kind, None)


def _numbers(site: Site, slots: SlotTable) -> dict[tuple[str, int], int]:
    places = [(name, evse) for name, station in site.stations.items() for evse in station.evses]
    numbers = ((place, slots.to_cloud(*place)) for place in places)
    return {place: number for place, number in numbers if number is not None}


def _supplies(state: SiteState) -> dict[int, EvseSupply]:
    supplies = {}
    for name, evse_id, evse in state.evse_states():
        config = state.site.stations[name].evses[evse_id]
        supplies[evse.cloud_evse] = EvseSupply(config.max_current_a, len(config.phases))
    return supplies


def _registration(cloud: Cloud, configuration: Configuration, firmware: str) -> Registration:
    identity = Booted(cloud.vendor, cloud.model, cloud.identity[:SERIAL_LENGTH], firmware)
    back_off = BackOff(
        configuration.number("OCPPCommCtrlr.RetryBackOffWaitMinimum"),
        configuration.number("OCPPCommCtrlr.RetryBackOffRandomRange"),
        configuration.number("OCPPCommCtrlr.RetryBackOffRepeatTimes"),
    )
    return Registration(identity, random.random, back_off)
