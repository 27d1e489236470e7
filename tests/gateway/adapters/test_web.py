"""The REST interface: who may ask what, how it is refused, and how the server starts and stops."""

import asyncio
import contextlib
import csv
import io
import json
import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.adapters.web import Desk, serve, site_app
from gateway.adapters.web.access import COOKIE_LIFE, Access
from gateway.adapters.web.server import WebFailed
from gateway.records import LimitSource
from site_config.links import Role, Tls
from tests.gateway.adapters.demo_site import (
    INSTALLER,
    NOON,
    NOW,
    OPERATOR,
    VIEWER,
    busy_state,
    cloud_away,
    demo_config,
    demo_counters,
    demo_grid_operator,
    demo_operations,
)
from tests.support.web_server import serving

LIMIT = "/api/v1/circuits/garage/limit"
DRAWS = "/api/v1/stations/CP-01/evses/1/draws"
WISH = "/api/v1/stations/CP-01/evses/1/wish"
EVERYTHING = [
    ("GET", "/api/v1/site"),
    ("GET", "/api/v1/limits"),
    ("PUT", LIMIT),
    ("DELETE", LIMIT),
    ("PUT", WISH),
    ("DELETE", WISH),
    ("GET", "/api/v1/transactions"),
    ("GET", "/api/v1/transactions?format=csv"),
    ("GET", "/api/v1/transactions/7/journey"),
    ("GET", "/api/v1/transactions/7/journey?format=csv"),
    ("GET", "/api/v1/outbox"),
    ("GET", "/api/v1/outbox?format=jsonl"),
    ("GET", "/api/v1/outbox?format=csv"),
    ("GET", "/api/v1/outbox/17"),
    ("PATCH", "/api/v1/outbox/17"),
    ("POST", "/api/v1/outbox/17/retry"),
    ("POST", "/api/v1/outbox/17/discard"),
    ("GET", "/api/v1/messages"),
    ("GET", "/api/v1/journal"),
    ("GET", DRAWS),
    ("GET", "/api/v1/messages?format=jsonl"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/no-such-thing"),
]


@pytest.fixture
def desk():
    state = busy_state()
    return Desk(state, demo_operations(state), demo_counters(), lambda: NOW, lambda: NOON)


@pytest.fixture
async def web(desk):
    app = site_app.build(demo_config().web, desk)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://gateway", transport=transport) as client:
        yield client


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), EVERYTHING, ids=lambda part: part)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(bearer("operator-secre"), id="wrong"),
        pytest.param({"Authorization": "Bearer"}, id="empty"),
        pytest.param({"Authorization": f"Basic {OPERATOR}"}, id="other scheme"),
    ],
)
async def test_without_a_token_of_the_site_file_everything_is_401(web, method, path, headers):
    answer = await web.request(method, path, headers=headers, json={"limit_a": 10})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json().keys() == {"error", "advice"}


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_monitoring_needs_no_token(web, path):
    assert (await web.get(path)).status_code == 200


async def test_healthz_says_why_the_site_is_degraded(web, desk):
    assert (await web.get("/healthz")).json() == {"status": "ok", "reasons": []}

    cloud_away(desk.state)

    assert (await web.get("/healthz")).json() == {
        "status": "degraded",
        "reasons": ["the cloud is silent since 12:57"],
    }


async def test_metrics_are_prometheus_text(web):
    answer = await web.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'site_gateway_circuit_rating_amperes{circuit="garage"} 63.0' in answer.text


@pytest.mark.parametrize("token", [VIEWER, OPERATOR, INSTALLER])
async def test_every_role_sees_the_site(web, desk, token):
    answer = await web.get("/api/v1/site", headers=bearer(token))

    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(desk.snapshot()))
    assert answer.json()["stations"]["CP-01"]["evses"]["1"]["limited_by"]["circuit"] == "garage"


async def test_an_operator_lowers_a_circuit_until_a_time_of_any_zone(web, desk):
    wish = {"limit_a": 40, "reason": "party", "until": "2026-06-01T18:00:00+02:00"}

    answer = await web.put(LIMIT, headers=bearer(OPERATOR), json=wish)

    assert answer.status_code == 200
    assert answer.json() == {
        "circuit": "garage",
        "source": "operator",
        "limit_a": 40.0,
        "reason": "party",
        "set_by": "operator-tablet",
        "set_at": "2026-06-01T12:00:00+00:00",
        "until": "2026-06-01T16:00:00+00:00",
    }
    limit = desk.operations.limits["garage", LimitSource.OPERATOR]
    assert limit.until == datetime(2026, 6, 1, 16, tzinfo=UTC)
    assert (await web.get("/api/v1/limits", headers=bearer(VIEWER))).json() == [answer.json()]


async def test_deleting_a_limit_twice_is_harmless(web, desk):
    await web.put(LIMIT, headers=bearer(OPERATOR), json={"limit_a": 40})

    answers = [await web.delete(LIMIT, headers=bearer(INSTALLER)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert desk.operations.limits == {}


@pytest.mark.parametrize(("method", "path"), [part for part in EVERYTHING if part[0] != "GET"])
async def test_a_viewer_changes_nothing(web, desk, method, path):
    answer = await web.request(method, path, headers=bearer(VIEWER), json={"limit_a": 10})

    assert answer.status_code == 403
    assert "wall-display is a viewer" in answer.json()["error"]
    assert desk.operations.asked == []


async def test_a_limit_above_the_rating_is_403(web):
    answer = await web.put(LIMIT, headers=bearer(INSTALLER), json={"limit_a": 63.1})

    assert answer.status_code == 403
    assert "rating of 63 A" in answer.json()["error"]


async def test_an_unknown_circuit_is_404_and_names_those_that_exist(web):
    answer = await web.put(
        "/api/v1/circuits/cellar/limit", headers=bearer(OPERATOR), json={"limit_a": 10}
    )

    assert answer.status_code == 404
    assert "grid, garage, yard" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"{", "this is no JSON", id="broken JSON"),
        pytest.param(b"[]", "", id="a list"),
        pytest.param(b'{"reason": "x"}', "limit_a", id="no limit"),
        pytest.param(b'{"limit_a": "40"}', "limit_a is not a number", id="text"),
        pytest.param(b'{"limit_a": true}', "limit_a is not a number", id="truth"),
        pytest.param(b'{"limit_a": -1}', "limit_a", id="negative"),
        pytest.param(b'{"limit_a": NaN}', "limit_a", id="NaN"),
        pytest.param(b'{"limit_a": 1, "amps": 2}', "amps", id="unknown key"),
        pytest.param(
            b'{"limit_a": 1, "until": "2026-06-01T18:00:00"}', "no time zone", id="zone-less"
        ),
    ],
)
async def test_nonsense_is_422_in_words_and_changes_nothing(web, desk, body, words):
    headers = bearer(OPERATOR) | {"content-type": "application/json"}

    answer = await web.put(LIMIT, headers=headers, content=body)

    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert "2026-06-01T18:00:00+02:00" in answer.json()["advice"]
    assert desk.operations.asked == []


@pytest.mark.parametrize(
    ("method", "address", "advice"),
    [
        ("GET", "transactions?since=yesterday", "openapi.json"),
        ("GET", "messages?limit=many", "openapi.json"),
        ("PUT", "circuits/garage/limit", '{"limit_a": 40'),
        ("PUT", "grid-operator/limit", '{"total_w": 8400'),
        ("PUT", "stations/CP-01/evses/1/wish", '{"energy_wh": 12000'),
        ("PATCH", "outbox/1", '{"changes": {'),
    ],
)
async def test_advice_is_about_what_was_asked(web, desk, method, address, advice):
    desk.operations.grid_operator = demo_grid_operator(desk.state)
    body = {"content": b'{"nonsense": 1}'} if method != "GET" else {}
    headers = bearer(OPERATOR) | {"content-type": "application/json"}

    answer = await web.request(method, f"/api/v1/{address}", headers=headers, **body)

    assert answer.status_code == 422
    assert advice in answer.json()["advice"]


async def test_transactions_are_asked_by_when_they_started(web, desk):
    answer = await web.get(
        "/api/v1/transactions?since=2026-06-01T00:00:00+02:00&until=2026-06-02T00:00:00Z",
        headers=bearer(VIEWER),
    )

    since, until = datetime(2026, 5, 31, 22, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)
    assert desk.operations.asked == [("transactions", since, until)]
    assert answer.json()[0]["energy_wh"] == 7250.0
    assert answer.json()[0]["id_token_hint"] == "E6F7"


async def test_the_outbox_shows_what_waits_and_what_is_in_quarantine(web):
    answer = await web.get("/api/v1/outbox?limit=2", headers=bearer(VIEWER))

    outbox = answer.json()
    assert [row["id"] for row in outbox["pending"]] == [1, 2]
    assert outbox["quarantined"][0]["code"] == "FormationViolation"
    assert outbox["quarantined"][0]["what"] == (
        "transaction updated on EVSE 2 (MeterValuePeriodic)"
    )


@pytest.mark.parametrize(("verb", "is_retried"), [("retry", True), ("discard", False)])
async def test_an_operator_decides_about_quarantine_once(web, desk, verb, is_retried):
    path = f"/api/v1/outbox/17/{verb}"

    answers = [await web.post(path, headers=bearer(OPERATOR)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 404]
    assert desk.operations.asked[0][:3] == ("release", 17, is_retried)
    assert desk.operations.asked[0][3].name == "operator-tablet"


async def test_an_operator_mends_a_message_and_the_change_is_kept_with_who_and_why(web, desk):
    wish = {"changes": {"at": "2026-06-01T11:00:00Z"}, "note": "the clock was wrong"}

    answer = await web.patch("/api/v1/outbox/17", headers=bearer(OPERATOR), json=wish)
    seen = (await web.get("/api/v1/outbox/17", headers=bearer(VIEWER))).json()

    assert answer.status_code == 200
    assert seen == answer.json()
    assert seen["event"]["at"] == "2026-06-01T11:00:00Z"
    (edit,) = seen["edits"]
    assert (edit["edited_by"], edit["note"]) == ("operator-tablet", "the clock was wrong")
    assert [change["path"] for change in edit["changes"]] == ["at"]


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"changes": {"evse_id": 9}, "note": "x"}, 422, "evse_id: cannot be changed"),
        ({"changes": {}, "event": {}, "note": "x"}, 422, "either"),
        ({"changes": {"at": "x"}}, 422, "note"),
        ({"changes": {"at": "x"}, "note": ""}, 422, "note"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_in_words(web, desk, wish, status, words):
    answer = await web.patch("/api/v1/outbox/17", headers=bearer(OPERATOR), json=wish)

    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert desk.operations.edits == []


async def test_messages_are_those_of_one_station_or_of_all(web):
    everything = await web.get("/api/v1/messages", headers=bearer(VIEWER))
    of_one = await web.get("/api/v1/messages?station=CP-01&limit=1", headers=bearer(VIEWER))

    assert [entry["station"] for entry in everything.json()] == ["CP-01", "CP-01", "CP-02", "cloud"]
    assert [entry["direction"] for entry in of_one.json()] == ["out"]


async def test_a_transaction_is_followed_message_by_message(web):
    answer = await web.get("/api/v1/transactions/7/journey", headers=bearer(VIEWER))
    table = await web.get("/api/v1/transactions/7/journey?format=csv", headers=bearer(VIEWER))
    unknown = await web.get("/api/v1/transactions/8/journey", headers=bearer(VIEWER))

    steps = answer.json()["steps"]
    assert answer.json()["transaction"]["number"] == 7
    assert [step["state"] for step in steps] == [
        *("confirmed", "confirmed", "confirmed", "quarantined", "waiting")
    ]
    assert steps[2]["sent_with"] == 4
    assert table.headers["content-disposition"] == 'attachment; filename="transaction-7.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["kind"] for row in rows] == [step["kind"] for step in steps]
    assert unknown.status_code == 404


async def test_messages_are_searched(web):
    of_an_action = await web.get(
        "/api/v1/messages?action=Heartbeat&direction=out&station=CP-01", headers=bearer(VIEWER)
    )
    unknown = await web.get("/api/v1/messages?word=x", headers=bearer(VIEWER))

    assert [entry["frame"][:3] for entry in of_an_action.json()] == ["[3,"]
    assert unknown.status_code == 422


@pytest.mark.parametrize(("token", "is_whole"), [(VIEWER, False), (OPERATOR, True)])
async def test_a_viewer_sees_of_a_drivers_token_the_last_four(web, desk, token, is_whole):
    frame = '[2,"t1","Authorize",{"idTag":"04A2B3C4D5E6F7"}]'
    desk.operations.trace.append(replace(desk.operations.trace[0], frame=frame))

    answers = [
        await web.get(f"/api/v1/messages{query}", headers=bearer(token))
        for query in ("", "?format=jsonl", "?text=04A2B3C4D5")
    ]

    assert ["04A2B3C4D5" in answer.text for answer in answers] == [is_whole] * 3
    assert ["E6F7" in answer.text for answer in answers] == [True, True, is_whole]


async def test_who_has_signed_in_loads_files_with_the_cookie_and_changes_nothing_with_it(web):
    cookie = (await web.get(f"/?token={OPERATOR}")).cookies["site_gateway"]
    web.cookies.set("site_gateway", cookie)

    assert (await web.get("/api/v1/transactions?format=csv")).status_code == 200
    assert (await web.post("/api/v1/outbox/17/retry")).status_code == 401
    assert (await web.put(LIMIT, json={"limit_a": 10})).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/site", "/?token=wrong"])
async def test_whoever_guesses_tokens_waits_even_with_a_right_one(web, path):
    for _ in range(5):
        refused = await web.get(path, headers=bearer("wrong"))
        assert refused.status_code == 401

    answers = [
        await web.get("/api/v1/site", headers=bearer(OPERATOR)),
        await web.get(f"/?token={OPERATOR}"),
    ]

    assert [answer.status_code for answer in answers] == [429, 429]
    assert [answer.headers["retry-after"] for answer in answers] == ["1", "1"]
    assert (await web.get("/healthz")).status_code == 200


@pytest.mark.parametrize("path", [path for method, path in EVERYTHING if method == "GET"])
async def test_no_answer_holds_a_secret(web, path):
    answer = await web.get(path, headers=bearer(INSTALLER))

    for secret in (VIEWER, OPERATOR, INSTALLER, "04A2B3C4D5E6F7"):
        assert secret not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/signin", "/", "/api/v1/site", "/static/site.css"])
async def test_every_answer_forbids_browsers_to_talk_to_anybody_else(web, path):
    headers = (await web.get(path)).headers

    assert headers["content-security-policy"].startswith("default-src 'self' ")
    assert headers["referrer-policy"] == "no-referrer"


async def test_every_route_and_every_field_of_a_limit_is_described(web):
    openapi = (await web.get("/api/v1/openapi.json", headers=bearer(VIEWER))).json()

    routes = [route for path in openapi["paths"].values() for route in path.values()]
    assert len(routes) >= 11
    assert all(route["description"] for route in routes)
    wish = openapi["components"]["schemas"]["LimitWish"]["properties"]
    assert all(field["description"] for field in wish.values())


async def test_the_address_answers_once_it_is_told(desk):
    async with serving(demo_config().web, desk) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/healthz")

        assert answer.json() == {"status": "ok", "reasons": []}


async def test_an_address_in_use_is_said_in_words(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(WebFailed, match=f"{listen} cannot be used"):
            await serve(demo_config().web.model_copy(update={"listen": listen}), desk)


@pytest.fixture
def tls(tmp_path):
    openssl = shutil.which("openssl")
    assert openssl, "the TLS tests make a certificate with the openssl command: install openssl"
    tls = Tls(certificate=str(tmp_path / "certificate.pem"), key=str(tmp_path / "key.pem"))
    arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]
    files = ["-keyout", tls.key, "-out", tls.certificate]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *arguments, *name, *files], check=True, capture_output=True)
    return tls


async def test_over_tls_it_answers_to_who_trusts_its_certificate(desk, tls):
    web = demo_config().web.model_copy(update={"tls": tls})

    async with (
        serving(web, desk) as url,
        httpx.AsyncClient(verify=ssl.create_default_context(cafile=tls.certificate)) as client,
    ):
        assert url.startswith("https://")
        assert (await client.get(f"{url}/healthz")).json()["status"] == "ok"
        cookie = (await client.get(f"{url}/?token={VIEWER}")).headers["set-cookie"]

    assert "secure" in cookie.lower()


async def test_a_certificate_that_cannot_be_read_is_said_in_words(desk, tmp_path):
    tls = Tls(certificate=str(tmp_path / "none.pem"), key=str(tmp_path / "none.key"))

    with pytest.raises(WebFailed, match=r"web\.tls cannot be used"):
        await serve(demo_config().web.model_copy(update={"tls": tls}), desk)


async def test_stopping_does_not_wait_for_a_client_that_stays(desk):
    address = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(demo_config().web, desk, on_listening=address.set_result))
    host, _, port = (await address).removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readline()

    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 3)

    assert task.done()
    writer.close()


def test_a_cookie_is_worth_what_its_token_is():
    tokens = demo_config().web.tokens
    cookie = Access(tokens).cookie_for(OPERATOR, NOON)

    assert OPERATOR not in cookie
    assert Access(tokens).by_cookie(cookie, NOON).role == Role.OPERATOR
    assert Access(tokens).by_cookie(cookie, NOON + COOKIE_LIFE) is None
    assert Access(tokens[:1]).by_cookie(cookie, NOON) is None


@pytest.mark.parametrize(
    "cookie",
    [None, "", ".", "..", "x.y.z", "x.99999999999.z", "x.99999999999.é", "¹.¹.¹"],
)
def test_a_cookie_nobody_signed_is_nobody(cookie):
    assert Access(demo_config().web.tokens).by_cookie(cookie, NOON) is None


def test_a_cookie_cannot_be_made_to_last():
    access = Access(demo_config().web.tokens)
    name, expires, signature = access.cookie_for(VIEWER, NOON).split(".")

    later = int(expires) + 10**6

    assert access.by_cookie(f"{name}.{later}.{signature}", NOON) is None
    assert access.by_cookie(f"{name}.{expires}.{signature}", NOON + timedelta(days=1))


async def test_the_journal_says_why_in_a_sentence_or_as_a_table(web):
    why = await web.get("/api/v1/journal?station=CP-01&at=12:04", headers=bearer(VIEWER))
    table = await web.get("/api/v1/journal?format=csv", headers=bearer(VIEWER))

    assert why.json()[0]["sentence"].startswith("The fuse of garage L2 allows 63.0 A")
    assert table.text.splitlines()[0].startswith("at,station,evse,from_a,to_a,rule")


@pytest.mark.parametrize(
    ("query", "status"), [("station=CP-99", 404), ("at=half+past", 422), ("evse=0", 422)]
)
async def test_the_journal_of_nobody_at_no_time_is_refused_in_words(web, query, status):
    refused = await web.get(f"/api/v1/journal?{query}", headers=bearer(VIEWER))

    assert refused.status_code == status
    assert refused.json()["advice"]


async def test_the_grid_operator_dims_and_takes_back(web, desk):
    desk.operations.grid_operator = demo_grid_operator(desk.state)
    path = "/api/v1/grid-operator"

    dimmed = await web.put(f"{path}/limit", json={"reason": "grid full"}, headers=bearer(OPERATOR))
    await desk.operations.grid_operator.keep()
    evidence = await web.get(f"{path}/evidence?format=csv", headers=bearer(VIEWER))
    released = await web.delete(f"{path}/limit", headers=bearer(OPERATOR))
    after = await web.get(path, headers=bearer(VIEWER))

    assert (dimmed.json()["dimmed"], dimmed.json()["limit_w"]) == (True, 4200.0)
    assert dimmed.json()["reason"] == "grid full"
    assert "dimmed,rest,operator-tablet,grid full" in evidence.text
    assert released.status_code == 204
    assert after.json()["dimmed"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "limit"), ("DELETE", "limit"), ("POST", "heartbeat")],
)
async def test_a_viewer_does_not_dim(web, desk, method, path):
    desk.operations.grid_operator = demo_grid_operator(desk.state)

    refused = await web.request(
        method, f"/api/v1/grid-operator/{path}", json={}, headers=bearer(VIEWER)
    )

    assert refused.status_code == 403


async def test_a_site_that_nobody_may_dim_says_so(web):
    refused = await web.get("/api/v1/grid-operator", headers=bearer(OPERATOR))

    assert refused.status_code == 404
    assert "grid_operator" in refused.json()["advice"]


IN_AN_HOUR = (NOON + timedelta(hours=1)).isoformat()


async def test_an_operator_says_what_a_driver_wants_and_takes_it_back(web, desk):
    wish = {"energy_wh": 9000, "departs_at": IN_AN_HOUR}

    answer = await web.put(WISH, headers=bearer(OPERATOR), json=wish)

    assert (answer.status_code, answer.json()) == (200, wish | {"told_by": "operator-tablet"})
    site = (await web.get("/api/v1/site", headers=bearer(VIEWER))).json()
    assert site["stations"]["CP-01"]["evses"]["1"]["wish"] == answer.json()
    assert (await web.delete(WISH, headers=bearer(OPERATOR))).status_code == 204
    assert desk.state.stations["CP-01"].evses[1].wish is None


@pytest.mark.parametrize(
    ("path", "wish", "token", "status"),
    [
        pytest.param(WISH, {"energy_wh": 9000}, VIEWER, 403, id="viewer"),
        pytest.param(WISH.replace("CP-01", "CP-99"), {"energy_wh": 1}, OPERATOR, 404, id="station"),
        pytest.param(WISH.replace("/1/", "/9/"), {"energy_wh": 1}, OPERATOR, 404, id="evse"),
        pytest.param(WISH, {"energy_wh": -1}, OPERATOR, 422, id="negative"),
        pytest.param(WISH, {"energy_wh": "12 kWh"}, OPERATOR, 422, id="words"),
        pytest.param(WISH, {"departs_at": "17:30"}, OPERATOR, 422, id="no date"),
        pytest.param(WISH, {"departs_at": NOON.isoformat()}, OPERATOR, 422, id="past"),
        pytest.param(WISH, {"energy_kwh": 12}, OPERATOR, 422, id="unknown key"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_in_words(web, path, wish, token, status):
    answer = await web.put(path, headers=bearer(token), json=wish)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert status != 422 or "energy_wh" in answer.json()["advice"]


async def test_what_an_evse_drew_is_told_by_the_minute(web):
    told = (await web.get(DRAWS, headers=bearer(VIEWER))).json()
    unknown = await web.get(DRAWS.replace("CP-01", "CP-99"), headers=bearer(VIEWER))

    assert told[-1] == [NOON.timestamp() * 1000, pytest.approx(5.6, abs=0.1)]
    minutes = [at - told[0][0] for at, _ in told]
    assert minutes == [60_000 * number for number in range(len(told))]
    assert unknown.status_code == 404
