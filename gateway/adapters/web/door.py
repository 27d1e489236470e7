"""The door of the page: who has no cookie of a token is sent to sign in; headers that keep
browsers from talking to anybody else.

`/?token=…` is for wall displays: the token is changed into a cookie at once and leaves the address.
"""

from math import ceil
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.adapters.web.access import COOKIE, COOKIE_LIFE, Access, address_of
from gateway.adapters.web.desk import Desk
from gateway.operations import Caller

CALLER_KEY = "site_gateway.caller"
"""Where the door leaves the `Caller` in the ASGI scope of an admitted request."""

MAX_FORM_BYTES = 4096

HEADERS = {
    # the page needs eval: Vue compiles its templates in the browser
    "Content-Security-Policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval'; img-src 'self' data:; "
        "font-src 'self' data:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

SIGN_IN = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title>
<link rel="icon" href="/static/favicon.svg"><link rel="stylesheet" href="/static/site.css">
</head>
<body class="sg-signin">
<form method="post" action="/signin">
<h1>{site}</h1>
{refusal}
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button type="submit">Sign in</button>
</form>
</body>
</html>
"""
TOO_MANY = '<p class="sg-note sg-bad">Too many wrong tokens. Wait {seconds} s.</p>'
REFUSED = '<p class="sg-note sg-bad">This token is not in the site file.</p>'


class Door:
    """Pure ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, access: Access, desk: Desk) -> None:
        self._app = app
        self._access = access
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._admit(Request(scope)) if scope["path"] == "/" else None
        if isinstance(answer, Caller):
            scope[CALLER_KEY] = answer
        await (answer if isinstance(answer, Response) else self._app)(
            scope, receive, send_with_headers
        )

    def _admit(self, request: Request) -> Caller | Response:
        if token := request.query_params.get("token"):
            return exchange(token, request, self._access, self._desk)
        caller = self._access.by_cookie(request.cookies.get(COOKIE), self._desk.now_utc())
        return caller or RedirectResponse("/signin", 303)


def exchange(token: str, request: Request, access: Access, desk: Desk) -> Response:
    """Change a token into a cookie and go to the page, or say that nobody knows it."""
    address = address_of(request)
    if (wait_s := access.guesses.wait_s(address, desk.now())) > 0:
        page = _sign_in_page(desk, TOO_MANY.format(seconds=ceil(wait_s)), 429)
        page.headers["Retry-After"] = str(ceil(wait_s))
        return page
    cookie = access.cookie_for(token.strip(), desk.now_utc())
    if cookie is None:
        access.guesses.wrong(address, desk.now())
        return _sign_in_page(desk, REFUSED, 401)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(COOKIE_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _sign_in_page(desk: Desk, refusal: str = "", status: int = 200) -> HTMLResponse:
    name = desk.state.site.site.name.replace("&", "&amp;").replace("<", "&lt;")
    return HTMLResponse(
        SIGN_IN.format(site=name, refusal=refusal), status, {"Cache-Control": "no-store"}
    )


door = APIRouter(include_in_schema=False)


@door.get("/signin")
async def sign_in_page(request: Request) -> Response:
    return _sign_in_page(request.app.state.desk)


@door.post("/signin")
async def sign_in(request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return _sign_in_page(request.app.state.desk, REFUSED, 413)
    token = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
    return exchange(token, request, request.app.state.access, request.app.state.desk)


@door.post("/signout")
async def sign_out() -> Response:
    response = RedirectResponse("/signin", 303)
    response.delete_cookie(COOKIE)
    return response
