"""A real Chromium without a window, driven over the DevTools protocol.

One browser, one page at a time; everything it asks of the network and writes to its console is
kept. Needs Chromium on the PATH: `chromium_or_skip` says what to install.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
PATIENCE_S = 20.0
ANSWER_BYTES = 64 * 1024 * 1024


def chromium_or_skip() -> str:
    """Return the browser's path; without one skip, or fail where CI must have it."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = "no Chromium on the PATH: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Navigated(Exception):
    """The page was left while it was asked."""


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._session: str | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requests: list[str] = []
        """Every address asked for, sockets included."""
        self.complaints: list[str] = []
        """Errors and uncaught exceptions of the console."""

    async def read(self) -> None:
        """Sort what the browser says, for as long as it lives."""
        async for text in self._socket:
            message = json.loads(text)
            if answer := self._answers.pop(message.get("id", 0), None):
                answer.set_result(message)
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(" ".join(str(each.get("value")) for each in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def attach(self) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        result = await asyncio.wait_for(answer, PATIENCE_S)
        if "navigated" in result.get("error", {}).get("message", ""):
            raise Navigated(method)
        assert "error" not in result, f"{method}: {result['error']}"
        return result["result"]

    async def forget(self) -> None:
        """Begin anew: no cookies, nothing open, nothing asked for."""
        await self.open("about:blank")
        await self.call("Network.clearBrowserCookies")
        self.requests.clear()
        self.complaints.clear()

    async def size(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> Any:
        """Return the first truthy value of an expression; looks again until it is one."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (value := await self._try(script)):  # noqa: ASYNC110 - has no event
                    await asyncio.sleep(0.05)
                return value
        except TimeoutError as reason:
            body = await self.evaluate("document.body.innerText")
            raise AssertionError(f"never: {script}\n{self.complaints}\n{body}") from reason

    async def _try(self, script: str) -> Any:
        """A page on its way may have nothing to look at yet: that is no value."""
        with contextlib.suppress(Navigated):
            return await self.evaluate(
                f"""(() => {{
                    try {{ const found = ({script}); return found instanceof Node || found; }}
                    catch {{ return null; }}
                }})()"""
            )
        return None

    async def text(self, selector: str) -> str:
        found: str = await self.wait_for(
            f"document.querySelector({json.dumps(selector)})?.innerText"
        )
        return found

    async def click(self, selector: str, text: str = "") -> None:
        """Click on the first element of a selector that contains a text."""
        wanted = f"""[...document.querySelectorAll({json.dumps(selector)})]
            .find((each) => each.innerText.includes({json.dumps(text)}))"""
        await self.wait_for(wanted + " !== undefined")
        with contextlib.suppress(Navigated):  # it leads to another page, at once
            await self.evaluate(wanted + ".click()")

    async def type(self, selector: str, text: str) -> None:
        """Put text into a field as a keyboard would, replacing what is there."""
        await self.wait_for(f"document.querySelector({json.dumps(selector)})")
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)

    async def screenshot(self, path: Path) -> None:
        picture = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(picture["data"]))


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """Run a browser with one empty page."""
    binary = chromium_or_skip()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            binary,
            *FLAGS,
            f"--user-data-dir={profile}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            address = await _devtools_address(Path(profile) / "DevToolsActivePort")
            async with connect(address, max_size=ANSWER_BYTES, compression=None) as socket:
                page = Page(socket)
                reading = asyncio.create_task(page.read())
                await page.attach()
                try:
                    yield page
                finally:
                    reading.cancel()
        finally:
            process.kill()
            await process.wait()


async def _devtools_address(port_file: Path) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while not port_file.exists() or port_file.read_text().count("\n") < 1:  # noqa: ASYNC240, ASYNC110 - the browser writes it, there is nothing to await
            await asyncio.sleep(0.05)
    port, path = port_file.read_text().splitlines()  # noqa: ASYNC240 - forty bytes
    return f"ws://127.0.0.1:{port}{path}"
