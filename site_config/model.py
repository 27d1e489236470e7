"""What the site is, as its installer wrote it: frozen models of the configuration contract.

Every key of the site file is one field here, or in the module of its section, with the same name;
the unit is in the name. Decides nothing beyond the shape of single values: whether they fit
together is `proof`'s business, and which line of the file they stand on is `load`'s.

Currents are A RMS per phase, positive = import.
"""

from collections.abc import Mapping
from datetime import time
from typing import Annotated

from pydantic import Field, PrivateAttr

from site_config.base import Model
from site_config.circuits import Circuit
from site_config.fields import ClockTime
from site_config.grid_operator import GridOperator
from site_config.links import Cloud, Csms, Mqtt, Web
from site_config.meters import Meter
from site_config.stations import Station


class SiteInfo(Model):
    """Names of the site, and what holds for all of it."""

    id: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["depot-north"])
    ]
    """Short name in MQTT topics, file names and logs: letters, digits, dots, dashes."""
    name: str
    """Name of the site for people."""
    timezone: str = "UTC"
    """IANA name, such as Europe/Berlin; limit windows are meant in it."""
    voltage_v: Annotated[float, Field(gt=50, lt=500)] = 230
    """Phase to neutral, nominal, V; turns W into A where no voltage is measured."""


class Storage(Model):
    """What the database may hold, and the copies of it."""

    max_rows: Annotated[int, Field(ge=1000)] = 2_000_000
    """Messages that wait for the cloud; near it the meter values between are thinned out."""
    max_mb: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 2000.0
    """Size of the database, MB; near it the meter values between are thinned out."""
    max_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90.0
    """How long a message may wait; older meter values between are thinned out."""
    keep_transactions_days: Annotated[float, Field(ge=1, le=36_500)] = 400.0
    """How long a transaction that has ended, and was told to the cloud, can be looked up."""
    backup_dir: str | None = None
    """Where the nightly copies go; absent: `backups` beside the database."""
    backup_at: ClockTime = time(3, 30)
    """When, hours:minutes in the site's time zone."""
    backups_kept: Annotated[int, Field(ge=0, le=1000)] = 7
    """The newest copies that stay; 0: none are made."""


class Site(Model):
    """A charging site: one file, one gateway."""

    site: SiteInfo
    """Names of the site, and what holds for all of it."""
    cloud: Cloud
    """The one charging station that the cloud CSMS sees."""
    csms: Csms = Csms()
    """Where the site's charging stations connect."""
    meters: dict[str, Meter] = Field(default={})
    """Modbus meters, by name; a site without one is balanced by its ratings alone."""
    circuits: Annotated[dict[str, Circuit], Field(min_length=1)]
    """A tree of fuses, by name; exactly one has no parent."""
    stations: dict[str, Station]
    """Charging stations, by OCPP identity."""
    grid_operator: GridOperator | None = None
    """Absent: the grid operator cannot dim this site."""
    mqtt: Mqtt | None = None
    """Absent: no MQTT."""
    web: Web | None = None
    """Absent: no page and no HTTP interface."""
    storage: Storage = Storage()
    """What the database may hold, and the copies of it."""

    _lines: Mapping[str, int] = PrivateAttr(default_factory=dict)

    @property
    def modbus_urls(self) -> dict[str, str]:
        """The address of every Modbus device, by where it stands in the file."""
        urls = {f"meters.{name}.url": meter.url for name, meter in self.meters.items()}
        if self.grid_operator is not None and self.grid_operator.input is not None:
            urls["grid_operator.input.url"] = self.grid_operator.input.url
        return urls

    def line_of(self, path: str) -> int:
        """Return the line of the site file on which `path` (dotted) stands, or its nearest
        parent; 0 when the site did not come from a file.
        """
        while path not in self._lines and "." in path:
            path = path.rpartition(".")[0]
        return self._lines.get(path, 0)

    def remember_lines(self, lines: Mapping[str, int]) -> None:
        """Keep the line of every path; `load` does this once, before anybody sees the site."""
        self._lines = lines
