"""One connection to the cloud, from its opening until it falls silent: one thing after the other.

Short orchestration, handed what it awaits; owns no socket and no clock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.cloud_speech import CloudCall, CloudSpeech
from gateway.cloud_station import CloudStation, Saying
from gateway.errors import Unavailable
from gateway.ocpp.codec import Codec


@dataclass(frozen=True, slots=True)
class CloudLine:
    """One connection, as far as a speaker needs to know it."""

    codec: Codec
    call: CloudCall
    is_open: Callable[[], bool]
    """Whether the socket is still there, so that silence can be told from a loss."""
    was_too_big: Callable[[], bool]
    """Whether the cloud closed it for the size of what was said last."""


@dataclass(frozen=True, slots=True)
class CloudDialogue:
    """What the program says to the cloud, whichever connection carries it."""

    station: CloudStation
    speech: CloudSpeech
    refill: Callable[[], Awaitable[None]]
    """Brings the outbox what it asks for."""
    wait: Callable[[float | None], Awaitable[None]]
    """Returns when there is news since it last returned, or at that instant, monotonic."""
    clock: Callable[[], float]
    log: Callable[[str], None]

    async def speak(self, line: CloudLine) -> None:
        """Say whatever is to be said; returns when the cloud stays silent or is gone."""
        while True:
            await self.refill()
            saying = self.station.next_saying(self.clock())
            if saying is None:
                await self._rest()
                continue
            try:
                await self.speech.say(saying, line.codec, line.call)
            except Unavailable as error:
                if line.is_open():
                    await self._silent(saying, error)
                elif line.was_too_big() and saying.batch is not None:
                    await self.speech.too_big(saying.batch)
                return

    async def _rest(self) -> None:
        """Wait for something to say; settle down when it does not come soon."""
        settle_at, timer = self.speech.settle_at, self.station.next_timer()
        if settle_at is not None and settle_at <= self.clock():
            await self.speech.settle_down()
            return
        due_at = (at for at in (settle_at, timer) if at is not None)
        await self.wait(min(due_at, default=None))

    async def _silent(self, saying: Saying, error: Unavailable) -> None:
        """Silence costs an attempt and the socket (2.0.1 Part 4 §3.2), a lost link nothing."""
        self.log(f'cloud.silent reason="{error.reason}" action=reconnect')
        if saying.batch is not None:
            await self.speech.unanswered(saying.batch)
