"""Whom the gateway talks to, as the site file has it: cloud, stations, broker, browsers. Pure."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from site_config.base import Model, OptionalSecret, Secret
from site_config.fields import Listen, Seconds, without_repetition

OcppVersion = Literal["ocpp2.0.1", "ocpp1.6"]
Protocols = Annotated[
    tuple[OcppVersion, ...], Field(min_length=1), AfterValidator(without_repetition)
]


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
