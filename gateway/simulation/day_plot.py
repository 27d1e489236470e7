"""The picture of a simulated day: load against rating on each phase, and who waits.

Writes one file. Needs matplotlib, which is an extra. Currents A RMS per phase.
"""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.simulation.day_record import Record
from load_balancer.phases import PHASES
from site_config.model import Site

INCHES = (12.0, 9.0)


class PlotterMissing(Exception):
    """matplotlib is not installed."""


def save_plot(path: Path, record: Record, site: Site) -> None:
    """Write the picture in the format of the file's name.

    Raises PlotterMissing, OSError, or ValueError for a format that nobody knows.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as reason:
        raise PlotterMissing(str(reason)) from reason

    zone = ZoneInfo(site.site.timezone)
    times = [datetime.fromtimestamp(moment.at, zone) for moment in record.moments]
    figure = Figure(figsize=INCHES, layout="constrained")
    *loads, crowd = figure.subplots(len(PHASES) + 1, sharex=True)
    for phase, axes in enumerate(loads):
        flows_a = [moment.flows_a[phase] for moment in record.moments]
        limits_a = [moment.limits_a[phase] for moment in record.moments]
        axes.fill_between(times, flows_a, step="post", alpha=0.6, label="load")
        axes.step(times, limits_a, where="post", color="tab:red", label="allowed")
        axes.set_ylabel(f"{PHASES[phase]}, A")
        axes.set_ylim(bottom=0)
    loads[0].legend(loc="upper right", ncols=2)
    loads[0].set_title(f"{site.site.name}: load of the grid connection point")
    plugged = [moment.crowd.plugged for moment in record.moments]
    waiting = [moment.crowd.waiting for moment in record.moments]
    crowd.step(times, plugged, where="post", label="plugged in")
    crowd.fill_between(times, waiting, step="post", alpha=0.6, color="tab:orange", label="waiting")
    crowd.set_ylabel("cars")
    crowd.set_ylim(bottom=0)
    crowd.legend(loc="upper right", ncols=2)
    figure.savefig(path)
