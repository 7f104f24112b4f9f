"""Charts that follow a live run without a rerun of the page: the browser asks for them, the server draws what is new.

A rerun of a page, or of a fragment of it, costs the browser some 70 ms, in which the picture stands still; a chart
that is asked for costs only its own drawing, and one that has not changed costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from node_core.runs.scheduler import LiveRuns
from pages.ui.live import run as live

EVERY = 1.5  # s between two looks of a chart in sight
CHARTS_A_SECOND = 30  # for the whole server: past it, plotly's throughput falls
_MOST = 1024  # charts that can be asked for; the longest unused makes room


class Drawable(Protocol):
    """What a feed sends: a plotly figure, or anything else that is plain data."""

    def to_json(self) -> str:
        """Its data."""
        ...


@dataclass
class Feed:
    """One chart or table: how it is made, from which runs, and as it was last made."""

    address: str
    tokens: tuple[str, ...]
    make: Callable[[], Drawable]
    stamp: str = ""
    figure: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, runs: LiveRuns) -> tuple[str, dict[str, Any]]:
        """The chart as plotly's plain data, made anew if its runs have moved; and the stamp that tells."""
        with self.lock:
            stamp = stamp_of(runs, self.tokens)
            if stamp != self.stamp:
                self.figure, self.stamp = json.loads(self.make().to_json()), stamp
            return self.stamp, self.figure


def stamp_of(runs: LiveRuns, tokens: Sequence[str]) -> str:
    """Changes when one of the runs has a new snapshot, has begun again, or plays or rests."""
    views = {token[:8]: runs.look(token) for token in tokens if token in runs}
    return " ".join(f"{name}:{view.begun}.{view.sequence}.{view.status}" for name, view in views.items())


class Feeds:
    """The charts that pages have offered. Every method may be called from any thread."""

    def __init__(self, runs: Callable[[], LiveRuns], most: int = _MOST) -> None:
        self._runs = runs
        self._most = most
        self._lock = threading.Lock()
        self._by_key: OrderedDict[Hashable, Feed] = OrderedDict()

    def offer(self, key: Hashable, tokens: Sequence[str], make: Callable[[], Drawable]) -> Feed:
        """The feed of a chart; the same key has the same address, an unguessable one, until a run begins again.

        Then the address is another, so that a browser draws the new chart at once, and not when it next asks.

        Args:
            key: what tells this chart of these runs from others.
            tokens: the runs it is made from: it is new when one of them is.
            make: draws it; called from any thread, later too, so it must not use Streamlit's session.
        """
        runs = self._runs()
        key = (key, *(runs.look(token).begun for token in tokens if token in runs))
        with self._lock:
            found = self._by_key.get(key)
            if found is None:
                found = self._by_key[key] = Feed(
                    f"live-curves/{secrets.token_urlsafe(24)}", tuple(tokens), make
                )
            found.make = make
            self._by_key.move_to_end(key)
            while len(self._by_key) > self._most:
                self._by_key.popitem(last=False)
            return found

    def look(self, feed: Feed) -> tuple[str, dict[str, Any]]:
        """The chart for a page that is drawn: as it was last made while its runs play, since it will ask by itself.

        Args:
            feed: as `offer` gave it.
        """
        runs = self._runs()
        playing = any(token in runs and runs.look(token).status == "running" for token in feed.tokens)
        if feed.figure and playing:
            return feed.stamp, feed.figure
        return feed.refresh(runs)

    def every(self) -> float:
        """Seconds between two looks: longer while many runs play, so that the server keeps up."""
        return max(EVERY, 4 * self._runs().busy() / CHARTS_A_SECOND)

    async def answer(self, request: Request) -> Response:
        """The chart as JSON; 204 if it is as the asking page has it; 404 if it or its runs are gone."""
        address = f"live-curves/{request.path_params['name']}".encode()
        with self._lock:
            feed = next(
                (f for f in self._by_key.values() if secrets.compare_digest(f.address.encode(), address)),
                None,
            )
        runs = self._runs()
        if feed is None or not any(token in runs for token in feed.tokens):
            return Response(status_code=404)
        for token in feed.tokens:  # who asks watches: a run may have no canvas
            if token in runs:
                runs.poll(token)
        if request.query_params.get("stamp") == stamp_of(runs, feed.tokens):
            return Response(status_code=204)
        stamp, figure = await asyncio.to_thread(feed.refresh, runs)
        body = json.dumps({"stamp": stamp, "figure": figure, "every": self.every()})
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@st.cache_resource(show_spinner=False)
def live_feeds() -> Feeds:
    """The server's feeds."""
    return Feeds(live.live_runs)


def refreshing(token: str, seconds: float) -> float | None:
    """How often a picture follows a run (s): seldom where there are many runs, not at all while this one stands."""
    runs = live.live_runs()
    if token not in runs:
        return None
    view = runs.look(token)
    if view.snapshot is None and view.status != "failed":
        return 1.0  # the first picture is on its way
    return max(seconds, 4 * runs.busy() / CHARTS_A_SECOND) if view.status == "running" else None


def feed_routes(feeds: Callable[[], Feeds], base: str = "") -> list[BaseRoute]:
    """The route that app.py adds to Streamlit's own, below the path `base`."""

    async def endpoint(request: Request) -> Response:
        return await feeds().answer(request)

    return [Route(f"{base}/live-curves/{{name}}", endpoint, methods=["GET"])]
