"""What the site is, as its installer wrote it: frozen models of the configuration contract.

Every key of the site file is one field here, with the same name; the unit is in the name.
Decides nothing beyond the shape of single values: whether they fit together is `proof`'s
business, and which line of the file they stand on is `load`'s.

Currents are A RMS per phase, positive = import.
"""

from datetime import time
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Phase = Literal["L1", "L2", "L3"]
OcppVersion = Literal["ocpp2.0.1", "ocpp1.6"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

Current = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveCurrent = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MINIMUM_CURRENT_A = 6.0
"""Smallest current a vehicle may be offered (IEC 61851-1, 10 % duty cycle)."""


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteInfo(Model):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    name: str
    timezone: str = "UTC"
    """IANA name; limit windows are meant in it."""
    voltage_v: Annotated[float, Field(gt=50, lt=500)] = 230
    """Phase to neutral, nominal; turns W into A where no voltage is measured."""


class UnknownTokens(StrEnum):
    """What a token never seen may do while the cloud is away."""

    REJECT = "reject"
    ACCEPT = "accept"


class Cloud(Model):
    """The one charging station that the cloud CSMS sees."""

    url: Annotated[str, Field(pattern=r"^wss?://")]
    identity: Annotated[str, Field(min_length=1, max_length=48)]
    protocols: tuple[OcppVersion, ...] = ("ocpp2.0.1", "ocpp1.6")
    """Offered in this order; the CSMS chooses."""
    password: str | None = None
    """HTTP Basic; None: no Authorization header."""
    tls_ca: str | None = None
    """PEM file that signs the CSMS certificate; None: the system's trust store."""
    vendor: Annotated[str, Field(max_length=20)] = "site-gateway"
    model: Annotated[str, Field(max_length=20)] = "site-gateway"
    offline_unknown_tokens: UnknownTokens = UnknownTokens.REJECT
    call_timeout_s: Seconds = 30.0
    ping_interval_s: Seconds = 30.0


class Tls(Model):
    """Certificate files of a listening socket (security profile 2, TLS 1.2 or newer)."""

    certificate: str
    """PEM: the certificate and its chain."""
    key: str
    """PEM: the private key."""


class Csms(Model):
    """Where the site's charging stations connect."""

    listen: str = "0.0.0.0:9000"
    path: Annotated[str, Field(pattern=r"^/")] = "/ocpp"
    protocols: tuple[OcppVersion, ...] = ("ocpp2.0.1", "ocpp1.6")
    tls: Tls | None = None
    heartbeat_interval_s: Annotated[int, Field(ge=1)] = 300
    """Told to stations in the answer to BootNotification."""
    meter_interval_s: Annotated[int, Field(ge=1)] = 10
    """How often a charging EVSE is asked to report meter values; the balancer steers by them."""
    ping_interval_s: Seconds = 30.0


class OnLoss(StrEnum):
    """What a lost meter does to the limits of its circuit."""

    SAFE = "safe"
    """Every EVSE falls to its station's safe current."""
    HOLD = "hold"
    """Limits stay and may only fall: for meters that supervise, not protect."""
    PANIC = "panic"
    """Every EVSE pauses."""


class Meter(Model):
    model: str
    """A name in the meter library."""
    url: Annotated[str, Field(pattern=r"^(tcp|rtu)://")]
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    poll_s: Seconds = 1.0
    max_age_s: Seconds = 5.0
    """A reading older than this is stale and `on_loss` holds."""
    on_loss: OnLoss = OnLoss.SAFE


class LimitWindow(Model):
    """A weekly window, in the site's time zone, in which a circuit may draw less."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: time
    end: time
    """Not after `start`: the window ends on the next day."""
    limit_a: Current
    reason: str = "schedule"


class Circuit(Model):
    rating_a: PositiveCurrent
    """What the fuse allows on each phase."""
    parent: str | None = None
    """None: the grid connection point, the root of the tree."""
    meter: str | None = None
    limit_windows: tuple[LimitWindow, ...] = ()


class Evse(Model):
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=3)] = ("L1", "L2", "L3")
    """The circuit's phases on the EVSE's L1, L2, L3."""
    max_current_a: PositiveCurrent = 32.0
    min_current_a: PositiveCurrent = MINIMUM_CURRENT_A
    priority: PositiveCurrent = 1.0
    """Weight in the fair share; 2 = twice the share."""
    cloud_evse: Annotated[int, Field(ge=1)] | None = None
    """Its number upstream, never renumbered; None: the next free one, then kept on disk."""


class ChargingRateUnit(StrEnum):
    A = "A"
    W = "W"


class Station(Model):
    circuit: str
    password: str | None = None
    """HTTP Basic; None: no password asked."""
    safe_current_a: Current
    """What each of its EVSEs may draw when it has lost the gateway; 0: pause."""
    charging_rate_unit: ChargingRateUnit | None = None
    """Unit of its charging profiles; None: asked from the station."""
    evses: Annotated[dict[int, Evse], Field(min_length=1)]


class Mqtt(Model):
    url: Annotated[str, Field(pattern=r"^mqtts?://")]
    topic_prefix: str = "site-gateway"
    username: str | None = None
    password: str | None = None


class Role(StrEnum):
    """Who may do what over HTTP; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    INSTALLER = "installer"


class Token(Model):
    name: str
    """Stands in the audit line of whatever is done with it."""
    role: Role
    token: Annotated[str, Field(min_length=8)]


class Web(Model):
    listen: str = "127.0.0.1:8080"
    tokens: tuple[Token, ...] = ()
    tls: Tls | None = None


class Site(Model):
    site: SiteInfo
    cloud: Cloud
    csms: Csms = Csms()
    meters: dict[str, Meter] = {}
    circuits: Annotated[dict[str, Circuit], Field(min_length=1)]
    stations: dict[str, Station]
    mqtt: Mqtt | None = None
    web: Web | None = None
