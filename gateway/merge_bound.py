"""How much of what waits may travel in one message: learnt from what the cloud refuses. Pure.

A message of several rows that was refused is followed by smaller ones: half as many values and
bytes, down to one row each. What was learnt is kept for this cloud, so that a restart does not
learn it anew, and doubled again with every day that passes. When one of the rows is refused alone
as well, it was that row and not the size: what was learnt last is forgotten.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from gateway.batches import Delivery
from gateway.writes import SaveSetting, Write

KEY = "outbox/merge_bound"
TRIED_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Learnt:
    values: int
    size: int
    """Bytes."""
    at: datetime


class MergeBound:
    """Args: cloud: which one it is learnt of, by whatever names it."""

    def __init__(self, cloud: str = "", kept: Iterable[SaveSetting] = ()) -> None:
        self._cloud = cloud
        self._learnt: _Learnt | None = None
        self._before: _Learnt | None = None
        for setting in kept:
            if setting.key == KEY:
                self._learnt = _parsed(setting.value, cloud)

    def applied(self, delivery: Delivery) -> Delivery:
        """Return the delivery with no more per message than the cloud takes."""
        learnt = self._learnt
        if learnt is None:
            return delivery
        return replace(
            delivery,
            merge_meter_values=min(delivery.merge_meter_values, learnt.values),
            merge_bytes=min(delivery.merge_bytes, learnt.size),
        )

    def refused(self, values: int, size: int, at: datetime) -> list[Write]:
        """Note that a message of several was refused."""
        self._before = self._learnt
        self._learnt = _Learnt(max(values // 2, 1), max(size // 2, 1), at)
        return [self._kept()]

    def culprit_found(self) -> list[Write]:
        """Note that a row of the last message refused was refused alone too."""
        if self._learnt is self._before:
            return []
        self._learnt = self._before
        return [self._kept()]

    def confirmed(self, delivery: Delivery, at: datetime) -> list[Write]:
        """Note that the cloud answers: after a day it may take more than it did."""
        learnt = self._learnt
        if learnt is None or at - learnt.at < TRIED_AGAIN_AFTER:
            return []
        more = _Learnt(2 * learnt.values, 2 * learnt.size, at)
        is_all = more.values >= delivery.merge_meter_values and more.size >= delivery.merge_bytes
        self._learnt = self._before = None if is_all else more
        return [self._kept()]

    def _kept(self) -> SaveSetting:
        learnt = self._learnt
        words = {} if learnt is None else {"values": learnt.values, "bytes": learnt.size}
        at = "" if learnt is None else learnt.at.isoformat()
        return SaveSetting(KEY, orjson.dumps({"cloud": self._cloud, "at": at} | words).decode())


def _parsed(text: str, cloud: str) -> _Learnt | None:
    words = orjson.loads(text)
    if words["cloud"] != cloud or "values" not in words:
        return None
    return _Learnt(words["values"], words["bytes"], datetime.fromisoformat(words["at"]))
