"""How often a station was sent charging profiles in the last day: its flash wears out. Pure.

Many stations keep profiles in flash, a hundred thousand writes to a block. Cuts are never held
back; but over the budget rises and refreshes become rarer. `now` is monotonic seconds.
"""

BUDGET = 6_000
"""A day for one station: a refresh every thirty seconds for two EVSEs that charge all day."""
BUCKET_S = 3600.0
DAY_BUCKETS = 24
WORN_RISE_INTERVAL_S = 60.0
WORN_REFRESHES = 2
"""A refresh is put off by so many periods: still before the profile ends in the safe current."""


class ProfileWrites:
    """One station's, shared by its EVSEs."""

    def __init__(self) -> None:
        self._buckets: list[tuple[int, int]] = []
        """(hour, writes in it), oldest first."""
        self._total = 0

    def note(self, now: float) -> None:
        """Count a profile that leaves."""
        hour = int(now // BUCKET_S)
        if self._buckets and self._buckets[-1][0] == hour:
            self._buckets[-1] = (hour, self._buckets[-1][1] + 1)
        else:
            self._buckets.append((hour, 1))
        self._total += 1

    def in_a_day(self, now: float) -> int:
        """Return how many left within the last day, to the hour."""
        oldest = int(now // BUCKET_S) - DAY_BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._total -= self._buckets.pop(0)[1]
        return self._total

    def is_worn(self, now: float) -> bool:
        """Return whether what can wait should."""
        return self.in_a_day(now) >= BUDGET
