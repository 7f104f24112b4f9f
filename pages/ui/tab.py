"""Whose run is it: the browser tab behind a session, known before the first line of a page runs.

A run belongs to the tab that began it. `assets/tab.js` runs in the page before Streamlit's own scripts: when
Streamlit's WebSocket connects it names the document, and the document before it in the same tab. `Tabs` decides whose
heir it is. Nothing of it stands in an address, a cookie or a log.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st
from starlette.types import ASGIApp, Receive, Scope, Send

from node_core.assets import ASSETS

_HEADER = "x-lab-tab"
_CLAIM = re.compile(rb"tab\.([0-9a-f]{32})\.([0-9a-f]{32}|)\.([01])")
_PROTOCOLS = b"sec-websocket-protocol"


@dataclass
class _Document:
    held: dict[str, str] = field(default_factory=dict)
    connections: int = 0


class Tabs:
    """The documents that browsers have shown lately, and what each holds: the tokens of its tab's runs.

    Every method may be called from any thread.

    Args:
        most: documents remembered; the longest disconnected ones are forgotten.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    def enter(self, name: str, before: str = "", left: bool = False) -> None:
        """A document has connected, perhaps again.

        Args:
            name: of the document, secret.
            before: the document that was connected before it in its tab, as the browser remembers.
            left: whether that one said that it leaves. If not, and it is still connected, this is a copy of its tab.
        """
        with self._lock:
            if name not in self._documents:
                self._documents[name] = _Document(self._inheritance(before, left))
            self._documents[name].connections += 1
            self._documents.move_to_end(name)
            idle = [key for key, found in self._documents.items() if found.connections <= 0]
            for key in idle[: max(0, len(self._documents) - self._most)]:
                del self._documents[key]

    def leave(self, name: str) -> None:
        """One of the document's connections has ended."""
        with self._lock:
            if name in self._documents:
                self._documents[name].connections -= 1

    def held(self, name: str) -> dict[str, str] | None:
        """What a document holds, to be read and written; None if it is not known."""
        with self._lock:
            document = self._documents.get(name)
            return None if document is None else document.held

    def _inheritance(self, before: str, left: bool) -> dict[str, str]:
        """What the document before leaves behind: its runs, once; nothing while it is still there."""
        earlier = self._documents.get(before)
        if earlier is None or (earlier.connections > 0 and not left):
            return {}
        del self._documents[before]
        return earlier.held


@st.cache_resource(show_spinner=False)
def tabs() -> Tabs:
    """The server's memory of its visitors' tabs."""
    return Tabs()


def tab_memory() -> dict[str, str]:
    """What is kept for the tab that this script runs for: tokens of runs, addresses of pages."""
    name = st.context.headers.get(_HEADER)
    held = None if name is None else tabs().held(name)
    if held is None:
        # No word from the browser (a host that serves Streamlit's page itself, a test): the session holds them.
        held = st.session_state.setdefault("runs held", {})
    return held


def tab_script() -> str:
    """What runs in a page before Streamlit's own scripts, and says which tab this is."""
    return (ASSETS / "tab.js").read_text(encoding="utf-8")


class TabMiddleware:
    """Takes the word of `tab_script` out of the handshake of Streamlit's WebSocket, and tells the page's script."""

    def __init__(self, app: ASGIApp, memory: Callable[[], Tabs] = tabs) -> None:
        self._app = app
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        headers = [entry for entry in scope["headers"] if entry[0] != _HEADER.encode()]
        claim, offered = None, []
        for value in b",".join(value for key, value in headers if key == _PROTOCOLS).split(b","):
            found = _CLAIM.fullmatch(value.strip())
            claim = found or claim
            if found is None and value.strip():
                offered.append(value.strip())
        if claim is None:
            await self._app({**scope, "headers": headers}, receive, send)
            return
        name, before, left = (group.decode() for group in claim.groups())
        self._memory().enter(name, before, left == "1")
        headers = [entry for entry in headers if entry[0] != _PROTOCOLS]
        headers += [(_PROTOCOLS, b", ".join(offered)), (_HEADER.encode(), name.encode())]
        known = {"headers": headers, "subprotocols": [value.decode() for value in offered]}
        try:
            await self._app({**scope, **known}, receive, send)
        finally:
            self._memory().leave(name)
