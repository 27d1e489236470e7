"""The stations' server on loopback, with real WebSocket clients, TLS included."""

import asyncio
import shutil
import ssl
import subprocess
from base64 import b64encode
from contextlib import asynccontextmanager

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.adapters.csms import CsmsServer
from gateway.errors import Unavailable
from site_config.links import Csms, Tls
from site_config.stations import Evse, Station

NOW = "2026-01-01T00:00:00Z"
PLAIN = Station(circuit="grid", safe_current_a=6, evses={1: Evse()})
LOCKED = PLAIN.model_copy(update={"password": "grün"})
STATIONS = {"CP-01": PLAIN, "CP-02": LOCKED, "RDAM 123": PLAIN}
HEARTBEAT = '[2,"1","Heartbeat",{}]'
ANSWER = [3, "1", {"currentTime": NOW}]


class Site:
    """What the server told, in order; answers Heartbeat."""

    def __init__(self):
        self.told = []
        self.changed = asyncio.Condition()

    async def on_connected(self, connection):
        await self._tell("connected", connection)

    async def on_disconnected(self, connection):
        await self._tell("disconnected", connection)

    async def on_call(self, connection, call):
        return {"currentTime": NOW}

    async def _tell(self, what, connection):
        async with self.changed:
            self.told.append((what, connection.identity, connection))
            self.changed.notify_all()

    async def until(self, *wanted):
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: [what for what, *_ in self.told] == list(wanted))


@asynccontextmanager
async def serving(stations=STATIONS, **config):
    site = Site()
    csms = CsmsServer(
        Csms(listen="127.0.0.1:0", **config),
        stations,
        on_connected=site.on_connected,
        on_call=site.on_call,
        on_disconnected=site.on_disconnected,
    )
    async with csms:
        yield csms, site


def station(csms, path="/ocpp/CP-01", protocols=("ocpp1.6",), scheme="ws", **options):
    options = {"compression": None, "subprotocols": protocols or None, **options}
    return connect(f"{scheme}://127.0.0.1:{csms.port}{path}", **options)


async def heartbeat(socket):
    await socket.send(HEARTBEAT)
    async with asyncio.timeout(5):
        return orjson.loads(await socket.recv())


def basic(user, password):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


async def status_of(opening):
    with pytest.raises(InvalidStatus) as refusal:
        await opening
    return refusal.value.response


async def test_station_connects_asks_and_leaves():
    async with serving() as (csms, site):
        async with station(csms) as socket:
            assert await heartbeat(socket) == ANSWER
            assert list(csms.connections) == ["CP-01"]
            assert csms.connections["CP-01"].version == "ocpp1.6"
        await site.until("connected", "disconnected")

        assert csms.connections == {}


async def test_we_ask_the_station():
    async with serving() as (csms, _), station(csms) as socket:
        await heartbeat(socket)
        asking = asyncio.create_task(csms.connections["CP-01"].call("Reset", {"type": "Soft"}))
        _, unique_id, *_ = orjson.loads(await socket.recv())
        await socket.send(orjson.dumps([3, unique_id, {"status": "Accepted"}]), text=True)

        assert await asking == {"status": "Accepted"}


async def test_identity_is_percent_decoded():
    async with serving() as (csms, _), station(csms, "/ocpp/RDAM%20123") as socket:
        await heartbeat(socket)

        assert list(csms.connections) == ["RDAM 123"]


@pytest.mark.parametrize("path", ["/ocpp/CP-99", "/other/CP-01", "/ocpp", "/"])
async def test_unknown_identity_is_404_and_logged_once(path, caplog):
    async with serving() as (csms, site):
        for _ in range(3):
            response = await status_of(station(csms, path))
            assert response.status_code == 404

    assert site.told == []
    assert caplog.text.count("station.refused") == 1
    assert 'reason="unknown identity"' in caplog.text


async def test_scanner_cannot_flood_the_log(caplog, monkeypatch):
    monkeypatch.setattr("gateway.adapters.csms.MAX_REFUSALS", 2)
    async with serving() as (csms, _):
        for number in range(5):
            await status_of(station(csms, f"/scan/{number}"))

    assert caplog.text.count("station.refused") == 2


PASSWORDS = {
    "none": {},
    "wrong": basic("CP-02", "wrong"),
    "of another user": basic("CP-01", "grün"),
    "another scheme": {"Authorization": "Bearer grün".encode().decode("latin-1")},
}


@pytest.mark.parametrize("headers", PASSWORDS.values(), ids=PASSWORDS)
async def test_station_without_its_password_is_401(headers, caplog):
    async with serving() as (csms, site):
        response = await status_of(station(csms, "/ocpp/CP-02", additional_headers=headers))

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert site.told == []
    assert caplog.text.count("station.refused") == 1
    assert "grün" not in caplog.text


async def test_station_with_its_password_comes_in():
    async with serving() as (csms, _):
        headers = basic("CP-02", "grün")
        async with station(csms, "/ocpp/CP-02", additional_headers=headers) as socket:
            assert await heartbeat(socket) == ANSWER


async def test_refused_station_does_not_replace_the_one_that_is_connected():
    async with serving() as (csms, _):
        headers = basic("CP-02", "grün")
        async with station(csms, "/ocpp/CP-02", additional_headers=headers) as socket:
            await heartbeat(socket)
            await status_of(station(csms, "/ocpp/CP-02"))

            assert await heartbeat(socket) == ANSWER


PROTOCOLS = {
    "the stations preference": (["ocpp1.6", "ocpp2.0.1"], "ocpp1.6"),
    "the only one in common": (["ocpp2.1", "ocpp2.0.1"], "ocpp2.0.1"),
}


@pytest.mark.parametrize(("offered", "chosen"), PROTOCOLS.values(), ids=PROTOCOLS)
async def test_protocol_is_negotiated(offered, chosen):
    async with serving() as (csms, _), station(csms, protocols=offered) as socket:
        assert socket.subprotocol == chosen


@pytest.mark.parametrize("offered", [["ocpp1.5"], []], ids=["other", "none"])
async def test_without_common_protocol_the_handshake_ends_in_a_close(offered, caplog):
    async with serving() as (csms, site), station(csms, protocols=offered) as socket:
        async with asyncio.timeout(5):
            await socket.wait_closed()

        assert socket.subprotocol is None
        assert (socket.close_code, socket.close_reason) == (1002, "offer ocpp2.0.1 or ocpp1.6")
    assert site.told == []
    assert caplog.text.count("no common subprotocol") == 1


async def test_newest_connection_wins_and_the_old_ones_end_does_not_remove_it():
    async with serving() as (csms, site), station(csms) as old:
        await heartbeat(old)
        async with station(csms) as new:
            assert await heartbeat(new) == ANSWER
            async with asyncio.timeout(5):
                await old.wait_closed()
            assert old.close_code == 1008
            await site.until("connected", "disconnected", "connected")
            first, second = site.told[0][2], site.told[2][2]

            assert site.told[1][2] is first
            assert csms.connections == {"CP-01": second}


async def test_dead_connection_is_replaced_without_its_consent(monkeypatch):
    monkeypatch.setattr("gateway.adapters.csms.REPLACE_GRACE_S", 0.01)
    async with serving() as (csms, site), station(csms) as old:
        await heartbeat(old)
        old.transport.pause_reading()  # Half open: the close frame meets nobody.
        async with station(csms) as new:
            assert await heartbeat(new) == ANSWER

            await site.until("connected", "disconnected", "connected")
        old.transport.abort()


async def test_many_connections_of_one_identity_leave_the_last():
    async with serving() as (csms, site):
        sockets = [await station(csms) for _ in range(5)]
        assert await heartbeat(sockets[-1]) == ANSWER

        assert len(csms.connections) == 1
        told = [what for what, *_ in site.told]
        assert told == ["connected", "disconnected"] * (len(told) // 2) + ["connected"]
        for socket in sockets:
            await socket.close()


async def test_call_to_a_replaced_connection_is_unavailable():
    async with serving() as (csms, _), station(csms) as old:
        await heartbeat(old)
        asking = asyncio.create_task(csms.connections["CP-01"].call("Reset", {"type": "Soft"}))
        await old.recv()
        async with station(csms):
            with pytest.raises(Unavailable):
                await asking


@pytest.mark.parametrize(("compression", "is_on"), [(None, False), ("deflate", True)])
async def test_compression_only_when_the_station_offers_it(compression, is_on):
    async with serving() as (csms, _), station(csms, compression=compression) as socket:
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "")

        assert ("permessage-deflate" in extensions) is is_on
        assert await heartbeat(socket) == ANSWER


async def test_compressor_is_small():
    async with serving() as (csms, _), station(csms, compression="deflate") as socket:
        assert "server_max_window_bits=11" in socket.response.headers["Sec-WebSocket-Extensions"]


async def test_oversized_message_closes_the_connection_with_1009():
    async with serving() as (csms, _), station(csms) as socket:
        await socket.send('[2,"1","Heartbeat",{"x":"' + "x" * (1 << 20) + '"}]')
        async with asyncio.timeout(5):
            await socket.wait_closed()

        assert socket.close_code == 1009


async def test_station_that_answers_no_ping_is_closed(monkeypatch):
    monkeypatch.setattr("gateway.adapters.csms.CLOSE_TIMEOUT_S", 0.02)
    async with (
        serving(ping_interval_s=0.02) as (csms, site),
        station(csms, ping_interval=None) as socket,
    ):
        await heartbeat(socket)
        socket.transport.pause_reading()
        async with asyncio.timeout(5):
            await csms.connections["CP-01"].gone

        await site.until("connected", "disconnected")
        socket.transport.abort()


async def test_closing_the_server_tells_every_station_and_waits_for_the_last_word():
    site = Site()
    csms = CsmsServer(
        Csms(listen="127.0.0.1:0"),
        STATIONS,
        on_connected=site.on_connected,
        on_call=site.on_call,
        on_disconnected=site.on_disconnected,
    )
    await csms.start()
    async with station(csms) as socket:
        await heartbeat(socket)

        await csms.close()

        assert [what for what, *_ in site.told] == ["connected", "disconnected"]
        assert socket.close_code == 1001


async def test_whole_site_reconnects_at_once():
    stations = {f"S-{number}": PLAIN for number in range(150)}
    async with serving(stations) as (csms, _):

        async def come(identity):
            async with station(csms, f"/ocpp/{identity}") as socket:
                return await heartbeat(socket)

        answers = await asyncio.gather(*map(come, stations))

    assert answers == [ANSWER] * len(stations)


# TLS.


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    assert openssl, "the TLS tests make a certificate with the openssl command: install openssl"
    folder = tmp_path_factory.mktemp("tls")
    tls = Tls(certificate=str(folder / "certificate.pem"), key=str(folder / "key.pem"))
    subprocess.run(
        [
            *[openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
            *["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            *["-keyout", tls.key, "-out", tls.certificate],
        ],
        check=True,
        capture_output=True,
    )
    return tls


async def test_station_connects_over_tls(certificate):
    trust = ssl.create_default_context(cafile=certificate.certificate)
    async with (
        serving(tls=certificate) as (csms, _),
        station(csms, scheme="wss", ssl=trust) as socket,
    ):
        assert await heartbeat(socket) == ANSWER


async def test_plain_station_finds_no_way_in_when_tls_is_configured(certificate):
    async with serving(tls=certificate) as (csms, site):
        reader, writer = await asyncio.open_connection("127.0.0.1", csms.port)
        writer.write(b"GET /ocpp/CP-01 HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            async with asyncio.timeout(5):
                answer = await reader.read()
        except ConnectionError:
            answer = b""
        writer.close()

        assert not answer.startswith(b"HTTP")
        assert site.told == []


async def test_tls_older_than_1_2_is_refused(certificate):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(tls=certificate) as (csms, _):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await station(csms, scheme="wss", ssl=old)


async def test_unreadable_certificate_is_an_error_and_no_plain_server(tmp_path):
    missing = Tls(certificate=str(tmp_path / "none.pem"), key=str(tmp_path / "none.key"))
    with pytest.raises(OSError):
        async with serving(tls=missing):
            pass
