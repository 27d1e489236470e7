"""The systemd unit as shipped: systemd understands it, and the gateway does what it says."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "site-gateway.service"
UNITS = [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")]
BIN = Path(sys.executable).parent
DROP_INS = sorted((DEPLOY / "drop-ins").glob("*.conf"))

PATIENCE_S = 60.0
LOOK_S = 0.5
WATCHDOG_US = 200_000
MOST_EXPOSED = 15
"""`systemd-analyze security`, in tenths: 0 is a sealed box, 100 is no protection at all."""

SITE = """\
site: {id: unit, name: Unit}
cloud: {url: "ws://127.0.0.1:9/ocpp", identity: UNIT}
csms: {listen: "127.0.0.1:0"}
circuits: {grid: {rating_a: 63}}
stations: {CP-01: {circuit: grid, safe_current_a: 6, evses: {1: {}}}}
"""


def settings():
    found = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return found


def command(site_file, data):
    """Return ExecStart with this interpreter and these places in the place of the installed."""
    installed, *words = shlex.split(settings()["ExecStart"][0])
    assert (
        Path(installed).name
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    )
    places = {"/etc/site-gateway/site.yaml": str(site_file), "/var/lib/site-gateway": str(data)}
    return [sys.executable, "-m", "gateway", *(places.get(word, word) for word in words)]


@pytest.fixture
def site_file(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


@pytest.fixture
def manager():
    """The socket on which systemd would listen."""
    with (
        tempfile.TemporaryDirectory() as folder,  # pytest's own may be too long for a socket
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
    ):
        heard.bind(f"{folder}/notify")
        heard.settimeout(LOOK_S)
        yield heard


@pytest.fixture
def gateway(site_file, tmp_path, manager):
    environment = os.environ | {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": str(WATCHDOG_US),
    }
    log = (tmp_path / "log").open("w+")
    with (
        log,
        subprocess.Popen(
            command(site_file, tmp_path / "data"), env=environment, cwd=ROOT, stderr=log
        ) as process,
    ):
        yield process
        if process.poll() is None:
            process.kill()
    print((tmp_path / "log").read_text())  # noqa: T201 - pytest shows it beside a failure


def heard(manager, gateway):
    """Return what the gateway says next; fail with its exit code when it is no more."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            return manager.recv(4096).decode()
        except TimeoutError:
            assert gateway.poll() is None, "the gateway has ended; see its log"
    raise TimeoutError("the gateway says nothing")


def test_systemd_hears_ready_alive_and_stopping(gateway, manager, capsys):
    began_at = time.monotonic()
    first = heard(manager, gateway)
    listening_s = time.monotonic() - began_at
    beats = [heard(manager, gateway), heard(manager, gateway)]
    gateway.send_signal(signal.SIGTERM)
    last = beats[-1]
    while last == "WATCHDOG=1":
        last = heard(manager, gateway)

    assert first == "READY=1"
    assert beats == ["WATCHDOG=1", "WATCHDOG=1"]
    assert last == "STOPPING=1"
    assert gateway.wait(PATIENCE_S) == 0
    with capsys.disabled():
        print(f"start to listening: {listening_s:.2f} s")  # noqa: T201 - a figure for people


def test_ready_means_that_stations_may_connect(gateway, manager, tmp_path):
    heard(manager, gateway)
    gateway.send_signal(signal.SIGTERM)
    gateway.wait(PATIENCE_S)

    events = [line.split()[3] for line in (tmp_path / "log").read_text().splitlines()]
    assert "csms.listening" in events
    assert events[-1] == "gateway.stopped"


def test_a_site_file_with_mistakes_is_told_and_not_tried_again(site_file, tmp_path):
    site_file.write_text(SITE.replace("circuit: grid", "circuit: gird"))

    ended = subprocess.run(
        command(site_file, tmp_path / "data"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert "gird" in ended.stderr
    assert [str(ended.returncode)] == settings()["RestartPreventExitStatus"]


def test_the_gateway_may_write_where_the_unit_lets_it_and_only_there():
    said = settings()

    assert said["ProtectSystem"] == ["strict"]
    assert said["StateDirectory"] == ["site-gateway"]
    assert said["ExecStart"][0].endswith(f"--data /var/lib/{said['StateDirectory'][0]}")
    assert f" /etc/{said['ConfigurationDirectory'][0]}/" in said["ExecStart"][0]


@pytest.fixture
def installed(tmp_path):
    """The units as systemd would find them, their program an existing file; the gateway's."""
    for unit in UNITS:
        text = unit.read_text()
        (tmp_path / unit.name).write_text(text.replace("/opt/site-gateway/bin/", f"{BIN}/"))
    return tmp_path / UNIT.name


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda path: path.stem)
def test_systemd_understands_every_drop_in(installed, drop_in):
    folder = installed.with_name(f"{installed.name}.d")
    folder.mkdir()
    shutil.copy(drop_in, folder)

    verdict = analyze("verify", "--man=no", str(installed))

    assert (verdict.returncode, verdict.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_unit(installed, unit):
    verdict = analyze("verify", "--man=no", str(installed.with_name(unit.name)))

    assert (verdict.returncode, verdict.stderr) == (0, "")


def test_little_is_left_to_whoever_breaks_in(installed):
    verdict = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(installed))

    assert verdict.returncode == 0, verdict.stdout
