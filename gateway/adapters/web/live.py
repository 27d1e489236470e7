"""One view of the site, refreshed once a second, and told to every open page.

However many pages are open, the site is looked at once, and all of them are sent the same text:
what has changed since the second before.
"""

import orjson
from nicegui import Client

from gateway.adapters.web.desk import Desk
from gateway.adapters.web.view import View, changes, plot_history, view_of

REFRESH_S = 1.0


class Live:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._view: View = {}
        self._clients: dict[str, Client] = {}

    def join(self, client: Client) -> None:
        """Keep a page's browser informed from now on, beginning with everything."""
        self.refresh()
        if client.id not in self._clients:
            self._clients[client.id] = client
            client.on_delete(lambda: self._clients.pop(client.id, None))
        client.run_javascript(_show(self._look()))

    def close(self) -> None:
        """Forget every page; a browser that comes back begins with a new one."""
        for client in list(self._clients.values()):
            client.delete()

    def refresh(self) -> None:
        """Tell every open page what has changed since the last time."""
        if not self._clients:
            return
        view = self._look()
        told = changes(self._view, view)
        self._view = view
        if told:
            code = _show(told)
            for client in self._clients.values():
                client.run_javascript(code)

    def embedded(self, caller: str) -> str:
        """Return the script elements from which a page starts, before its socket is open."""
        site = self.desk.state.site.site
        root = self.desk.state.root
        view = self._look() | {
            "name": site.name,
            "zone": site.timezone,
            "root": root,
            "caller": caller,
        }
        history = plot_history(self.desk.state)
        return _embed("site-view", view) + _embed("site-history", history)

    def _look(self) -> View:
        desk = self.desk
        dimming = desk.operations.grid_operator
        status = dimming.status() if dimming is not None else None
        return view_of(desk.state, desk.now(), desk.now_utc(), desk.operations.health(), status)


def _show(view: View) -> str:
    return f"siteGateway.show({orjson.dumps(view).decode()})"


def _embed(name: str, value: object) -> str:
    # a station may call itself </script>
    text = orjson.dumps(value).decode().replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
