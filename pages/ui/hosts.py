"""Where the app answers: under which names, below which path, to whose pages; and what it says everywhere else.

Streamlit refuses a name that is not among `server.allowedHosts` at its socket only, so that the page stays empty for
ever; routes of ours it does not guard at all. `HostGuard` stands in front of both.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config, file_util
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from node_core.assets import ASSETS

NAMES = "server.allowedHosts"
_HEALTH = (
    "/_stcore/health",
    "/_stcore/script-health-check",
)  # asked by machines, under whatever name they know
_POLICY_VIOLATION = 1008
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")  # trusted by Streamlit too, at any port
_NAME = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]{1,253}")


def base_path() -> str:
    """The path below which the app is served (`--server.baseUrlPath`): "" or "/lab"."""
    path = str(config.get_option("server.baseUrlPath")).strip("/")
    return f"/{path}" if path else ""


def tidy_names() -> None:
    """Read the list of names as people write it: with commas, with the brackets of an IPv6 address, with a port.

    In an environment variable Streamlit wants spaces, and takes a list with commas for one name that nobody has.
    """
    entries = [name for entry in config.get_option(NAMES) for name in entry.replace(",", " ").split()]
    config.set_option(NAMES, [_bare(name) for name in entries], "app.py: the names one by one")


def _bare(name: str) -> str:
    if name.count(":") > 1 and not name.startswith("["):  # an IPv6 address as it is
        return name
    try:
        return urlsplit(f"//{name}").hostname or name
    except ValueError:  # half a bracket
        return name


def origin_allowed(headers: Mapping[str, str], scheme: str) -> bool:
    """Whether a page may open a socket here: one of the app itself, or of an origin that Streamlit was told to trust.

    The same as Streamlit asks of its own socket. A proxy that replaces the Host header makes origin and host differ:
    it needs `server.corsAllowedOrigins`. What came encrypted must be asked for by an encrypted page.

    Args:
        headers: of the request: `origin` and `host`.
        scheme: of the connection: "ws" or "wss", "http" or "https".
    """
    try:
        origin = urlsplit(headers.get("origin", "").lower())
    except ValueError:  # half a bracket
        return False
    if origin.scheme != "https" and (origin.scheme != "http" or scheme in ("wss", "https")):
        return False
    if not config.get_option("server.enableCORS") or origin.netloc == headers.get("host", "").lower():
        return bool(origin.netloc)
    named = (
        urlsplit(each.strip().lower()).hostname for each in config.get_option("server.corsAllowedOrigins")
    )
    trusted = {*named, *_THIS_MACHINE}
    if config.is_manually_set("browser.serverAddress"):
        trusted.add(_bare(str(config.get_option("browser.serverAddress")).lower()))
    return origin.hostname in trusted


class HostGuard:
    """ASGI middleware: a name that is not allowed gets one plain page, and no socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what was asked for under an allowed name."""
        if scope["type"] not in ("http", "websocket") or scope["path"].endswith(_HEALTH):
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host")
        if is_host_allowed(host):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _refusal(host)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


def _refusal(host: str | None) -> Response:
    asked = _bare(host or "")
    if not _NAME.fullmatch(asked):  # what stands in a command to be copied must be a name and nothing else
        asked = "lab-pc.example.org"
    names = [html.escape(name) for name in config.get_option(NAMES)]
    together = [name for name in names if name not in _THIS_MACHINE] + [asked]  # those are let in anyhow
    page = Template((ASSETS / "hosts" / "refused.html").read_text(encoding="utf-8")).substitute(
        asked=asked, names=", ".join(names), together=",".join(together)
    )
    return HTMLResponse(page, status_code=403, headers={"Cache-Control": "no-store"})


def front_routes(
    pages: list[str], head: str, watcher: str, base: str = "", into: Callable[[str, str], str] | None = None
) -> list[BaseRoute]:
    """Streamlit's own page with what is ours in it, and what the watcher asks when it gets no connection.

    Args:
        pages: names in the address; "" is the first page.
        head: HTML that stands before Streamlit's own scripts (`pages.ui.frame`).
        watcher: address of a script that runs beside them, relative to the app's.
        base: the path below which the app is served.
        into: puts a page's first picture into Streamlit's page (see `pages.ui.first_picture`).
    """
    index = Path(file_util.get_static_dir(), "index.html").read_text(encoding="utf-8")
    script = f'<script type="module" src="./{watcher}"></script>'
    page = index.replace("<head>", f"<head>{head}", 1).replace("</head>", f"{script}</head>", 1)

    def front(name: str) -> BaseRoute:
        whole = page if into is None else into(name, page)

        async def answer(request: Request) -> Response:
            return HTMLResponse(whole, headers={"Cache-Control": "no-cache"})

        return Route(f"{base}/{name}", answer, methods=["GET"])

    fronts = [front(name) for name in pages]
    return [*fronts, Route(f"{base}/live-connection", connection, methods=["GET"])]


async def connection(request: Request) -> Response:
    """Why a page of the address that is asked about can't connect, as far as the server can know."""
    page, host = request.query_params.get("page", ""), request.headers.get("host", "")
    if not _ORIGIN.fullmatch(page):
        return Response(status_code=400)
    if origin_allowed({"origin": page, "host": host}, request.scope["scheme"]):
        sentence = (
            "The page is here, but its connection does not come through: whatever stands between must let WebSockets "
            "pass (in nginx: proxy_http_version 1.1, and the headers Upgrade and Connection)."
        )
    else:
        sentence = (
            f"This page is {page}, but the server was asked under the name {host}: let the proxy pass the Host header "
            f"on (in nginx: proxy_set_header Host $http_host), or start the app with "
            f"--server.corsAllowedOrigins={page}."
        )
    return JSONResponse({"sentence": sentence}, headers={"Cache-Control": "no-store"})
