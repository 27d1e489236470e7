"""How a simulated station may be worse than the specification: each switch was seen on a wire.

Pure. `sloppy` spoils a payload just before it is sent.
"""

from dataclasses import dataclass
from typing import Any

from gateway.ocpp.frames import Payload
from gateway.simulation.charging_profiles import Profile

INSTANT_KEYS = frozenset({"timestamp"})


@dataclass(frozen=True, slots=True)
class Quirks:
    """All off: a station as the specification wants it."""

    numbers_as_text: bool = False
    """`"connectorId": "1"`."""
    zoneless_times: bool = False
    """`2026-11-22T18:35:48.402`, meant as UTC."""
    extra_keys: bool = False
    """A key of the vendor's own in every payload."""
    energy_in_kwh: bool = False
    """Meter values in kWh with five decimals, while meterStart and meterStop stay Wh."""
    seq_no_always_0: bool = False
    no_status_timestamp: bool = False
    """1.6 only: 2.0.1 requires it."""
    register_resets_on_restart: bool = False
    """The energy register begins at 0 after a restart, in mid-transaction too."""
    keeps_transaction_on_restart: bool = False
    """The transaction goes on under its id after a restart, instead of ending with PowerLoss."""
    watts_only: bool = False
    """Charging profiles in A are Rejected."""
    refuses_profiles: bool = False
    """No smart charging at all: NotImplemented."""
    rejects_zero: bool = False
    """Charging profiles with a limit of 0 are Rejected."""
    whole_amperes: bool = False
    """Charging profiles with fractions of an ampere are Rejected."""
    one_period: bool = False
    """Charging profiles with more than one period are Rejected."""
    zero_is_unlimited: bool = False
    """A limit of 0 is taken, and means none."""
    ignores_limits: bool = False
    """Profiles are accepted, and nothing happens."""
    draws_on_other_phases: bool = False
    """What should flow on its L1 flows on its L2, and so on."""
    boots_on_reconnect: bool = False
    """BootNotification and every status again after each reconnect."""
    duplicates_messages: bool = False
    """Every call is sent twice, with the same id."""
    statuses_before_boot: bool = False
    clock_error_s: float = 0.0
    """How far the station's clock is ahead when it starts; a large negative one is 1970."""
    ignores_time: bool = False
    """Never sets its clock by the gateway's."""
    no_offline_flag: bool = False
    """2.0.1: replays what waited without `offline: true`."""


def refuses(profile: Profile, quirks: Quirks) -> bool:
    """Whether a station with these quirks takes no profile like this one."""
    limits = [limit for _, limit, _ in profile.periods]
    return (
        (quirks.watts_only and profile.unit == "A")
        or (quirks.rejects_zero and 0 in limits)
        or (quirks.whole_amperes and any(limit != int(limit) for limit in limits))
        or (quirks.one_period and len(limits) > 1)
    )


def sloppy(payload: Payload, quirks: Quirks) -> Payload:
    """Return the payload as a station with these quirks would send it."""
    spoiled = _spoiled(payload, quirks)
    assert isinstance(spoiled, dict)
    if quirks.extra_keys:
        spoiled["vendorBuild"] = "7.3-rc1"
    return spoiled


def _spoiled(value: Any, quirks: Quirks, key: str = "") -> Any:
    match value:
        case dict():
            return {k: _spoiled(v, quirks, k) for k, v in value.items()}
        case list():
            return [_spoiled(v, quirks) for v in value]
        case bool():
            return value
        case int() | float() if quirks.numbers_as_text:
            return str(value)
        case str() if quirks.zoneless_times and key in INSTANT_KEYS:
            return value.removesuffix("Z")
    return value
