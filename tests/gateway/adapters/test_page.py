"""The operators' page in a real browser: live, alone with the gateway, and only for who may."""

import asyncio
import contextlib
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from gateway.adapters.web import Desk, serve
from gateway.operations import Caller
from gateway.records import LimitSource
from gateway.site_state import DepthPoint, HistoryPoint
from load_balancer.phases import PhaseCurrents
from site_config.links import Role
from tests.gateway.adapters.demo_site import (
    NOON,
    NOW,
    OPERATOR,
    VIEWER,
    a_trace,
    busy_state,
    cloud_away,
    demo_config,
    demo_counters,
    demo_operations,
)
from tests.support.browser import chromium
from tests.support.web_server import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLOT = "document.querySelector('.sg-plot canvas')"
GARAGE_L2 = "[data-circuit=garage] .sg-phases > :nth-child(2) b"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with chromium() as page:
        await page.size(1024, 768)
        yield page


@pytest.fixture
def desk():
    return desk_of(busy_state())


def desk_of(state):
    return Desk(state, demo_operations(state), demo_counters(), lambda: NOW, lambda: NOON)


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser):
    yield browser
    await browser.forget()


@pytest_asyncio.fixture(loop_scope="module")
async def url(desk):
    async with serving(demo_config().web, desk) as address:
        yield address


async def signed_in(page, url, token=OPERATOR):
    await page.open(f"{url}/?token={token}")
    await page.wait_for(PLOT)
    await page.wait_for("window.socket?.connected")
    return page


async def test_who_has_no_cookie_signs_in_with_a_token(page, url):
    await page.open(url)
    await page.type("#token", OPERATOR)
    await page.click("button", "Sign in")

    assert await page.text("h1") == "Depot North"
    assert await page.wait_for(PLOT)
    assert "operator-tablet" in await page.text(".sg-who")


async def test_an_unknown_token_is_told_so_and_let_nowhere(page, url):
    await page.open(f"{url}/signin")
    await page.type("#token", "operator-secrex")
    await page.click("button", "Sign in")

    assert "not in the site file" in await page.text(".sg-bad")
    assert not await page.evaluate("document.cookie")


async def test_a_token_in_the_address_is_changed_into_a_cookie_scripts_cannot_read(page, url):
    await signed_in(page, url)

    assert await page.evaluate("location.href") == f"{url}/"
    assert await page.evaluate("document.cookie") == ""
    assert OPERATOR not in await page.evaluate("document.documentElement.outerHTML")


async def test_after_signing_out_the_page_is_closed(page, url):
    await signed_in(page, url)
    await page.click(".sg-clock button", "Sign out")
    await page.wait_for("location.pathname == '/signin'")

    await page.open(url)

    assert await page.wait_for("location.pathname == '/signin'")


async def test_no_request_leaves_for_another_host_and_nothing_is_complained_about(page, url):
    await signed_in(page, url)
    for tab in ("Transactions", "Cloud", "Messages", "Site"):
        await page.click(".q-tab", tab)
        await page.wait_for(f"document.querySelector('.q-tab--active').innerText == '{tab}'")

    own = urlsplit(url).netloc
    assert {urlsplit(request).netloc for request in page.requests} == {own}
    assert any(request.startswith("ws://") for request in page.requests)
    assert page.complaints == []


async def test_what_changes_at_the_site_changes_on_the_page_in_its_place(page, url, desk):
    await signed_in(page, url)
    assert await page.text(GARAGE_L2) == "57.3"
    await page.evaluate(f"window.kept = document.querySelector('{GARAGE_L2}')")

    desk.state.circuits["garage"].measured = PhaseCurrents(1, 66.6, 3)
    evse = desk.state.stations["CP-01"].evses[1]
    evse.measured, evse.energy_wh = PhaseCurrents(10, 10, 10), 12_340.0

    assert await page.wait_for("window.kept.isConnected && window.kept.innerText == '66.6'")
    assert await page.wait_for(
        "document.querySelector('[data-evse=\"CP-01/1\"] .sg-power b').innerText == '6.9'"
    )
    assert "12.3" in await page.text('[data-evse="CP-01/1"] .sg-energy')


async def test_the_plot_grows_with_every_balancing_step(page, url, desk):
    await signed_in(page, url)
    newest = "import('site-gateway-store').then((store) => store.history.at(-1).slice(1))"
    assert await page.evaluate(newest) == [70, 75.9, 61, 100]

    measured, limit = PhaseCurrents(11, 12, 13), PhaseCurrents(40, 40, 40)
    desk.state.history.append(HistoryPoint(NOON + timedelta(seconds=9), measured, limit, measured))

    async with asyncio.timeout(5):
        while await page.evaluate(newest) != [11, 12, 13, 40]:  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.05)


async def test_cloud_and_outbox_are_seen_at_a_glance(page, url, desk):
    await signed_in(page, url)

    cloud_away(desk.state)

    await page.wait_for("document.querySelector('.sg-header').innerText.includes('Cloud away')")
    header = await page.text(".sg-header")
    assert "412 waiting" in header
    assert "1 in quarantine" in header
    assert await page.text(".sg-alert b") == "the cloud is silent since 12:57"
    assert "what is billed waits on disk" in await page.text(".sg-alert small")


async def test_every_limit_says_why_in_one_sentence_and_since_when(page, url):
    await signed_in(page, url)

    assert await page.text('[data-evse="CP-01/1"] .sg-why') == (
        "16.0 A is its fair share of garage L2, whose fuse allows 63.0 A. Since 13:54."
    )
    assert "offline since 13:18 (42 min)" in await page.text('[data-evse="CP-08/1"]')


async def test_an_operator_lowers_a_circuit_in_the_dialog(page, url, desk):
    await signed_in(page, url)
    await page.click("[data-circuit=garage] button", "Limit")
    await page.type(".sg-dialog input[type=number]", "40")
    await page.type(".sg-dialog input[aria-label=Reason]", "party next door")
    await page.click(".sg-dialog .q-radio", "until I remove it")

    await page.click(".sg-dialog button", "Set limit")

    assert await page.wait_for(
        "document.querySelector('[data-circuit=garage]').innerText.includes('limit 40 of 63 A')"
    )
    limit = desk.operations.limits["garage", LimitSource.OPERATOR]
    assert (limit.limit_a, limit.reason, limit.until) == (40, "party next door", None)
    assert limit.set_by == "operator-tablet"


async def test_an_operator_gives_a_circuit_back(page, url, desk):
    caller = Caller("operator-tablet", Role.OPERATOR)
    await desk.operations.set_circuit_limit(
        "garage", 40, reason="", until=None, source=LimitSource.OPERATOR, caller=caller
    )
    await signed_in(page, url)
    await page.click("[data-circuit=garage] button", "Limit")
    assert "operator-tablet allows 40 A, until removed" in await page.text(".sg-dialog")

    await page.click(".sg-dialog button", "Remove limit")

    await page.wait_for("document.body.innerText.includes('is removed')")
    assert desk.operations.limits == {}


CHANGING = (
    "[...document.querySelectorAll('button')].map((each) => each.innerText)"
    ".filter((text) => ['Limit…', 'Retry', 'Edit…', 'Discard…'].includes(text))"
)


@pytest.mark.parametrize(
    ("token", "on_site", "on_cloud"),
    [(VIEWER, [], []), (OPERATOR, ["Limit…"] * 3, ["Retry", "Edit…", "Discard…"])],
    ids=["viewer", "operator"],
)
async def test_who_may_not_change_anything_sees_no_button_that_would(
    page, url, token, on_site, on_cloud
):
    await signed_in(page, url, token)
    assert await page.evaluate(CHANGING) == on_site

    await page.click(".q-tab", "Cloud")
    await page.wait_for("document.body.innerText.includes('FormationViolation')")

    assert await page.evaluate(CHANGING) == on_cloud


async def test_an_operator_sends_a_quarantined_message_again(page, url, desk):
    await signed_in(page, url)
    await page.click(".q-tab", "Cloud")

    await page.click(".sg-line button", "Retry")

    await page.wait_for("!document.body.innerText.includes('FormationViolation')")
    assert desk.operations.asked[-1][:3] == ("release", 17, True)
    assert desk.operations.asked[-1][3].name == "operator-tablet"


async def test_messages_appear_as_they_pass(page, url, desk):
    await signed_in(page, url)
    await page.click(".q-tab", "Messages")
    await page.wait_for("document.querySelectorAll('.sg-frame').length == 4")

    newest = replace(a_trace(desk.state)[0], frame='[2,"x9","Reset",{}]')
    desk.operations.trace.append(newest)

    await page.wait_for("document.querySelectorAll('.sg-frame').length == 5")
    assert "Reset" in await page.text(".sg-frame")


async def test_what_a_station_calls_itself_is_text_and_never_markup(page):
    state = busy_state()
    evil = "</script><img src=x onerror=window.hacked=1>{{ 6 * 7 }}"
    state.stations["CP-01"].vendor = state.stations["CP-01"].model = evil
    state.stations["CP-05"].evses[1].error = evil
    async with serving(demo_config().web, desk_of(state)) as url:
        await signed_in(page, url)
        await page.click('[data-evse="CP-01/1"]')

        assert evil in await page.text('[data-evse="CP-01/1"]')
        assert evil in await page.text('[data-evse="CP-05/1"]')
        assert await page.evaluate("window.hacked") is None
        await page.forget()


async def test_many_stations_are_rows_that_can_be_searched(page):
    async with serving(demo_config(200).web, desk_of(busy_state(200))) as url:
        await signed_in(page, url)
        assert await page.wait_for(
            "document.querySelectorAll('.sg-rows [data-evse]').length == 250"
        )

        await page.type(".sg-search", "cp-117")

        assert await page.wait_for("document.querySelectorAll('[data-evse]').length == 1")
        await page.forget()


async def test_an_open_page_does_not_keep_the_gateway_from_stopping(page, desk):
    address = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(demo_config().web, desk, on_listening=address.set_result))
    await signed_in(page, await address)
    began = time.monotonic()

    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert time.monotonic() - began < 2


async def test_a_page_comes_back_by_itself_after_a_restart_of_the_gateway(page, desk):
    async with serving(demo_config().web, desk) as url:
        await signed_in(page, url)
    web = demo_config().web.model_copy(update={"listen": urlsplit(url).netloc})

    desk.state.circuits["garage"].measured = PhaseCurrents(1, 44.4, 3)
    async with serving(web, desk):
        assert await page.wait_for(f"document.querySelector('{GARAGE_L2}').innerText == '44.4'")
        assert await page.wait_for("window.socket?.connected")
        await page.forget()


async def test_a_transaction_opens_into_the_way_of_its_messages(page, url):
    await signed_in(page, url, VIEWER)
    await page.click(".q-tab", "Transactions")
    await page.click(".sg-tx[data-transaction]", "CP-01")

    await page.wait_for("document.querySelectorAll('.sg-steps li').length == 5")
    steps = await page.text(".sg-steps")
    assert "13:00:00.040 s-3" in steps
    assert "with row 4" in steps
    assert "FormationViolation timestamp malformed" in steps
    assert "…E6F7" in await page.text(".sg-tx[data-transaction]")
    assert page.complaints == []


async def test_an_operator_mends_a_quarantined_message_and_says_why(page, url, desk):
    await signed_in(page, url)
    await page.click(".q-tab", "Cloud")
    await page.click(".sg-line button", "Edit…")
    await page.wait_for("document.querySelector('.sg-code textarea')?.value.includes('12:00:00Z')")

    told = await page.evaluate("document.querySelector('.sg-code textarea').value")
    await page.type(".sg-code textarea", told.replace("12:00:00Z", "11:00:00Z"))
    await page.click(".sg-dialog button", "Save")
    assert "Say why" in await page.text(".sg-dialog .sg-bad")
    await page.type(".sg-dialog input[aria-label=Why]", "its clock was wrong")
    await page.click(".sg-dialog button", "Save")

    await page.wait_for("document.body.innerText.includes('Changed. Retry sends it.')")
    (edit,) = desk.operations.edits
    assert (edit.edited_by, edit.note) == ("operator-tablet", "its clock was wrong")
    assert desk.operations.quarantine[0].row.event.at == NOON - timedelta(hours=1)


async def test_messages_are_searched_and_the_file_is_what_is_shown(page, url):
    await signed_in(page, url)
    await page.click(".q-tab", "Messages")
    await page.wait_for("document.querySelectorAll('.sg-frame').length == 4")

    await page.type("input[aria-label=action]", "StatusNotification")

    await page.wait_for("document.querySelectorAll('.sg-frame').length == 1")
    assert "action=StatusNotification" in await page.evaluate(
        "document.querySelector('.sg-download').href"
    )


async def test_how_much_waits_how_long_and_since_when_is_seen(page, url, desk):
    cloud_away(desk.state)
    desk.state.cloud.drain_s = 740.0
    for minutes in (3, 2, 1):
        desk.state.cloud.depths.append(DepthPoint(NOON - timedelta(minutes=minutes), minutes, 0))
    await signed_in(page, url)

    await page.click(".q-tab", "Cloud")

    await page.wait_for("document.querySelector('.sg-depth polyline')")
    # 3, 2 and 1 were looked at, and now wait more than ever
    assert f"at most {desk.state.cloud.pending} waited" in await page.text(".sg-depth")
    await page.wait_for("document.body.innerText.includes('They will take about 12 min.')")


async def test_a_card_opens_into_its_day_and_says_why_it_was_held_back_then(page, url):
    await signed_in(page, url, VIEWER)
    await page.click('[data-evse="CP-01/1"] h3')
    await page.wait_for("document.querySelector('.sg-day canvas')")

    await page.evaluate(
        """(() => { const field = document.querySelector('.sg-day input');
        field.value = '14:00'; field.dispatchEvent(new Event('input'));
        field.dispatchEvent(new Event('change')); })()"""
    )

    await page.wait_for("document.querySelector('.sg-day-answer b')")
    assert await page.text(".sg-day-answer") == (
        "6 A, since 14:00:00. The fuse of garage L2 allows 63.0 A; "
        "67.4 A flow or are promised there."
    )
    csv = await page.evaluate("document.querySelector('.sg-day a').getAttribute('href')")
    assert csv.startswith("/api/v1/journal?station=CP-01&evse=1&format=csv")
    assert (
        await page.evaluate("document.querySelectorAll('[data-evse] .sg-more button').length") == 0
    )
    assert page.complaints == []


async def test_pointing_at_the_day_says_what_held_then(page, url):
    await signed_in(page, url)
    await page.click('[data-evse="CP-01/1"] h3')
    await page.wait_for("document.querySelector('.sg-day canvas')")
    await page.evaluate("document.querySelector('.sg-day').scrollIntoView()")
    box = await page.evaluate(
        "document.querySelector('.sg-day canvas').getBoundingClientRect().toJSON()"
    )

    async with asyncio.timeout(10):
        while "is its fair share" not in await page.text(".sg-day-answer"):
            await page.call(
                "Input.dispatchMouseEvent",
                type="mouseMoved",
                x=box["x"] + box["width"] * 0.92,
                y=box["y"] + box["height"] / 2,
            )

    assert "16 A, since 10:10:00." in await page.text(".sg-day-answer")


async def test_an_operator_says_what_a_driver_wants(page, url, desk):
    await signed_in(page, url)
    assert await page.text('[data-evse="CP-01/1"] .sg-wish') == (
        "Wants 12 kWh by 17:30, told by the car."
    )
    await page.click('[data-evse="CP-01/1"] h3')
    await page.click('[data-evse="CP-01/1"] .sg-more button', "wish")
    await page.wait_for("document.querySelector('.sg-dialog input[type=time]')?.value == '17:30'")

    await page.type(".sg-dialog input[type=number]", "9")
    await page.click(".sg-dialog button", "Set wish")

    assert await page.wait_for(
        "document.querySelector('[data-evse=\"CP-01/1\"] .sg-wish').innerText == "
        "'Wants 9 kWh by 17:30, told by operator-tablet.'"
    )
    wish = desk.state.stations["CP-01"].evses[1].wish
    assert (wish.energy_wh, wish.departs_at) == (9000, NOON + timedelta(hours=3, minutes=30))
