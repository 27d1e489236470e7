"""What simulated stations of both versions have in common: EVSEs, drivers, limits, sampling.

Pure: time comes in as `now` (monotonic seconds), frames go out through `talk`. `Station16` and
`Station201` say the same things in their own words. Currents are A RMS per phase, energy is Wh.

What happens:
    plug_in   present (a token)   unplug      by a driver
    the gateway's commands, profiles and verdicts
    tick(now) moves the cars, samples the meters, and lets `talk` speak
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from gateway.errors import PeerError
from gateway.ocpp.frames import Payload
from gateway.ocpp.schemas import actions
from gateway.simulation.books import StationTransaction
from gateway.simulation.cars import MINIMUM_CURRENT_A, Car
from gateway.simulation.charging_profiles import ChargingProfiles, Supply
from gateway.simulation.evse import EvseHardware, SimulatedEvse
from gateway.simulation.instants import read_instant, to_milliseconds, write_instant
from gateway.simulation.quirks import Quirks
from gateway.simulation.station_talk import Outgoing, Talk
from site_config.links import OcppVersion

WAKES_WITHIN_S = 5.0
"""A sound car draws this long after it is offered current; until then nobody calls it suspended."""

CABLE_TIMEOUT_S = 60.0
"""How long an accepted token waits for a cable."""

COMMANDS_KEPT = 1000
"""How many of the gateway's commands a station remembers."""

CLOCK_TOLERANCE_S = 5.0
"""The station sets its clock by the gateway's when they differ by more."""

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Current.Import",
    "Power.Active.Import",
    "Voltage",
    "SoC",
)


@dataclass(frozen=True, slots=True)
class StationSettings:
    """A charging station as it leaves the factory."""

    identity: str
    evses: tuple[EvseHardware, ...] = (EvseHardware(1),)
    vendor: str = "Simulant"
    model: str = "Wallbox S1"
    serial_number: str = "S-0001"
    firmware_version: str = "1.4.2"
    quirks: Quirks = field(default_factory=Quirks)
    meter_interval_s: int = 60
    """Between two samples of a transaction until the gateway configures it; 0: none."""
    clock_aligned_s: int = 0
    """Between two clock-aligned samples; 0: none."""
    call_timeout_s: float = 30.0
    accepts_unknown_offline: bool = True
    """Without connection any token may charge."""
    settings: dict[str, str] = field(default_factory=dict, hash=False)
    """Configuration keys (1.6) or `Component.Variable` (2.0.1) that differ from the default."""


@dataclass
class Visit:
    """What goes on at one EVSE, beyond its hardware."""

    token: str | None = None
    """Authorized to charge here; forgotten with the transaction."""
    remote_start_id: int | None = None
    transaction: StationTransaction | None = None
    """The running one."""
    state: str = "EVConnected"
    """ChargingStateEnumType of 2.0.1."""
    offered_since: float | None = None
    """Since when the car could charge, monotonic; None: it could not."""
    sample_at: float | None = None
    cable_due_at: float | None = None
    """Until when a token waits for its cable, monotonic; None: it does not wait."""
    is_operational: bool = True
    next_operational: bool | None = None
    """An availability that waits for the end of the transaction."""
    told_status: str | None = None
    """The status last sent."""


class Station(ABC):
    """A charging station on its end of the wire.

    Args:
        epoch: the wall clock at `now` = 0.
    """

    version: ClassVar[OcppVersion]

    def __init__(self, settings: StationSettings, epoch: datetime) -> None:
        self.settings = settings
        self.quirks = settings.quirks
        self.evses = {
            hardware.evse_id: SimulatedEvse(hardware, settings.quirks.draws_on_other_phases)
            for hardware in settings.evses
        }
        self.visits = {evse_id: Visit() for evse_id in self.evses}
        self.profiles = ChargingProfiles()
        self.books: list[StationTransaction] = []
        """Every transaction this station had, its own truth."""
        self.commands_heard: deque[tuple[str, Payload]] = deque(maxlen=COMMANDS_KEPT)
        self.local_list: dict[str, str] = {}
        """Token -> status."""
        self.local_list_version = 0
        self.wants_reconnect = False
        """The station restarts: its socket is to be closed and opened again."""
        self.meter_interval_s: float = settings.meter_interval_s
        self.measurands: tuple[str, ...] = MEASURANDS
        self.boot_reason = "PowerUp"
        self._epoch = epoch + timedelta(seconds=settings.quirks.clock_error_s)
        self._last_aligned: int | None = None
        self._commands = self._own_commands()
        self.talk = Talk(
            self.version,
            settings.quirks,
            settings.call_timeout_s,
            boot=self._boot_payload,
            answer=self._answer,
            on_accepted=self._on_accepted,
            on_time=self._set_clock,
        )

    # Time.

    def wall(self, now: float) -> datetime:
        """Return the station's own clock, UTC in whole milliseconds."""
        return to_milliseconds(self._epoch + timedelta(seconds=now))

    def instant(self, now: float) -> str:
        return write_instant(self.wall(now))

    def _set_clock(self, told: str, now: float) -> None:
        error = read_instant(told) - self.wall(now)
        is_wrong = abs(error.total_seconds()) > CLOCK_TOLERANCE_S
        if is_wrong and not self.quirks.ignores_time:
            self._epoch += error

    def tick(self, now: float) -> None:
        """Let time pass: cars charge, meters are sampled, what is due is said."""
        for evse_id, evse in self.evses.items():
            evse.step(now, self.limit_a(evse_id, now))
            self._note_state(evse_id, now)
            self._sample(evse_id, now)
            self._expire_token(evse_id, now)
        self._sample_aligned(now)
        self.talk.tick(now)

    # What drivers do.

    def plug_in(self, evse_id: int, car: Car, now: float) -> None:
        self.evses[evse_id].car = car
        self._cable_plugged(evse_id, now)

    def present(self, evse_id: int, token: str, now: float) -> None:
        """Show a token: the one that charges here stops, any other asks to start."""
        transaction = self.visits[evse_id].transaction
        if transaction and transaction.id_token == token:
            self.stop(evse_id, "Local", now)
        elif not self.talk.is_online or token in self.local_list:
            if self._may_charge_offline(token):
                self._authorized(evse_id, token, now)
        else:
            self._ask_authorize(evse_id, token, now)

    def unplug(self, evse_id: int, now: float) -> None:
        """Pull the cable: ends what runs (1.6 StopTransactionOnEVSideDisconnect)."""
        if self.visits[evse_id].transaction:
            self.stop(evse_id, "EVDisconnected", now)
        self.evses[evse_id].unplug(now)
        self._cable_unplugged(evse_id, now)

    def restart(self, now: float, reason: str = "PowerLoss") -> None:
        """Lose power and come back: transactions end, or go on, as the quirks say."""
        if self.quirks.register_resets_on_restart:
            for evse in self.evses.values():
                evse.step(now, evse.limit_a)
                evse.register_wh = 0.0
        for evse_id, visit in self.visits.items():
            if visit.transaction and not self.quirks.keeps_transaction_on_restart:
                self.stop(evse_id, reason, now)
            visit.told_status = None
        self.boot_reason = "PowerUp" if reason == "PowerLoss" else "RemoteReset"
        self.talk.forget_registration()
        self.wants_reconnect = True

    def _expire_token(self, evse_id: int, now: float) -> None:
        """Forget a token whose cable does not come (EVConnectionTimeOut)."""
        visit = self.visits[evse_id]
        if not visit.token or self.evses[evse_id].car:
            visit.cable_due_at = None
        elif visit.cable_due_at is None:
            visit.cable_due_at = now + CABLE_TIMEOUT_S
        elif now >= visit.cable_due_at:
            if visit.transaction:
                self.stop(evse_id, "Timeout", now)
            visit.token = visit.cable_due_at = None
            self.send_statuses(now, only_changed=True)

    # Limits.

    def limit_a(self, evse_id: int, now: float) -> float:
        """Return what the station allows an EVSE now, A per phase."""
        evse, visit = self.evses[evse_id], self.visits[evse_id]
        if not visit.is_operational:
            return 0.0
        limit_a = None
        if not self.quirks.ignores_limits:
            started_at = visit.transaction.started_at if visit.transaction else None
            running = sum(v.transaction is not None for v in self.visits.values())
            limit_a = self.profiles.limit_a(
                evse_id, self.wall(now), started_at, self.supply(evse), running
            )
        highest_a = evse.hardware.max_current_a
        if limit_a == 0 and self.quirks.zero_is_unlimited:
            return highest_a
        return highest_a if limit_a is None else min(limit_a, highest_a)

    def supply(self, evse: SimulatedEvse) -> Supply:
        """What its profiles' watts are turned into amperes with, those of its input."""
        return Supply(evse.phases_used, evse.voltage_v * evse.hardware.efficiency)

    # Life of a transaction, in the words of both versions.

    def begin(self, evse_id: int, now: float, token: str | None) -> StationTransaction:
        """Open the books of a transaction; the contactor closes when somebody is authorized."""
        evse, visit = self.evses[evse_id], self.visits[evse_id]
        evse.step(now, evse.limit_a)
        transaction = StationTransaction(
            self.settings.identity, evse_id, self.wall(now), evse.register, token
        )
        visit.transaction, visit.state, visit.offered_since = transaction, "EVConnected", None
        visit.sample_at = now + self.meter_interval_s if self.meter_interval_s else None
        self.books.append(transaction)
        return transaction

    def close_contactor(self, evse_id: int, now: float) -> None:
        evse = self.evses[evse_id]
        if evse.car and self.visits[evse_id].token:
            evse.is_closed = True
            evse.step(now, self.limit_a(evse_id, now))

    def end(self, evse_id: int, reason: str, now: float) -> StationTransaction:
        """Close the books: current off, register read."""
        evse, visit = self.evses[evse_id], self.visits[evse_id]
        transaction = visit.transaction
        assert transaction is not None
        evse.open_contactor(now)
        transaction.ended_at, transaction.stop_wh = self.wall(now), evse.register
        transaction.stop_reason = reason
        visit.transaction = visit.token = visit.remote_start_id = visit.sample_at = None
        visit.state = "Idle"
        if visit.next_operational is not None:
            visit.is_operational, visit.next_operational = visit.next_operational, None
        self.profiles.end_transaction(evse_id)
        return transaction

    def _note_state(self, evse_id: int, now: float) -> None:
        visit = self.visits[evse_id]
        if visit.transaction is None:
            return
        state = self._charging_state(evse_id, now)
        if state != visit.state:
            visit.state = state
            self._state_changed(evse_id, now)

    def _charging_state(self, evse_id: int, now: float) -> str:
        evse, visit = self.evses[evse_id], self.visits[evse_id]
        if not evse.is_closed or evse.car is None:
            return "EVConnected" if evse.car else "Idle"
        if evse.limit_a < MINIMUM_CURRENT_A:
            visit.offered_since = None
            return "Charging" if evse.is_drawing else "SuspendedEVSE"
        if visit.offered_since is None:
            visit.offered_since = now
        if evse.is_drawing:
            return "Charging"
        is_late = now - visit.offered_since > WAKES_WITHIN_S
        return "SuspendedEV" if is_late or visit.state == "Charging" else visit.state

    def _sample(self, evse_id: int, now: float) -> None:
        visit = self.visits[evse_id]
        if visit.transaction and visit.sample_at is not None and now >= visit.sample_at:
            visit.sample_at += self.meter_interval_s
            if visit.sample_at <= now:  # The clock jumped: no burst of late samples.
                visit.sample_at = now + self.meter_interval_s
            self._send_sample(evse_id, "Sample.Periodic", now)

    def set_meter_interval(self, interval_s: float, now: float) -> None:
        self.meter_interval_s = interval_s
        for visit in self.visits.values():
            if visit.transaction:
                visit.sample_at = now + interval_s if interval_s else None

    def _sample_aligned(self, now: float) -> None:
        if not self.settings.clock_aligned_s:
            return
        number = int(self.wall(now).timestamp()) // self.settings.clock_aligned_s
        if self._last_aligned is not None and number > self._last_aligned:
            for evse_id in self.evses:
                self._send_sample(evse_id, "Sample.Clock", now)
        self._last_aligned = number

    # The gateway asks.

    def _answer(self, action: str, payload: Payload, now: float) -> Payload:
        self.commands_heard.append((action, payload))
        command = self._commands.get(action)
        if command is None:
            known = action in actions(self.version)
            raise PeerError("NotSupported" if known else "NotImplemented", action)
        return command(payload, now)

    def _may_charge_offline(self, token: str) -> bool:
        if token in self.local_list:
            return self.local_list[token] == "Accepted"
        return self.settings.accepts_unknown_offline

    def say(
        self,
        action: str,
        build: Callable[[], Payload] | Payload,
        now: float,
        on_answer: Callable[[Payload, float], None] | None = None,
    ) -> None:
        """Say something that is forgotten when it cannot be said now."""
        made = build if callable(build) else lambda: build
        self.talk.say(Outgoing(action, made, on_answer=on_answer), now)

    def _on_accepted(self, is_boot: bool, now: float) -> None:
        if is_boot:
            self.send_statuses(now, only_changed=False)
        else:
            self.send_statuses(now, only_changed=True)

    # What each version says in its own words.

    @abstractmethod
    def _boot_payload(self) -> Payload: ...

    @abstractmethod
    def _own_commands(self) -> dict[str, Callable[[Payload, float], Payload]]: ...

    @abstractmethod
    def send_statuses(self, now: float, *, only_changed: bool) -> None: ...

    @abstractmethod
    def stop(self, evse_id: int, reason: str, now: float) -> None:
        """End the transaction of an EVSE, for a reason in the words of 2.0.1."""

    @abstractmethod
    def _cable_plugged(self, evse_id: int, now: float) -> None: ...

    @abstractmethod
    def _cable_unplugged(self, evse_id: int, now: float) -> None: ...

    @abstractmethod
    def _ask_authorize(self, evse_id: int, token: str, now: float) -> None: ...

    @abstractmethod
    def _authorized(
        self, evse_id: int, token: str, now: float, remote_start_id: int | None = None
    ) -> None: ...

    @abstractmethod
    def _state_changed(self, evse_id: int, now: float) -> None: ...

    @abstractmethod
    def _send_sample(self, evse_id: int, context: str, now: float) -> None: ...


def epoch_of(wall: datetime, now: float) -> datetime:
    """Return the wall clock at `now` = 0."""
    return wall.astimezone(UTC) - timedelta(seconds=now)
