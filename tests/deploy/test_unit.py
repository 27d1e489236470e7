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
DROP_INS = sorted((DEPLOY / "drop-ins").glob("*.conf"))

PATIENCE_S = 60.0
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
        heard.settimeout(PATIENCE_S)
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


def heard(manager):
    return manager.recv(4096).decode()


def test_systemd_hears_ready_alive_and_stopping(gateway, manager, capsys):
    began_at = time.monotonic()
    first = heard(manager)
    listening_s = time.monotonic() - began_at
    beats = [heard(manager), heard(manager)]
    gateway.send_signal(signal.SIGTERM)
    last = beats[-1]
    while last == "WATCHDOG=1":
        last = heard(manager)

    assert first == "READY=1"
    assert beats == ["WATCHDOG=1", "WATCHDOG=1"]
    assert last == "STOPPING=1"
    assert gateway.wait(PATIENCE_S) == 0
    with capsys.disabled():
        print(f"start to listening: {listening_s:.2f} s")  # noqa: T201 - a figure for people


def test_ready_means_that_stations_may_connect(gateway, manager, tmp_path):
    heard(manager)
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
    """The unit as systemd would find it, its command an existing file."""
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    program = shlex.split(settings()["ExecStart"][0])[0]
    unit.write_text(text.replace(program, sys.executable))
    return unit


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda path: path.stem if path else "-")
def test_systemd_understands_every_line(installed, drop_in):
    if drop_in is not None:
        folder = installed.with_name(f"{installed.name}.d")
        folder.mkdir()
        shutil.copy(drop_in, folder)

    verdict = analyze("verify", "--man=no", str(installed))

    assert (verdict.returncode, verdict.stderr) == (0, "")


def test_little_is_left_to_whoever_breaks_in(installed):
    verdict = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(installed))

    assert verdict.returncode == 0, verdict.stdout
