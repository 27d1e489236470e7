"""Meters are read on time, an outage costs nothing but the outage, and silence stays silence.

Real Modbus over loopback against the simulated meter. The rhythm of polling is tested with a
clock that moves when somebody sleeps.
"""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from gateway.adapters.meter import (
    MeterReader,
    bounds_of,
    next_due,
    poll_meter,
    poll_meters,
)
from gateway.adapters.meter_line import ModbusLine, ModbusLines
from gateway.errors import Unavailable
from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import known_models, meter_model
from gateway.meters.plausibility import Bounds, implausible
from gateway.meters.watch import MeterWatch
from gateway.meters.words import WordOrder
from gateway.simulation.meter import Address, Fault, SimulatedMeter
from load_balancer.inputs import MeterReading
from site_config.addresses import TcpBus
from site_config.load import parse_site
from site_config.meters import Meter

VALUES = DecodedValues(
    currents=PhaseValues(10.5, -20.0, 30.2),
    voltages=PhaseValues(230.0, 231.0, 229.0),
    powers=PhaseValues(2400.0, -4600.0, 6900.0),
    power_w=4700.0,
    energy_import_wh=1_000_000.0,
    energy_export_wh=5000.0,
    frequency_hz=50.0,
)
SHORT_S = 0.05
"""Time a meter gets to answer where it is not going to."""
LAYOUTS = [
    (name, layout.sunspec_model)
    for name, model in known_models().items()
    for layout in model.layouts
]


def values():
    return VALUES


@asynccontextmanager
async def metered(name="eastron-sdm630", *, unit=1, **options):
    """A simulated meter, a patient reader for it and an impatient one on the same line."""
    patient = replace(meter_model(name), timeout_s=5.0)
    impatient = replace(patient, timeout_s=SHORT_S)
    async with (
        SimulatedMeter(patient, values, **options) as meter,
        ModbusLine(TcpBus("127.0.0.1", meter.port)) as line,
    ):
        yield meter, MeterReader(line, patient, unit), MeterReader(line, impatient, unit)


# Reading.


@pytest.mark.parametrize("order", WordOrder)
async def test_every_meter_of_the_library_is_read_over_the_wire_in_both_word_orders(order):
    """Foreign word orders too: the server and the reader are both told of the other one."""
    read = {}
    for name, number in LAYOUTS:
        model = in_order(meter_model(name), order)
        async with (
            SimulatedMeter(model, values, sunspec_model=number) as meter,
            ModbusLine(TcpBus("127.0.0.1", meter.port)) as line,
        ):
            read[name, number] = await MeterReader(line, replace(model, timeout_s=5), 1).read()

    assert len({name for name, _ in read}) >= 20
    for (name, _), found in read.items():
        magnitudes = tuple(map(abs, VALUES.currents))
        has_direction = meter_model(name).layouts[0].direction != "none"
        assert found.currents == pytest.approx(VALUES.currents if has_direction else magnitudes)
        assert found.voltages == pytest.approx(VALUES.voltages, abs=0.5)
        assert found.power_w == pytest.approx(VALUES.power_w, abs=10)
        assert found.energy_import_wh == pytest.approx(VALUES.energy_import_wh)


def in_order(model, order):
    layouts = tuple(replace(layout, word_order=order) for layout in model.layouts)
    return replace(model, layouts=layouts)


async def test_read_in_the_wrong_word_order_is_nothing_to_believe():
    model = in_order(meter_model("eastron-sdm630"), WordOrder.LITTLE)
    async with metered() as (meter, _, _), ModbusLine(TcpBus("127.0.0.1", meter.port)) as line:
        read = await MeterReader(line, replace(model, timeout_s=5), 1).read()

    assert implausible(read, Bounds.of_circuit(100, 230)) is not None


@pytest.mark.parametrize(("name", "number"), LAYOUTS)
async def test_a_poll_is_one_read_unless_the_meter_gives_little(name, number):
    async with metered(name, sunspec_model=number) as (meter, reader, _):
        await reader.read()
        before = meter.reads
        await reader.read()

    most = {"carlo-gavazzi-em24-din": 4, "phoenix-contact-eem-350": 3}.get(name, 1)
    assert meter.reads == before + most


async def test_meter_that_refuses_registers_it_does_not_have_is_read_in_pieces():
    async with metered("janitza-umg96rm", is_pedantic=True) as (meter, reader, _):
        first, after_first = await reader.read(), meter.reads
        again = await reader.read()

    assert first.currents == again.currents
    assert first.currents == pytest.approx(VALUES.currents)
    assert first.energy_import_wh == 1_000_000.0
    assert meter.reads - after_first == 4  # volts, amperes, watts, hertz


async def test_energies_of_the_em340_are_kept_between_their_rare_reads():
    async with metered("carlo-gavazzi-em340") as (meter, reader, _):
        read = [await reader.read() for _ in range(11)]

    assert meter.reads == 11 + 2
    assert {values.energy_import_wh for values in read} == {1_000_000.0}


@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_sunspec_meter_is_found_wherever_its_mark_stands(base):
    async with metered("sunspec", sunspec_model=213, sunspec_base=base) as (_, reader, _):
        assert (await reader.read()).currents == pytest.approx(VALUES.currents)


async def test_meter_that_is_no_sunspec_meter_is_told_so():
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), values) as meter,
        ModbusLine(TcpBus("127.0.0.1", meter.port)) as line,
    ):
        with pytest.raises(Unavailable, match="refuses the function"):
            await MeterReader(line, meter_model("sunspec"), 1).read()


async def test_nothing_is_read_from_another_unit():
    async with metered(unit=7) as (_, reader, _):
        with pytest.raises(Unavailable, match="exception 11"):
            await reader.read()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.BUSY, "exception 6"),
        (Fault.BROKEN, "exception 4"),
        (Fault.UNREACHABLE, "exception 11"),
        (Fault.HANG_UP, "connection lost|no answer"),
        (Fault.SILENT, "no answer"),
    ],
)
async def test_fault_is_unavailable_with_its_reason_and_ends_by_itself(fault, reason):
    async with metered() as (meter, reader, impatient):
        await reader.read()
        meter.fault = fault
        with pytest.raises(Unavailable, match=reason):
            await (impatient if fault in (Fault.SILENT, Fault.HANG_UP) else reader).read()
        meter.fault = Fault.NONE

        assert (await reader.read()).power_w == pytest.approx(4700)


async def test_slow_meter_is_waited_for_up_to_the_deadline():
    async with metered(delay_s=SHORT_S) as (meter, reader, _):
        meter.fault = Fault.SLOW

        assert (await reader.read()).power_w == pytest.approx(4700)


async def test_server_killed_during_a_read_costs_one_deadline_and_no_more():
    async with metered() as (meter, reader, impatient):
        await reader.read()
        meter.fault = Fault.SILENT
        pending = asyncio.create_task(impatient.read())
        while meter.reads < 2 and not pending.done():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0)
        await meter.stop()
        async with asyncio.timeout(1):
            with pytest.raises(Unavailable):
                await pending
            with pytest.raises(Unavailable, match="cannot connect to 127"):
                await reader.read()
        meter.fault = Fault.NONE
        await meter.start()

        assert (await reader.read()).power_w == pytest.approx(4700)


# Polling.


class Ears:
    """Remembers what is told of the meters."""

    def __init__(self):
        self.readings = []
        self.healths = []
        self.changed = asyncio.Event()

    def read(self, name, reading, _values):
        self.readings.append((name, reading))
        self.changed.set()

    def health(self, name, reason):
        self.healths.append((name, reason))
        self.changed.set()

    def doubt(self, name, words):
        raise AssertionError(f"{name}: {words}")

    def drawn(self, _name, _now):
        return None


class Timeline:
    """A clock that moves when somebody sleeps, and a meter that follows a script."""

    def __init__(self, script):
        self.now = 100.0
        self.began = []
        self.ears = Ears()
        self.readings, self.health = self.ears.readings, self.ears.healths
        self.layout = meter_model("eastron-sdm630").layouts[0]
        self._script = list(script)

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        assert seconds >= 0
        self.now += seconds

    async def read(self):
        if not self._script:
            raise asyncio.CancelledError
        self.began.append(self.now - 100.0)
        took_s, outcome = self._script.pop(0)
        self.now += took_s
        if isinstance(outcome, str):
            raise Unavailable(outcome)
        return outcome

    async def play(self, **options):
        meter = Meter(model="eastron-sdm630", url="tcp://h", **{"max_age_s": 5.0} | options)
        with contextlib.suppress(asyncio.CancelledError):
            await poll_meter(
                "grid",
                meter,
                self,
                MeterWatch(Bounds(2000.0), frozen_s=120.0, max_age_s=5.0),
                self.ears,
                clock=self.clock,
                sleep=self.sleep,
            )


def told(caplog):
    return [record.getMessage() for record in caplog.records]


async def test_reading_carries_the_moment_its_answer_came():
    timeline = Timeline([(0.25, VALUES)])

    await timeline.play()

    [(name, reading)] = timeline.readings
    assert name == "grid"
    assert reading == MeterReading(100.25, pytest.approx((10.5, -20.0, 30.2)), 4700.0)


async def test_polls_keep_their_beat_without_drift():
    timeline = Timeline([(0.3, VALUES)] * 5)

    await timeline.play(poll_s=1.0)

    assert timeline.began == pytest.approx([0, 1, 2, 3, 4])


async def test_missed_beats_are_skipped_not_made_up_for():
    timeline = Timeline([(0.1, VALUES), (3.4, VALUES), (0.1, VALUES), (0.1, VALUES)])

    await timeline.play(poll_s=1.0)

    assert timeline.began == pytest.approx([0, 1, 5, 6])


async def test_silence_delivers_nothing_and_is_told_once_when_the_last_reading_is_stale(caplog):
    caplog.set_level("INFO")
    silence = [(0.5, "no answer")] * 6
    timeline = Timeline([(0.1, VALUES), *silence, (0.1, VALUES), (0.1, VALUES)])

    await timeline.play()

    assert len(timeline.readings) == 3
    lost, back = told(caplog)
    assert lost == 'meter.lost meter=grid reason="no answer" silent_s=5.4 policy=safe'
    assert back.startswith("meter.back meter=grid silent_s=")
    assert timeline.health == [("grid", None), ("grid", "no answer"), ("grid", None)]


async def test_one_lost_answer_is_no_outage(caplog):
    caplog.set_level("INFO")
    timeline = Timeline([(0.1, VALUES), (1.0, "no answer"), (0.1, VALUES)])

    await timeline.play()

    assert told(caplog) == []
    assert timeline.health == [("grid", None)]


async def test_meter_that_never_answered_is_told_of(caplog):
    timeline = Timeline([(1.0, "cannot connect")] * 5)

    await timeline.play()

    [lost] = told(caplog)
    assert 'reason="cannot connect"' in lost
    assert timeline.health == [("grid", "cannot connect")]


async def test_lost_meter_is_found_within_two_seconds_of_its_return():
    timeline = Timeline([(0.0, "no answer")] * 30)

    await timeline.play(poll_s=0.5)

    pauses = [later - earlier for earlier, later in pairwise(timeline.began)]
    assert max(pauses) <= 2.0
    assert timeline.began[:3] == [0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (replace(VALUES, currents=PhaseValues(1, None, 1)), "no current on L2"),
        (replace(VALUES, currents=PhaseValues(1, 1, 6553.5)), "impossible current on L3"),
    ],
)
async def test_reading_that_cannot_be_true_is_silence(caplog, lie, reason):
    timeline = Timeline([(0.1, VALUES), *[(0.1, lie)] * 8])

    await timeline.play()

    assert len(timeline.readings) == 1
    doubt, lost = told(caplog)
    assert reason in doubt
    assert f'reason="{reason}' in lost
    assert "input register" in lost


async def test_frozen_meter_is_lost_and_comes_back_when_it_moves(caplog):
    caplog.set_level("INFO")
    moved = [(0.0, replace(VALUES, frequency_hz=50 + n / 100)) for n in range(1, 80)]
    timeline = Timeline([(0.0, VALUES)] * 400 + moved)

    await timeline.play()

    assert len(timeline.readings) == 120 + 79
    assert [line.split()[0] for line in told(caplog)] == [
        "meter.doubt",
        "meter.lost",
        "meter.back",
        "meter.sound",
    ]
    assert "kind=frozen" in told(caplog)[0]
    assert [reason is None for _, reason in timeline.health] == [True, False, True]


async def test_meter_that_sits_turned_and_inverted_is_read_as_the_site_file_says():
    timeline = Timeline([(0.0, VALUES)])

    await timeline.play(phases=["L2", "L3", "L1"], invert=True)

    [(_, reading)] = timeline.readings
    assert reading.currents == pytest.approx((-30.2, -10.5, 20.0))
    assert reading.power_w == -4700.0


@pytest.mark.parametrize(
    ("due", "now", "period_s", "expected"),
    [(0, 0, 1, 1), (0, 0.999, 1, 1), (0, 1.0, 1, 2), (0, 7.5, 2, 8), (5, 4, 1, 6)],
)
def test_next_beat(due, now, period_s, expected):
    assert next_due(due, now, period_s) == expected


# The whole site.


SITE = """\
site: {{id: depot, name: Depot}}
cloud: {{url: "ws://127.0.0.1/ocpp", identity: DEPOT}}
meters:
  grid: {{model: eastron-sdm630, url: "tcp://127.0.0.1:{port}", poll_s: 0.01}}
  wrong: {{model: sunspec, url: "tcp://127.0.0.1:{port}", unit: 9, poll_s: 0.01, max_age_s: 0.02}}
  other: {{model: sunspec, url: "tcp://127.0.0.1:{other}", unit: 3, poll_s: 0.01}}
circuits:
  grid: {{rating_a: 100, meter: grid}}
  garage: {{rating_a: 63, parent: grid, meter: other}}
stations: {{}}
"""


async def test_all_meters_of_a_site_are_polled_and_one_that_fails_harms_no_other():
    ears = Ears()
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), values) as grid,
        SimulatedMeter(meter_model("sunspec"), values, Address(unit=3)) as other,
        ModbusLines() as lines,
    ):
        site = parse_site(SITE.format(port=grid.port, other=other.port), {})
        polling = asyncio.create_task(poll_meters(site, ears, lines))
        async with asyncio.timeout(5):
            while len(ears.healths) < 3 or {n for n, _ in ears.readings} != {"grid", "other"}:
                ears.changed.clear()
                await ears.changed.wait()
        polling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await polling

    assert {name for name, reason in ears.healths if reason} == {"wrong"}


def test_bounds_follow_the_fuse_of_the_circuit():
    site = parse_site(SITE.format(port=1, other=2), {})

    assert bounds_of(site, "other").max_current_a < bounds_of(site, "grid").max_current_a
    assert bounds_of(site, "wrong").max_current_a > 100_000
