"""What the site is, as its installer wrote it: frozen models of the configuration contract.

Every key of the site file is one field here, with the same name; the unit is in the name.
Decides nothing beyond the shape of single values: whether they fit together is `proof`'s
business, and which line of the file they stand on is `load`'s.

A field that is left out of `repr` is a secret: `load` accepts `<key>_file` for it and never
repeats its value. The text below a field is shown by editors, so it speaks to installers.

Currents are A RMS per phase, positive = import.
"""

from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from functools import cached_property
from itertools import permutations
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
)

from site_config.fields import (
    UNKNOWN,
    ClockTime,
    Conductors,
    Current,
    LimitStep,
    Listen,
    Phase,
    PhaseRatings,
    PositiveCurrent,
    Seconds,
    bus_address,
    without_repetition,
)

PHASES: tuple[Phase, Phase, Phase] = ("L1", "L2", "L3")
OcppVersion = Literal["ocpp2.0.1", "ocpp1.6"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

MINIMUM_CURRENT_A = 6.0
"""Smallest current a vehicle may be offered (IEC 61851-1, 10 % duty cycle)."""

MAX_EVSES = 10_000
"""EVSE numbers stay far below this; a larger one is a slip of the finger."""

Secret = Annotated[str, Field(repr=False)]
OptionalSecret = Annotated[str | None, Field(repr=False)]
Protocols = Annotated[
    tuple[OcppVersion, ...], Field(min_length=1), AfterValidator(without_repetition)
]


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


class SiteInfo(Model):
    """Names of the site, and what holds for all of it."""

    id: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["depot-north"])
    ]
    """Short name in MQTT topics, file names and logs: letters, digits, dots, dashes."""
    name: str
    """Name of the site for people."""
    timezone: str = "UTC"
    """IANA name, such as Europe/Berlin; limit windows are meant in it."""
    voltage_v: Annotated[float, Field(gt=50, lt=500)] = 230
    """Phase to neutral, nominal, V; turns W into A where no voltage is measured."""


class UnknownTokens(StrEnum):
    """What a token never seen may do while the cloud is away."""

    REJECT = "reject"
    ACCEPT = "accept"


class Ordering(StrEnum):
    """In which order what is billed reaches the cloud."""

    PER_EVSE = "per-evse"
    """Of each EVSE in order; one that fails holds up no other."""
    STRICT = "strict"
    """Everything in one order; what fails holds up everything behind it (1.6 §3.7)."""


class Cloud(Model):
    """The one charging station that the cloud CSMS sees."""

    url: Annotated[str, Field(pattern=r"^wss?://[^/\s]", examples=["wss://csms.example.com/ocpp"])]
    """Address of the CSMS, ws:// or wss://; the identity is appended to it."""
    identity: Annotated[str, Field(min_length=1, max_length=48)]
    """Name of the whole site as a charging station, as agreed with the CSMS."""
    protocols: Protocols = ("ocpp2.0.1", "ocpp1.6")
    """Offered in this order; the CSMS chooses."""
    password: OptionalSecret = None
    """HTTP Basic; absent: no Authorization header."""
    tls_ca: str | None = None
    """PEM file that signs the CSMS certificate; absent: the system's trust store."""
    vendor: Annotated[str, Field(max_length=20)] = "site-gateway"
    """Vendor name told to the CSMS."""
    model: Annotated[str, Field(max_length=20)] = "site-gateway"
    """Model name told to the CSMS."""
    offline_unknown_tokens: UnknownTokens = UnknownTokens.REJECT
    """reject or accept a token never seen, while the cloud is away."""
    ordering: Ordering = Ordering.PER_EVSE
    """per-evse or strict: whether a message that fails holds up those of other EVSEs."""
    call_timeout_s: Seconds = 30.0
    """How long the CSMS may take to answer, s."""
    ping_interval_s: Seconds = 30.0
    """Time between WebSocket pings to the CSMS, s."""


class Tls(Model):
    """Certificate files of a listening socket (security profile 2, TLS 1.2 or newer)."""

    certificate: str
    """PEM file: the certificate and its chain."""
    key: str
    """PEM file: the private key."""


class Csms(Model):
    """Where the site's charging stations connect."""

    listen: Listen = "0.0.0.0:9000"
    """Address and port of the OCPP server."""
    path: Annotated[str, Field(pattern=r"^/", examples=["/ocpp"])] = "/ocpp"
    """The station's identity is appended: /ocpp/CP-01."""
    protocols: Protocols = ("ocpp2.0.1", "ocpp1.6")
    """Accepted from the stations, best first."""
    tls: Tls | None = None
    """Certificate files; absent: plain ws://."""
    heartbeat_interval_s: Annotated[int, Field(ge=1)] = 300
    """Told to stations in the answer to BootNotification, s."""
    meter_interval_s: Annotated[int, Field(ge=1)] = 10
    """How often a charging EVSE is asked to report meter values, s; the balancer steers by them."""
    limit_refresh_s: Annotated[float, Field(ge=5, allow_inf_nan=False)] = 30.0
    """A live limit is renewed this often, s; it ends in the safe current after three times that."""
    ping_interval_s: Seconds = 30.0
    """Time between WebSocket pings to a station, s."""
    close_free_after_s: Annotated[float, Field(ge=60, allow_inf_nan=False)] = 600.0
    """A transaction whose EVSE is reported free, or whose station booted and says no more of it, is
    closed after so long with the last register heard, s."""
    close_silent_after_s: Annotated[float, Field(ge=3600, allow_inf_nan=False)] = 259_200.0
    """So is one whose station is away and has been silent about it for so long, s."""


class OnLoss(StrEnum):
    """What a lost meter does to the limits of its circuit."""

    SAFE = "safe"
    """Every EVSE falls to its station's safe current."""
    HOLD = "hold"
    """Limits stay and may only fall: for meters that supervise, not protect."""
    PANIC = "panic"
    """Every EVSE pauses."""


class Meter(Model):
    """A Modbus meter."""

    model: str
    """A name in the meter library, such as eastron-sdm630, or the path of a data file of your own,
    such as ./my-meter.yaml, that begins beside the site file."""
    url: Annotated[str, AfterValidator(bus_address), Field(examples=["tcp://192.168.1.20:502"])]
    """tcp://host:port, rtu:///dev/ttyUSB0?baudrate=9600&parity=N, rtutcp://converter:port (RTU over
    TCP) or tls://host:802?ca=/etc/site-gateway/meter-ca.pem."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Modbus unit (device address)."""
    poll_s: Seconds = 1.0
    """Time between two readings, s."""
    max_age_s: Seconds = 5.0
    """A reading older than this, s, is stale and `on_loss` holds."""
    on_loss: OnLoss = OnLoss.SAFE
    """safe: safe currents; hold: limits stay and may only fall; panic: every EVSE pauses."""
    phases: Annotated[
        tuple[Phase, ...], Field(min_length=3, max_length=3), AfterValidator(without_repetition)
    ] = ("L1", "L2", "L3")
    """The circuit's phases on the meter's L1, L2, L3."""
    invert: bool = False
    """Its current transformers sit the wrong way round: what it calls export is import."""
    frozen_s: Seconds | None = None
    """It is lost when it repeats itself to the last digit for so long, s, while current flows;
    absent: as the library says, mostly 120."""


def is_model_file(model: str) -> bool:
    """Tell whether a meter's model is a data file of the site's own, not a name in the library."""
    return "/" in model or model.endswith((".yaml", ".yml"))


class LimitWindow(Model):
    """A weekly window, in the site's time zone, in which a circuit may draw less."""

    days: Annotated[
        tuple[Weekday, ...], Field(min_length=1), AfterValidator(without_repetition)
    ] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    """Days on which the window begins; absent: every day."""
    start: Annotated[ClockTime, Field(validation_alias="from", examples=["17:00"])]
    """Begin, hours:minutes."""
    end: Annotated[ClockTime, Field(validation_alias="to", examples=["20:00"])]
    """End, hours:minutes; not after the begin: on the next day."""
    limit_a: Current
    """What the circuit may draw on each phase in the window, A."""
    reason: str = "schedule"
    """Shown wherever the limit is explained."""


class Curve(StrEnum):
    """How a fuse or a breaker bears overload."""

    GG = "gG"
    """Fuse link for general use, IEC 60269."""
    B = "B"
    """Miniature circuit breaker, IEC 60898, type B."""
    C = "C"
    """Miniature circuit breaker, IEC 60898, type C."""


class Allowance(Model):
    """By how much a fuse may carry more than its rating, for a while, before cars are cut."""

    curve: Curve = Curve.GG
    """gG, B or C: what protects the circuit."""
    excess: Annotated[float, Field(gt=0, le=0.45)] = 0.2
    """Part of the rating by which it may be exceeded, 0.2: by a fifth."""


class Circuit(Model):
    """Protected conductors and the fuse before them."""

    ratings_a: Annotated[PhaseRatings, Field(validation_alias="rating_a", examples=[63])]
    """What the fuse allows on each phase, A; [63, 63, 50] where L1, L2, L3 differ."""
    parent: str | None = None
    """Circuit that feeds this one; absent: the grid connection point, the root of the tree."""
    meter: str | None = None
    """Meter that measures this circuit."""
    limit_windows: tuple[LimitWindow, ...] = ()
    """Weekly windows in which the circuit may draw less."""
    contract_a: PositiveCurrent | None = None
    """What the contract with the supplier allows on each phase, A; held without tolerance."""
    demand_w: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Mean power, W, that no quarter of an hour may exceed (demand tariff); needs a meter."""
    fuse_allowance: Allowance | None = None
    """A short overload is borne before cars are cut; needs a meter. Absent: none is."""
    unbalance_a: PositiveCurrent | None = None
    """Largest difference between two phases, A, 20 in Germany; needs a meter. Absent: any."""

    @property
    def rating_a(self) -> float:
        """What every phase may carry: the rating of the weakest."""
        return min(self.ratings_a)


class PowerType(StrEnum):
    """What leaves the outlet."""

    AC = "AC"
    DC = "DC"


class Evse(Model):
    """The part of a station that feeds one vehicle at a time."""

    conductors: Annotated[
        Conductors, Field(validation_alias="phases", examples=[["L1", "L2", "L3"]])
    ] = PHASES
    """The circuit's phases on the EVSE's L1, L2, L3; unknown: it counts on every phase it could be
    on, until the meter has shown where it is."""
    max_current_a: PositiveCurrent = 32.0
    """What cable and EVSE can carry, A."""
    min_current_a: PositiveCurrent = MINIMUM_CURRENT_A
    """Smallest current its vehicles accept, A; below it they pause."""
    priority: PositiveCurrent = 1.0
    """Weight in the fair share; 2 = twice the share."""
    cloud_evse: Annotated[int, Field(ge=1, le=MAX_EVSES)] | None = None
    """Its number upstream, never renumbered; absent: the next free one, then kept on disk."""
    power_type: PowerType = PowerType.AC
    """DC: currents here are those of its input; its limits are told, and its draw is read, in W."""
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    """Of a DC EVSE: what leaves the outlet of each W at its input."""

    @property
    def is_dc(self) -> bool:
        return self.power_type is PowerType.DC

    @property
    def outlet_part(self) -> float:
        """Watts at the outlet for each W at the input."""
        return self.efficiency if self.is_dc else 1.0

    @cached_property
    def wirings(self) -> tuple[tuple[Phase, ...], ...]:
        """The circuit's phases on its conductors in every way that is possible: one, if known."""
        return tuple(
            wiring
            for wiring in permutations(PHASES, len(self.conductors))
            if all(
                named in (UNKNOWN, phase)
                for named, phase in zip(self.conductors, wiring, strict=True)
            )
        )

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The circuit's phases on its conductors; where unknown, the first that could be."""
        known = tuple(phase for phase in self.conductors if phase != UNKNOWN)
        return next(iter(self.wirings), known)


class ChargingRateUnit(StrEnum):
    """Unit of a charging profile."""

    A = "A"
    W = "W"


class LimitPurpose(StrEnum):
    """The charging profile that carries a live limit."""

    TX = "TxProfile"
    TX_DEFAULT = "TxDefaultProfile"


class Station(Model):
    """A charging station; its key is its OCPP identity."""

    circuit: str
    """Circuit that feeds the station."""
    password: OptionalSecret = None
    """HTTP Basic; absent: no password asked."""
    safe_current_a: Current
    """What each of its EVSEs may draw when it has lost the gateway, A; 0: pause."""
    charging_rate_unit: ChargingRateUnit | None = None
    """Unit of its charging profiles; absent: asked from the station."""
    limit_step_a: LimitStep | None = None
    """Its limits are multiples of this, A: 1 where it refuses fractions; absent: found out."""
    limit_purpose: LimitPurpose | None = None
    """How it takes limits in a transaction; absent: found out."""
    evses: Annotated[dict[Annotated[int, Field(ge=1, le=MAX_EVSES)], Evse], Field(min_length=1)]
    """Its EVSEs, numbered from 1 as the station numbers them (connectors in OCPP 1.6)."""


class InputKind(StrEnum):
    """A digital input as Modbus names it."""

    COIL = "coil"
    DISCRETE_INPUT = "discrete_input"


class DigitalInput(Model):
    """A contact of the grid operator, read over Modbus TCP."""

    url: Annotated[str, AfterValidator(bus_address), Field(examples=["tcp://192.168.1.21:502"])]
    """tcp://host:port of the input module, or of a meter that has inputs."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Modbus unit (device address)."""
    kind: InputKind = InputKind.DISCRETE_INPUT
    """discrete_input or coil."""
    address: Annotated[int, Field(ge=0, le=65535)] = 0
    """Its number, counted from 0."""
    active: bool = True
    """The state of the contact that means: draw less."""
    poll_s: Seconds = 1.0
    """Time between two readings, s."""
    max_age_s: Seconds = 10.0
    """Silent for longer, s: as if it said to draw less."""


class GridOperator(Model):
    """The grid operator may dim the charge points (in Germany §14a EnWG)."""

    floor_w: Annotated[float, Field(ge=1380, allow_inf_nan=False)] = 4200.0
    """What every charge point may always draw, W."""
    heartbeat_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """Without a heartbeat for so long, s, every point falls to the floor; absent: none is due."""
    input: DigitalInput | None = None
    """A contact that dims to the floor; absent: REST and MQTT only."""


class Mqtt(Model):
    """The MQTT broker."""

    url: Annotated[str, Field(pattern=r"^mqtts?://[^/\s]", examples=["mqtt://127.0.0.1:1883"])]
    """mqtt://host:port, or mqtts:// with TLS."""
    topic_prefix: Annotated[str, Field(pattern=r"^[^+#\s]+$", examples=["site-gateway"])] = (
        "site-gateway"
    )
    """First part of every topic; the site's id follows."""
    username: str | None = None
    """Absent: the broker asks for none."""
    password: OptionalSecret = None
    """Absent: the broker asks for none."""


class Storage(Model):
    """What the database may hold, and the copies of it."""

    max_rows: Annotated[int, Field(ge=1000)] = 2_000_000
    """Messages that wait for the cloud; near it the meter values between are thinned out."""
    max_mb: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 2000.0
    """Size of the database, MB; near it the meter values between are thinned out."""
    max_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90.0
    """How long a message may wait; older meter values between are thinned out."""
    keep_transactions_days: Annotated[float, Field(ge=1, le=36_500)] = 400.0
    """How long a transaction that has ended, and was told to the cloud, can be looked up."""
    backup_dir: str | None = None
    """Where the nightly copies go; absent: `backups` beside the database."""
    backup_at: ClockTime = time(3, 30)
    """When, hours:minutes in the site's time zone."""
    backups_kept: Annotated[int, Field(ge=0, le=1000)] = 7
    """The newest copies that stay; 0: none are made."""


class Role(StrEnum):
    """Who may do what over HTTP; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    INSTALLER = "installer"


class Token(Model):
    """A bearer token of the page and the HTTP interface."""

    name: str
    """Stands in the audit line of whatever is done with it."""
    role: Role
    """viewer sees, operator adjusts limits, installer may everything."""
    token: Annotated[Secret, Field(min_length=8)]
    """The secret itself, 8 characters or more."""


class Web(Model):
    """Page, HTTP interface and metrics."""

    listen: Listen = "127.0.0.1:8080"
    """Address and port of the page."""
    tokens: tuple[Token, ...] = ()
    """Who may sign in."""
    tls: Tls | None = None
    """Certificate files; absent: plain http://."""


class Site(Model):
    """A charging site: one file, one gateway."""

    site: SiteInfo
    """Names of the site, and what holds for all of it."""
    cloud: Cloud
    """The one charging station that the cloud CSMS sees."""
    csms: Csms = Csms()
    """Where the site's charging stations connect."""
    meters: dict[str, Meter] = {}
    """Modbus meters, by name; a site without one is balanced by its ratings alone."""
    circuits: Annotated[dict[str, Circuit], Field(min_length=1)]
    """A tree of fuses, by name; exactly one has no parent."""
    stations: dict[str, Station]
    """Charging stations, by OCPP identity."""
    grid_operator: GridOperator | None = None
    """Absent: the grid operator cannot dim this site."""
    mqtt: Mqtt | None = None
    """Absent: no MQTT."""
    web: Web | None = None
    """Absent: no page and no HTTP interface."""
    storage: Storage = Storage()
    """What the database may hold, and the copies of it."""

    _lines: Mapping[str, int] = PrivateAttr(default_factory=dict)

    def line_of(self, path: str) -> int:
        """Return the line of the site file on which `path` (dotted) stands, or its nearest
        parent; 0 when the site did not come from a file.
        """
        while path not in self._lines and "." in path:
            path = path.rpartition(".")[0]
        return self._lines.get(path, 0)

    def remember_lines(self, lines: Mapping[str, int]) -> None:
        """Keep the line of every path; `load` does this once, before anybody sees the site."""
        self._lines = lines
