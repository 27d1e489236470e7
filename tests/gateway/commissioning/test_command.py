"""What the electrician sees: progress, an end that leaves nobody high, a report he can paste."""

import asyncio
import io
import json

import pytest
from rich.console import Console

from gateway.commissioning.command import report, watch
from gateway.simulation.cars import Car
from gateway.simulation.plant import Wiring
from tests.gateway.commissioning.test_procedure import ALL, Trial, site_with


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


def two_cars():
    site = site_with({"A": ("grid", ALL), "B": ("grid", ALL)})
    wirings = dict.fromkeys(site.stations, Wiring("grid", (1, 2, 0)))
    return Trial(site, wirings, {name: Car(phases=1) for name in site.stations})


class Watched:
    """The command in virtual time: every look at the site is a second later."""

    def __init__(self, trial, console, *, answers=True):
        self.trial, self.console = trial, console
        self.answers = answers
        self.stop, self.now, self.stop_when = asyncio.Event(), 0.0, lambda: False

    async def pause(self, _seconds):
        self.now += 1.0
        if self.answers or not self.trial.procedure.has_ended:
            self.trial.step(self.now)
        if self.stop_when():
            self.stop.set()

    async def run(self, patience_s=300):
        await watch(
            self.trial.procedure,
            self.console,
            pause=self.pause,
            clock=lambda: self.now,
            patience_s=patience_s,
            stop=self.stop,
        )

    def told(self):
        code = report(self.trial.procedure, self.trial.site, self.console, is_json=False)
        return code, self.console.file.getvalue()


async def test_ctrl_c_in_a_high_step_leaves_everybody_low_and_tells_what_was_found(console):
    watched = Watched(two_cars(), console)
    trial = watched.trial
    watched.stop_when = lambda: (
        len(trial.procedure.changes) == 1 and trial.limits["B"] > 10 and not trial.procedure.is_over
    )

    await watched.run()

    assert trial.limits == {"A": 6.0, "B": 6.0}
    code, told = watched.told()
    assert code == 1
    assert "putting every vehicle back to its minimum" in told
    assert "      1: { phases: [L2, L3, L1] }" in told.splitlines()
    assert "not tried: ended before" in " ".join(told.split())


async def test_second_ctrl_c_leaves_at_once(console):
    watched = Watched(two_cars(), console, answers=False)
    watched.stop_when = lambda: watched.trial.limits["A"] > 10

    await watched.run()

    assert watched.now < 60
    assert not watched.trial.procedure.is_at_rest


async def test_a_station_that_does_not_confirm_does_not_hold_up_the_end(console):
    watched = Watched(two_cars(), console, answers=False)
    watched.stop_when = lambda: (
        watched.trial.limits["A"] > 10 and not watched.trial.procedure.has_ended
    )

    await watched.run()

    assert "falls to the safe current by its own clock" in console.file.getvalue()


async def test_nobody_comes_and_it_ends(console):
    site = site_with({"A": ("grid", ALL)})
    trial = Trial(site, {"A": Wiring("grid", (0, 1, 2))}, {})
    watched = Watched(trial, console)

    await watched.run(patience_s=60)

    code, told = watched.told()
    assert (code, watched.now) == (3, 61)
    assert "no vehicle for 1 minutes" in told
    assert "not tried: no vehicle charged" in " ".join(told.split())


async def test_report_for_scripts_is_one_object_with_the_lines_to_paste(console, capsys):
    watched = Watched(two_cars(), console)
    await watched.run()

    code = report(watched.trial.procedure, watched.trial.site, console, is_json=True)

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert told["swapped_meters"] == ["grid"]
    assert told["yaml"] == ["meters:", "  grid:", "    phases: [L3, L1, L2]"]
    assert told["not_tried"] == []
