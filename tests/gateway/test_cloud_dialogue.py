"""One thing after the other to the cloud: what happens while there is nothing to say."""

import pytest

from gateway.cloud_dialogue import CloudDialogue, CloudLine


class NobodySpeaksAnyMore(Exception):
    """Ends a test: the dialogue would wait for ever."""


class Quiet:
    """A station with nothing to say, its speech, and a clock that goes when somebody waits."""

    def __init__(self, settle_at, timer=None):
        self.now, self.timer = 5.0, timer
        self.settle_at = settle_at
        self.settled = []

    def next_saying(self, now):
        return None

    def next_timer(self):
        timer, self.timer = self.timer, None
        return timer

    async def settle_down(self):
        self.settled.append(self.now)
        self.settle_at = None

    async def refill(self):
        pass

    async def wait(self, due_at):
        if due_at is None:
            raise NobodySpeaksAnyMore
        self.now = due_at

    async def speak(self):
        dialogue = CloudDialogue(
            self, self, self.refill, self.wait, clock=lambda: self.now, log=print
        )
        line = CloudLine(None, None, lambda: True, lambda: False)
        with pytest.raises(NobodySpeaksAnyMore):
            await dialogue.speak(line)


@pytest.mark.parametrize(
    ("settle_at", "timer", "settled"),
    [
        pytest.param(None, None, [], id="nothing"),
        pytest.param(5.1, None, [5.1], id="when no mark has come by then"),
        pytest.param(5.1, 5.05, [5.1], id="not before, whatever else is due"),
        pytest.param(5.0, 9.0, [5.0], id="at once when it is time"),
    ],
)
async def test_what_the_cloud_confirmed_is_committed_alone(settle_at, timer, settled):
    quiet = Quiet(settle_at, timer)

    await quiet.speak()

    assert quiet.settled == settled
