"""When the gateway may speak to the cloud: connecting, BootNotification, heartbeat. Pure.

Rule 1: one BootNotification per start of the program, not per connection (1.6J §5.4, 2.0.1
Part 4 §5.3), and again when the cloud triggers one or orders a reset.
Rule 2: before Accepted nothing else is sent, not even what waits in the outbox (1.6 §4.2,
B01.FR.08). Pending answers the cloud's commands; Rejected waits its interval in silence.
Rule 3: a lost connection is tried again after a wait that doubles, with jitter, and then stays
(2.0.1 Part 4 §5.3), so that a thousand sites do not return in the same second.

`now` is monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.events import Booted, HeartbeatSent, Registered, RegistrationStatus

BOOT_RETRY_S = 60.0
"""Wait after a BootNotification that was refused, or whose interval was 0."""
STABLE_S = 60.0
"""A connection that lasted so long was a good one: the next wait is the shortest again."""
HEARTBEAT_INTERVAL_S = 300.0
MINIMUM_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class BackOff:
    """2.0.1 Part 4 §5.3: RetryBackOffWaitMinimum, -RandomRange and -RepeatTimes."""

    wait_minimum_s: float = 2.0
    random_range_s: float = 3.0
    repeat_times: int = 5

    def wait_s(self, failures: int, dice: float) -> float:
        """Return the wait before attempt `failures` + 1; `dice` is uniform in [0, 1).

        >>> [BackOff(2, 0, 3).wait_s(failures, 0.5) for failures in range(6)]
        [2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
        """
        doublings = min(failures, self.repeat_times)
        return float(self.wait_minimum_s * 2**doublings + self.random_range_s * dice)


class Registration:
    """State of our registration at the cloud; lives as long as the program."""

    def __init__(
        self,
        identity: Booted,
        dice: Callable[[], float],
        back_off: BackOff,
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
    ) -> None:
        self.back_off = back_off
        self.status: RegistrationStatus | None = None
        """The cloud's last word; None: not asked yet."""
        self.is_connected = False
        self.heartbeat_interval_s = heartbeat_interval_s
        self._identity = identity
        self.dice = dice
        self._failures = 0
        self._connected_at: float | None = None
        self._boot_due_at: float | None = None
        self._heartbeat_due_at: float | None = None

    @property
    def is_registered(self) -> bool:
        """Whether anything but BootNotification may be sent."""
        return self.is_connected and self.status is RegistrationStatus.ACCEPTED

    @property
    def may_answer_triggers(self) -> bool:
        """Whether what the cloud triggers may be sent: while Pending too (B02.FR.02)."""
        spoken_to = (RegistrationStatus.ACCEPTED, RegistrationStatus.PENDING)
        return self.is_connected and self.status in spoken_to

    # Feed.

    def connected(self, now: float) -> None:
        self.is_connected = True
        self._connected_at = now
        if self.status is RegistrationStatus.ACCEPTED:
            self._heartbeat_due_at = now  # also tells us the time and the cloud that we live
        elif self._boot_due_at is None:
            self._boot_due_at = now

    def lost(self, now: float) -> float:
        """Note that the socket closed, or could not be opened; return the seconds to wait."""
        if self._connected_at is not None and now - self._connected_at >= STABLE_S:
            self._failures = 0
        self._connected_at = None
        wait_s = self.back_off.wait_s(self._failures, self.dice())
        self._failures += 1
        self.is_connected = False
        return wait_s

    def boot_answered(self, answer: Registered, now: float) -> None:
        self.status = answer.status
        interval_s = float(answer.interval_s)
        if answer.status is RegistrationStatus.ACCEPTED:
            self._boot_due_at = None
            if interval_s > 0:
                self.heartbeat_interval_s = max(interval_s, MINIMUM_INTERVAL_S)
            self._heartbeat_due_at = now + self.heartbeat_interval_s
        else:
            self._boot_due_at = now + (interval_s or BOOT_RETRY_S)

    def boot_failed(self, now: float) -> None:
        """Note that the BootNotification got a CALLERROR.

        One that got no answer is said again at once on the next connection: silence ends this one.
        """
        self._boot_due_at = now + BOOT_RETRY_S

    def heartbeat_sent(self, now: float) -> None:
        self._heartbeat_due_at = now + self.heartbeat_interval_s

    def set_heartbeat_interval(self, interval_s: float, now: float) -> None:
        self.heartbeat_interval_s = max(interval_s, MINIMUM_INTERVAL_S)
        self._heartbeat_due_at = now + self.heartbeat_interval_s

    def boot_again(self, reason: str, now: float) -> None:
        """Send a BootNotification again: triggered (B02.FR.02, 1.6 §5.17) or after a reset."""
        self._identity = Booted(
            self._identity.vendor,
            self._identity.model,
            self._identity.serial_number,
            self._identity.firmware_version,
            reason,
        )
        self._boot_due_at = now

    def heartbeat_now(self, now: float) -> None:
        self._heartbeat_due_at = now

    # Drain.

    def next_event(self, now: float) -> Booted | HeartbeatSent | None:
        """Return what must be said now, if anything; asking does not count as saying."""
        if not self.is_connected:
            return None
        if self._boot_due_at is not None and now >= self._boot_due_at:
            return self._identity
        if self.is_registered and _is_due(self._heartbeat_due_at, now):
            return HeartbeatSent()
        return None

    def next_timer(self) -> float | None:
        """Return when `next_event` will have something, monotonic seconds; None: never."""
        timers = [self._boot_due_at]
        if self.is_registered:
            timers.append(self._heartbeat_due_at)
        return min((timer for timer in timers if timer is not None), default=None)


def _is_due(due_at: float | None, now: float) -> bool:
    return due_at is not None and now >= due_at
