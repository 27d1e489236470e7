"""The socket to the cloud: verified TLS, a password, and reasons that help."""

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from gateway.adapters.uplink import Uplink, tls_context
from gateway.cloud_station import CloudStation
from gateway.errors import Unavailable
from gateway.events import AuthorizeAsked, Booted, IdToken, Registered
from gateway.outbox import Outbox
from gateway.registration import BackOff, Registration
from gateway.simulation.cloud import Cloud as SimulatedCloud
from gateway.status_board import StatusBoard
from site_config.links import Cloud

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AT_ONCE = BackOff(0.01, 0.0, 0)
PATIENCE_S = 20.0
SECRET = "station-secret"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_ca(folder, name):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
    openssl(folder, "req", "-x509", *key, *ca)


def make_server(folder, ca, name, address):
    """Make NAME.pem and NAME.key for an address, signed by the CA."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    request = ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
    openssl(folder, "req", *key, *request, "-addext", f"subjectAltName={address}")
    signer = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2"]
    files = ["-in", f"{name}.csr", "-out", f"{name}.pem", "-copy_extensions", "copy"]
    openssl(folder, "x509", "-req", *signer, *files)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA of our own, one of somebody else's, and what ours has signed."""
    folder = tmp_path_factory.mktemp("certificates")
    make_ca(folder, "ours")
    make_ca(folder, "other")
    make_server(folder, "ours", "cloud", "IP:127.0.0.1")
    make_server(folder, "ours", "elsewhere", "DNS:elsewhere.example.com")
    return folder


def server_tls(certificates, name="cloud"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


class Speech:
    """Says what it is given, and takes the answer to a boot."""

    settle_at = None

    def __init__(self, station):
        self.station = station
        self.times_settled = 0

    async def say(self, saying, codec, call):
        action, payload = codec.serialize_event(saying.event)
        answer = codec.parse_answer(action, await call(action, payload, f"id-{id(saying)}"))
        if isinstance(answer, Registered):
            self.station.registration.boot_answered(answer, 0.0)
        if saying.deliver is not None:
            saying.deliver(answer)

    async def settle_down(self):
        self.times_settled += 1

    async def unanswered(self, batch):
        pass


class Line:
    """A running uplink, and what it has told of itself."""

    def __init__(self, uplink, station, speech, news):
        self.uplink, self.station, self.speech, self.news = uplink, station, speech, news

    @property
    def reasons(self):
        return {link.reason for link in self.news if not link.is_connected}

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - a list has no event to wait for
                await asyncio.sleep(0.01)


@asynccontextmanager
async def line_to(url, **cloud):
    """Run an uplink to this address."""
    config = Cloud.model_validate({"url": url, "identity": "DEPOT"} | cloud)
    registration = Registration(Booted("site-gateway", "site-gateway"), lambda: 0.0, AT_ONCE)
    station = CloudStation(registration, StatusBoard((), 0, NOON), Outbox())
    speech, news = Speech(station), []

    async def nothing():
        pass

    async def refuse(codec, call):
        raise Unavailable("nobody is here")

    uplink = Uplink(
        config,
        station,
        speech,
        answer=refuse,
        link_changed=news.append,
        refill=nothing,
        recover=nothing,
        clock=asyncio.get_running_loop().time,
        ping_interval_s=lambda: config.ping_interval_s,
    )
    running = asyncio.create_task(uplink.run())
    try:
        yield Line(uplink, station, speech, news)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def raw_server(answer=b""):
    """Listen, keep the first bytes of every connection, answer them, hang up."""
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.read(4096))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield heard, server.sockets[0].getsockname()[1]


async def test_a_cloud_signed_by_the_ca_of_the_site_file_is_spoken_to(certificates):
    passwords = {"DEPOT": SECRET}
    async with (
        SimulatedCloud(tls=server_tls(certificates), passwords=passwords) as cloud,
        line_to(cloud.url, tls_ca=str(certificates / "ours.pem"), password=SECRET) as line,
    ):
        await line.until(lambda: line.station.registration.is_registered)

        assert cloud.url.startswith("wss://")
        assert [call.action for call in cloud.heard][:1] == ["BootNotification"]
        assert cloud.refused_handshakes == []


async def test_what_the_cloud_confirmed_is_committed_when_the_connection_is_over():
    async with raw_server() as (_, port), line_to(f"ws://127.0.0.1:{port}/ocpp") as line:
        await line.until(lambda: line.news)

        assert line.speech.times_settled > 0


@pytest.mark.parametrize(
    ("server", "trusted"),
    [
        pytest.param("cloud", "other", id="signed by somebody else"),
        pytest.param("cloud", None, id="unknown to the system"),
        pytest.param("elsewhere", "ours", id="made out to another name"),
    ],
)
async def test_a_cloud_that_cannot_be_verified_hears_nothing(certificates, server, trusted):
    ca = {"tls_ca": str(certificates / f"{trusted}.pem")} if trusted else {}
    async with (
        SimulatedCloud(tls=server_tls(certificates, server)) as cloud,
        line_to(cloud.url, password=SECRET, **ca) as line,
    ):
        await line.until(lambda: len(line.news) >= 3)

        assert all("certificate" in reason.lower() for reason in line.reasons)
        assert cloud.stations == {}


async def test_where_tls_fails_nothing_is_said_in_plain(certificates):
    async with (
        raw_server() as (heard, port),
        line_to(f"wss://127.0.0.1:{port}/ocpp", password=SECRET) as line,
    ):
        await line.until(lambda: len(heard) >= 3)

        assert all(said[:1] == b"\x16" for said in heard if said)  # a TLS record
        assert not any(b"GET" in said or SECRET.encode() in said for said in heard)


def test_a_ca_that_cannot_be_read_is_told_before_anything_runs(tmp_path):
    missing = Cloud(url="wss://cloud.example.com", identity="D", tls_ca=str(tmp_path / "no.pem"))

    with pytest.raises(OSError, match="No such file"):
        tls_context(missing)


def test_tls_below_1_2_is_not_spoken():
    context = tls_context(Cloud(url="wss://cloud.example.com", identity="D"))

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert tls_context(Cloud(url="ws://cloud.example.com", identity="D")) is None


@pytest.mark.parametrize(
    ("passwords", "advice"),
    [
        pytest.param({"DEPOT": "another"}, "check cloud.password", id="401"),
        pytest.param({"ELSE": SECRET}, "check cloud.url and cloud.identity", id="404"),
    ],
)
async def test_a_refusal_names_what_to_look_at(passwords, advice):
    async with (
        SimulatedCloud(passwords=passwords) as cloud,
        line_to(cloud.url, password=SECRET) as line,
    ):
        await line.until(lambda: len(line.news) >= 3)

        (reason,) = line.reasons  # always the same words, so that it is told once
        assert advice in reason
        assert SECRET not in reason


async def test_a_password_goes_along_as_http_basic_and_only_if_there_is_one():
    async with raw_server() as (heard, port):
        url = f"ws://127.0.0.1:{port}/ocpp"
        async with line_to(url, password=SECRET, identity="DEPOT/7") as line:
            await line.until(lambda: heard)
        async with line_to(url) as line:
            await line.until(lambda: b"DEPOT HTTP" in heard[-1])

    first, last = heard[0], heard[-1]
    assert first.startswith(b"GET /ocpp/DEPOT%2F7 HTTP/1.1")
    assert b"Authorization: Basic REVQT1QvNzpzdGF0aW9uLXNlY3JldA==" in first
    assert b"Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6" in first
    assert b"Authorization" not in last


LOGIN_PAGE = b"HTTP/1.1 302 Found\r\nLocation: http://portal/login\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(LOGIN_PAGE, id="a login page"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="a web site"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x0a", id="something else"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_whatever_answers_there_the_program_tries_again(answer):
    async with (
        raw_server(answer) as (heard, port),
        line_to(f"ws://127.0.0.1:{port}/ocpp") as line,
    ):
        await line.until(lambda: len(heard) >= 3)

        assert all(line.reasons)


async def test_an_address_nobody_resolves_is_tried_again():
    async with line_to("ws://a..b:80/ocpp") as line:
        await line.until(lambda: len(line.news) >= 3)

        assert all(line.reasons)


async def test_a_question_to_a_cloud_that_is_away_is_answered_at_once():
    async with line_to("ws://127.0.0.1:9/ocpp") as line:
        assert await line.uplink.ask(AuthorizeAsked(IdToken("A")), PATIENCE_S) is None


async def test_a_question_is_answered_by_the_cloud_or_after_its_deadline():
    async with SimulatedCloud() as cloud, line_to(cloud.url) as line:
        await line.until(lambda: line.station.registration.is_registered)
        answered = await line.uplink.ask(AuthorizeAsked(IdToken("A")), PATIENCE_S)
        cloud.behaviour.silences["Authorize"] = 1
        unanswered = await line.uplink.ask(AuthorizeAsked(IdToken("A")), 0.05)

        assert answered.info.status == "Accepted"
        assert unanswered is None
