"""Everything of one site that decides, built from its file and from what was kept. Pure.

What touches the world (sockets, disk, clocks) is put around it by `app`.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from gateway.authorization import Authorization, Policy
from gateway.availability import Availability
from gateway.balancing import Authorities, Deliveries
from gateway.charging_wishes import ChargingWishes
from gateway.circuit_limits import CircuitLimits
from gateway.cloud_profiles import CloudProfiles, EvseSupply, RunningTransaction
from gateway.cloud_station import CloudStation
from gateway.configuration import Configuration
from gateway.dimming_desk import HEARD, OBSERVED
from gateway.events import Booted
from gateway.journal import Journal
from gateway.kept import Kept
from gateway.limiters import Limiters
from gateway.merge_bound import MergeBound
from gateway.outbox import Outbox
from gateway.outcomes import OnRefusal
from gateway.phase_findings import PhaseFindings
from gateway.registration import BackOff, Registration
from gateway.sampling import Sampling
from gateway.site_state import SiteState
from gateway.slots import SlotTable
from gateway.station_forms import ModelKey, StationModels
from gateway.status_board import StatusBoard
from gateway.transactions import TransactionBooks
from gateway.writes import SaveSetting
from load_balancer.limiters.dimming import Dimming
from site_config.circuit_tree import dimmed_feeds
from site_config.links import Cloud, Ordering, UnknownTokens
from site_config.model import Site

SERIAL_LENGTH = 25
"""chargePointSerialNumber and serialNumber, CiString25."""


@dataclass(frozen=True, slots=True)
class Parts:
    site: Site
    slots: SlotTable
    books: TransactionBooks
    authorization: Authorization
    configuration: Configuration
    availability: Availability
    state: SiteState
    profiles: CloudProfiles
    wishes: ChargingWishes
    models: StationModels
    limits: CircuitLimits
    limiters: Limiters
    dimming: Dimming | None
    phase_findings: PhaseFindings
    journal: Journal
    deliveries: Deliveries
    sampling: Sampling
    outbox: Outbox
    cloud: CloudStation

    @classmethod
    def of(
        cls, site: Site, kept: Kept, *, firmware: str, at: datetime, boot_id: str = ""
    ) -> "Parts":
        """Build them; raises SlotConflict when the file would renumber what the cloud knows.

        Args:
            boot_id: of the machine; empty: whether it was booted since is not known.
        """
        slots = SlotTable(site, kept.slots)
        state = SiteState.of(site, _numbers(site, slots))
        configuration = Configuration(_facts(site, slots), kept.settings)
        is_strict = site.cloud.ordering is Ordering.STRICT
        outbox = Outbox(bound=MergeBound(f"{site.cloud.url} {site.cloud.identity}", kept.settings))
        dimming = _dimming(site, kept, at)
        return cls(
            site=site,
            slots=slots,
            books=TransactionBooks(slots, kept, lambda: str(uuid4()), is_strict=is_strict),
            authorization=Authorization(
                kept.tokens,
                kept.local_list,
                kept.local_list_version,
                unknown_tokens=site.cloud.offline_unknown_tokens,
            ),
            configuration=configuration,
            availability=Availability(kept.availability, slots.connected()),
            state=state,
            profiles=CloudProfiles(kept.profiles, _supplies(state), site.site.voltage_v),
            wishes=ChargingWishes(kept.settings),
            models=StationModels(kept.settings),
            limits=CircuitLimits(site, kept.circuit_limits),
            limiters=Limiters(site, kept.quarters, dimming),
            dimming=dimming,
            phase_findings=PhaseFindings(site, kept.found_phases, boot_id),
            journal=Journal(),
            deliveries=Deliveries(site),
            sampling=Sampling(),
            outbox=outbox,
            cloud=CloudStation(
                _registration(site.cloud, configuration, firmware),
                StatusBoard(slots.connected(), slots.count, at),
                outbox,
            ),
        )

    @property
    def authorities(self) -> Authorities:
        return Authorities(
            self.limits, self.limiters, self.profiles, self.running, self.books.is_held
        )

    def running(self, cloud_evse: int) -> RunningTransaction | None:
        """Return what runs on an EVSE upstream."""
        slot = self.slots.to_station(cloud_evse)
        return self.books.running_on(*slot) if slot else None

    def local_limit_a(self, cloud_evse: int, at: datetime) -> float:
        """Return what fuses and people allow now, A per phase: above an EVSE, or the grid for 0.

        The balancer's share is left out: it changes by the second, and a schedule says what is
        to be expected. So are the cloud's own profiles, which are merged with it, each in its time.
        """
        slot = self.slots.to_station(cloud_evse)
        name: str | None = self.state.root
        if cloud_evse != 0:
            name = self.site.stations[slot[0]].circuit if slot else None
        limits_a = []
        while name is not None:
            circuit = self.site.circuits[name]
            ceilings = (ceiling.value_a for ceiling in self.limits.ceilings(name, at))
            limits_a.append(min((circuit.rating_a, *ceilings)))
            name = circuit.parent
        return min(limits_a, default=0.0)

    def put_settings_in_force(self, now: float) -> None:
        """Let what the cloud has set take effect: all of it, for it is set rarely."""
        configuration, registration = self.configuration, self.cloud.registration
        number = configuration.number
        self.outbox.delivery = replace(
            self.outbox.delivery,
            attempts=number("TransactionMessageAttempts"),
            retry_interval_s=float(number("TransactionMessageRetryInterval")),
        )
        if registration.heartbeat_interval_s != (interval_s := number("HeartbeatInterval")):
            registration.set_heartbeat_interval(interval_s, now)
        registration.back_off = _back_off(configuration)
        self.cloud.statuses.offline_threshold_s = number("OCPPCommCtrlr.OfflineThreshold")
        self.authorization.policy = _policy(configuration)
        self.books.on_refusal = OnRefusal(
            must_stop=configuration.flag("StopTransactionOnInvalidId"),
            energy_wh=number("MaxEnergyOnInvalidId"),
        )
        self.sampling.interval_s = number("MeterValueSampleInterval")

    def lessons(self) -> list[SaveSetting]:
        """Return what stations have proved about their models and nobody has written down."""
        rows: dict[str, SaveSetting] = {}
        for name, forms in self.deliveries.forms.items():
            station = self.state.stations[name]
            if forms.is_proved and station.model:
                model = ModelKey.of(station.vendor, station.model, station.firmware)
                rows |= {row.key: row for row in self.models.learned(model, forms.current)}
        return list(rows.values())

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
        doubted = [name for name, s in self.state.stations.items() if s.safe_default_doubt]
        self.problem(
            "safe_default",
            f"safe current not proved: {', '.join(doubted)}" if doubted else "",
        )

    def judge_wear(self, now: float) -> None:
        """Write down how often stations were sent profiles, and who too often."""
        worn = []
        for name, writes in self.deliveries.writes.items():
            self.state.stations[name].profile_writes = writes.in_a_day(now)
            if writes.is_worn(now):
                worn.append(f"{name} {writes.in_a_day(now)}")
        told = f"charging profiles sent too often in a day: {', '.join(worn)}" if worn else ""
        self.problem("profile_writes", told)

    def problem(self, kind: str, reason: str) -> None:
        """Set, or with an empty reason clear, why the site is degraded."""
        if reason:
            self.state.problems[kind] = reason
        else:
            self.state.problems.pop(kind, None)


def _dimming(site: Site, kept: Kept, at: datetime) -> Dimming | None:
    operator = site.grid_operator
    if operator is None:
        return None
    has_contact = operator.input is not None
    commands = [c for c in kept.dimming if has_contact or c.source not in OBSERVED]
    heard = [row.value for row in kept.settings if row.key == HEARD]
    silent_s = (at - datetime.fromisoformat(heard[0])).total_seconds() if heard else 0.0
    points = len(dimmed_feeds(site))
    return Dimming(operator, points, commands, silent_s=max(0.0, silent_s))


def _facts(site: Site, slots: SlotTable) -> dict[str, str]:
    """Return what the cloud may read and the site file says, until the cloud says otherwise."""
    cloud = site.cloud
    profile = "0" if cloud.password is None else "2" if cloud.url.startswith("wss:") else "1"
    accepts_unknown = cloud.offline_unknown_tokens is UnknownTokens.ACCEPT
    return {
        "NumberOfConnectors": str(slots.count),
        "AllowOfflineTxForUnknownId": str(accepts_unknown).lower(),
        "OCPPCommCtrlr.MessageTimeout.Default": str(round(cloud.call_timeout_s)),
        "SecurityCtrlr.SecurityProfile": profile,
        "WebSocketPingInterval": str(round(cloud.ping_interval_s)),
    }


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
    heartbeat_interval_s = float(configuration.number("HeartbeatInterval"))
    return Registration(identity, random.random, _back_off(configuration), heartbeat_interval_s)


def _policy(configuration: Configuration) -> Policy:
    return Policy(
        has_local_list=configuration.flag("LocalAuthListEnabled"),
        has_cache=configuration.flag("AuthorizationCacheEnabled"),
        answers_at_once=configuration.flag("LocalPreAuthorize"),
        answers_offline=configuration.flag("LocalAuthorizeOffline"),
        accepts_unknown=configuration.flag("AllowOfflineTxForUnknownId"),
    )


def _back_off(configuration: Configuration) -> BackOff:
    return BackOff(
        configuration.number("OCPPCommCtrlr.RetryBackOffWaitMinimum"),
        configuration.number("OCPPCommCtrlr.RetryBackOffRandomRange"),
        configuration.number("OCPPCommCtrlr.RetryBackOffRepeatTimes"),
    )
