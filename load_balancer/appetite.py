"""Whether a vehicle wants current, by what its station says of it while it is offered some.

Pure. Offered nothing, nobody knows: of a vehicle that is paused some stations say that it does not
want, some that only they hold it back, whether it is full or not. Believed, the one would never
be given its turn again, and the other would be started and paused for ever. So the verdict from
when it was last offered current stands, and from time to time it is found anew. Instants are
monotonic seconds.
"""

from math import inf

WAKES_WITHIN_S = 60.0
"""A vehicle that is offered current and has not drawn any after so long does not want it."""
ASK_AGAIN_S = 1800.0
"""One that has wanted nothing yet, and is offered nothing since, is asked again after so long, as
its timer may have run out; after two hours if it has charged, as then it is full. Whenever it
still wants nothing, the next time is twice as long, up to the second."""
ASK_AGAIN_AT_MOST_S = 4 * 3600.0
DRAWING_DA = 10
"""Less is the electronics of the station."""


class Appetite:
    """The verdict on the vehicle of one transaction; begin anew with the next."""

    def __init__(self) -> None:
        self.is_hungry = True
        """Until it has been offered something, it is taken to want it."""
        self.due_at = inf
        """When the mere passing of time may change the verdict."""
        self._offered_since: float | None = None
        self._has_drawn = self._has_declined = False
        """Since then."""
        self._doublings = 0
        """Of the time until it is asked again."""

    def learn(self, says_it_wants: bool, is_offered: bool, drawn_da: int, now: float) -> bool:
        """Take in what is said and done now; returns the verdict.

        Args:
            is_offered: its limit is above 0.
            drawn_da: the most that any conductor carries, as last reported.
        """
        if not is_offered:
            self._wait(now)
            return self.is_hungry
        if self._offered_since is None:
            self._offered_since = now
            self._has_drawn = self._has_declined = False
        if not self._has_drawn and drawn_da >= DRAWING_DA:
            self._has_drawn, self._doublings = True, 2
        self._listen(says_it_wants, now)
        return self.is_hungry

    def _wait(self, now: float) -> None:
        if self._offered_since is not None:
            self._offered_since = None
            patience_s = min(ASK_AGAIN_S * 2**self._doublings, ASK_AGAIN_AT_MOST_S)
            self.due_at = inf if self.is_hungry else now + patience_s
        if now >= self.due_at:
            self.is_hungry, self.due_at = True, inf
            self._doublings += 1

    def _listen(self, says_it_wants: bool, now: float) -> None:
        assert self._offered_since is not None
        wakes_at = self._offered_since + WAKES_WITHIN_S
        # What it says first may still be what it said when it was offered nothing.
        is_credible = self._has_drawn or now >= wakes_at
        if says_it_wants and (self._has_declined or is_credible):
            self.is_hungry = True
        elif not says_it_wants:
            self._has_declined = True
            self.is_hungry = self.is_hungry and not is_credible
        self.due_at = inf if is_credible else wakes_at
